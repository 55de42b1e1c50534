"""Commands of staff: what each changes, when it is refused, and what happens when two act at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from shapely import box

from open311.domain import commands
from open311.domain.access import SHELL, Principal, Role, Scope
from open311.domain.commands import Command
from open311.domain.events import replay
from open311.domain.requests import Priority, Progress, RequestRecord, Status, Visibility
from open311.domain.workflow import Outcome, State, state_of
from open311.errors import Conflict, Forbidden, Invalid, Open311Error
from open311.operations.platform import Platform
from open311.operations.workflow.act import act
from open311.storage import accounts
from open311.storage.history import load_events, load_notes
from tests import build
from tests.checked_client import platform_of


def staff(role: Role, *departments: str, jurisdiction_id: str = "city.example") -> Principal:
    """An account of staff."""
    return Principal(kind="staff", role=role, number=7, scope=Scope(jurisdiction_id, frozenset(departments)))


def give(
    platform: Platform,
    name: str,
    *orders: Command,
    principal: Principal = SHELL,
    version: int | None = None,
    after: int = 1,
) -> RequestRecord:
    """Act on a request, `after` hours after the report."""
    city, now = next(iter(platform.registry)), build.NOON + timedelta(hours=after)
    return act(platform, city, name, orders, principal=principal, now=now, version=version)


def report(platform: Platform, **fields: Any) -> str:
    """The id of a new request of the streets department."""
    return build.submit(platform, **fields).service_request_id


def test_the_life_of_a_request_from_assigned_to_closed(platform: Platform) -> None:
    name = report(platform)
    visit = build.NOON + timedelta(days=2)
    orders: list[Command] = [
        commands.Acknowledge(),
        commands.Start(),
        commands.Hold(reason="Waits for parts."),
        commands.Start(),
        commands.Schedule(visit=visit),
        commands.Close(outcome=Outcome.FIXED),
        commands.Reopen(reason="It is broken again."),
        commands.Transfer(department="parks"),
    ]
    states = [state_of(give(platform, name, order)) for order in orders]
    assert states == [
        State.ACKNOWLEDGED,
        State.IN_PROGRESS,
        State.ON_HOLD,
        State.IN_PROGRESS,
        State.SCHEDULED,
        State.CLOSED,
        State.ASSIGNED,
        State.ASSIGNED,
    ]


def test_a_closing_has_an_outcome_and_always_a_text_for_the_public(platform: Platform) -> None:
    first, second = report(platform), report(platform)
    with_note = give(platform, first, commands.Close(outcome=Outcome.FIXED, note="Filled with asphalt."))
    assert (with_note.outcome, with_note.status_notes) == ("fixed", "Filled with asphalt.")
    for outcome in Outcome:
        without_note = give(platform, second, commands.Close(outcome=outcome))
        assert without_note.outcome == outcome
        assert without_note.status_notes
        assert give(platform, second, commands.Reopen(reason="Again.")).outcome == ""


@pytest.mark.parametrize(
    ("orders", "order", "error", "match"),
    [
        ((), commands.Reopen(reason="x"), Conflict, "is assigned; reopen is for requests that are closed"),
        ((), commands.Hold(), Invalid, "reason: is missing; give a reason for hold"),
        ((commands.Close(outcome=Outcome.FIXED),), commands.Start(), Conflict, "is closed; start is for"),
        ((), commands.Transfer(department="moon"), Invalid, "'moon' is no department of city.example"),
        ((), commands.Assign(account="nobody"), Invalid, "'nobody' is no account of city.example"),
        ((), commands.Reschedule(reason="x"), Invalid, "give the new date"),
        ((), commands.Reschedule(reason="x", visit=build.NOON), Conflict, "has no visit to move"),
        ((), commands.Unmerge(), Conflict, "is not merged"),
        ((), commands.Release(), Conflict, "waits for no review"),
        ((), commands.Note(text=" "), Invalid, "is empty"),
        ((), commands.Correct(reason="x", lat=60.0), Invalid, "send lat and long together"),
        ((), commands.Correct(reason="x"), Invalid, "give what to correct: `description`, `address`, or `lat`"),
        ((), commands.ChangeService(service_code="moon"), Open311Error, "moon"),
        ((), commands.Merge(into="moon"), Open311Error, "'moon' is not a request here"),
    ],
)
def test_a_command_that_cannot_be_done_is_refused_and_changes_nothing(
    platform: Platform, orders: tuple[Command, ...], order: Command, error: type[Open311Error], match: str
) -> None:
    name = report(platform)
    if orders:
        give(platform, name, *orders)
    before = build.load(platform, service_request_id=name)
    with pytest.raises(error, match=match):
        give(platform, name, order)
    assert build.load(platform, service_request_id=name) == before


def test_the_error_for_the_second_of_two_people_names_what_the_first_has_changed(platform: Platform) -> None:
    name = report(platform)
    give(platform, name, commands.Transfer(department="parks"), version=1)
    with pytest.raises(Conflict, match=r"is at version 2 now, not 1 \(transferred: Parks\); read it again"):
        give(platform, name, commands.Close(outcome=Outcome.FIXED), version=1)


def test_rights_depend_on_role_jurisdiction_and_department(platform: Platform) -> None:
    name = report(platform)
    order = commands.Acknowledge()
    with pytest.raises(Forbidden, match="needs the role agent; this account is reader"):
        give(platform, name, order, principal=staff(Role.READER))
    with pytest.raises(Forbidden, match="needs the role dispatcher"):
        give(platform, name, commands.Hide(reason="x"), principal=staff(Role.AGENT))
    with pytest.raises(Forbidden, match="works for parks"):
        give(platform, name, order, principal=staff(Role.ADMIN, "parks"))
    with pytest.raises(Forbidden, match=r"is not valid for city\.example"):
        give(platform, name, order, principal=staff(Role.ADMIN, jurisdiction_id="other.example"))
    with pytest.raises(Forbidden, match="this account is app"):
        give(platform, name, order, principal=Principal(kind="key", role=Role.APP))
    assert give(platform, name, order, principal=staff(Role.AGENT, "streets")).progress is Progress.ACKNOWLEDGED


def test_a_request_is_given_to_a_person_of_its_department(platform: Platform) -> None:
    name = report(platform)
    with platform.database.transaction() as connection:
        for who, departments in (("ada", ("streets",)), ("bo", ("parks",)), ("cy", ())):
            accounts.add_account(
                connection,
                jurisdiction_id="city.example",
                name=who,
                role=Role.AGENT,
                departments=departments,
                now=build.NOON,
            )
    given = give(platform, name, commands.Assign(account="ada"))
    assert given.assignee.startswith("staff:")
    with pytest.raises(Invalid, match="bo works for parks; transfer the request there first"):
        give(platform, name, commands.Assign(account="bo"))
    assert give(platform, name, commands.Assign(account="")).assignee == ""
    assert give(platform, name, commands.Transfer(department="parks")).assignee == ""


def test_a_merged_request_closes_and_opens_with_the_other_one_and_keeps_its_id(platform: Platform) -> None:
    parent, child = report(platform), report(platform)
    merged = give(platform, child, commands.Merge(into=parent))
    assert merged.status is Status.OPEN
    assert parent in merged.status_notes
    with pytest.raises(Conflict, match="is merged into another request; send the command for that request"):
        give(platform, child, commands.Close(outcome=Outcome.FIXED))
    with pytest.raises(Conflict, match="has requests merged into it"):
        give(platform, parent, commands.Merge(into=report(platform)))
    give(platform, parent, commands.Close(outcome=Outcome.FIXED, note="Done."))
    closed = build.load(platform, service_request_id=child)
    assert (closed.status, closed.outcome, closed.status_notes) == (Status.CLOSED, "fixed", "Done.")
    give(platform, parent, commands.Reopen(reason="Broken again."))
    assert build.load(platform, service_request_id=child).status is Status.OPEN
    alone = give(platform, child, commands.Unmerge())
    assert (alone.merged_into, alone.status) == (0, Status.OPEN)
    give(platform, parent, commands.Close(outcome=Outcome.FIXED))
    assert build.load(platform, service_request_id=child).status is Status.OPEN


def test_a_point_outside_the_city_is_refused_or_marked_as_the_city_says(
    platform: Platform, make_app: Callable[..., Flask]
) -> None:
    away = commands.Correct(lat=0.0, long=0.0, reason="Wrong place.")
    with pytest.raises(Invalid, match="the point lies outside Demoville; send another one"):
        give(platform, report(platform), away)
    marking = platform_of(make_app(build.city(boundary=box(24, 60, 25, 61))))
    name = report(marking)
    moved = give(marking, name, away)
    assert moved.is_outside
    assert replay(moved, build.history(marking, moved)) == moved
    assert not give(marking, name, commands.Correct(lat=60.17, long=24.94, reason="Back.")).is_outside


def test_the_note_of_a_hidden_request_is_not_copied_to_a_public_one(platform: Platform) -> None:
    parent, child = report(platform), report(platform)
    give(platform, child, commands.Merge(into=parent))
    give(platform, parent, commands.Hide(reason="A name is in it."))
    give(platform, parent, commands.Close(outcome=Outcome.FIXED, note="Jane Doe has paid for it."))
    closed = build.load(platform, service_request_id=child)
    assert (closed.status, closed.status_notes) == (Status.CLOSED, "The problem is fixed.")


def test_a_new_report_near_a_merged_request_names_the_parent_of_that_request(platform: Platform) -> None:
    far = report(platform, lat="60.1900")
    near = report(platform)
    give(platform, near, commands.Merge(into=far))
    again = build.load(platform, service_request_id=report(platform))
    assert again.possible_duplicate_of == far


def test_no_public_note_has_a_text_that_only_staff_may_read(platform: Platform) -> None:
    name = report(platform)
    give(platform, name, commands.Note(text="The neighbour is difficult.", reason="secret"))
    give(platform, name, commands.Hold(reason="No budget."))
    give(platform, name, commands.Prioritise(priority=Priority.HIGH, reason="The mayor lives there."))
    give(platform, name, commands.Note(text="We will come soon.", public=True))
    record = build.load(platform, service_request_id=name)
    with platform.database.transaction() as connection:
        notes = load_notes(connection, record.jurisdiction_id, [record.number])[record.number]
        events = load_events(connection, record.jurisdiction_id, record.number)
    assert [note.description for note in notes if note.type == "note"] == ["We will come soon."]
    assert not any(word in str(notes) for word in ("difficult", "budget", "mayor", "secret"))
    assert {"secret", "No budget.", "The mayor lives there."} <= {event.reason for event in events}


def test_a_question_to_the_reporter_is_public_and_stops_the_clock(platform: Platform) -> None:
    name = report(platform)
    asked = give(platform, name, commands.AskReporter(text="Which side of the street?"))
    assert (asked.progress, asked.status_notes) == (Progress.ON_HOLD, "Which side of the street?")
    assert asked.held_since == build.NOON + timedelta(hours=1)


def test_a_request_moves_to_another_service_and_to_the_department_of_that_service(platform: Platform) -> None:
    name = report(platform)
    moved = give(platform, name, commands.ChangeService(service_code="trees"))
    assert (moved.service_code, moved.department) == ("trees", "parks")


def test_a_request_that_moves_to_a_service_with_private_requests_becomes_private(
    make_app: Callable[..., Flask],
) -> None:
    hole, tree, *others = build.city().services
    services = (hole, replace(tree, public=False), *others)
    platform = platform_of(make_app(build.city(services=services)))
    moved = give(platform, report(platform), commands.ChangeService(service_code="trees"))
    assert moved.visibility is Visibility.PRIVATE


def test_answers_that_the_new_service_does_not_ask_are_kept_for_staff_only(platform: Platform) -> None:
    name = report(platform, service_code="graffiti", attributes=(("SURFACE", ("brick",)),))
    moved = give(platform, name, commands.ChangeService(service_code="potholes"))
    assert [(answer.code, answer.values, answer.is_asked) for answer in moved.answers] == [
        ("SURFACE", ("brick",), False)
    ]
    (event,) = [event for event in build.history(platform, moved) if event.kind == "service"]
    assert event.description == "graffiti to potholes; answers kept for staff: SURFACE"
    assert replay(moved, build.history(platform, moved)) == moved


def test_hidden_requests_are_withdrawn_and_can_be_shown_again(platform: Platform) -> None:
    name = report(platform)
    assert give(platform, name, commands.Hide(reason="A name is in it.")).visibility is Visibility.WITHDRAWN
    correction = commands.Correct(reason="A name was in it.", description="A hole.")
    assert give(platform, name, correction, commands.Show()).visibility is Visibility.PUBLIC
    record = build.load(platform, service_request_id=name)
    assert record.description == "A hole."


def test_two_agents_who_close_and_transfer_at_the_same_moment_never_lose_an_event(platform: Platform) -> None:
    close, transfer = commands.Close(outcome=Outcome.FIXED), commands.Transfer(department="parks")
    results: Counter[str] = Counter()

    def attempt(name: str, order: Command) -> str:
        try:
            give(platform, name, order, version=1)
        except Conflict:
            return "conflict"
        return order.name

    with ThreadPoolExecutor(2) as pool:
        for _ in range(200):
            name = report(platform)
            outcomes = sorted(pool.map(attempt, (name, name), (close, transfer)))
            results.update(outcomes)
            record = build.load(platform, service_request_id=name)
            with platform.database.transaction() as connection:
                history = load_events(connection, record.jurisdiction_id, record.number)
            assert replay(record, history) == record
            assert outcomes in (["close", "conflict"], ["conflict", "transfer"])
            assert (record.status is Status.CLOSED) != (record.department == "parks")
    assert results["conflict"] == 200
