"""Readers beside writers in processes of their own: nothing is missed, nothing comes twice."""

from __future__ import annotations

import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from open311.domain.search import RequestSearch
from open311.formats import JSON
from open311.operations.find_requests import find_requests
from open311.operations.follow_changes import BEGINNING, Position, find_changes
from open311.operations.platform import Platform
from open311.operations.sync import ensure_synced
from open311.settings import Settings
from tests import build
from tests.waiting import settle

REPOSITORY = Path(__file__).parents[2]
WRITERS, EACH, THERE_BEFORE = 3, 80, 2_000
WHOLE = RequestSearch(jurisdiction_id="test.example", page_size=90)


class Follower:
    """Follows the change feed and keeps nothing but its cursor and what it saw."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.at: Position = BEGINNING
        self.notes: dict[str, list[int]] = defaultdict(list)

    def read(self) -> bool:
        """One page; whether the feed was at its end."""
        found = find_changes(self.platform, "test.example", self.at, JSON, rows=70)
        for item in map(orjson.loads, found.items):
            self.notes[item["service_request_id"]].append(_note(item))
        assert found.reached >= self.at
        self.at = found.reached
        return found.is_caught_up


class Pager:
    """Pages through the list again and again, each time from the front."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.rounds: list[list[str]] = []
        self._reading: list[str] = []
        self._search = WHOLE

    def read(self) -> None:
        """One page; after the last one a new round begins."""
        page = find_requests(self.platform, self._search, JSON)
        self._reading += [orjson.loads(item)["service_request_id"] for item in page.items]
        self._search = replace(WHOLE, after=page.next_key)
        if page.next_key is None:
            self.rounds.append(self._reading)
            self._reading = []


def _note(item: dict[str, Any]) -> int:
    return int((item["status_notes"] or "note 0").removeprefix("note "))


@pytest.fixture
def platform(settings: Settings) -> Iterator[Platform]:
    """A city with two thousand requests from before."""
    found = build.platform(settings, build.city())
    ensure_synced(found)
    numbers = [found.numbers.next(found.database.direct) for _ in range(THERE_BEFORE)]
    build.store_all(found, ({"number": number, "at": build.NOON} for number in numbers))
    yield found
    found.close()


def test_readers_beside_writers_miss_nothing_and_see_nothing_twice(platform: Platform, settings: Settings) -> None:
    before = {orjson.loads(item)["service_request_id"] for item in _everything(platform)}
    assert len(before) == THERE_BEFORE
    follower, pager = Follower(platform), Pager(platform)
    with ExitStack() as stack:
        writers = [stack.enter_context(_writer(settings, number)) for number in range(WRITERS)]
        while any(writer.poll() is None for writer in writers):
            follower.read()
            pager.read()
        written = [writer.communicate()[0] for writer in writers]
    assert [writer.returncode for writer in writers] == [0] * WRITERS
    last = {name: int(note) for text in written for name, note in (line.split() for line in text.splitlines())}
    assert len(last) >= WRITERS * EACH

    settle(platform)
    while not follower.read():
        pass
    assert {name: notes[-1] for name, notes in follower.notes.items()} == last | dict.fromkeys(before, 0)
    for name, notes in follower.notes.items():
        assert notes == sorted(set(notes)), f"{name} was seen as {notes}"
    assert sum(map(len, follower.notes.values())) > len(last) + len(before), "it followed while they wrote"

    assert len(pager.rounds) > 1, "it paged while they wrote"
    for seen in pager.rounds:
        assert len(seen) == len(set(seen)), "a request came twice"
        assert before <= set(seen), "a request was missed"
    assert {orjson.loads(item)["service_request_id"] for item in _everything(platform)} == before | set(last)


def _everything(platform: Platform) -> Iterator[str]:
    search = WHOLE
    while True:
        page = find_requests(platform, search, JSON)
        yield from page.items
        if page.next_key is None:
            return
        search = replace(WHOLE, after=page.next_key)


def _writer(settings: Settings, number: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.operations.writer", settings.database_url, str(number), str(EACH)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
    )
