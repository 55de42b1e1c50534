"""The events that each command causes. `act` has already checked that the command is allowed and legal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
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
    MaskChanged,
    Merged,
    NoteAdded,
    NotesSetAside,
    Prioritised,
    ProgressMade,
    Promised,
    ReporterAsked,
    ServiceChanged,
    StatusChanged,
    TokenResolved,
    Transferred,
    Unmerged,
    VisibilityChanged,
    VisitScheduled,
    visibility_before,
)
from open311.domain.personal_data import mark_of
from open311.domain.places import Place
from open311.domain.requests import Progress, RequestRecord, Status, Visibility
from open311.domain.routing import Draft
from open311.domain.services import Service, ServiceType
from open311.domain.text import clean_text
from open311.domain.workflow import MERGED_TEXT, REOPENED_TEXT, SCHEDULED_TEXT, UNMERGED_TEXT
from open311.errors import Conflict, Forbidden, Invalid
from open311.operations.access.assignees import find_assignee
from open311.operations.intake.routing import route_draft
from open311.operations.masking import findings_of
from open311.operations.publishing import Names
from open311.operations.workflow.apply import load_request
from open311.operations.workflow.merging import former_of, work_again
from open311.operations.workflow.texts import text_for
from open311.plugins import Jurisdiction
from open311.storage import history, requests
from open311.storage.engine import Connection
from schemas.texts import tell

FARTHEST = timedelta(days=100 * 365)
"""How far ahead a visit or a due date may be."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What all commands of one call share: the transaction, the jurisdiction, who gives the commands, and when.

    names  the names that publications need; None to load them
    """

    connection: Connection
    jurisdiction: Jurisdiction
    principal: Principal
    now: datetime
    names: Names | None = None

    def envelope(self, command: commands.Command) -> dict[str, Any]:
        """The fields that all events of a command share."""
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

    Raises Invalid or NotFound for a value that the jurisdiction does not know, Conflict if this record or another
    one forbids the command, and Forbidden if the other record belongs to a department for which the account
    does not work.
    """
    raise NotImplementedError(command.name)  # each command registers a function of its own below


@effects.register
def _(command: commands.Assign, record: RequestRecord, desk: Desk) -> Iterator[Event]:
    account = find_assignee(desk.connection, desk.jurisdiction, command.account, principal=desk.principal)
    if account is not None and account.departments and record.department not in account.departments:
        own = {"name": account.name, "departments": ", ".join(account.departments)}
        fault = tell("{name} works for {departments}; transfer the request there first.", **own)
        raise Invalid(fault, "account")
    new = str(account) if account else ""
    if new != record.assignee:
        leaves_triage = record.is_triage and bool(new)
        yield Assigned(**desk.envelope(command), old=record.assignee, new=new, is_update=leaves_triage)


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
        yield Prioritised(**desk.envelope(command), old=record.priority, new=command.priority, is_update=False)


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
        yield from _visit(command, record, desk, command.visit)


@effects.register
def _(command: commands.Reschedule, record: RequestRecord, desk: Desk) -> Iterator[Event]:
    if command.visit is None and command.expected is None:
        raise Invalid(tell("give the new date of the visit, or `expected`, or both."), "visit")
    if command.visit is not None and record.progress is not Progress.SCHEDULED:
        raise Conflict(tell("has no visit to move; schedule one."), "visit")
    if command.visit is not None and command.visit != record.scheduled_at:
        yield from _visit(command, record, desk, command.visit)
    if command.expected is not None:
        _require_near(command.expected, "expected", desk)
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
    yield from _public_note(command, record, desk, command.note, command.outcome)


@effects.register
def _(command: commands.Reopen, record: RequestRecord, desk: Desk) -> Iterator[Event]:
    yield StatusChanged(**desk.envelope(command), old=record.status, new=Status.OPEN, department=record.department)
    yield from _public_note(command, record, desk, command.note, REOPENED_TEXT)


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
    if not desk.principal.scope.covers_department(other.department):
        mine = ", ".join(sorted(desk.principal.scope.departments))
        raise Forbidden(
            tell(
                "this account works for {departments}, and another department has the other request.",
                departments=mine,
            )
        )
    if other.number == record.number:
        raise Invalid(tell("is the request itself; name another one."), "into")
    if other.merged_into:
        raise Conflict(tell("was itself merged into another request; name that one."), "into")
    if other.status is Status.CLOSED:
        fault = tell("is closed; reopen it first, or close this one with the outcome duplicate.")
        raise Conflict(fault, "into")
    if other.is_test:
        raise Conflict(tell("was sent with a test key; name a real request."), "into")
    if requests.load_merged(desk.connection, desk.jurisdiction.id, [record.number]):
        fault = tell("has requests merged into it; merge the other one into this one, or unmerge them.")
        raise Conflict(fault, "into")
    name = other.service_request_id if other.visibility is Visibility.PUBLIC else ""
    if record.status_notes:
        yield NotesSetAside(**desk.envelope(command), note=record.status_notes)
    yield Merged(
        **desk.envelope(command),
        into=other.number,
        name=name,
        status=record.status,
        department=record.department,
        repeats=record.possible_duplicate_of,
    )
    public_text = text_for(desk.jurisdiction, record, MERGED_TEXT, desk.now, into=name)
    yield NoteAdded(**desk.envelope(command), note=public_text)


@effects.register
def _(command: commands.Unmerge, record: RequestRecord, desk: Desk) -> Iterator[Event]:
    if not record.merged_into:
        raise Conflict(tell("is not merged into another request."), "service_request_id")
    former = former_of(record, history.load_events(desk.connection, desk.jurisdiction.id, record.number))
    public_text = text_for(desk.jurisdiction, record, UNMERGED_TEXT, desk.now)
    yield NoteAdded(**desk.envelope(command), note=public_text)
    yield Unmerged(
        **desk.envelope(command),
        note=former.notes,
        old=record.merged_into,
        status=record.status,
        department=record.department,
        repeats=former.repeats,
    )
    yield from work_again(record, former, desk.envelope(command))


@effects.register
def _(command: commands.ChangeService, record: RequestRecord, desk: Desk) -> Iterator[Event]:
    service = desk.jurisdiction.require_service(command.service_code)
    if service.code == record.service_code:
        return
    if not service.is_current:
        raise Invalid(
            tell("{code!r} is not offered any more; name another service.", code=service.code), "service_code"
        )
    answers, dropped = _carried(record, service, desk)
    codes = tuple(answer.code for answer in dropped)
    yield ServiceChanged(**desk.envelope(command), old=record.service_code, new=service.code, dropped=codes)
    if _service_of(record, desk).type is ServiceType.BLACKBOX and service.type is not ServiceType.BLACKBOX:
        new_id = record.service_request_id or desk.jurisdiction.new_id(record.number, record.requested_at)
        yield TokenResolved(**desk.envelope(command), service_request_id=new_id)
    if not service.is_public and record.visibility.is_shown:  # requests of this service are for staff only
        yield from _seen_by(Visibility.PRIVATE, command, record, desk)
    if record.visibility is Visibility.PRIVATE and not _service_of(record, desk).is_public:
        yield from _seen_by(_uncovered(record, service, desk), command, record, desk)
    draft = Draft(
        service=service,
        place=record.place,
        answers=answers,
        description=record.description,
        requested_at=record.requested_at,
    )
    route = route_draft(desk.jurisdiction, draft)
    if route.department != record.department and not route.is_triage and not record.is_test:
        yield from effects(commands.Transfer(department=route.department, reason=command.reason), record, desk)


@effects.register
def _(command: commands.Hide, record: RequestRecord, desk: Desk) -> Iterator[Event]:
    yield from _seen_by(Visibility.WITHDRAWN, command, record, desk)


@effects.register
def _(command: commands.Show, record: RequestRecord, desk: Desk) -> Iterator[Event]:
    if record.visibility is not Visibility.WITHDRAWN:
        fault = tell("is {visibility}; show is for requests that were hidden.", visibility=record.visibility)
        raise Conflict(fault, "service_request_id")
    yield from _seen_by(_uncovered(record, _service_of(record, desk), desk), command, record, desk)


@effects.register
def _(command: commands.Release, record: RequestRecord, desk: Desk) -> Iterator[Event]:
    if record.visibility is not Visibility.HELD:
        fault = tell("is {visibility} and waits for no review.", visibility=record.visibility)
        raise Conflict(fault, "service_request_id")
    visibility = Visibility.PUBLIC if _service_of(record, desk).is_public else Visibility.PRIVATE
    yield from _seen_by(visibility, command, record, desk)


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


@effects.register
def _(command: commands.Unmask, record: RequestRecord, desk: Desk) -> Iterator[Event]:
    mark, kind = _found(command.text, record, desk)
    if mark not in record.unmasked:
        yield MaskChanged(**desk.envelope(command), what=kind, is_shown=True, marks=(*record.unmasked, mark))


@effects.register
def _(command: commands.Mask, record: RequestRecord, desk: Desk) -> Iterator[Event]:
    mark, kind = _found(command.text, record, desk)
    if mark in record.unmasked:
        rest = tuple(one for one in record.unmasked if one != mark)
        yield MaskChanged(**desk.envelope(command), what=kind, is_shown=False, marks=rest)


def _found(text: str, record: RequestRecord, desk: Desk) -> tuple[str, str]:
    """The mark and the kind of personal data in a request. Raises Invalid if the text was not found as such."""
    mark = mark_of(clean_text(text).strip(), record.erasure_salt)
    events = history.load_events(desk.connection, desk.jurisdiction.id, record.number)
    for one in findings_of(record, events, desk.jurisdiction):
        if mark_of(one.text, record.erasure_salt) == mark:
            return mark, one.kind.value
    fault = tell("is not among the personal data that were found in this request; `personal_data` has them.")
    raise Invalid(fault, "text")


def report_after(command: commands.Command, record: RequestRecord, desk: Desk) -> RequestRecord:
    """The record with the report as it is after the command. Most commands do not change the report.

    Events do not contain the report, so no event can change it. Only this function changes it.
    """
    if isinstance(command, commands.Correct):
        return corrected(command, record, desk)
    if isinstance(command, commands.ChangeService):
        service = desk.jurisdiction.require_service(command.service_code)
        if service.code != record.service_code:
            answers, dropped = _carried(record, service, desk)
            return replace(record, answers=answers + dropped, service_notice=service.notice)
    return record


def _carried(record: RequestRecord, service: Service, desk: Desk) -> tuple[Answers, Answers]:
    """The answers to the questions of another service, and the answers that only staff see from then on."""
    old = _service_of(record, desk)
    return carry_answers(old, service, record.answers)


def corrected(command: commands.Correct, record: RequestRecord, desk: Desk) -> RequestRecord:
    """The record with the corrected report, marked if the new point is outside the city.

    Raises Invalid if the command corrects nothing, has only one of lat and long, or removes the only place, or if
    the city refuses such points.
    """
    if command.description is None and command.address is None and command.lat is None and command.long is None:
        raise Invalid(tell("give what to correct: `description`, `address`, or `lat` and `long`."), "description")
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
    if place.point is None and not (place.address or place.address_id):
        raise Invalid(tell("is the only place of the request; send another one."), "address")
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


def _visit(command: commands.Command, record: RequestRecord, desk: Desk, visit: datetime) -> Iterator[Event]:
    """The events of a new time of a visit. Raises Invalid for a time in the past."""
    if visit <= desk.now:
        local = visit.astimezone(desk.jurisdiction.zone).isoformat(timespec="minutes")
        raise Invalid(tell("{visit} is in the past; send a date and time to come.", visit=local), "visit")
    _require_near(visit, "visit", desk)
    yield VisitScheduled(**desk.envelope(command), visit=visit)
    public_text = text_for(desk.jurisdiction, record, SCHEDULED_TEXT, visit)
    if public_text != record.status_notes:
        yield NoteAdded(**desk.envelope(command), note=public_text)


def _public_note(
    command: commands.Command, record: RequestRecord, desk: Desk, note: str, moment: str
) -> Iterator[NoteAdded]:
    """A public note with the note of staff or, without one, the city's text for the outcome or moment."""
    public_text = clean_text(note).strip() or text_for(desk.jurisdiction, record, moment, desk.now)
    if public_text != record.status_notes:
        yield NoteAdded(**desk.envelope(command), note=public_text)


def _service_of(record: RequestRecord, desk: Desk) -> Service:
    """The record's service.

    A service that the city does not have any more counts as public, because nothing is known about it.
    """
    return desk.jurisdiction.service(record.service_code) or Service(code=record.service_code, name="")


def _uncovered(record: RequestRecord, service: Service, desk: Desk) -> Visibility:
    """Who can see the record when it is not hidden any more, or when it belongs to this service."""
    if not service.is_public:
        return Visibility.PRIVATE
    return visibility_before(history.load_events(desk.connection, desk.jurisdiction.id, record.number))


def _require_near(instant: datetime, field: str, desk: Desk) -> None:
    """Raise Invalid for a date more than a day ago, or more than 100 years ahead."""
    day = timedelta(days=1)
    if not desk.now - day < instant < desk.now + FARTHEST:
        local = instant.date().isoformat()
        fault = tell("{date} is over, or more than 100 years away; send another date.", date=local)
        raise Invalid(fault, field)


def _said(text: str, field: str) -> str:
    cleaned = clean_text(text).strip()
    if not cleaned:
        raise Invalid(tell("is empty; write something."), field)
    return cleaned
