"""Staff act on requests: the only way from a command to a changed request."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

import orjson

from open311.domain.access import Principal
from open311.domain.commands import Command, ProgressCommand
from open311.domain.commands import commands as all_commands
from open311.domain.events import Event, apply_all
from open311.domain.requests import RequestRecord, Visibility
from open311.domain.workflow import LEADS_TO, OF_MERGED, TRANSITIONS, State, state_of
from open311.errors import Conflict, Forbidden, Invalid, NotFound, Unavailable
from open311.operations.platform import Platform
from open311.operations.publishing import names_for
from open311.operations.workflow.apply import change_requests, load_request
from open311.operations.workflow.due_dates import due_events
from open311.operations.workflow.effects import Desk, effects, lent_after
from open311.plugins import Jurisdiction
from open311.storage import history, requests, staff_repeats
from open311.storage.failures import is_deadlock
from open311.storage.staff_repeats import Repeat
from schemas.texts import Message, tell

TRIES = 5
T = TypeVar("T")


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
    """Carry out commands on one request, all or none, as one change. Returns the request after them.

    name        the request's service_request_id, its token or its number; an int is its number
    version     the version that the caller has seen; None to act on any
    repeat_key  the caller's own id of this call. If the call repeats one of the last day, nothing changes, and the
                request is returned as it is now. "" for none
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


def undeadlocked(change: Callable[[], T]) -> T:
    """Make a change in a transaction of its own, and again if PostgreSQL ended it to resolve a deadlock.

    Two commands can lock two requests in opposite order, because a merged request follows the other one.
    """
    for _ in range(TRIES - 1):
        try:
            return change()
        except Unavailable as error:
            if not is_deadlock(error):
                raise
    return change()


def _act_once(
    desk: Desk, name: str | int, commands: Sequence[Command], version: int | None, repeat: Repeat
) -> RequestRecord:
    """As `act_within`, unless the call repeats another one.

    The first call may have moved the request to another department. What happened there later is not the caller's.
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
        raise NotFound(tell("changed a request that is deleted; send another one."), "Idempotency-Key")
    if found.version != version_then:
        require_department(desk.principal, desk.jurisdiction, found)
    return found


def _digest(name: str | int, commands: Sequence[Command], version: int | None) -> bytes:
    orders = [(command.name, command) for command in commands]
    return hashlib.sha256(orjson.dumps([name, version, orders], option=orjson.OPT_SORT_KEYS)).digest()


def act_within(
    desk: Desk, name: str | int, commands: Sequence[Command], *, version: int | None = None
) -> RequestRecord:
    """As `act`, in a transaction of the caller."""
    before = load_request(desk.connection, desk.jurisdiction, name)
    require_department(desk.principal, desk.jurisdiction, before)
    if version is not None and version != before.version:
        raise Conflict(_what_changed(desk, before, version), "If-Match")
    lent, record, events = before, before, list[Event]()
    for command in commands:
        _require(command, record, desk)
        found = list(effects(command, record, desk))
        report = lent_after(command, record, desk)
        lent = replace(
            lent,
            description=report.description,
            place=report.place,
            is_outside=report.is_outside,
            answers=report.answers,
        )
        record = apply_all(report, found)
        events += found
    if not events:
        return before
    events += due_events(desk, before, record, events)
    [after] = change_requests(desk.connection, [(lent, events)], names_for(desk.connection, desk.jurisdiction))
    return after


def require_department(principal: Principal, jurisdiction: Jurisdiction, record: RequestRecord) -> None:
    """Raise Forbidden if the request is beyond the principal's jurisdiction or departments."""
    if not principal.scope.covers(jurisdiction.id):
        raise Forbidden(tell("this account is not valid for {city}.", city=jurisdiction.id))
    if not principal.scope.covers_department(record.department):
        mine = ", ".join(sorted(principal.scope.departments))
        raise Forbidden(
            tell("this account works for {departments}, and another department has the request.", departments=mine)
        )


def allowed_commands(record: RequestRecord, principal: Principal, jurisdiction: Jurisdiction) -> list[str]:
    """The names of the commands that a principal may give for a request now.

    Each has its right and is legal in the request's state. Its fields may still be faulty.
    """
    state = state_of(record)
    is_shown, is_merged = record.visibility.is_shown, bool(record.merged_into)
    idle = {
        "unmerge": not is_merged,
        "release": record.visibility is not Visibility.HELD,
        "show": is_shown,
        "hide": not is_shown,
    }
    return [
        name
        for name, command in all_commands().items()
        if principal.role.includes(command.role)
        and state in TRANSITIONS[name]
        and (name in OF_MERGED or not is_merged)
        and not idle.get(name, False)
        and LEADS_TO.get(name) not in _unused_states(jurisdiction)
    ]


def _unused_states(jurisdiction: Jurisdiction) -> set[State]:
    """The states that a jurisdiction does not use."""
    return {one.state for one in jurisdiction.states if one.hidden and not one.code}


def _require(command: Command, record: RequestRecord, desk: Desk) -> None:
    """Raise Forbidden for a missing right, Invalid for a missing reason, Conflict if the command is not legal."""
    principal = desk.principal
    if not principal.role.includes(command.role):
        roles = {"command": command.name, "role": command.role, "own": principal.role}
        raise Forbidden(tell("{command} needs the role {role}; this account is {own}.", **roles))
    if LEADS_TO.get(command.name) in _unused_states(desk.jurisdiction):
        unused = {"city": desk.jurisdiction.name, "state": LEADS_TO[command.name]}
        raise Invalid(tell("{city} does not use the state {state}.", **unused), "command")
    if command.needs_reason and not command.reason.strip():
        verb = command.name.replace("_", " ")
        raise Invalid(tell("is missing; say why you {command} it.", command=verb), "reason")
    if record.merged_into and command.name not in OF_MERGED:
        fault = tell("is merged into another request; act on that one, or unmerge it first.")
        raise Conflict(fault, "service_request_id")
    state, legal_in = state_of(record), TRANSITIONS[command.name]
    if isinstance(command, ProgressCommand) and command.detail and command.detail != record.progress_detail:
        legal_in |= {State(LEADS_TO[command.name])}  # from one of the city's own states to another one
    if state not in legal_in:
        raise Conflict(_not_legal(command, state, legal_in), "service_request_id")


def _not_legal(command: Command, state: State, legal_in: Collection[State]) -> Message:
    legal = ", ".join(one for one in State if one in legal_in)
    named = {"state": state, "command": command.name, "legal": legal}
    return tell("is {state}; {command} is for requests that are {legal}.", **named)


def _what_changed(desk: Desk, record: RequestRecord, version: int) -> Message:
    events = history.load_events(desk.connection, desk.jurisdiction.id, record.number)
    since = "; ".join(f"{event.kind}: {event.description[:80]}" for event in events if event.version > version)
    named = {"now": record.version, "seen": version, "since": since[:400]}
    return tell("is at version {now} now, not {seen} ({since}); look at it again.", **named)
