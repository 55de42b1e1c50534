from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from open311.domain.seasons import Season, read_month_day

SUMMER = Season((4, 1), (10, 31))
WINTER = Season((11, 15), (3, 31))
LEAP_DAY = Season((2, 29), (2, 29))
DAYS = st.dates(date(1999, 1, 1), date(2101, 12, 31))
MONTH_DAYS = st.dates(date(2024, 1, 1), date(2024, 12, 31)).map(lambda day: (day.month, day.day))
SEASONS = st.builds(Season, MONTH_DAYS, MONTH_DAYS)


@pytest.mark.parametrize(
    ("season", "day", "is_in"),
    [
        (SUMMER, "2026-03-31", False),
        (SUMMER, "2026-04-01", True),
        (SUMMER, "2026-10-31", True),
        (SUMMER, "2026-11-01", False),
        (WINTER, "2026-11-14", False),
        (WINTER, "2026-11-15", True),
        (WINTER, "2027-01-01", True),
        (WINTER, "2027-03-31", True),
        (WINTER, "2027-04-01", False),
        (LEAP_DAY, "2028-02-29", True),
        (LEAP_DAY, "2026-02-28", False),
        (LEAP_DAY, "2026-03-01", False),
    ],
)
def test_both_ends_belong_to_a_season(season: Season, day: str, is_in: bool) -> None:
    assert season.has(date.fromisoformat(day)) is is_in


@given(SEASONS, DAYS)
def test_the_season_does_not_change_between_its_last_change_and_the_day(season: Season, day: date) -> None:
    changed = season.last_change(day)
    assert changed <= day
    later = [changed + timedelta(days=number) for number in range((day - changed).days + 1)]
    assert {season.has(each) for each in later} == {season.has(day)}


@pytest.mark.parametrize(
    ("season", "day", "changed"),
    [
        (SUMMER, "2026-05-01", "2026-04-01"),
        (SUMMER, "2026-12-01", "2026-11-01"),
        (SUMMER, "2026-01-01", "2025-11-01"),
        (WINTER, "2026-01-01", "2025-11-15"),
        (WINTER, "2026-04-01", "2026-04-01"),
    ],
)
def test_the_last_change_is_a_first_day_or_the_day_after_a_last_day(season: Season, day: str, changed: str) -> None:
    assert season.last_change(date.fromisoformat(day)) == date.fromisoformat(changed)


def test_a_season_names_its_days() -> None:
    assert str(WINTER) == "15 November to 31 March"


@pytest.mark.parametrize("text", ["4-1", "04-31", "13-01", "2026-04-01", "0401", "", "April"])
def test_a_text_that_is_no_day_of_a_year_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # the text of the error is not shown
        read_month_day(text)


def test_a_day_of_a_year_is_read() -> None:
    assert (read_month_day("04-01"), read_month_day("02-29")) == ((4, 1), (2, 29))
