"""What happens to a request: one frozen class for each kind of event.

base     the envelope that all kinds share
report   reports, imports, tokens, erasures, and the changes that the public sees
work     the work of staff
history  reading stored events, and applying them
"""

from open311.domain.events.base import REPORTER, SYSTEM, Counted, Event
from open311.domain.events.history import apply_all, kinds, read_event, replay
from open311.domain.events.report import (
    AreasRecomputed,
    Erasable,
    Erased,
    FoundOutside,
    Imported,
    MadeUp,
    NoteAdded,
    Promised,
    Received,
    Routed,
    StatusChanged,
    TokenRejected,
    TokenResolved,
    Transferred,
    Triaged,
    VisibilityChanged,
)
from open311.domain.events.work import (
    Assigned,
    Commented,
    Corrected,
    InternalNoteAdded,
    Merged,
    Prioritised,
    ProgressMade,
    PublicComment,
    ReporterAsked,
    ServiceChanged,
    Unmerged,
    VisitScheduled,
)

__all__ = [
    "REPORTER",
    "SYSTEM",
    "AreasRecomputed",
    "Assigned",
    "Commented",
    "Corrected",
    "Counted",
    "Erasable",
    "Erased",
    "Event",
    "FoundOutside",
    "Imported",
    "InternalNoteAdded",
    "MadeUp",
    "Merged",
    "NoteAdded",
    "Prioritised",
    "ProgressMade",
    "Promised",
    "PublicComment",
    "Received",
    "ReporterAsked",
    "Routed",
    "ServiceChanged",
    "StatusChanged",
    "TokenRejected",
    "TokenResolved",
    "Transferred",
    "Triaged",
    "Unmerged",
    "VisibilityChanged",
    "VisitScheduled",
    "apply_all",
    "kinds",
    "read_event",
    "replay",
]
