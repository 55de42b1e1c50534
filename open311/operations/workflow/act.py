"""Staff act on requests: the only way from a command to a changed request."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from open311.domain.access import Principal
from open311.domain.commands import Command, ProgressCommand
from open311.domain.events import Event, apply_all
from open311.domain.requests import RequestRecord
from open311.domain.workflow import LEADS_TO, OF_MERGED, TRANSITIONS, State, state_of
from open311.errors import Conflict, Forbidden, Invalid
from open311.operations.platform import Platform
from open311.operations.publishing import names_for
from open311.operations.workflow.apply import change_requests, load_request
from open311.operations.workflow.due_dates import due_events
from open311.operations.workflow.effects import Desk, corrected, effects
from open311.plugins import Jurisdiction
from open311.storage import history


def act(
    platform: Platform,
    jurisdiction: Jurisdiction,
    name: str,
    commands: Sequence[Command],
    *,
    principal: Principal,
    now: datetime,
    version: int | None = None,
) -> RequestRecord:
    """Carry out commands on one request, all or none, as one change. Returns the request after them.

    name     the request's service_request_id, its token or its number
    version  the version that the caller has seen; None to act on any
    Raises NotFound for an unknown request, Forbidden, Invalid, and Conflict for another version, or for a command
    that is not legal in the request's state.
    """
    with platform.database.transaction() as connection:
        return act_within(Desk(connection, jurisdiction, principal, now), name, commands, version=version)


def act_within(desk: Desk, name: str, commands: Sequence[Command], *, version: int | None = None) -> RequestRecord:
    """As `act`, in a transaction of the caller."""
    before = load_request(desk.connection, desk.jurisdiction, name)
    require_department(desk.principal, desk.jurisdiction, before)
    if version is not None and version != before.version:
        raise Conflict(_what_changed(desk, before, version), "If-Match")
    lent, record, events = before, before, list[Event]()
    for command in commands:
        _require(command, record, desk)
        found = list(effects(command, record, desk))
        lent = corrected(command, lent)
        record = apply_all(corrected(command, record), found)
        events += found
    if not events:
        return before
    events += due_events(desk, before, record, events)
    [after] = change_requests(desk.connection, [(lent, events)], names_for(desk.connection, desk.jurisdiction))
    return after


def require_department(principal: Principal, jurisdiction: Jurisdiction, record: RequestRecord) -> None:
    """Raise Forbidden if the request is beyond the principal's jurisdiction or departments."""
    if not principal.scope.covers(jurisdiction.id):
        raise Forbidden(f"this account is not valid for {jurisdiction.id}.")
    if not principal.scope.covers_department(record.department):
        mine = ", ".join(sorted(principal.scope.departments))
        raise Forbidden(f"this account works for {mine}, and another department has the request.")


def _require(command: Command, record: RequestRecord, desk: Desk) -> None:
    """Raise Forbidden for a missing right, Invalid for a missing reason, Conflict if the command is not legal."""
    principal = desk.principal
    if not principal.role.includes(command.role):
        raise Forbidden(f"{command.name} needs the role {command.role}; this account is {principal.role}.")
    hidden = {one.state for one in desk.jurisdiction.states if one.hidden and not one.code}
    if LEADS_TO.get(command.name) in hidden:
        raise Invalid(f"{desk.jurisdiction.name} does not use the state {LEADS_TO[command.name]}.", "command")
    if command.needs_reason and not command.reason.strip():
        raise Invalid(f"is missing; say why you {command.name.replace('_', ' ')} it.", "reason")
    if record.merged_into and command.name not in OF_MERGED:
        raise Conflict(
            "is merged into another request; act on that one, or unmerge it first.", "service_request_id"
        )
    state, legal_in = state_of(record), TRANSITIONS[command.name]
    if isinstance(command, ProgressCommand) and command.detail and command.detail != record.progress_detail:
        legal_in |= {State(LEADS_TO[command.name])}  # from one of the city's own states to another one
    if state not in legal_in:
        legal = ", ".join(one for one in State if one in legal_in)
        raise Conflict(f"is {state}; {command.name} is for requests that are {legal}.", "service_request_id")


def _what_changed(desk: Desk, record: RequestRecord, version: int) -> str:
    events = history.load_events(desk.connection, desk.jurisdiction.id, record.number)
    since = "; ".join(f"{event.kind}: {event.description[:80]}" for event in events if event.version > version)
    return f"is at version {record.version} now, not {version} ({since[:400]}); look at it again."
