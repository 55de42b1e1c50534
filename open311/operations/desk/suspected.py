"""Decide about what is held because it looks like abuse: drop reports, release or drop updates (decision 0038)."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime

from open311.domain.access import Principal, Role
from open311.domain.commands import Close, Hide
from open311.domain.events import CommentDropped, CommentHeld, Event, Suspected
from open311.domain.requests import RequestRecord, Visibility
from open311.domain.workflow import Outcome
from open311.errors import Conflict, NotFound
from open311.operations.access.staff import require_role
from open311.operations.desk.photos import read_reason
from open311.operations.platform import Platform
from open311.operations.publishing import names_for
from open311.operations.workflow.act import act_within, require_department
from open311.operations.workflow.apply import change_requests, load_request
from open311.operations.workflow.effects import Desk
from open311.operations.workflow.receive_update import comment_events
from open311.plugins import Jurisdiction
from open311.storage import history, media, updates
from schemas.texts import tell

_Decision = Callable[[Desk, RequestRecord, CommentHeld], Sequence[Event]]


def drop_report(
    platform: Platform, city: Jurisdiction, name: str | int, *, reason: str, principal: Principal, now: datetime
) -> RequestRecord:
    """Hide and close a report that is held because it looks like abuse, as one change.

    Raises NotFound, Forbidden, Invalid if the reason is missing, and Conflict for a report that is not held because
    it looks like abuse.
    """
    with platform.database.transaction() as connection:
        record = load_request(connection, city, name)
        past = history.load_events(connection, city.id, record.number)
        if record.visibility is not Visibility.HELD or not any(isinstance(event, Suspected) for event in past):
            fault = tell("is not held because it looks like abuse; hide it, or close it.")
            raise Conflict(fault, "service_request_id")
        orders = [Hide(reason=reason), Close(outcome=Outcome.WITHDRAWN, reason=reason)]
        return act_within(Desk(connection, city, principal, now), record.number, orders)


def release_update(
    platform: Platform,
    city: Jurisdiction,
    name: str | int,
    held: str,
    *,
    reason: str,
    principal: Principal,
    now: datetime,
) -> int:
    """Let a held update count as a comment from now on. Returns the number of the request.

    held  the version of the request at which the update came, as the history has it

    The status of the update has no effect, and its photos stay for staff.
    Raises Invalid if the reason is missing, NotFound if no such update waits, and Forbidden.
    """
    why = read_reason(reason, tell("is missing; say why the update is released."))

    def released(desk: Desk, before: RequestRecord, one: CommentHeld) -> Sequence[Event]:
        cause = f"released by {principal}"
        return comment_events(
            desk, before, one.note, update_id=one.update_id, actor=one.actor, cause=cause, reason=why
        )

    return _decide(platform, city, name, held, released, principal=principal, now=now)


def drop_update(
    platform: Platform,
    city: Jurisdiction,
    name: str | int,
    held: str,
    *,
    reason: str,
    principal: Principal,
    now: datetime,
) -> int:
    """Decide that a held update never has an effect, and erase its text. Returns the number of the request.

    Raises what `release_update` raises.
    """
    why = read_reason(reason, tell("is missing; say why the update is dropped."))

    def dropped(desk: Desk, before: RequestRecord, one: CommentHeld) -> Sequence[Event]:  # noqa: ARG001
        return [CommentDropped(at=now, actor=str(principal), reason=why, held=held)]

    return _decide(platform, city, name, held, dropped, principal=principal, now=now)


def _decide(
    platform: Platform,
    city: Jurisdiction,
    name: str | int,
    held: str,
    decision: _Decision,
    *,
    principal: Principal,
    now: datetime,
) -> int:
    """Store the events of a decision, and erase the text of the held update. A released comment keeps the text."""
    require_role(principal, Role.DISPATCHER)
    with platform.database.transaction() as connection:
        before = load_request(connection, city, name)
        require_department(principal, city, before)
        version = int(held) if re.fullmatch(r"\d{1,9}", held, re.ASCII) else 0
        if not updates.settle_held(connection, city.id, before.number, version, before.version + 1):
            fault = tell("{version!r} is not the version of an update that waits.", version=held[:60])
            raise NotFound(fault, "update")
        past = history.load_events(connection, city.id, before.number)
        [one] = [event for event in past if isinstance(event, CommentHeld) and event.version == version]
        events = decision(Desk(connection, city, principal, now), before, one)
        [after] = change_requests(connection, [(before, events)], names_for(connection, city))
        history.blank_comments(connection, city.id, [(before.number, version)])
        media.move(connection, city.id, before.number, version, after.version)  # where an erasure looks for photos
    return after.number
