"""Forecasts are made of the statistics' counts by a job, stored, and read as they were made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import pytest

from open311.domain.closing_times import closing_days
from open311.domain.outlooks import Outlook, Outlooks
from open311.errors import Unavailable
from open311.operations.platform import Platform
from open311.operations.statistics.forecasting import find_forecasts, make_due_forecasts, make_forecasts
from open311.operations.upkeep.sync_catalogues import ensure_synced
from open311.settings import Settings
from open311.storage import counted_requests, forecasts
from open311.storage.cuts import Counted
from tests import build
from tests.forecasting.towns import TODAY, fill, history

NOW = datetime.combine(TODAY, time(12), UTC)


@pytest.fixture
def platform(settings: Settings) -> Iterator[Platform]:
    """A city without requests."""
    platform = build.platform(settings, build.city())
    ensure_synced(platform)
    yield platform
    platform.close()


def made(platform: Platform, now: datetime = NOW) -> Outlooks:
    (city,) = platform.registry
    return make_forecasts(platform, city, now)


def found(platform: Platform, *codes: str, area: str = "") -> Outlooks:
    (city,) = platform.registry
    outlooks = find_forecasts(platform, city, service_codes=codes, area=area)
    assert outlooks is not None
    return outlooks


def row_of(outlooks: Outlooks, service_code: str = "", area: str = "") -> Outlook:
    (row,) = (row for row in outlooks.rows if (row.service_code, row.area) == (service_code, area))
    return row


def cells(outlooks: Outlooks) -> set[tuple[str, str]]:
    return {(row.service_code, row.area) for row in outlooks.rows}


def test_counts_by_cell_and_period_equal_a_plain_count(platform: Platform) -> None:
    rows = fill(platform, history(level=20))
    last = TODAY - timedelta(days=1)
    expected: dict[tuple[str, str, int], int] = Counter()
    weeks: dict[tuple[str, str, int], int] = Counter()
    for row in rows:
        for cell in (("", ""), (row.service_code, ""), ("", row.area), (row.service_code, row.area)):
            expected[(*cell, row.requested_on.year * 12 + row.requested_on.month - 1)] += 1
            weeks[(*cell, -((last - row.requested_on).days // 7))] += 1
    with platform.database.reading() as connection:
        by_month = forecasts.reported(connection, "test.example", by="month", since=date.min, last=last)
        by_week = forecasts.reported(connection, "test.example", by="week", since=date.min, last=last)
        by_day = forecasts.reported_by_day(connection, "test.example", last)
    for periods, plain in ((by_month, expected), (by_week, weeks)):
        assert {(*cell, at): number for cell, counts in periods.items() for at, number in counts.items()} == plain
    assert by_day == Counter(row.requested_on for row in rows)


def test_a_request_in_two_areas_counts_once_for_the_city_and_once_in_each_area(platform: Platform) -> None:
    one = next(history())
    fill(platform, [one, replace(one, place=1, area="Hill")])
    with platform.database.reading() as connection:
        counts = forecasts.reported(connection, "test.example", by="month", since=date.min, last=TODAY)
        closed, still_open = forecasts.closing_days(connection, "test.example", since=date.min, today=TODAY)
    both = {
        ("", ""),
        ("potholes", ""),
        ("", "Harbour"),
        ("", "Hill"),
        ("potholes", "Harbour"),
        ("potholes", "Hill"),
    }
    for kind in (counts, closed | still_open):
        assert {cell: sum(numbers.values()) for cell, numbers in kind.items()} == dict.fromkeys(both, 1)


def test_days_to_close_are_those_of_the_last_year(platform: Platform) -> None:
    rows = fill(platform, history(level=20))
    row = row_of(made(platform), "trees", "Hill")
    year = [
        one
        for one in rows
        if one.requested_on >= TODAY - timedelta(days=365) and (one.service_code, one.area) == ("trees", "Hill")
    ]
    expected = closing_days(
        Counter(one.hours // 24 + 1 for one in year if one.hours is not None),
        Counter((TODAY - one.requested_on).days for one in year if one.hours is None),
    )
    assert (row.closed, row.open, row.median_days, row.p80_days) == (
        expected.closed,
        expected.open,
        expected.median_days,
        expected.p80_days,
    )
    assert row.median_days


def test_forecasts_are_stored_and_read_as_they_were_made(platform: Platform) -> None:
    fill(platform, history())
    outlooks = made(platform)
    assert found(platform).as_of == outlooks.as_of == NOW
    whole = row_of(outlooks)
    assert [one.first_day for one in whole.forecasts] == [
        *("2026-03-01", "2026-04-01", "2026-05-01", "2026-06-01", "2026-07-01", "2026-08-01"),
        "2026-03-20",
    ]
    assert [one.last_day for one in whole.forecasts][-2:] == ["2026-08-31", "2026-03-26"]
    assert sum(one.is_published for one in whole.forecasts) >= 4
    assert row_of(found(platform)) == whole
    assert cells(found(platform)) == {(code, "") for code in ("", "potholes", "trees")} | {
        ("", "Harbour"),
        ("", "Hill"),
    }
    assert cells(found(platform, "trees")) == {("trees", area) for area in ("", "Harbour", "Hill")}
    assert cells(found(platform, area="Hill")) == {(code, "Hill") for code in ("", "potholes", "trees")}
    assert cells(found(platform, "trees", "potholes", area="Hill")) == {("trees", "Hill"), ("potholes", "Hill")}
    assert cells(found(platform, "moon")) == set()
    assert cells(found(platform, area="")) == cells(found(platform))


def test_an_import_gap_is_missing_and_not_zero(platform: Platform) -> None:
    fill(platform, history(without=((date(2024, 5, 10), date(2024, 7, 20)),)))
    whole = row_of(made(platform))
    assert whole.forecasts[0].tests < 7 * 12
    assert whole.forecasts[0].error is not None
    assert whole.forecasts[0].error < 0.15


def test_a_gap_that_lasts_until_now_is_the_reason_for_no_forecasts(platform: Platform) -> None:
    fill(platform, history(without=((date(2025, 12, 1), TODAY),)))
    whole = row_of(made(platform))
    assert {one.reason for one in whole.forecasts} == {"gap"}
    assert {one.expected for one in whole.forecasts} == {None}


def test_a_city_without_requests_has_refused_forecasts(platform: Platform) -> None:
    whole = row_of(made(platform))
    assert {one.reason for one in whole.forecasts} == {"few_requests"}
    assert (whole.days_reason, whole.closed, whole.recent_count) == ("few_requests", 0, None)


def test_an_area_above_its_own_past_is_a_hot_spot(platform: Platform) -> None:
    rows = list(history())
    day = TODAY - timedelta(days=5)
    one = next(row for row in rows if (row.service_code, row.area) == ("trees", "Hill"))
    more = [replace(one, id=10**6 + number, requested_on=day, closed_on=None, hours=None) for number in range(120)]
    fill(platform, rows + more)
    outlooks = made(platform)
    assert {(row.service_code, row.area) for row in outlooks.rows if row.is_hot_spot} == {
        ("", "Hill"),
        ("trees", "Hill"),
    }
    row = row_of(outlooks, "trees", "Hill")
    assert (row.recent_first_day, row.recent_last_day) == ("2026-02-20", "2026-03-19")
    assert row.recent_count is not None
    assert row.recent_most is not None
    assert row.recent_count > row.recent_most
    assert row_of(outlooks).recent_count is None


def test_retired_services_and_old_areas_have_no_forecast(platform: Platform) -> None:
    old = (replace(row, area="Old Town") for row in history() if row.requested_on < date(2024, 1, 1))
    gone = (replace(row, service_code="wells", id=row.id + 10**6) for row in history(level=10))
    fill(platform, [*old, *gone])
    assert cells(made(platform)) == {("", ""), ("", "Harbour"), ("", "Hill")}


def test_a_service_in_an_area_with_too_few_requests_has_no_row_but_is_counted(platform: Platform) -> None:
    rows = fill(platform, history(level=2))
    outlooks = made(platform)
    assert len(rows) < 2_000
    assert outlooks.without_row == 4
    assert cells(outlooks) == {(code, "") for code in ("", "potholes", "trees")} | {("", "Harbour"), ("", "Hill")}
    assert found(platform).without_row == 4


def test_the_job_makes_forecasts_once_a_day(platform: Platform) -> None:
    fill(platform, history(level=2))
    assert make_due_forecasts(platform, NOW) == 1
    assert make_due_forecasts(platform, NOW + timedelta(hours=11)) == 0
    assert make_due_forecasts(platform, NOW + timedelta(hours=12)) == 1
    assert found(platform).as_of == NOW + timedelta(hours=12)


def test_older_forecasts_do_not_replace_newer_ones(platform: Platform) -> None:
    fill(platform, history(level=2))
    made(platform, NOW + timedelta(days=1))
    made(platform, NOW)
    assert found(platform).as_of == NOW + timedelta(days=1)


def test_runs_at_the_same_time_leave_the_newest_forecasts(platform: Platform) -> None:
    fill(platform, history(level=2))
    with ThreadPoolExecutor(4) as pool:
        runs = list(pool.map(lambda minute: made(platform, NOW + timedelta(minutes=minute)), range(8)))
    assert found(platform).as_of == NOW + timedelta(minutes=7)
    assert {len(run.rows) for run in runs} == {len(found(platform).rows)}


def test_a_city_has_no_forecasts_until_it_is_counted(platform: Platform) -> None:
    (city,) = platform.registry
    assert find_forecasts(platform, city) is None
    with platform.database.transaction() as connection:
        counted_requests.forget(connection, "test.example")
    with pytest.raises(Unavailable, match="counted for the first time"):
        made(platform)
    assert make_due_forecasts(platform, NOW) == 0


def test_fields_of_a_later_release_are_ignored(platform: Platform) -> None:
    fill(platform, history(level=2))
    before = row_of(made(platform))
    stored = before.to_json() | {"new": 1, "forecasts": [one | {"new": 2} for one in before.to_json()["forecasts"]]}
    assert Outlook.from_json(stored) == before


def test_the_history_of_these_tests_is_made_of_counted_requests() -> None:
    assert {type(row) for row in list(history(level=1))[:3]} == {Counted}
