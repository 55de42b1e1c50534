"""Days without data: they make months and weeks missing; quiet days do not."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from open311.domain.gaps import first_of, missing_days, month_of, week_of, whole_months, whole_weeks

FIRST, LAST = date(2025, 1, 1), date(2025, 6, 30)


def days(usual: int, *, without: tuple[tuple[date, date], ...] = (), weekends: bool = True) -> dict[date, int]:
    found = {}
    for number in range((LAST - FIRST).days + 1):
        day = FIRST + timedelta(days=number)
        is_out = any(first <= day <= last for first, last in without) or (not weekends and day.weekday() > 4)
        if not is_out:
            found[day] = usual
    return found


def months(*numbers: int) -> set[int]:
    return {month_of(date(2025, number, 1)) for number in numbers}


def test_months_are_numbered_by_the_calendar() -> None:
    assert first_of(month_of(date(2025, 12, 31))) == date(2025, 12, 1)
    assert month_of(date(2026, 1, 1)) == month_of(date(2025, 12, 31)) + 1


def test_weeks_end_with_the_last_day() -> None:
    assert [week_of(LAST - timedelta(days=number), LAST) for number in (0, 6, 7, 13, 14)] == [0, 0, -1, -1, -2]


def test_all_months_of_a_city_with_data_on_each_day_are_whole() -> None:
    assert whole_months(days(5), LAST) == months(1, 2, 3, 4, 5, 6)


def test_a_month_that_is_not_over_is_missing() -> None:
    counts = days(5)
    assert whole_months(counts, LAST - timedelta(days=1)) == months(1, 2, 3, 4, 5)


def test_a_half_month_at_either_end_is_missing() -> None:
    counts = days(50, without=((FIRST, date(2025, 1, 14)), (date(2025, 6, 12), LAST)))
    assert whole_months(counts, LAST) == months(2, 3, 4, 5)


def test_an_import_gap_makes_its_months_missing_and_no_others() -> None:
    counts = days(50, without=((date(2025, 3, 20), date(2025, 4, 8)),))
    assert whole_months(counts, LAST) == months(1, 2, 5, 6)
    assert missing_days(counts, LAST) == {date(2025, 3, 20) + timedelta(days=number) for number in range(20)}


def test_a_month_without_any_request_is_missing_even_in_a_small_city() -> None:
    counts = {day: 1 for day in days(1) if day.day % 10 == 0 and day.month != 4}
    assert whole_months(counts, LAST) >= months(2, 3, 5)
    assert not whole_months(counts, LAST) & months(4)


@pytest.mark.parametrize("usual", [3, 1_000])
def test_weekends_without_requests_are_no_gap(usual: int) -> None:
    counts = days(usual, weekends=False)
    assert missing_days(counts, LAST) == set()
    assert whole_months(counts, LAST) == months(1, 2, 3, 4, 5, 6)


def test_quiet_days_of_a_small_city_are_no_gap() -> None:
    counts = days(1, without=((date(2025, 3, 3), date(2025, 3, 12)),))
    assert missing_days(counts, LAST) == set()


def test_a_holiday_does_not_make_its_month_missing() -> None:
    counts = days(1_000, without=((date(2025, 5, 1), date(2025, 5, 1)),))
    assert missing_days(counts, LAST) == {date(2025, 5, 1)}
    assert whole_months(counts, LAST) == months(1, 2, 3, 4, 5, 6)


def test_weeks_with_missing_days_are_missing() -> None:
    counts = days(50, without=((LAST - timedelta(days=9), LAST - timedelta(days=8)),))
    assert {0, -2} <= whole_weeks(counts, LAST)
    assert -1 not in whole_weeks(counts, LAST)


def test_without_data_no_month_and_no_week_is_whole() -> None:
    assert whole_months({}, LAST) == set()
    assert whole_weeks({}, LAST) == set()
    assert missing_days({}, LAST) == set()
