"""The events that a command leads to. Whether it is allowed and legal was checked before (`act`)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import singledispatch
from typing import Any

from open311.domain import commands
from open311.domain.access import Principal
from open311.domain.carrying import Answers, carry_answers
from open311.domain.events import (
    AreasRecomputed,
    Assigned,
    Corrected,
    Event,
    InternalNoteAdded,
    Merged,
    NoteAdded,
    Prioritised,
    ProgressMade,
    Promised,
    ReporterAsked,
    ServiceChanged,
    StatusChanged,
    Transferred,
    Unmerged,
    VisibilityChanged,
    VisitScheduled,
)
from open311.domain.places import Place
from open311.domain.requests import Progress, RequestRecord, Status, Visibility
from open311.domain.routing import Draft
from open311.domain.services import Service
from open311.domain.text import clean_text
from open311.domain.workflow import MERGED_TEXT, Outcome
from open311.errors import Conflict, Invalid
from open311.operations.intake.routing import route_draft
from open311.operations.workflow.apply import load_request
from open311.operations.workflow.texts import text_for
from open311.plugins import Jurisdiction
from open311.storage import accounts, requests
from open311.storage.engine import Connection
from schemas.texts import tell


@dataclass(frozen=True, slots=True)
class Desk:
    """Where a command is given: the transaction, the jurisdiction, who gives it, and when."""

    connection: Connection
    jurisdiction: Jurisdiction
    principal: Principal
    now: datetime

    def envelope(self, command: commands.Command) -> dict[str, Any]:
        """What all events of a command share."""
        return {"at": self.now, "actor": str(self.principal), "reason": clean_text(command.reason).strip()}

    def department_name(self, code: str) -> str:
        """The department's name. Raises Invalid for an unknown code."""
        try:
            return self.jurisdiction.department(code).name
        except KeyError:
            known = ", ".join(department.code for department in self.jurisdiction.departments)
            named = {"code": code, "city": self.jurisdiction.id, "known": known}
            fault = tell("{code!r} is no department of {city}; use one of {known}.", **named)
            raise Invalid(fault, "department") from None


@singledispatch
def effects(command: commands.Command, record: RequestRecord, desk: Desk) -> Iterator[Event]:
    """The events of a command on a record; none if nothing changes.

    Raises Invalid or NotFound for a value that the jurisdiction does not know, Conflict where records forbid it.
    """
    raise NotImplementedError(command.name)  # each command registers a function of its own below


@effects.register
def _(command: commands.Assign, record: RequestRecord, desk: Desk) -> Iterator[Event]:
    account = accounts.find_account(desk.connection, desk.jurisdiction.id, command.account)
    if account is None and command.account:
        named = {"account": command.account[:60], "city": desk.jurisdiction.id}
        raise Invalid(tell("{account!r} is no account of {city}.", **named), "account")
    if account is not None and account.departments and record.department not in account.departments:
        own = {"name": account.name, "departments": ", ".join(account.departments)}
        fault = tell("{name} works for {departments}; transfer the request there first.", **own)
        raise Invalid(fault, "account")
    new = str(account) if account else ""
    if new != record.assignee:
        yield Assigned(**desk.envelope(command), old=record.assignee, new=new)


@effects.register
def _(command: commands.Transfer, record: RequestRecord, desk: Desk) -> Iterator[Event]:
    name = desk.department_name(command.department)
    if command.department != record.department or record.is_triage:
        yield Transferred(
            **desk.envelope(command),
            old=record.department,
            new=command.department,
            name=name,
            status=record.status,
            is_merged=bool(record.merged_into),
        )


@effects.register
def _(command: commands.Prioritise, record: RequestRecord, desk: Desk) -> Iterator[Event]:
    if command.priority != record.priority:
        yield Prioritised(**desk.envelope(command), old=record.priority, new=command.priority)


@effects.register
def _(command: commands.Acknowledge, record: RequestRecord, desk: Desk) -> Iterator[Event]:
    yield _progress(command, record, desk, Progress.ACKNOWLEDGED)


@effects.register
def _(command: commands.Start, record: RequestRecord, desk: Desk) -> Iterator[Event]:
    yield _progress(command, record, desk, Progress.IN_PROGRESS)


@effects.register
def _(command: commands.Hold, record: RequestRecord, desk: Desk) -> Iterator[Event]:
    yield _progress(command, record, desk, Progress.ON_HOLD)


@effects.register
def _(command: commands.Schedule, record: RequestRecord, desk: Desk) -> Iterator[Event]:
    yield _progress(command, record, desk, Progress.SCHEDULED)
    if command.visit is not None:
        yield VisitScheduled(**desk.envelope(command), visit=command.visit)


@effects.register
def _(command: commands.Reschedule, record: RequestRecord, desk: Desk) -> Iterator[Event]:
    if command.visit is None and command.expected is None:
        raise Invalid(tell("give the new date of the visit, or `expected`, or both."), "visit")
    if command.visit is not None and record.progress is not Progress.SCHEDULED:
        raise Conflict(tell("has no visit to move; schedule one."), "visit")
    if command.visit is not None and command.visit != record.scheduled_at:
        yield VisitScheduled(**desk.envelope(command), visit=command.visit)
    if command.expected is not None and command.expected != record.expected_at:
        yield Promised(**desk.envelope(command), expected=command.expected)


@effects.register
def _(command: commands.Close, record: RequestRecord, desk: Desk) -> Iterator[Event]:
    yield StatusChanged(
        **desk.envelope(command),
        old=record.status,
        new=Status.CLOSED,
        department=record.department,
        outcome=command.outcome,
    )
    note = clean_text(command.note).strip() or text_for(desk.jurisdiction, record, command.outcome, desk.now)
    if note != record.status_notes:
        yield NoteAdded(**desk.envelope(command), note=note)


@effects.register
def _(command: commands.Reopen, record: RequestRecord, desk: Desk) -> Iterator[Event]:
    yield StatusChanged(**desk.envelope(command), old=record.status, new=Status.OPEN, department=record.department)


@effects.register
def _(command: commands.Note, record: RequestRecord, desk: Desk) -> Iterator[Event]:  # noqa: ARG001
    kind = NoteAdded if command.public else InternalNoteAdded
    yield kind(**desk.envelope(command), note=_said(command.text, "text"))


@effects.register
def _(command: commands.AskReporter, record: RequestRecord, desk: Desk) -> Iterator[Event]:
    if record.progress is not Progress.ON_HOLD:
        yield _progress(command, record, desk, Progress.ON_HOLD)
    yield ReporterAsked(**desk.envelope(command), note=_said(command.text, "text"))


@effects.register
def _(command: commands.Merge, record: RequestRecord, desk: Desk) -> Iterator[Event]:
    other = load_request(desk.connection, desk.jurisdiction, command.into)
    if other.number == record.number:
        raise Invalid(tell("is the request itself; name another one."), "into")
    if other.merged_into:
        raise Conflict(tell("was itself merged into another request; name that one."), "into")
    if requests.load_merged(desk.connection, desk.jurisdiction.id, [record.number]):
        fault = tell("has requests merged into it; merge the other one into this one, or unmerge them.")
        raise Conflict(fault, "into")
    name = other.service_request_id if other.visibility is Visibility.PUBLIC else ""
    yield Merged(
        **desk.envelope(command),
        into=other.number,
        name=name,
        status=record.status,
        department=record.department,
    )
    told = text_for(desk.jurisdiction, record, MERGED_TEXT, desk.now, into=name)
    yield NoteAdded(**desk.envelope(command), note=told)
    if other.status is Status.CLOSED:
        yield StatusChanged(
            **desk.envelope(command),
            old=record.status,
            new=Status.CLOSED,
            department=record.department,
            outcome=Outcome.DUPLICATE,
            is_merged=True,
        )


@effects.register
def _(command: commands.Unmerge, record: RequestRecord, desk: Desk) -> Iterator[Event]:
    if not record.merged_into:
        raise Conflict(tell("is not merged into another request."), "service_request_id")
    yield Unmerged(
        **desk.envelope(command), old=record.merged_into, status=record.status, department=record.department
    )


@effects.register
def _(command: commands.ChangeService, record: RequestRecord, desk: Desk) -> Iterator[Event]:
    service = desk.jurisdiction.require_service(command.service_code)
    if service.code == record.service_code:
        return
    answers, dropped = _carried(record, service, desk)
    codes = tuple(answer.code for answer in dropped)
    yield ServiceChanged(**desk.envelope(command), old=record.service_code, new=service.code, dropped=codes)
    if not service.is_public and record.visibility.is_shown:  # requests of this service are for staff only
        yield from _seen_by(Visibility.PRIVATE, command, record, desk)
    draft = Draft(
        service=service,
        place=record.place,
        answers=answers,
        description=record.description,
        requested_at=record.requested_at,
    )
    route = route_draft(desk.jurisdiction, draft)
    if route.department != record.department and not route.is_triage:
        yield from effects(commands.Transfer(department=route.department, reason=command.reason), record, desk)


@effects.register
def _(command: commands.Hide, record: RequestRecord, desk: Desk) -> Iterator[Event]:
    yield from _seen_by(Visibility.WITHDRAWN, command, record, desk)


@effects.register
def _(command: commands.Show, record: RequestRecord, desk: Desk) -> Iterator[Event]:
    yield from _seen_by(Visibility.PUBLIC, command, record, desk)


@effects.register
def _(command: commands.Release, record: RequestRecord, desk: Desk) -> Iterator[Event]:
    if record.visibility is not Visibility.HELD:
        fault = tell("is {visibility} and waits for no review.", visibility=record.visibility)
        raise Conflict(fault, "service_request_id")
    yield from _seen_by(Visibility.PUBLIC, command, record, desk)


@effects.register
def _(command: commands.Correct, record: RequestRecord, desk: Desk) -> Iterator[Event]:
    right = corrected(command, record, desk)
    parts = ("description", "address", "point")
    before, after = (_parts(one) for one in (record, right))
    changed = tuple(part for part, old, new in zip(parts, before, after, strict=True) if old != new)
    if changed:
        yield Corrected(**desk.envelope(command), what=changed)
    if "point" in changed:
        areas = desk.jurisdiction.areas_at(right.place)
        if areas != record.areas:
            yield AreasRecomputed(**desk.envelope(command), old=record.areas, new=areas)


def lent_after(command: commands.Command, record: RequestRecord, desk: Desk) -> RequestRecord:
    """The record with the report as it is after a command. Most commands leave the report as it is.

    Events do not hold the report, so no event can change it.
    """
    if isinstance(command, commands.Correct):
        return corrected(command, record, desk)
    if isinstance(command, commands.ChangeService):
        service = desk.jurisdiction.require_service(command.service_code)
        if service.code != record.service_code:
            answers, dropped = _carried(record, service, desk)
            return replace(record, answers=answers + dropped)
    return record


def _carried(record: RequestRecord, service: Service, desk: Desk) -> tuple[Answers, Answers]:
    """The answers to the questions of another service, and those that it does not ask, which staff still see."""
    old = desk.jurisdiction.service(record.service_code) or Service(code=record.service_code, name="")
    return carry_answers(old, service, record.answers)


def corrected(command: commands.Correct, record: RequestRecord, desk: Desk) -> RequestRecord:
    """The record with the report as the command says it is, marked if its new point lies outside the city.

    Raises Invalid if the city refuses such points.
    """
    if (command.lat is None) != (command.long is None):
        raise Invalid(tell("send lat and long together."), "long" if command.long is None else "lat")
    changes: dict[str, Any] = {}
    place = record.place
    if command.lat is not None:
        place = replace(place, lat=command.lat, long=command.long)
        changes["is_outside"] = is_outside = place.point is not None and not desk.jurisdiction.covers(*place.point)
        if is_outside and desk.jurisdiction.outside == "refuse":
            fault = tell("the point lies outside {city}; send another one.", city=desk.jurisdiction.name)
            raise Invalid(fault, "lat")
    if command.address is not None:
        place = replace(place, address=clean_text(command.address).strip())
    if command.description is not None:
        changes["description"] = clean_text(command.description).strip()
    return replace(record, place=place, **changes)


def _parts(record: RequestRecord) -> tuple[str, str, tuple[object, object]]:
    place: Place = record.place
    return record.description, place.address, (place.lat, place.long)


def _progress(command: commands.Command, record: RequestRecord, desk: Desk, new: Progress) -> ProgressMade:
    detail = command.detail if isinstance(command, commands.ProgressCommand) else ""
    own = [one.code for one in desk.jurisdiction.states if one.state.value == new.value and one.code]
    if detail and detail not in own:
        known = tell("use one of {states}", states=", ".join(own)) if own else tell("the city has none")
        named = {"detail": detail[:60], "new": new, "known": known}
        raise Invalid(tell("{detail!r} is no state of the city's own within {new}; {known}.", **named), "detail")
    return ProgressMade(**desk.envelope(command), old=record.progress, new=new, detail=detail)


def _seen_by(
    visibility: Visibility, command: commands.Command, record: RequestRecord, desk: Desk
) -> Iterator[Event]:
    if record.visibility is not visibility:
        yield VisibilityChanged(**desk.envelope(command), old=record.visibility, new=visibility)


def _said(text: str, field: str) -> str:
    said = clean_text(text).strip()
    if not said:
        raise Invalid(tell("is empty; write something."), field)
    return said
