"""When a request is due by its city's service levels."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from open311.domain.calendar import Calendar, Hours, WorkingTime
from open311.domain.service_levels import (
    LevelRule,
    Pause,
    ServiceLevel,
    ServiceLevels,
    Unit,
    find_disagreements,
    read_service_level,
)

ZONE = ZoneInfo("America/New_York")
DAY = (Hours(9 * 60, 17 * 60),)
TIME = WorkingTime(Calendar(office_hours=(DAY,) * 5 + ((), ()), holidays="US-NY"), ZONE)
NEW_YORK = """
4 days, 14 days, 7 days, 3 days, 30 days, 37 days, 10 days, 8 days, 8 hours, 5 days, 2 days, 40 days, 1 day,
60 days, 21 days, 45 days, 90 days, 28 days, 6 hours, 180 days, 9 days, 12 hours, 4 hours, 20 days, 15 days, 1 hour,
120 days, 6 days, 75 days, 11 days, 365 days, 3 hours, 15 hours, 16 hours, SLA Not Managed by 311
"""
"""Every form that New York publishes."""
MONDAY = datetime(2026, 3, 2, 15, tzinfo=UTC)
"""10:00 in New York, six days before the clocks change."""
MINUTES = st.integers(0, 20_000).map(lambda minutes: MONDAY + timedelta(minutes=minutes))
PAUSES = st.lists(st.tuples(MINUTES, MINUTES).map(lambda pair: (min(pair), max(pair))), max_size=4)
LEVELS = st.sampled_from(["8 hours", "4 days", "3 working days", "10 working hours"])


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZONE)


def levels(*rules: LevelRule, time: WorkingTime | None = TIME) -> ServiceLevels:
    return ServiceLevels(rules, ZONE, time)


def rule(words: str, **conditions: object) -> LevelRule:
    return LevelRule(level=read_service_level(words), **conditions)  # type: ignore[arg-type]


def due(words: str, *paused: Pause) -> datetime | None:
    return levels(rule(words)).due("pothole", "streets", MONDAY, paused)


@pytest.mark.parametrize("words", [words.strip() for words in " ".join(NEW_YORK.split()).split(",")])
def test_the_forms_that_new_york_publishes_are_read(words: str) -> None:
    level = read_service_level(words)
    assert str(level) == words
    number, _, noun = words.partition(" ")
    if "Not Managed" in words:
        assert (level.amount, level.unit) == (0, None)
    else:
        assert (level.amount, level.unit) == (int(number), Unit.HOURS if "hour" in noun else Unit.DAYS)


@pytest.mark.parametrize(
    ("words", "amount", "unit"),
    [
        ("10 working days", 10, Unit.WORKING_DAYS),
        ("1 Business Day", 1, Unit.WORKING_DAYS),
        ("3 calendar days", 3, Unit.DAYS),
        ("12  working hours", 12, Unit.WORKING_HOURS),
    ],
)
def test_calendar_days_working_days_and_working_hours_are_read(words: str, amount: int, unit: Unit) -> None:
    assert read_service_level(words) == ServiceLevel(" ".join(words.split()), amount, unit)


@pytest.mark.parametrize("words", ["", "soon", "4", "4 dys", "4.5 days", "4 days not managed", "managed"])
def test_unknown_words_are_refused_and_not_guessed(words: str) -> None:
    with pytest.raises(ValueError, match='must be written like "4 days"'):
        read_service_level(words)


@pytest.mark.parametrize("words", ["0 days", "3661 days", "9000 hours"])
def test_an_amount_out_of_range_is_refused(words: str) -> None:
    with pytest.raises(ValueError, match="must be 1 to"):
        read_service_level(words)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("8 hours", "2026-03-02T18:00"),
        ("7 days", "2026-03-09T10:00"),
        ("1 working day", "2026-03-03T17:00"),
        ("10 working days", "2026-03-16T17:00"),
        ("12 working hours", "2026-03-03T14:00"),
    ],
)
def test_a_service_level_gives_a_date(words: str, expected: str) -> None:
    assert due(words) == local(expected)


def test_a_level_that_nobody_manages_gives_no_date() -> None:
    assert due("SLA Not Managed by 311") is None
    assert levels().due("pothole", "streets", MONDAY) is None


def test_working_time_without_a_calendar_gives_no_date() -> None:
    for words in ("3 working days", "3 working hours"):
        assert levels(rule(words), time=None).due("pothole", "streets", MONDAY) is None


GENERAL, DEPARTMENT, SERVICE = (
    rule("30 days"),
    rule("20 days", department="streets"),
    rule("4 days", service="pothole"),
)
BOTH = rule("3 days", service="pothole", department="streets")
ANSWER = rule("2 days", service="pothole", answers={"SIZE": ("large", "huge")})


@pytest.mark.parametrize(
    ("rules", "decides"),
    [
        ((GENERAL,), GENERAL),
        ((GENERAL, DEPARTMENT), DEPARTMENT),
        ((GENERAL, DEPARTMENT, SERVICE), SERVICE),
        ((SERVICE, BOTH, DEPARTMENT), BOTH),
        ((SERVICE, ANSWER, BOTH), ANSWER),
    ],
)
def test_the_rule_with_the_most_specific_conditions_decides(
    rules: tuple[LevelRule, ...], decides: LevelRule
) -> None:
    found = levels(*rules).deciding("pothole", "streets", {"SIZE": ("huge",)})
    assert found == (decides,)


def test_rules_for_other_requests_do_not_count() -> None:
    found = levels(SERVICE, DEPARTMENT, ANSWER)
    assert found.level("lamp", "parks") is None
    assert found.level("lamp", "streets") == DEPARTMENT.level
    assert found.level("pothole", "parks", {"SIZE": ("small",)}) == SERVICE.level


def test_rules_that_disagree_give_no_date() -> None:
    other = rule("9 days", service="pothole")
    assert levels(SERVICE, other).due("pothole", "streets", MONDAY) is None
    assert levels(SERVICE, rule("4 calendar days", service="pothole")).due("pothole", "streets", MONDAY)


def test_disagreements_are_found_only_where_one_request_can_fit_both_rules() -> None:
    small = rule("9 days", service="pothole", answers={"SIZE": ("small",)})
    wet = rule("1 day", service="pothole", answers={"WET": ("yes",)})
    rules = [SERVICE, rule("9 days", service="pothole"), rule("9 days", service="lamp"), ANSWER, small, wet]
    assert list(find_disagreements(rules, {})) == [(SERVICE, rules[1]), (ANSWER, wet), (small, wet)]
    many = {("pothole", "SIZE"): True}
    assert (ANSWER, small) in list(find_disagreements(rules, many))


@pytest.mark.parametrize(
    ("words", "pause", "expected"),
    [
        pytest.param("8 hours", ("2026-03-02T12:00", "2026-03-02T13:00"), "2026-03-02T19:00", id="an hour"),
        pytest.param("8 hours", ("2026-03-02T18:00", "2026-03-03T18:00"), "2026-03-02T18:00", id="too late"),
        pytest.param("8 hours", ("2026-03-01T18:00", "2026-03-02T11:00"), "2026-03-02T19:00", id="from before"),
        pytest.param("4 days", ("2026-03-03T10:00", "2026-03-05T10:00"), "2026-03-08T11:00", id="two days"),
        pytest.param("3 working days", ("2026-03-04T09:00", "2026-03-05T09:00"), "2026-03-06T17:00", id="a day"),
        pytest.param("3 working days", ("2026-03-07T09:00", "2026-03-08T09:00"), "2026-03-05T17:00", id="off"),
        pytest.param("3 working days", ("2026-03-05T12:00", "2026-03-05T14:00"), "2026-03-06T11:00", id="hours"),
    ],
)
def test_time_on_hold_does_not_count(words: str, pause: tuple[str, str], expected: str) -> None:
    assert due(words, (local(pause[0]), local(pause[1]))) == local(expected)


def test_a_request_on_hold_has_no_date_unless_it_was_due_before_the_hold() -> None:
    assert due("4 days", (local("2026-03-03T10:00"), None)) is None
    assert due("4 days", (local("2026-03-23T10:00"), None)) == local("2026-03-06T10:00"), (
        "the request was due before the hold"
    )


@given(LEVELS, PAUSES)
def test_a_pause_never_makes_a_request_due_earlier(words: str, paused: list[Pause]) -> None:
    free, held = due(words), due(words, *paused)
    assert free is not None
    assert held is not None
    assert held >= free
    assert due(words, *reversed(paused)) == held
    assert due(words, *paused, *paused) == held, "a pause that is told twice counts once"


@given(st.sampled_from(["8 hours", "10 working hours"]), PAUSES)
def test_without_the_pauses_the_time_until_the_due_date_equals_the_service_level(
    words: str, paused: list[Pause]
) -> None:
    """The time is the time of the clock, or the office hours for a level in working hours."""
    found = due(words, *paused)
    assert found is not None
    edges = sorted({MONDAY, found, *(edge for pause in paused for edge in pause if edge and MONDAY < edge < found)})
    spent = timedelta()
    for start, end in pairwise(edges):
        if not any(first <= start and last and end <= last for first, last in paused):
            spent += TIME.working_time(start, end) if "working" in words else end - start
    assert spent == timedelta(hours=int(words.split()[0]))
