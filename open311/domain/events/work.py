"""The events of the work of staff. The public sees their effects, not the events."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from open311.domain.events.base import MERGED, Counted, Event, touched
from open311.domain.requests import Priority, Progress, RequestRecord, Status


@dataclass(frozen=True, kw_only=True)
class Assigned(Event):
    """An account has it now. `old`, `new`: each as `str(principal)`; "" for nobody."""

    kind = "assigned"

    old: str
    new: str

    @property
    def description(self) -> str:
        """The account."""
        return self.new or "nobody"

    def apply(self, record: RequestRecord) -> RequestRecord:
        """A person has decided, so it waits for triage no longer."""
        is_triage = record.is_triage and not self.new
        return touched(replace(record, assignee=self.new, is_triage=is_triage), self.at)


@dataclass(frozen=True, kw_only=True)
class Prioritised(Event):
    """It is more or less urgent than before."""

    kind = "priority"

    old: str
    new: str

    @property
    def description(self) -> str:
        """The new priority."""
        return self.new

    def apply(self, record: RequestRecord) -> RequestRecord:
        """It has another priority."""
        return touched(replace(record, priority=Priority(self.new)), self.at)


@dataclass(frozen=True, kw_only=True)
class ProgressMade(Event):
    """The work is further than before, or on hold.

    old, new  values of `Progress`
    detail    the code of one of the city's own states, which says more; "" for none
    """

    kind = "progress"

    old: str
    new: str
    detail: str = ""

    @property
    def description(self) -> str:
        """How far it is."""
        return f"{self.new} ({self.detail})" if self.detail else self.new

    def apply(self, record: RequestRecord) -> RequestRecord:
        """A hold begins or ends here. The date of a visit is only kept while the visit is to come."""
        progress = Progress(self.new)
        changed = replace(
            record,
            progress=progress,
            progress_detail=self.detail,
            held_since=(record.held_since or self.at) if progress is Progress.ON_HOLD else None,
            scheduled_at=record.scheduled_at if progress is Progress.SCHEDULED else None,
        )
        return touched(changed, self.at)


@dataclass(frozen=True, kw_only=True)
class VisitScheduled(Event):
    """Somebody will visit the place at another time than before."""

    kind = "visit"

    visit: datetime

    @property
    def description(self) -> str:
        """The time."""
        return self.visit.isoformat()

    def apply(self, record: RequestRecord) -> RequestRecord:
        """The date is kept."""
        return touched(replace(record, scheduled_at=self.visit), self.at)


@dataclass(frozen=True, kw_only=True)
class InternalNoteAdded(Event):
    """A word from staff to staff. The text is `note`."""

    kind = "internal_note"
    has_text = True

    def apply(self, record: RequestRecord) -> RequestRecord:
        """The public sees no update."""
        return replace(record, changed_at=max(self.at, record.changed_at))


@dataclass(frozen=True, kw_only=True)
class ReporterAsked(Event):
    """Staff asked the reporter something. The question is `note`; the public sees it too."""

    kind = "question"
    is_public = True
    has_text = True

    def apply(self, record: RequestRecord) -> RequestRecord:
        """The question becomes status_notes."""
        return touched(replace(record, status_notes=self.note), self.at)


@dataclass(frozen=True, kw_only=True)
class Commented(Event):
    """Somebody outside the city said something. The text is `note`. `update_id`: the sender's name for it."""

    kind = "comment"
    has_text = True

    update_id: str

    def apply(self, record: RequestRecord) -> RequestRecord:
        """The request itself stays as it is."""
        return replace(record, changed_at=max(self.at, record.changed_at))


@dataclass(frozen=True, kw_only=True)
class PublicComment(Commented):
    """Somebody outside the city said something, and the city shows such comments to the public."""

    kind = "public_comment"
    is_public = True


@dataclass(frozen=True, kw_only=True)
class Merged(Event):
    """It tells about the same thing as another request, and follows that one from now on.

    into        the number of the other request
    name        the service_request_id of the other request; "" if it has none, or if only staff see it
    status, department  its own
    old         the number of the request that it was merged into before; 0 for none
    """

    kind = "merged"

    into: int
    name: str = ""
    status: str = Status.OPEN
    department: str = ""
    old: int = 0

    @property
    def counted(self) -> tuple[Counted | None, Counted | None]:
        """An open one leaves the queue of its department."""
        if self.status != Status.OPEN or self.old:
            return None, None
        return (self.department, self.status), (self.department, MERGED)

    @property
    def description(self) -> str:
        """The other request."""
        return self.name or f"number {self.into}"

    def apply(self, record: RequestRecord) -> RequestRecord:
        """It knows the other request, and names it as the one that it repeats."""
        named = self.name or record.possible_duplicate_of
        return touched(replace(record, merged_into=self.into, possible_duplicate_of=named), self.at)


@dataclass(frozen=True, kw_only=True)
class Unmerged(Event):
    """It stands for itself again. `old`: the number of the other request; `status`, `department`: its own."""

    kind = "unmerged"

    old: int
    status: str = Status.OPEN
    department: str = ""

    @property
    def counted(self) -> tuple[Counted | None, Counted | None]:
        """An open one is back in the queue of its department."""
        if self.status != Status.OPEN:
            return None, None
        return (self.department, MERGED), (self.department, self.status)

    def apply(self, record: RequestRecord) -> RequestRecord:
        """It knows no other request."""
        return touched(replace(record, merged_into=0), self.at)


@dataclass(frozen=True, kw_only=True)
class ServiceChanged(Event):
    """It belongs to another service.

    dropped  codes of attributes that the new service does not ask for; staff still see the answers
    """

    kind = "service"

    old: str
    new: str
    dropped: tuple[str, ...] = ()

    @property
    def description(self) -> str:
        """Both codes, and what the new service does not ask for."""
        left = f"; answers kept for staff: {', '.join(self.dropped)}" if self.dropped else ""
        return f"{self.old} to {self.new}{left}"

    def apply(self, record: RequestRecord) -> RequestRecord:
        """It has another service."""
        return touched(replace(record, service_code=self.new), self.at)

    def restored(self, record: RequestRecord, lent: RequestRecord) -> RequestRecord:
        """The answers are those that were carried over, which no event holds."""
        return replace(record, answers=lent.answers)


@dataclass(frozen=True, kw_only=True)
class Corrected(Event):
    """Staff corrected parts of the report. `what`: names of the parts. Their old texts are not kept."""

    kind = "corrected"

    what: tuple[str, ...]

    @property
    def description(self) -> str:
        """The parts."""
        return ", ".join(self.what)

    def apply(self, record: RequestRecord) -> RequestRecord:
        """The record lends the report itself, which events never hold."""
        return touched(record, self.at)

    def restored(self, record: RequestRecord, lent: RequestRecord) -> RequestRecord:
        """The corrected parts are as they are stored, even if the parts before them were erased."""
        names = [name for part in self.what for name in _PARTS[part]]
        place = {name: getattr(lent.place, name) for name in names if name != "description"}
        description = lent.description if "description" in names else record.description
        return replace(record, description=description, place=replace(record.place, **place))


_PARTS = {"description": ("description",), "address": ("address",), "point": ("lat", "long")}
"""For each part of a report that can be corrected, the names of its fields."""
