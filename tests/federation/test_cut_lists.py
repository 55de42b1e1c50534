"""Where a server has no pages and cuts its lists, the client halves the dates until each list is whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from open311.federation.client import DialectPoint
from tests.federation.scripted import Asked, Reply, Script, as_json, serve

START = datetime(2026, 1, 1, tzinfo=UTC)
END = START + timedelta(days=90)


def server(
    moments: list[datetime], *, limit: int, pages: str = "repeats", reads_dates: bool = True
) -> Callable[[Asked], Reply]:
    """Answers with the newest `limit` requests of the dates. A second page `repeats` the first, or is `empty`."""
    rows = [
        {"service_request_id": str(number), "requested_datetime": moment.isoformat()}
        for number, moment in enumerate(moments)
    ]

    def decide(asked: Asked) -> Reply:
        if asked.query.get("page") and pages == "empty":
            return as_json([])
        if not reads_dates:
            return as_json(rows[-limit:])
        start, end = (datetime.fromisoformat(asked.query[name]) for name in ("start_date", "end_date"))
        found = [row for row, moment in zip(rows, moments, strict=True) if start <= moment <= end]
        return as_json(found[-limit:][::-1])

    return decide


def read(script: Script, decide: Callable[[Asked], Reply]) -> tuple[list[int], dict[str, int], int]:
    """The ids that were found, the points that were seen, and the number of calls."""
    script.decide = decide
    with script.client() as client:
        found = [int(each.service_request_id) for each in client.requests(start_date=START, end_date=END)]
        return found, {point.name: count for point, count in client.seen.points.items()}, len(script.asked)


@pytest.fixture
def script() -> Iterator[Script]:
    with serve(as_json([])) as script:
        yield script


@pytest.mark.parametrize("pages", ["repeats", "empty"])
@pytest.mark.parametrize("share", [1.0, 0.02])
def test_all_requests_are_found_once_behind_a_limit(script: Script, pages: str, share: float) -> None:
    """The requests lie evenly over the whole window, or over its last fiftieth."""
    moments = [END - share * (END - START) * (number / 700) for number in range(700, 0, -1)]
    found, seen, calls = read(script, server(moments, limit=50, pages=pages))
    assert sorted(found) == list(range(700))
    assert len(found) == 700
    assert seen["WINDOW_HALVED"] > 10
    assert "LIST_CUT" not in seen
    assert calls < 150


def test_a_short_list_of_a_server_without_pages_is_read_once(script: Script) -> None:
    moments = [START + timedelta(days=number) for number in range(9)]
    found, seen, calls = read(script, server(moments, limit=50))
    assert (len(found), calls) == (9, 2)
    assert "WINDOW_HALVED" not in seen


def test_a_list_that_only_looks_cut_is_read_again_in_two_windows(script: Script) -> None:
    moments = [START + timedelta(days=2 * number) for number in range(40)]
    found, seen, calls = read(script, server(moments, limit=1000))
    assert (len(found), seen["WINDOW_HALVED"], calls) == (40, 1, 6)


def test_a_cut_list_of_the_shortest_window_is_reported(script: Script) -> None:
    moments = [END - timedelta(seconds=number) for number in range(200, 0, -1)]
    found, seen, calls = read(script, server(moments, limit=50))
    assert len(found) == 50
    assert seen["LIST_CUT"] == 1
    assert calls < 60


def test_a_server_that_ignores_dates_is_not_asked_again_and_again(script: Script) -> None:
    moments = [START + timedelta(hours=number) for number in range(100)]
    _, seen, calls = read(script, server(moments, limit=50, reads_dates=False))
    assert seen["WINDOW_IGNORED"] >= 1
    assert seen["LIST_CUT"] == 1
    assert calls == 6


def test_a_list_without_dates_that_looks_cut_is_reported() -> None:
    rows = [{"service_request_id": str(number)} for number in range(50)]
    with serve(as_json(rows)) as script, script.client() as client:
        assert len(list(client.requests())) == 50
        assert DialectPoint.LIST_CUT in client.seen


def test_the_dates_are_not_halved_for_a_server_with_pages() -> None:
    pages = [[{"service_request_id": str(number)} for number in range(first, first + 50)] for first in (0, 50)]
    with serve(*map(as_json, [*pages, []])) as script, script.client() as client:
        assert len(list(client.requests(start_date=START, end_date=END))) == 100
        assert DialectPoint.WINDOW_HALVED not in client.seen
