"""The statistics of two hundred requests, compared with numbers that a person has counted on paper."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from open311.domain.requests import Status
from open311.domain.statistics import Grouping, Question
from open311.jobs.dispatching import dispatch_all
from open311.operations.platform import Platform
from open311.operations.upkeep.sync_catalogues import ensure_synced
from open311.settings import Settings
from tests import build
from tests.asked import answered
from tests.operations.test_statistics import NOW, make_city

HARBOUR, HILL, BOTH, NOWHERE = ("Harbour",), ("Hill",), ("Harbour", "Hill"), ()
# Number, service, department, areas, day of the report at 15:00 UTC, hours to close, hours to the promised date.
# "Now" is noon of 1 March 2026. Information (calls) is closed within minutes.
REPORTS = (
    (40, "potholes", "streets", HARBOUR, date(2026, 1, 5), 10, 24),
    (20, "potholes", "streets", HARBOUR, date(2026, 1, 5), 30, 24),
    (10, "potholes", "streets", HILL, date(2026, 1, 20), 100, None),
    (10, "potholes", "streets", HILL, date(2026, 2, 20), None, 48),
    (5, "potholes", "streets", NOWHERE, date(2026, 2, 27), None, 240),
    (30, "trees", "parks", HILL, date(2026, 2, 3), 50, None),
    (15, "trees", "parks", BOTH, date(2025, 12, 15), 1000, None),
    (20, "signs", "streets", HARBOUR, date(2026, 1, 31), 5, None),
    (10, "other", "desk", NOWHERE, date(2025, 6, 1), None, None),
    (40, "calls", "desk", NOWHERE, date(2026, 2, 10), 0.05, None),
)


@pytest.fixture(scope="module")
def platform(make_database: Any) -> Iterator[Platform]:
    """The city with these requests."""
    platform = build.platform(Settings(database_url=make_database("by_hand")), make_city())
    ensure_synced(platform)
    build.store_all(platform, rows())
    dispatch_all(platform)
    yield platform
    platform.close()


def rows() -> Iterator[dict[str, Any]]:
    number = 0
    for count, service, department, areas, day, hours, due in REPORTS:
        at = datetime(day.year, day.month, day.day, 15, tzinfo=UTC)
        changed_at = at if hours is None else at + timedelta(hours=hours)
        for _ in range(count):
            number += 1
            yield {
                "number": number,
                "at": at,
                "updated_at": changed_at,
                "changed_at": changed_at,
                "status": Status.OPEN if hours is None else Status.CLOSED,
                "service_code": service,
                "department": department,
                "areas": areas,
                "expected_at": None if due is None else at + timedelta(hours=due),
            }
    assert number == 200


def ask(platform: Platform, **question: Any) -> dict[str, Any]:
    """The rows of the answer by key."""
    (city,) = platform.registry
    asked = Question(jurisdiction_id=city.id, **question)
    return {row.key: row for row in answered(platform, city, asked, now=NOW).rows}


def of(row: Any, *names: str) -> tuple[Any, ...]:
    return tuple(getattr(row, name) for name in names)


def test_the_whole_city_has_the_numbers_counted_by_hand(platform: Platform) -> None:
    row = ask(platform)[""]
    assert of(row, "opened", "closed", "open", "closed_in_period") == (200, 175, 25, 175)
    ages = ("open_up_to_7_days", "open_up_to_30_days", "open_up_to_90_days", "open_up_to_365_days", "open_longer")
    assert of(row, *ages) == (5, 10, 0, 10, 0)
    # 135 times: 20 of 5 hours, 40 of 10, 20 of 30, 30 of 50, 10 of 100, 15 of 1000. The 68th and the 122nd.
    assert of(row, "timed", "median_hours", "p90_hours") == (135, 30, 1000)
    # 120 within a week. Of the open ones, 20 are older than a week.
    assert of(row, "within", "within_of", "within_share") == (120, 155, 0.7742)
    # Of those with a promised date, 40 were on time, 20 late, and 10 are open past it.
    assert of(row, "on_time", "on_time_of", "on_time_share") == (40, 70, 0.5714)
    targets = ("target_matched", "target_ambiguous", "target_not_managed", "target_none")
    assert of(row, *targets) == (125, 20, 45, 10)


def test_each_service_has_the_numbers_counted_by_hand(platform: Platform) -> None:
    found = ask(platform, group_by=Grouping.SERVICE)
    names = ("opened", "closed", "open", "timed", "median_hours", "p90_hours", "within", "within_of")
    assert {key: of(row, *names) for key, row in found.items()} == {
        "calls": (40, 40, 0, 0, None, None, 0, 0),
        "other": (10, 0, 10, 0, None, None, 0, 10),
        "potholes": (85, 70, 15, 70, 10, 100, 70, 80),
        "signs": (20, 20, 0, 20, 5, 5, 20, 20),
        "trees": (45, 45, 0, 45, 50, 1000, 30, 45),
    }
    assert [key for key, row in found.items() if row.is_left_out] == ["calls"]


def test_each_group_of_services_has_the_numbers_counted_by_hand(platform: Platform) -> None:
    found = ask(platform, group_by=Grouping.GROUP)
    # Potholes and signs: 20 of 5 hours, 40 of 10, 20 of 30, 10 of 100. The 45th and the 81st.
    assert of(found["Roads"], "opened", "timed", "median_hours", "p90_hours") == (105, 90, 10, 100)
    assert of(found["Green"], "opened", "timed", "median_hours", "p90_hours") == (45, 45, 50, 1000)
    assert of(found[""], "opened", "timed", "median_hours", "p90_hours") == (50, 0, None, None)


def test_each_department_has_the_numbers_counted_by_hand(platform: Platform) -> None:
    names = ("opened", "closed", "open", "timed", "median_hours", "p90_hours", "on_time", "on_time_of")
    found = ask(platform, group_by=Grouping.DEPARTMENT)
    assert {key: of(row, *names) for key, row in found.items()} == {
        "desk": (50, 40, 10, 0, None, None, 0, 0),
        "parks": (45, 45, 0, 45, 50, 1000, 0, 0),
        "streets": (105, 90, 15, 90, 10, 100, 40, 70),
    }


def test_each_area_counts_a_request_of_two_areas_twice(platform: Platform) -> None:
    names = ("opened", "closed", "median_hours", "p90_hours")
    assert {key: of(row, *names) for key, row in ask(platform, group_by=Grouping.AREA).items()} == {
        "": (55, 40, None, None),
        "Harbour": (95, 95, 10, 1000),  # 20 of 5 hours, 40 of 10, 20 of 30, 15 of 1000: the 48th and the 86th
        "Hill": (65, 55, 50, 1000),  # 30 of 50 hours, 10 of 100, 15 of 1000: the 28th and the 50th
    }


def test_each_month_of_the_report_has_the_numbers_counted_by_hand(platform: Platform) -> None:
    names = ("opened", "closed", "open", "closed_in_period", "median_hours")
    assert {key: of(row, *names) for key, row in ask(platform, group_by=Grouping.MONTH).items()} == {
        "2025-06-01": (10, 0, 10, 0, None),
        "2025-12-01": (15, 15, 0, 0, 1000),  # closed 41 days later
        "2026-01-01": (90, 90, 0, 105, 10),  # 20 of 5 hours, 40 of 10, 20 of 30, 10 of 100: the 45th
        "2026-02-01": (85, 70, 15, 70, 50),
    }


def test_the_reports_of_a_month_have_the_numbers_counted_by_hand(platform: Platform) -> None:
    row = ask(platform, first=date(2026, 2, 1), last=date(2026, 2, 28))[""]
    assert of(row, "opened", "closed", "open", "closed_in_period") == (85, 70, 15, 70)
    assert of(row, "timed", "median_hours", "p90_hours", "within", "within_of") == (30, 50, 50, 30, 40)


def test_the_closings_within_a_day_and_within_a_month_are_those_counted_by_hand(platform: Platform) -> None:
    assert of(ask(platform, within_days=1)[""], "within", "within_of") == (60, 160)
    assert of(ask(platform, within_days=30)[""], "within", "within_of") == (120, 145)


def test_one_service_in_one_area_has_the_numbers_counted_by_hand(platform: Platform) -> None:
    row = ask(platform, area="Hill", service_codes=("trees",))[""]
    # 30 of 50 hours, 15 of 1000: the 23rd and the 41st.
    assert of(row, "opened", "closed", "median_hours", "p90_hours") == (45, 45, 50, 1000)


def test_open_requests_alone_have_the_numbers_counted_by_hand(platform: Platform) -> None:
    row = ask(platform, statuses=(Status.OPEN,))[""]
    assert of(row, "opened", "closed", "open", "timed", "within_of", "on_time_of") == (25, 0, 25, 0, 20, 10)
