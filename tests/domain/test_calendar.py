"""Working days and office hours, also when the clocks change."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from open311.domain.calendar import (
    CLOSING_DAY,
    Calendar,
    DayKind,
    Hours,
    WorkingTime,
    add_days,
    instant,
    public_holidays,
)

HELSINKI = ZoneInfo("Europe/Helsinki")
DAY = (Hours(8 * 60, 16 * 60),)
WEEK = (DAY, DAY, DAY, DAY, (Hours(8 * 60, 12 * 60), Hours(13 * 60, 15 * 60)), (), ())
OFFICE = Calendar(office_hours=WEEK, holidays="FI", closed=("2026-11-13", "12-31"), working=("2026-12-25",))
TIME = WorkingTime(OFFICE, HELSINKI)
INSTANTS = st.integers(0, 5 * 366 * 24 * 60).map(
    lambda number: datetime(2024, 1, 1, tzinfo=UTC) + timedelta(minutes=number)
)
AMOUNTS = st.integers(0, 200).map(lambda hours: timedelta(hours=hours))
ZONES = st.sampled_from(["Europe/Helsinki", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "UTC"])
SPANS = st.sampled_from([(), DAY, WEEK[4], (Hours(0, 24 * 60),), (Hours(150, 200),)])
WEEKS = st.lists(SPANS, min_size=7, max_size=7).filter(any).map(tuple)


@st.composite
def working_times(draw: st.DrawFn) -> WorkingTime:
    calendar = Calendar(office_hours=draw(WEEKS), holidays=draw(st.sampled_from(["", "FI", "US-NY"])))
    return WorkingTime(calendar, ZoneInfo(draw(ZONES)))


def at(text: str) -> datetime:
    """A local time in Helsinki."""
    return datetime.fromisoformat(text).replace(tzinfo=HELSINKI)


@pytest.mark.parametrize(
    ("day", "kind", "holiday"),
    [
        ("2026-11-12", DayKind.WORKING_DAY, ""),
        ("2026-11-13", DayKind.HOLIDAY, CLOSING_DAY),
        ("2026-11-14", DayKind.DAY_OFF, ""),
        ("2026-12-24", DayKind.HOLIDAY, "Christmas Eve"),
        ("2026-12-25", DayKind.WORKING_DAY, ""),
        ("2026-12-26", DayKind.HOLIDAY, "Second Day of Christmas"),
        ("2027-12-31", DayKind.HOLIDAY, CLOSING_DAY),
        ("2026-05-01", DayKind.HOLIDAY, "May Day"),
    ],
)
def test_each_day_has_a_kind(day: str, kind: DayKind, holiday: str) -> None:
    moment = TIME.moment(at(f"{day}T12:00"))
    assert moment.kind is kind
    assert moment.holiday == holiday
    assert moment.is_on(DayKind.DAY_OFF) is (kind is not DayKind.WORKING_DAY)


def test_the_day_follows_the_time_zone_of_the_city() -> None:
    assert str(TIME.moment(datetime(2026, 4, 30, 22, tzinfo=UTC))) == "Friday, 2026-05-01 (May Day)"


def test_a_holiday_of_the_next_year_can_be_observed_in_this_year() -> None:
    assert date(2021, 12, 31) in public_holidays("US", 2021)


def test_an_unknown_country_or_part_is_refused() -> None:
    for code in ("XX", "US-XX"):
        with pytest.raises(ValueError, match=f"'{code}' is unknown to the library of public holidays"):
            public_holidays(code, 2026)


@pytest.mark.parametrize(
    ("hours", "minutes"),
    [(Hours(60, 120), {60, 119}), (Hours(22 * 60, 360), {22 * 60, 1439, 0, 359}), (Hours(0, 1440), {0, 1439})],
)
def test_hours_can_pass_midnight(hours: Hours, minutes: set[int]) -> None:
    assert all(minute in hours for minute in minutes)
    assert hours.end not in hours
    assert str(Hours(22 * 60, 360)) == "22:00-06:00"


@pytest.mark.parametrize(
    ("received", "days", "due"),
    [
        pytest.param("2026-11-09T10:00", 1, "2026-11-10T16:00", id="the next day"),
        pytest.param("2026-11-09T07:00", 1, "2026-11-10T16:00", id="before the office opens"),
        pytest.param("2026-11-09T16:00", 1, "2026-11-11T16:00", id="at closing time"),
        pytest.param("2026-11-12T10:00", 1, "2026-11-16T16:00", id="a closing day and a weekend are between"),
        pytest.param("2026-11-14T10:00", 1, "2026-11-17T16:00", id="on a Saturday"),
        pytest.param("2026-11-18T10:00", 2, "2026-11-20T15:00", id="a Friday closes earlier"),
        pytest.param("2026-03-26T10:00", 3, "2026-03-31T16:00", id="the clocks change"),
    ],
)
def test_working_days_end_when_the_office_closes(received: str, days: int, due: str) -> None:
    assert TIME.add_working_days(at(received), days) == at(due)


@pytest.mark.parametrize(
    ("received", "hours", "due"),
    [
        pytest.param("2026-11-09T10:00", 6, "2026-11-09T16:00", id="until closing time"),
        pytest.param("2026-11-09T10:00", 7, "2026-11-10T09:00", id="on the next day"),
        pytest.param("2026-11-20T11:00", 2, "2026-11-20T14:00", id="without the lunch break"),
        pytest.param("2026-11-21T11:00", 0, "2026-11-21T11:00", id="nothing"),
    ],
)
def test_working_hours_are_office_hours(received: str, hours: int, due: str) -> None:
    assert TIME.add_working_time(at(received), timedelta(hours=hours)) == at(due)


def test_calendar_days_keep_the_local_time_when_the_clocks_change() -> None:
    assert add_days(at("2026-03-28T12:00"), 1, HELSINKI) == at("2026-03-29T12:00")
    assert add_days(at("2026-03-28T12:00"), 1, HELSINKI) == datetime(2026, 3, 29, 9, tzinfo=UTC)


def test_a_skipped_local_time_moves_forward_and_a_repeated_one_is_the_first() -> None:
    assert instant(date(2026, 3, 29), 3 * 60 + 30, HELSINKI) == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    assert instant(date(2026, 10, 25), 3 * 60 + 30, HELSINKI) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


def test_working_time_counts_real_hours_when_the_clocks_change() -> None:
    night = WorkingTime(Calendar(office_hours=((Hours(0, 24 * 60),),) * 7), HELSINKI)
    assert night.working_time(at("2026-03-29T00:00"), at("2026-03-30T00:00")) == timedelta(hours=23)
    assert night.working_time(at("2026-10-25T02:00"), at("2026-10-25T05:00")) == timedelta(hours=4)
    assert night.add_working_time(at("2026-10-25T02:00"), timedelta(hours=4)) == at("2026-10-25T05:00")


def test_a_calendar_that_is_always_closed_gives_no_date() -> None:
    closed = WorkingTime(Calendar(office_hours=((),) * 7), HELSINKI)
    assert closed.add_working_days(at("2026-11-09T10:00"), 1) is None
    assert closed.add_working_time(at("2026-11-09T10:00"), timedelta(hours=1)) is None
    assert closed.working_time(at("2026-11-09T10:00"), at("2026-12-09T10:00")) == timedelta()


@given(working_times(), INSTANTS, AMOUNTS)
def test_the_working_time_until_the_result_is_the_added_amount(
    time: WorkingTime, start: datetime, amount: timedelta
) -> None:
    end = time.add_working_time(start, amount)
    assert end is not None
    assert end >= start
    assert time.working_time(start, end) == amount
    if amount:
        assert time.working_time(start, end - timedelta(seconds=1)) < amount, (
            "a second earlier, the working time is shorter"
        )


@given(working_times(), INSTANTS, AMOUNTS, AMOUNTS)
def test_adding_two_amounts_gives_the_result_of_adding_their_sum(
    time: WorkingTime, start: datetime, one: timedelta, other: timedelta
) -> None:
    first = time.add_working_time(start, one)
    assert first is not None
    assert time.add_working_time(first, other) == time.add_working_time(start, one + other) or not one + other


@given(working_times(), INSTANTS, st.integers(1, 30))
def test_the_due_day_is_the_last_of_the_counted_working_days(time: WorkingTime, start: datetime, days: int) -> None:
    due = time.add_working_days(start, days)
    assert due is not None
    last = (due - timedelta(seconds=1)).astimezone(time.zone).date()
    assert time.is_working_day(last)
    begun = start.astimezone(time.zone).date()
    between = [begun + timedelta(days=number) for number in range(1, (last - begun).days + 1)]
    assert sum(map(time.is_working_day, between)) in (days, days + 1), "one more if it came after the office closed"


@given(working_times(), INSTANTS, INSTANTS, INSTANTS)
def test_the_working_times_of_two_parts_add_up_to_the_whole(
    time: WorkingTime, one: datetime, two: datetime, three: datetime
) -> None:
    first, second, third = sorted((one, two, three))
    second, third = min(second, first + timedelta(days=30)), min(third, first + timedelta(days=60))
    whole = time.working_time(first, third)
    assert time.working_time(first, second) + time.working_time(second, third) == whole
    assert timedelta() <= whole <= third - first
