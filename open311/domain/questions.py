"""Questions of staff and of mails to the reporter, and the answers. All follows from the history of a request."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from open311.domain.events.base import Event
from open311.domain.events.report import StatusChanged
from open311.domain.events.work import Commented, FeedbackGiven, ProgressMade, ReporterAsked
from open311.domain.requests import Progress, RequestRecord


def held_for_answer(record: RequestRecord, past: Sequence[Event]) -> ProgressMade | None:
    """The event that put the work on hold, if a question did it; None if the work waits for no answer.

    past  the whole history, oldest first
    """
    if record.progress is not Progress.ON_HOLD:
        return None
    steps = [event for event in past if isinstance(event, ProgressMade)]
    begins = next((step for step in reversed(steps) if step.old != Progress.ON_HOLD), None)
    asked = {event.version for event in past if isinstance(event, ReporterAsked)}
    return begins if begins is not None and begins is steps[-1] and begins.version in asked else None


def progress_before(hold: ProgressMade, past: Sequence[Event]) -> tuple[Progress, str]:
    """How far the work was before a hold, with the city's own state. A planned visit must be planned anew."""
    if hold.old == Progress.SCHEDULED:
        return Progress.ACKNOWLEDGED, ""
    earlier = [event for event in past[: past.index(hold)] if isinstance(event, ProgressMade)]
    detail = earlier[-1].detail if earlier and earlier[-1].new == hold.old else ""
    return Progress(hold.old), detail


def answered_at(past: Sequence[Event]) -> datetime | None:
    """When the last comment came; None if no question was ever asked, or if the request has changed since then."""
    last = past[-1].version if past else 0
    answers = [event for event in past if isinstance(event, Commented) and event.version == last]
    if not answers or not any(isinstance(event, ReporterAsked) for event in past):
        return None
    return answers[-1].at


def feedback_since_closing(past: Sequence[Event]) -> list[str]:
    """What the reporter has answered since the last closing: whether the problem is solved. Oldest first.

    Empty if the request was opened again. The last answer counts. Each answer is a value of `mails.Feedback`.
    """
    found: list[str] = []
    for event in past:
        if isinstance(event, StatusChanged):
            found = []
        elif isinstance(event, FeedbackGiven):
            found.append(event.answer)
    return found
