"""Compute the due date of a request again after a hold, or when another service or department gets the request."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from open311.domain.events import (
    Event,
    Imported,
    ProgressMade,
    Promised,
    ServiceChanged,
    StatusChanged,
    Transferred,
)
from open311.domain.requests import Progress, RequestRecord, Status
from open311.domain.service_levels import Pause
from open311.operations.workflow.effects import Desk
from open311.storage import history

CAUSE = "service level"
"""The cause of due dates that the server has computed again. The server replaces only such dates and the one
that it computed at intake, never one that a person has set."""


def due_events(desk: Desk, before: RequestRecord, after: RequestRecord, events: Sequence[Event]) -> Iterator[Event]:
    """A new due date if a hold ends, or if another service or department gets the request.

    The time counts from when the request was received. A date that a person has promised, or that was
    imported, stays. The old date also stays if no service level gives a date, or if two rules disagree.
    """
    is_resumed = before.progress is Progress.ON_HOLD and after.progress is not Progress.ON_HOLD
    is_moved = any(isinstance(event, ServiceChanged | Transferred) for event in events)
    if after.status is not Status.OPEN or not (is_resumed or is_moved) or not desk.jurisdiction.levels.rules:
        return
    past = history.load_events(desk.connection, desk.jurisdiction.id, before.number)
    if not _is_reckoned(past):
        return
    answers = {answer.code: answer.values for answer in after.answers}
    due = desk.jurisdiction.due(
        after.service_code, after.department, after.requested_at, pauses([*past, *events]), answers=answers
    )
    if due is not None and due != after.expected_at:
        rule = desk.jurisdiction.levels.rule(after.service_code, after.department, answers)
        yield Promised(at=desk.now, actor=str(desk.principal), cause=CAUSE, reason=rule, expected=due)


def _is_reckoned(past: Iterable[Event]) -> bool:
    """Whether the server has computed the present due date, or there is none."""
    promised = [event for event in past if isinstance(event, (Promised, Imported)) and event.expected]
    last = promised[-1] if promised else None
    return last is None or last.cause == CAUSE or (isinstance(last, Promised) and last.version == 1)


def pauses(events: Iterable[Event]) -> list[Pause]:
    """The holds of a request, from its history. A hold that has not ended has no end."""
    found: list[Pause] = []
    since: datetime | None = None
    for event in events:
        if isinstance(event, ProgressMade) and event.new == Progress.ON_HOLD:
            since = since or event.at
        elif since is not None and isinstance(event, (ProgressMade, Transferred, StatusChanged)):
            found.append((since, event.at))
            since = None
    return [*found, (since, None)] if since is not None else found
