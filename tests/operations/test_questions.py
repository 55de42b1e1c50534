"""A question to the reporter puts the work on hold; the answer ends the hold, and staff see that it came."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count

import pytest
from flask import Flask

from open311.cli.staff_view import lines_of
from open311.domain import commands
from open311.domain.access import SHELL
from open311.domain.commands import Command
from open311.domain.events import replay
from open311.domain.questions import answered_at
from open311.domain.requests import Progress, RequestRecord
from open311.domain.service_levels import read_service_level
from open311.domain.updates import SentUpdate
from open311.domain.workflow import State, state_of
from open311.operations.desk.rendering import plain_request
from open311.operations.desk.whole_request import read_whole_request
from open311.operations.platform import Platform
from open311.operations.workflow.act import act
from open311.operations.workflow.receive_update import receive_update
from tests import build
from tests.checked_client import platform_of

DAY = timedelta(days=1)
ASK = commands.AskReporter(text="Which side of the street?")
_numbers = count(1)


@pytest.fixture
def platform(make_app: Callable[..., Flask]) -> Platform:
    """A city that mends holes within four days."""
    hole, *others = build.city().services
    level = read_service_level("4 days")
    return platform_of(make_app(build.city(services=(replace(hole, service_level=level), *others))))


def give(platform: Platform, name: str, after: timedelta, *orders: Command) -> RequestRecord:
    city = next(iter(platform.registry))
    return act(platform, city, name, orders, principal=SHELL, now=build.NOON + after)


def answer(platform: Platform, name: str, after: timedelta, *, may_update: bool = False) -> RequestRecord:
    sent = SentUpdate(
        service_request_id=name,
        update_id=f"a-{next(_numbers)}",
        status="open",
        updated_at=build.NOON + after,
        description="The north side.",
    )
    key = build.api_key(platform, may_update=may_update)
    receive_update(platform, next(iter(platform.registry)), sent, principal=key, now=build.NOON + after)
    return build.load(platform, service_request_id=name)


def answered(platform: Platform, record: RequestRecord) -> datetime | None:
    return answered_at(build.history(platform, record))


def test_an_answer_ends_the_hold_of_the_question_and_the_clock_goes_on(platform: Platform) -> None:
    name = build.submit(platform).service_request_id
    asked = give(platform, name, DAY, commands.Start(), ASK)
    assert answered(platform, asked) is None
    after = answer(platform, name, 3 * DAY)
    assert (after.progress, after.held_since) == (Progress.IN_PROGRESS, None)
    assert after.expected_at == build.NOON + 6 * DAY
    assert answered(platform, after) == build.NOON + 3 * DAY
    events = build.history(platform, after)
    (ended,) = [event for event in events if event.kind == "progress" and event.version == after.version]
    assert ended.reason == "An answer to the question came."
    assert replay(after, events) == after


def test_staff_see_in_the_whole_request_that_an_answer_came(platform: Platform) -> None:
    name = build.submit(platform).service_request_id
    give(platform, name, DAY, ASK)
    answer(platform, name, 2 * DAY)
    whole = read_whole_request(platform, next(iter(platform.registry)), name, principal=SHELL)
    assert plain_request(whole, build.NOON)["answered_datetime"] == "2026-03-03T12:00:00Z"
    lines = list(lines_of(whole.view, {}, build.NOON, asks_for_reporter=False))
    assert "reply        to your question came at 2026-03-03T12:00:00Z" in lines


def test_the_answer_is_no_longer_flagged_when_staff_have_acted(platform: Platform) -> None:
    name = build.submit(platform).service_request_id
    give(platform, name, DAY, ASK)
    assert answered(platform, answer(platform, name, 2 * DAY)) is not None
    assert answered(platform, answer(platform, name, 3 * DAY)) == build.NOON + 3 * DAY
    assert answered(platform, give(platform, name, 4 * DAY, commands.Start())) is None


def test_a_request_that_waited_for_triage_waits_for_it_again_after_the_answer_to_a_question(
    platform: Platform,
) -> None:
    name = build.store(platform, department="desk", is_triage=True).service_request_id
    give(platform, name, DAY, ASK)
    assert state_of(answer(platform, name, 2 * DAY)) is State.TRIAGE


def test_a_hold_for_another_reason_goes_on_and_the_answer_is_flagged(platform: Platform) -> None:
    name = build.submit(platform).service_request_id
    give(platform, name, DAY, commands.Hold(reason="No asphalt."))
    give(platform, name, DAY, ASK)
    after = answer(platform, name, 2 * DAY)
    assert after.progress is Progress.ON_HOLD
    assert answered(platform, after) == build.NOON + 2 * DAY


def test_a_visit_must_be_scheduled_again_after_a_question(platform: Platform) -> None:
    name = build.submit(platform).service_request_id
    give(platform, name, DAY, commands.Schedule(visit=build.NOON + 3 * DAY), ASK)
    assert answer(platform, name, 2 * DAY).progress is Progress.ACKNOWLEDGED


def test_an_unasked_comment_has_no_effect_and_is_not_flagged(platform: Platform) -> None:
    name = build.submit(platform).service_request_id
    give(platform, name, DAY, commands.Hold(reason="No asphalt."))
    after = answer(platform, name, 2 * DAY)
    assert after.progress is Progress.ON_HOLD
    assert answered(platform, after) is None


def test_a_second_comment_after_the_answer_does_not_end_a_later_hold(platform: Platform) -> None:
    name = build.submit(platform).service_request_id
    give(platform, name, DAY, ASK)
    answer(platform, name, 2 * DAY)
    give(platform, name, 2 * DAY, commands.Hold(reason="Rain."))
    assert answer(platform, name, 3 * DAY).progress is Progress.ON_HOLD
