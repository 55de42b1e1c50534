"""Collection days: rounds of some weeks, and what holidays do to them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from open311.domain.collection_days import (
    Break,
    Collection,
    DayBook,
    DayStatus,
    Line,
    Round,
    Shift,
    days,
)

MONDAY = date(2026, 3, 2)
CLOSED = {date(2026, 3, 4): "Feast", date(2026, 3, 5): "Second feast"}
"""A Wednesday and a Thursday."""


def holiday_of(day: date) -> str:
    return CLOSED.get(day, "")


def no_holiday(_day: date) -> str:
    return ""


def collected(one: Round, first: date = MONDAY, last: date = MONDAY + timedelta(days=27)) -> list[date]:
    book = DayBook(collections=(Collection(code="bin", name="Bin", rounds=(one,)),))
    found = days(book, first, last, holiday_of)
    return [day.date for day in found for item in day.items if item.status is DayStatus.COLLECTED]


def march(*numbers: int) -> list[date]:
    return [date(2026, 3, number) for number in numbers]


def test_a_round_comes_each_week_from_its_first_week_to_its_last_day() -> None:
    one = Round(weekdays=(0, 4), first=date(2026, 3, 3), last=date(2026, 3, 16))
    assert collected(one) == march(6, 9, 13, 16)


def test_an_exception_can_move_a_collection_by_more_than_five_weeks() -> None:
    one = Round(weekdays=(0,), first=MONDAY, last=MONDAY, moved={"2026-03-02": "2026-05-13"})
    assert collected(one, date(2026, 5, 13), date(2026, 5, 13)) == [date(2026, 5, 13)]


@pytest.mark.parametrize(("first", "expected"), [(MONDAY, (3, 17)), (date(2026, 3, 12), (10, 24))])
def test_every_second_week_is_counted_from_the_week_of_the_first_day(
    first: date, expected: tuple[int, ...]
) -> None:
    one = Round(weekdays=(1,), first=first, every_weeks=2)
    assert collected(one) == [day for day in march(*expected) if day >= first]


@pytest.mark.parametrize(
    ("shift", "weekday", "expected"),
    [
        (Shift.NONE, 2, 4),
        (Shift.SKIP, 2, None),
        (Shift.SKIP, 1, 3),
        (Shift.NEXT_DAY, 2, 6),
        (Shift.NEXT_DAY, 3, 6),
        (Shift.PREVIOUS_DAY, 2, 3),
        (Shift.PREVIOUS_DAY, 3, 3),
        (Shift.REST_OF_WEEK, 1, 3),
        (Shift.REST_OF_WEEK, 2, 5),
        (Shift.REST_OF_WEEK, 3, 7),
        (Shift.REST_OF_WEEK, 4, 9),
    ],
)
def test_a_holiday_moves_a_collection(shift: Shift, weekday: int, expected: int | None) -> None:
    one = Round(weekdays=(weekday,), first=MONDAY, last=date(2026, 3, 8), shift=shift)
    assert collected(one) == ([] if expected is None else march(expected))


def test_both_days_of_a_moved_collection_say_why() -> None:
    one = Round(weekdays=(2,), first=MONDAY, shift=Shift.NEXT_DAY, zones=("Hills",))
    book = DayBook(collections=(Collection(code="bin", name="Bin", rounds=(one,)),))
    found = days(book, MONDAY, date(2026, 3, 8), holiday_of)
    told = {day.date.day: (item.status, item.reason, item.zone) for day in found for item in day.items}
    assert told == {4: (DayStatus.MOVED, "Feast", "Hills"), 6: (DayStatus.COLLECTED, "Feast", "Hills")}
    assert [day.holiday for day in found] == ["", "", "Feast", "Second feast", "", "", ""]


def test_a_collection_that_is_moved_into_the_span_from_outside_is_in_it() -> None:
    one = Round(weekdays=(2,), first=MONDAY, shift=Shift.NEXT_DAY)
    assert collected(one, date(2026, 3, 6), date(2026, 3, 6)) == march(6)


def test_an_exception_counts_more_than_a_holiday() -> None:
    moved = {"2026-03-04": "2026-03-07", "2026-03-11": ""}
    one = Round(weekdays=(2,), first=MONDAY, last=date(2026, 3, 18), shift=Shift.NEXT_DAY, moved=moved)
    assert collected(one) == march(7, 18)


def test_own_holidays_of_a_round_replace_those_of_the_city() -> None:
    one = Round(weekdays=(2,), first=MONDAY, shift=Shift.NEXT_DAY, holidays=("03-11", "2026-03-18"))
    assert collected(one) == march(4, 12, 19, 25)


@pytest.mark.parametrize(
    ("zones", "expected"),
    [
        (None, {"own", "all", "rest"}),
        (frozenset({"Hills"}), {"own", "all"}),
        (frozenset({"Coast"}), {"all", "rest"}),
        (frozenset(), {"all", "rest"}),
    ],
)
def test_a_zone_gets_its_own_rounds_and_those_of_the_whole_city(
    zones: frozenset[str] | None, expected: set[str]
) -> None:
    plain = Round(weekdays=(0,), first=MONDAY)
    rounds = {
        "own": replace(plain, zones=("Hills",)),
        "all": plain,
        "rest": replace(plain, except_zones=("Hills",)),
    }
    made = tuple(Collection(code=code, name=code, rounds=(one,)) for code, one in rounds.items())
    book = DayBook(collections=made)
    (day,) = days(book, MONDAY, MONDAY, no_holiday, zones)
    assert {item.code for item in day.items} == expected
    assert book.zones == ("Hills",)


def test_lines_have_another_text_on_holidays_and_in_breaks() -> None:
    pause = Break(first=date(2026, 3, 6), last=date(2026, 3, 6), text="Break.")
    school = Line(
        code="s", name="Schools", usual="Open.", otherwise="Closed.", weekdays=(0, 1, 2, 3, 4), breaks=(pause,)
    )
    found = days(DayBook(lines=(school,)), date(2026, 3, 3), date(2026, 3, 7), holiday_of)
    assert [[item.text for item in day.items] for day in found] == [
        ["Open."],
        ["Closed."],
        ["Closed."],
        ["Break."],
        [],
    ]


@given(
    weekday=st.integers(0, 6),
    weeks=st.integers(1, 6),
    shift=st.sampled_from(Shift),
    off=st.sets(st.integers(0, 60), max_size=20),
    start=st.integers(0, 40),
)
def test_any_part_of_a_span_has_the_same_collections_as_the_span(
    weekday: int, weeks: int, shift: Shift, off: set[int], start: int
) -> None:
    closed = {MONDAY + timedelta(days=number): "Off" for number in off}
    one = Round(weekdays=(weekday,), first=MONDAY, every_weeks=weeks, shift=shift)
    book = DayBook(collections=(Collection(code="bin", name="Bin", rounds=(one,)),))

    def read(first: date, last: date) -> list[tuple[date, date | None, DayStatus]]:
        found = days(book, first, last, lambda day: closed.get(day, ""))
        return [(day.date, item.usual, item.status) for day in found for item in day.items]

    whole = read(MONDAY, MONDAY + timedelta(days=60))
    first = MONDAY + timedelta(days=start)
    assert read(first, first + timedelta(days=9)) == [
        one for one in whole if first <= one[0] <= first + timedelta(days=9)
    ]
