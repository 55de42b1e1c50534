"""How a condition of a thing develops, and what follows."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from open311.domain.sensors import (
    MOST_REOPENINGS,
    Condition,
    Observation,
    Phase,
    SensorRule,
    Standing,
    Step,
    observed,
    step_for,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
RULE = SensorRule(
    code="hot", service="s", description="d", above=30, hysteresis=10, minimum_minutes=2, cool_down_minutes=60
)
COLD = SensorRule(code="cold", service="s", description="d", below=5, hysteresis=2)


def phases(rule: SensorRule, *results: float) -> str:
    """The first letters of the phases after results that come once a minute; + is RISING, - is FALLING."""
    condition, letters = Condition(), ""
    for minute, result in enumerate(results):
        seen = Observation(datastream="x", at=NOON + timedelta(minutes=minute), result=result)
        condition = observed(condition, rule, seen)
        letters += {Phase.CALM: "c", Phase.RISING: "+", Phase.RAISED: "R", Phase.FALLING: "-"}[condition.phase]
    return letters


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        ((31, 31, 31), "++R"),
        ((30, 30, 30), "ccc"),  # the threshold itself is not beyond it
        ((31, 25, 31), "++R"),  # within the hysteresis
        ((31, 20, 31, 31, 31), "+c++R"),
        ((31, 31, 31, 21, 20, 20, 20), "++RR--c"),
        ((31, 31, 31, 20, 25, 20), "++R--c"),
        ((31, 31, 31, 20, 31, 20, 20, 20), "++R-R--c"),
        ((25, 25, 25), "ccc"),
    ],
)
def test_results_give_the_phases_of_a_rule_above_a_threshold(results: tuple[float, ...], expected: str) -> None:
    assert phases(RULE, *results) == expected


def test_results_give_the_phases_of_a_rule_below_a_threshold_without_a_minimum_time() -> None:
    assert phases(COLD, 5, 4, 6, 6.9, 7, 4) == "cRRRcR"


def test_the_worst_result_is_the_worst_since_the_condition_began() -> None:
    condition = Condition()
    for minute, result in enumerate((99, 1, 40, 31, 35)):
        seen = Observation(datastream="x", at=NOON + timedelta(minutes=minute), result=result)
        condition = observed(condition, RULE, seen)
    assert (condition.worst, condition.result) == (40, 35)


RAISED = Condition(phase=Phase.RAISED, number=1, opened_at=NOON)
OVER = replace(RAISED, phase=Phase.CALM)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("condition", "standing", "step"),
    [
        (Condition(phase=Phase.RAISED), None, Step.OPEN),
        (RAISED, Standing(is_open=True), Step.COUNT),
        (RAISED, Standing(is_open=False, closed_at=NOON), Step.OPEN),
        (RAISED, Standing(is_open=False, closed_at=NOON + HOUR / 2), Step.NOTHING),
        (
            replace(RAISED, ended_at=NOON + HOUR / 2),
            Standing(is_open=False, closed_at=NOON + HOUR / 2),
            Step.REOPEN,
        ),
        (
            replace(RAISED, ended_at=NOON + HOUR / 2),
            Standing(is_open=False, closed_at=NOON + HOUR * 0.9),
            Step.NOTHING,
        ),
        (Condition(), None, Step.NOTHING),
        (OVER, Standing(is_open=True), Step.CLOSE),
        (OVER, Standing(is_open=False, closed_at=NOON), Step.NOTHING),
        (OVER, Standing(is_open=True, is_taken_up=True), Step.LEAVE),
        (replace(OVER, is_left=True), Standing(is_open=True, is_taken_up=True), Step.NOTHING),
        (replace(OVER, left_at=NOON + HOUR / 2), Standing(is_open=True, is_taken_up=True), Step.NOTHING),
        (replace(OVER, reopenings=MOST_REOPENINGS), Standing(is_open=True), Step.LEAVE),
    ],
)
def test_the_step_depends_on_the_condition_and_the_request(
    condition: Condition, standing: Standing | None, step: Step
) -> None:
    assert step_for(condition, RULE, standing, NOON + HOUR) is step
