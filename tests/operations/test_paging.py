"""Paging by cursor gives every request once, even if requests are added or changed meanwhile."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from lxml import etree

from open311.domain.cursors import PageCursor
from open311.domain.places import Place
from open311.domain.requests import Status
from open311.domain.search import Box, Circle, PageKey, RequestSearch, Sort, Window
from open311.formats import JSON, XML, Format
from open311.operations.platform import Platform
from open311.operations.reading.find_requests import count_requests, find_requests, find_validator
from tests import build
from tests.conftest import CITY

ROWS = 120
LATER = build.NOON + timedelta(days=1)
WHOLE = RequestSearch(jurisdiction_id=CITY)
SEARCHES = [
    WHOLE,
    replace(WHOLE, statuses=(Status.OPEN,)),
    replace(WHOLE, service_codes=("graffiti", "potholes")),
    replace(WHOLE, words="lamp"),
    replace(WHOLE, box=Box(179.0, -1.0, -179.0, 1.0)),
    replace(WHOLE, near=Circle(180.0, 0.0, 30_000.0)),
    replace(WHOLE, near=Circle(-179.85, 0.0, 16_000.0)),
    replace(WHOLE, near=Circle(-179.85, 0.0, 16_000.0), changed=Window(build.NOON - timedelta(hours=6))),
    replace(WHOLE, requested=Window(build.NOON - timedelta(hours=9))),
    replace(WHOLE, area="Harbour", has_media=True),
    replace(
        WHOLE, requested=Window(build.NOON - timedelta(hours=9), build.NOON - timedelta(hours=6)), asked_at=LATER
    ),
]


@pytest.fixture
def crowd(platform: Platform) -> Platform:
    """Requests on both sides of the dateline, many made in the same second."""
    random = Random(7)
    build.store_all(platform, (_random_request(random, number) for number in range(1, ROWS + 1)))
    return platform


def _random_request(random: Random, number: int) -> dict[str, Any]:
    at = build.NOON - timedelta(hours=random.randint(0, 12))
    return {
        "number": number,
        "at": at,
        "updated_at": at + timedelta(hours=random.randint(0, 12)),
        "service_code": random.choice(["potholes", "graffiti", "001"]),
        "status": random.choice(list(Status)),
        "description": random.choice(["a lamp", "no light"]),
        "areas": random.choice([(), ("Harbour",)]),
        "media_urls": random.choice([(), ("https://a.example/1.jpg",)]),
        "place": Place(lat=random.uniform(-0.3, 0.3), long=random.choice([-1, 1]) * random.uniform(179.7, 180)),
    }


def ids(items: Any, output: Format = JSON) -> list[str]:
    """The ids of rendered items."""
    if output is JSON:
        return [json.loads(item)["service_request_id"] for item in items]
    return [etree.fromstring(item).findtext("service_request_id") or "" for item in items]


def pages(platform: Platform, search: RequestSearch, output: Format = JSON) -> Iterator[list[str]]:
    """The ids of each page. The key of a page is written to a cursor, which is read for the next page."""
    for _ in range(ROWS + 100):
        page = find_requests(platform, search, output)
        yield ids(page.items, output)
        if page.next_key is None:
            return
        search = continued(search, str(PageCursor.behind(search, page.next_key)))
    raise AssertionError("the pages never end")


def continued(search: RequestSearch, cursor: str) -> RequestSearch:
    read = PageCursor.read(cursor)
    return replace(search, after=read.after, requested=read.requested, changed=read.changed, sort=read.sort, page=1)


@pytest.mark.parametrize("output", [JSON, XML])
@pytest.mark.parametrize("sort", Sort)
@pytest.mark.parametrize("page_size", [1, 7, 40, 119, 120, 121])
def test_cursors_give_every_request_once_in_every_order(
    crowd: Platform, sort: Sort, page_size: int, output: Format
) -> None:
    whole = replace(WHOLE, sort=sort)
    all_pages = list(pages(crowd, replace(whole, page_size=page_size), output))
    assert [item for page in all_pages for item in page] == ids(find_requests(crowd, whole, output).items, output)
    assert len({item for page in all_pages for item in page}) == ROWS
    assert all(len(page) == page_size for page in all_pages[:-1])
    assert all_pages[-1]


@pytest.mark.parametrize("sort", Sort)
@pytest.mark.parametrize("search", SEARCHES, ids=range(len(SEARCHES)))
def test_cursors_work_with_every_filter(crowd: Platform, search: RequestSearch, sort: Sort) -> None:
    search = replace(search, sort=sort)
    whole = ids(find_requests(crowd, search, JSON).items)
    assert 10 < len(whole) <= ROWS
    assert [item for page in pages(crowd, replace(search, page_size=6)) for item in page] == whole
    assert count_requests(crowd, search) == len(whole)
    numbered = [
        ids(find_requests(crowd, replace(search, page_size=6, page=page), JSON).items) for page in range(1, 22)
    ]
    assert [item for page in numbered for item in page] == whole


@pytest.mark.parametrize("search", SEARCHES, ids=range(len(SEARCHES)))
def test_find_validator_gives_the_validator_of_the_page(crowd: Platform, search: RequestSearch) -> None:
    for page_size in (1, 5, 1000):
        for page in (1, 2, 100):
            wanted = replace(search, page_size=page_size, page=page)
            assert find_validator(crowd, wanted, build.NOON) == find_requests(crowd, wanted, JSON).validator
            assert find_validator(crowd, wanted, build.NOON) == find_requests(crowd, wanted, XML).validator


def test_paging_misses_and_repeats_no_request_during_changes(crowd: Platform) -> None:
    random, before = Random(8), ids(find_requests(crowd, WHOLE, JSON).items)
    seen: list[str] = []
    for page in pages(crowd, replace(WHOLE, page_size=9)):
        seen += page
        for _ in range(5):
            status = random.choice(list(Status))
            build.change(crowd, random.choice(before), status=status, note="Seen.")
        build.store(crowd, number=10_000 + len(seen), at=build.NOON + timedelta(seconds=len(seen)))
    assert seen == before


def test_a_changed_request_is_repeated_in_the_order_of_updates(crowd: Platform) -> None:
    """In the order `updated`, a change moves a request to the end. The reader has not yet reached the end."""
    search = replace(WHOLE, sort=Sort.UPDATED, page_size=50)
    opened = replace(search, statuses=(Status.OPEN,))
    first = find_requests(crowd, opened, JSON)
    assert first.next_key is not None
    changed = ids(first.items)[0]
    later = build.NOON + timedelta(days=1)
    build.change(crowd, changed, note="Looked at.", now=later)
    rest = [item for page in pages(crowd, replace(opened, after=first.next_key)) for item in page]
    assert rest.count(changed) == 1
    assert rest[-1] == changed


def test_the_count_is_capped(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("open311.operations.reading.find_requests.COUNT_TO", 3)
    for number in range(1, 6):
        build.store(platform, number=number)
        assert count_requests(platform, WHOLE) == (number if number <= 3 else None)


def test_a_page_past_the_end_is_empty(crowd: Platform) -> None:
    page = find_requests(crowd, replace(WHOLE, page=50_000_000, page_size=1000), JSON)
    assert (list(page.items), page.next_key) == ([], None)


# --- Content of a cursor


def test_a_cursor_contains_the_window_of_the_first_page(platform: Platform) -> None:
    """The window of the last 90 days moves with time. It must not move while a client pages through a list."""
    search = replace(WHOLE, requested=Window(build.NOON), changed=Window(None, build.NOON), sort=Sort.UPDATED)
    key = PageKey(build.NOON, 2**62)
    assert PageCursor.read(str(PageCursor.behind(search, key))) == PageCursor(
        sort=Sort.UPDATED, after=key, requested=search.requested, changed=search.changed
    )


@pytest.mark.parametrize(
    "text",
    ["", "x", "garbage", "é", "bnVsbA", "W10", "WzEsMl0", "eyJhIjoxfQ", "WyJyZXF1ZXN0ZWQiLDFlOTk5XQ", "A" * 5000],
)
def test_an_invalid_cursor_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        PageCursor.read(text)


def test_a_cursor_with_one_changed_letter_is_read_or_refused(crowd: Platform) -> None:
    whole = str(PageCursor.behind(WHOLE, PageKey(build.NOON, 60)))
    for place in range(len(whole)):
        for sign in "A_z9-":
            try:
                search = continued(WHOLE, whole[:place] + sign + whole[place + 1 :])
            except ValueError:
                continue
            assert len(find_requests(crowd, search, JSON).items) <= ROWS
