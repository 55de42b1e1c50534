"""The due date of a request on which staff work: the clock of its service level stands still on hold."""

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
"""The cause of a date that the server has reckoned, so that it never replaces one that a person has promised."""


def due_events(desk: Desk, before: RequestRecord, after: RequestRecord, events: Sequence[Event]) -> Iterator[Event]:
    """A new due date, if a hold ends here or if the request belongs to another service now.

    A date that a person or a source has promised stays. Two rules that disagree give no date, and then the former
    one stays too.
    """
    is_resumed = before.progress is Progress.ON_HOLD and after.progress is not Progress.ON_HOLD
    is_other_service = any(isinstance(event, ServiceChanged) for event in events)
    if (
        after.status is not Status.OPEN
        or not (is_resumed or is_other_service)
        or not desk.jurisdiction.levels.rules
    ):
        return
    past = history.load_events(desk.connection, desk.jurisdiction.id, before.number)
    if not _is_reckoned(past):
        return
    answers = {answer.code: answer.values for answer in after.answers}
    due = desk.jurisdiction.due(
        after.service_code, after.department, after.requested_at, pauses([*past, *events]), answers=answers
    )
    if due is not None and due != after.expected_at:
        yield Promised(at=desk.now, actor=str(desk.principal), cause=CAUSE, expected=due)


def _is_reckoned(past: Iterable[Event]) -> bool:
    """Whether the present due date is one that the server has reckoned, or there is none."""
    promised = [event for event in past if isinstance(event, (Promised, Imported)) and event.expected]
    last = promised[-1] if promised else None
    return last is None or last.cause == CAUSE or (isinstance(last, Promised) and last.version == 1)


def pauses(events: Iterable[Event]) -> list[Pause]:
    """When a request was on hold, by its history. A hold that has not ended has no end."""
    found: list[Pause] = []
    since: datetime | None = None
    for event in events:
        if isinstance(event, ProgressMade) and event.new == Progress.ON_HOLD:
            since = since or event.at
        elif since is not None and isinstance(event, (ProgressMade, Transferred, StatusChanged)):
            found.append((since, event.at))
            since = None
    return [*found, (since, None)] if since is not None else found
