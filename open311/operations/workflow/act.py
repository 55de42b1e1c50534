"""Carry out commands on requests: those of staff, and those in updates from outside."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import datetime

import orjson

from open311.domain.access import Principal
from open311.domain.commands import Command, ProgressCommand
from open311.domain.commands import commands as all_commands
from open311.domain.events import Event, InternalNoteAdded, apply_all
from open311.domain.requests import RequestRecord, Visibility
from open311.domain.workflow import LEADS_TO, MERGED_TEXT, NOT_OF_TESTS, OF_MERGED, TRANSITIONS, State, state_of
from open311.errors import Conflict, Forbidden, Invalid, NotFound
from open311.operations.platform import Platform
from open311.operations.publishing import names_for
from open311.operations.workflow.apply import Change, change_requests, load_request
from open311.operations.workflow.due_dates import due_events
from open311.operations.workflow.effects import Desk, effects, report_after
from open311.plugins import Jurisdiction
from open311.storage import history, requests, staff_repeats
from open311.storage.engine import undeadlocked
from open311.storage.staff_repeats import Repeat
from schemas.texts import Message, tell


def act(
    platform: Platform,
    jurisdiction: Jurisdiction,
    name: str | int,
    commands: Sequence[Command],
    *,
    principal: Principal,
    now: datetime,
    version: int | None = None,
    repeat_key: str = "",
) -> RequestRecord:
    """Carry out commands on one request, all or none, as one change. Returns the request after the commands.

    name        the request's service_request_id, token or number; an int is always the number
    version     the version that the caller has seen; None to accept any version
    repeat_key  the caller's own id of this call; "" for none. If a call of the last day had the same id, nothing
                changes, and the request is returned in its present state. If the earlier call had other commands,
                Invalid is raised
    Raises NotFound for an unknown request, Forbidden, Invalid, and Conflict for another version, or for a command
    that is not legal in the request's state.
    """

    def once() -> RequestRecord:
        with platform.database.transaction() as connection:
            desk = Desk(connection, jurisdiction, principal, now)
            if not repeat_key:
                return act_within(desk, name, commands, version=version)
            repeat = Repeat(
                jurisdiction_id=jurisdiction.id,
                actor=str(principal),
                client_key=repeat_key,
                digest=_digest(name, commands, version),
            )
            return _act_once(desk, name, commands, version, repeat)

    return undeadlocked(once)


def _act_once(
    desk: Desk, name: str | int, commands: Sequence[Command], version: int | None, repeat: Repeat
) -> RequestRecord:
    """Like `act_within`, but a repeated call changes nothing.

    The first call may have moved the request to a department for which the caller does not work. The caller can
    still read that result, but gets Forbidden once the request has changed again.
    """
    connection = desk.connection
    if staff_repeats.claim(connection, repeat, desk.now):
        record = act_within(desk, name, commands, version=version)
        staff_repeats.settle(connection, repeat, record.number, record.version)
        return record
    number, version_then, is_same = staff_repeats.first_result(connection, repeat)
    if not is_same:
        fault = tell("was used for another command within the last day; send a new one.")
        raise Invalid(fault, "Idempotency-Key")
    found = requests.load_record(connection, desk.jurisdiction.id, number=number, is_locked=False)
    if found is None:
        raise NotFound(tell("changed a request that is deleted; send a new key."), "Idempotency-Key")
    if found.version != version_then:
        require_department(desk.principal, desk.jurisdiction, found)
    return found


def _digest(name: str | int, commands: Sequence[Command], version: int | None) -> bytes:
    orders = [(command.name, command) for command in commands]
    return hashlib.sha256(orjson.dumps([name, version, orders], option=orjson.OPT_SORT_KEYS)).digest()


def act_within(
    desk: Desk, name: str | int, commands: Sequence[Command], *, version: int | None = None
) -> RequestRecord:
    """Like `act`, in the caller's transaction."""
    before = load_request(desk.connection, desk.jurisdiction, name)
    changes = changes_by(desk, before, commands, version=version)
    if not changes:
        return before
    names = desk.names or names_for(desk.connection, desk.jurisdiction)
    after, *_ = change_requests(desk.connection, changes, names)
    return after


def changes_by(
    desk: Desk, before: RequestRecord, commands: Sequence[Command], *, version: int | None = None
) -> list[Change]:
    """The changes that commands on a request lead to; none if nothing changes.

    The first one is the change of the request itself. Nothing is written. The caller has loaded the request with a
    lock. Raises Conflict if the request no longer has this version, Forbidden for another department's request, and
    whatever `_require` raises.
    """
    require_department(desk.principal, desk.jurisdiction, before)
    if version is not None and version != before.version:
        raise Conflict(_what_changed(desk, before, version), "If-Match")
    corrected, record, events = (
        before,
        before,
        list[Event](),
    )  # `corrected` has the new report, but not the effects of the events
    for command in commands:
        _require(command, record, desk)
        found = list(effects(command, record, desk))
        report = report_after(command, record, desk)
        corrected = replace(
            corrected,
            description=report.description,
            place=report.place,
            is_outside=report.is_outside,
            answers=report.answers,
            service_notice=report.service_notice,
        )
        record = apply_all(report, found)
        events += found
    if not events:
        return []
    events += due_events(desk, before, record, events)
    return [(corrected, events), *_changes_of_parents(desk, before, record)]


def _changes_of_parents(desk: Desk, before: RequestRecord, after: RequestRecord) -> Iterator[Change]:
    """A note on the request into which this one is merged.

    The note raises the version of that request, so that those who have read it see that it has changed.
    """
    if after.merged_into and after.merged_into != before.merged_into:
        parent = load_request(desk.connection, desk.jurisdiction, after.merged_into)
        note = f"{before.service_request_id or before.number} was merged into this request."
        yield parent, [InternalNoteAdded(at=desk.now, actor=str(desk.principal), cause=MERGED_TEXT, note=note)]


def require_department(principal: Principal, jurisdiction: Jurisdiction, record: RequestRecord) -> None:
    """Raise Forbidden if the request is outside the principal's jurisdiction or departments."""
    if not principal.scope.covers(jurisdiction.id):
        raise Forbidden(tell("this account is not valid for {city}.", city=jurisdiction.id))
    if not principal.scope.covers_department(record.department):
        mine = ", ".join(sorted(principal.scope.departments))
        raise Forbidden(
            tell("this account works for {departments}, and another department has the request.", departments=mine)
        )


def allowed_commands(record: RequestRecord, principal: Principal, jurisdiction: Jurisdiction) -> list[str]:
    """The names of the commands that a principal may give for a request now.

    These are commands for which the principal has the role and which are legal in the request's state. A call can
    still be refused for the values that it sends.
    """
    state = state_of(record)
    is_shown, is_merged = record.visibility.is_shown, bool(record.merged_into)
    idle = {
        "unmerge": not is_merged,
        "release": record.visibility is not Visibility.HELD,
        "show": record.visibility is not Visibility.WITHDRAWN,
        "hide": not (is_shown or record.visibility is Visibility.HELD),
    }
    return [
        name
        for name, command in all_commands().items()
        if principal.role.includes(command.role)
        and state in TRANSITIONS[name]
        and (name in OF_MERGED or not is_merged)
        and not (record.is_test and name in NOT_OF_TESTS)
        and not idle.get(name, False)
        and LEADS_TO.get(name) not in unused_states(jurisdiction)
    ]


def unused_states(jurisdiction: Jurisdiction) -> set[State]:
    """The states that a jurisdiction hides, so that no command may lead to them."""
    return {one.state for one in jurisdiction.states if one.hidden and not one.code}


def _require(command: Command, record: RequestRecord, desk: Desk) -> None:
    """Raise an error if the principal may not give the command now.

    Forbidden for a missing right, Invalid for a missing reason or a state that the city does not use, and Conflict
    if the command is not legal in the request's state.
    """
    principal = desk.principal
    if not principal.role.includes(command.role):
        roles = {"command": command.name, "role": command.role, "own": principal.role}
        raise Forbidden(tell("{command} needs the role {role}; this account is {own}.", **roles))
    if LEADS_TO.get(command.name) in unused_states(desk.jurisdiction):
        unused = {"city": desk.jurisdiction.name, "state": LEADS_TO[command.name]}
        raise Invalid(tell("{city} does not use the state {state}.", **unused), "command")
    if command.needs_reason and not command.reason.strip():
        verb = command.name.replace("_", " ")
        raise Invalid(tell("is missing; give a reason for {command}.", command=verb), "reason")
    if record.merged_into and command.name not in OF_MERGED:
        fault = tell(
            "is merged into another request; send the command for that request, or unmerge this request first."
        )
        raise Conflict(fault, "service_request_id")
    if record.is_test and command.name in NOT_OF_TESTS:
        raise Conflict(tell("was sent with a test key; no department gets it."), "service_request_id")
    state, legal_in = state_of(record), TRANSITIONS[command.name]
    if isinstance(command, ProgressCommand) and command.detail and command.detail != record.progress_detail:
        legal_in |= {State(LEADS_TO[command.name])}  # from one of the city's own states to another one
    if state not in legal_in:
        raise Conflict(_not_legal(command, state, legal_in), "service_request_id")


def _not_legal(command: Command, state: State, legal_in: Collection[State]) -> Message:
    legal = ", ".join(one for one in State if one in legal_in)
    named = {"state": state, "command": command.name, "legal": legal}
    if state in (State.RECEIVED, State.TRIAGE) and State.ASSIGNED in legal_in:
        return tell(
            "is {state}; {command} is for requests that are {legal}. Transfer it to a department first.", **named
        )
    return tell("is {state}; {command} is for requests that are {legal}.", **named)


def _what_changed(desk: Desk, record: RequestRecord, version: int) -> Message:
    events = history.load_events(desk.connection, desk.jurisdiction.id, record.number)
    since = "; ".join(f"{event.kind}: {event.description[:80]}" for event in events if event.version > version)
    named = {"now": record.version, "seen": version, "since": since[:400]}
    if not since:
        return tell(
            "the request is at version {now} now, not {seen}; read it again.", now=record.version, seen=version
        )
    return tell("the request is at version {now} now, not {seen} ({since}); read it again.", **named)
