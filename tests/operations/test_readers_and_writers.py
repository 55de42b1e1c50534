"""Readers miss no item and get no item twice while other processes write."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

import orjson
import pytest

from open311.domain.search import RequestSearch
from open311.formats import JSON
from open311.operations.platform import Platform
from open311.operations.reading.find_requests import find_requests
from open311.operations.reading.follow_changes import BEGINNING, Position, find_changes
from open311.operations.upkeep.sync_catalogues import ensure_synced
from open311.settings import Settings
from tests import build
from tests.operations.reader import Follower, Page, Pager, Read
from tests.operations.writer import writing
from tests.waiting import settle

WRITERS, EACH, STORED_BEFORE = 3, 80, 2_000
WHOLE = RequestSearch(jurisdiction_id="test.example", page_size=90)


def feed(platform: Platform) -> Read:
    """The change feed, page by page."""

    def read(at: Position | None) -> Page:
        after = at or BEGINNING
        page = find_changes(platform, "test.example", after, JSON, rows=70)
        assert page.reached >= after
        return Page(list(map(orjson.loads, page.items)), page.reached, page.is_caught_up)

    return read


def pages(platform: Platform) -> Read:
    """The list of requests, page by page, by its cursors."""

    def read(search: RequestSearch | None) -> Page:
        page = find_requests(platform, search or WHOLE, JSON)
        items = list(map(orjson.loads, page.items))
        return Page(items, replace(WHOLE, after=page.next_key), page.next_key is None)

    return read


@pytest.fixture
def platform(settings: Settings) -> Iterator[Platform]:
    """A city with two thousand requests stored before the test."""
    platform = build.platform(settings, build.city())
    ensure_synced(platform)
    numbers = [platform.process.numbers.next(platform.database.hot) for _ in range(STORED_BEFORE)]
    build.store_all(platform, ({"number": number, "at": build.NOON} for number in numbers))
    yield platform
    platform.close()


def test_readers_during_writes_miss_and_repeat_no_item(platform: Platform, settings: Settings) -> None:
    before = _everything(platform)
    assert len(before) == STORED_BEFORE
    follower, pager = Follower(feed(platform)), Pager(pages(platform), before)
    with ExitStack() as stack:
        writers = [stack.enter_context(writing(settings.database_url, number, EACH)) for number in range(WRITERS)]
        while any(one.is_writing for one in writers):
            follower.read()
            pager.read()
        last = {name: note for one in writers for name, note in one.notes().items()}
    assert len(last) >= WRITERS * EACH

    settle(platform)
    while not follower.read():
        pass
    assert set(follower.notes) == set(last) | before
    assert not follower.missed(last | dict.fromkeys(before, 0))
    assert not follower.doubled()
    assert follower.count > len(last) + len(before), "the follower read while the writers wrote"

    assert pager.rounds > 1, "the pager read while the writers wrote"
    assert not pager.doubled, "a request was read twice"
    assert not pager.missed, "a request was missed"
    assert _everything(platform) == before | set(last)


def _everything(platform: Platform) -> set[str]:
    """The ids of the whole list, read after the writers have ended."""
    pager = Pager(pages(platform), frozenset())
    while not pager.read():
        pass
    return pager.seen
