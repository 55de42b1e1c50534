"""Buckets, percentiles and spans of days: each gives the same as a plain count."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from open311.domain.statistics import (
    BUCKETS,
    DAY_HOURS,
    Grain,
    Grouping,
    Question,
    bucket_of,
    closed_at_intake,
    days_of,
    hours_at,
    hours_between,
    next_month,
    places_of,
    spans_of,
)
from schemas.limits import WITHIN_DAYS
from tests import build

HOURS = st.lists(st.one_of(st.integers(0, 30), st.integers(0, 60_000)), max_size=60)
DAYS = st.one_of(st.none(), st.dates(date(1999, 12, 25), date(2002, 1, 5)))


@given(hours=HOURS, share=st.sampled_from((0.5, 0.9, 0.01, 1.0)))
def test_a_percentile_is_the_value_at_its_rank_in_the_sorted_list(hours: list[int], share: float) -> None:
    buckets = [0] * len(BUCKETS)
    for number in hours:
        buckets[bucket_of(number)] += 1
    [place] = places_of(buckets, [share])
    if place is None:
        assert not hours
        return
    found = hours_at(place, Counter(hours))
    assert found == sorted(hours)[ceil(len(hours) * share) - 1]
    inside = [number for number in hours if bucket_of(number) == bucket_of(found)]
    assert hours_at(place, Counter(inside)) == found
    assert not place.is_exact or place.least == found


def test_buckets_have_no_gaps_and_a_bucket_begins_at_each_choice_of_n_days() -> None:
    assert list(BUCKETS) == sorted(set(BUCKETS))
    assert BUCKETS[0] == 0
    assert {DAY_HOURS * days for days in WITHIN_DAYS} < set(BUCKETS)
    assert [bucket_of(least) for least in BUCKETS] == list(range(len(BUCKETS)))
    assert bucket_of(10**9) == len(BUCKETS) - 1


def test_hours_are_whole_and_never_negative() -> None:
    def took(**time: int) -> int:
        return hours_between(build.NOON, build.NOON + timedelta(**time))

    assert (took(minutes=59), took(minutes=60), took(days=2, seconds=-1)) == (0, 1, 47)
    assert hours_between(build.NOON, build.NOON - timedelta(days=1)) == 0


@given(first=DAYS, last=DAYS, grouping=st.sampled_from(Grouping))
def test_the_spans_of_a_question_cover_each_of_its_days_exactly_once(
    first: date | None, last: date | None, grouping: Grouping
) -> None:
    question = Question(jurisdiction_id="a", first=first, last=last, group_by=grouping)
    for number in range(900):
        day = date(1999, 12, 1) + timedelta(days=number)
        found = 0
        for span in spans_of(question):
            period = {Grain.DAY: day, Grain.MONTH: day.replace(day=1), Grain.EVER: date.min}[span.grain]
            found += (span.first is None or span.first <= period) and (span.last is None or period <= span.last)
        assert found == question.includes(day), (day, spans_of(question))


def test_whole_months_are_not_read_day_by_day() -> None:
    question = Question(jurisdiction_id="a", first=date(2026, 1, 1), last=date(2026, 3, 31))
    assert [span.grain for span in spans_of(question)] == [Grain.MONTH]
    assert [span.grain for span in spans_of(Question(jurisdiction_id="a"))] == [Grain.EVER]


@pytest.mark.parametrize(
    ("grouping", "key", "count"), [("day", "2024-02-28", 1), ("week", "2024-02-26", 4), ("month", "2024-02-01", 29)]
)
def test_a_group_has_no_day_outside_the_question(grouping: str, key: str, count: int) -> None:
    question = Question(jurisdiction_id="a", last=date(2024, 2, 29), group_by=Grouping(grouping))
    assert len(days_of(question, key)) == count
    assert next_month(date(2023, 12, 31)) == date(2024, 1, 1)


@pytest.mark.parametrize(
    ("closed", "quick", "is_named"),
    [(10, 9, True), (9, 9, False), (100, 89, False), (100, 90, True), (0, 0, False)],
)
def test_a_service_is_closed_at_intake_if_nine_tenths_of_at_least_ten_closings_were_quick(
    closed: int, quick: int, is_named: bool
) -> None:
    assert closed_at_intake([("calls", closed, quick)]) == (("calls",) if is_named else ())
