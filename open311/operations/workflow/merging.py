"""How a merged request was before its merge, so that an unmerge can restore it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from open311.domain.events import (
    Assigned,
    Event,
    Merged,
    NoteAdded,
    NotesSetAside,
    ProgressMade,
    StatusChanged,
    VisitScheduled,
    replay,
)
from open311.domain.requests import RequestRecord, Status
from open311.operations.workflow.apply import is_following


@dataclass(frozen=True, slots=True, kw_only=True)
class Former:
    """A merged request as it was before its merge.

    record        the request right before the merge
    notes         the status_notes to restore: the last public note about this request alone, even if it is newer
                  than the merge
    repeats       the possible_duplicate_of before the merge
    has_followed  whether the request was closed or opened again together with its parent since the merge
    """

    record: RequestRecord
    notes: str = ""
    repeats: str = ""
    has_followed: bool = False


def former_of(record: RequestRecord, past: Sequence[Event]) -> Former:
    """How a merged request was before its merge. `past`: its whole history, oldest first."""
    place = max((index for index, event in enumerate(past) if isinstance(event, Merged)), default=0)
    merge, aside, since = past[place], past[place - 1], past[place + 1 :]
    if not isinstance(merge, Merged):  # the merge is in the same change, so the history does not have it yet
        return Former(record=record)
    own = [event.note for event in since[1:] if isinstance(event, NoteAdded) and not is_following(event)]
    return Former(
        record=replay(record, past[:place]),
        notes=own[-1] if own else aside.note if isinstance(aside, NotesSetAside) else "",
        repeats=merge.repeats or "",
        has_followed=any(
            isinstance(event, StatusChanged) and (is_following(event) or event.version == merge.version)
            for event in since
        ),
    )


def work_again(record: RequestRecord, former: Former, envelope: dict[str, Any]) -> Iterator[Event]:
    """The events that restore the work, if the closing of the parent ended it.

    record    the request in its present state, still merged
    envelope  the fields that all events of the command share
    """
    if not former.has_followed or former.record.status is Status.CLOSED:
        return
    if record.status is Status.CLOSED:
        yield StatusChanged(**envelope, old=record.status, new=Status.OPEN, department=record.department)
    if record.department != former.record.department:
        return
    if former.record.assignee != record.assignee:
        yield Assigned(**envelope, old=record.assignee, new=former.record.assignee)
    if former.record.progress is not record.progress:
        detail = former.record.progress_detail
        yield ProgressMade(**envelope, old=record.progress, new=former.record.progress, detail=detail)
    if former.record.scheduled_at is not None:
        yield VisitScheduled(**envelope, visit=former.record.scheduled_at)
