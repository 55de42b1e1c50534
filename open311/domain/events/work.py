"""The events about the work of staff, and about comments and answers of people outside the city.

The public sees some of their effects, and a few of the events.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from open311.domain.events.base import MERGED, Counted, Event, touched, unseen
from open311.domain.requests import Priority, Progress, RequestRecord, Status


@dataclass(frozen=True, kw_only=True)
class Assigned(Event):
    """The request was given to another account, or to nobody.

    old        the former account, as `str(principal)`; "" for nobody
    new        the new account, as `str(principal)`; "" for nobody
    is_update  whether the public sees the time as the last update; True in all events of earlier releases
    """

    kind = "assigned"

    old: str
    new: str
    is_update: bool = True

    @property
    def description(self) -> str:
        """The new account."""
        return self.new or "nobody"

    def apply(self, record: RequestRecord) -> RequestRecord:
        """The account has the request. A request with an account leaves triage."""
        is_triage = record.is_triage and not self.new
        assigned = replace(record, assignee=self.new, is_triage=is_triage)
        return touched(assigned, self.at) if self.is_update else unseen(assigned, self.at)


@dataclass(frozen=True, kw_only=True)
class Prioritised(Event):
    """The priority changed. `is_update`: see `Assigned`."""

    kind = "priority"

    old: str
    new: str
    is_update: bool = True

    @property
    def description(self) -> str:
        """The new priority."""
        return self.new

    def apply(self, record: RequestRecord) -> RequestRecord:
        """The request has the new priority."""
        changed = replace(record, priority=Priority(self.new))
        return touched(changed, self.at) if self.is_update else unseen(changed, self.at)


@dataclass(frozen=True, kw_only=True)
class ProgressMade(Event):
    """The progress of the work changed.

    old     the former value of `Progress`
    new     the new value of `Progress`
    detail  the code of one of the city's own states, which is more exact than `new`; "" for none
    """

    kind = "progress"

    old: str
    new: str
    detail: str = ""

    @property
    def description(self) -> str:
        """The new progress."""
        return f"{self.new} ({self.detail})" if self.detail else self.new

    def apply(self, record: RequestRecord) -> RequestRecord:
        """The request has the new progress. The start of a hold and the date of a visit stay while they apply."""
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
        """The new time of the visit."""
        return self.visit.isoformat()

    def apply(self, record: RequestRecord) -> RequestRecord:
        """The request has the new time of the visit."""
        return touched(replace(record, scheduled_at=self.visit), self.at)


@dataclass(frozen=True, kw_only=True)
class InternalNoteAdded(Event):
    """Staff wrote a note for staff only. The text is `note`."""

    kind = "internal_note"
    has_text = True

    def apply(self, record: RequestRecord) -> RequestRecord:
        """Only the time of the last change moves, because the public does not see the note."""
        return unseen(record, self.at)


@dataclass(frozen=True, kw_only=True)
class PhotoAdded(Event):
    """Staff added a photo. It is shown after it was prepared. `is_shown`: whether the public will see it."""

    kind = "photo_added"

    is_shown: bool

    @property
    def description(self) -> str:
        """Who will see the photo."""
        return "for the public" if self.is_shown else "for staff"

    def apply(self, record: RequestRecord) -> RequestRecord:
        """Only the time of the last change moves, because the photo is not shown yet."""
        return unseen(record, self.at)


@dataclass(frozen=True, kw_only=True)
class ReporterAsked(Event):
    """Staff asked the reporter a question. The question is `note`, and it is public."""

    kind = "question"
    is_public = True
    has_text = True

    def apply(self, record: RequestRecord) -> RequestRecord:
        """The question becomes status_notes."""
        return touched(replace(record, status_notes=self.note), self.at)


@dataclass(frozen=True, kw_only=True)
class FeedbackGiven(Event):
    """The reporter said after a closing whether the problem is solved. `answer`: a value of `Feedback`.

    The public does not see it. A later answer replaces the one before.
    """

    kind = "feedback"

    answer: str

    @property
    def description(self) -> str:
        """The answer."""
        return self.answer

    def apply(self, record: RequestRecord) -> RequestRecord:
        """Only the time of the last change moves."""
        return unseen(record, self.at)


@dataclass(frozen=True, kw_only=True)
class Commented(Event):
    """Somebody outside the city sent a comment. The text is `note`. `update_id`: the sender's id for it."""

    kind = "comment"
    has_text = True

    update_id: str

    def apply(self, record: RequestRecord) -> RequestRecord:
        """Only the time of the last change moves."""
        return unseen(record, self.at)


@dataclass(frozen=True, kw_only=True)
class PublicComment(Commented):
    """Somebody outside the city sent a comment, and the city shows such comments to the public."""

    kind = "public_comment"
    is_public = True


@dataclass(frozen=True, kw_only=True)
class CommentHeld(Event):
    """Somebody outside the city sent an update that looks like abuse. It has no effect until a person releases it.

    The text is `note`; it moves to the comment if the update is released. `update_id`: the sender's id for it. The
    event `suspected` of the same change says why it is held.
    """

    kind = "held_comment"
    has_text = True

    update_id: str

    def apply(self, record: RequestRecord) -> RequestRecord:
        """Only the time of the last change moves."""
        return unseen(record, self.at)


@dataclass(frozen=True, kw_only=True)
class CommentDropped(Event):
    """A person decided that a held update never has an effect. `held`: the version at which it came."""

    kind = "dropped_comment"

    held: str

    @property
    def description(self) -> str:
        """Which update."""
        return f"the update of version {self.held}"

    def apply(self, record: RequestRecord) -> RequestRecord:
        """Only the time of the last change moves."""
        return unseen(record, self.at)


@dataclass(frozen=True, kw_only=True)
class NotesSetAside(Event):
    """Stores the status_notes from before a merge, so that an unmerge can restore them. The text is `note`."""

    kind = "former_notes"
    has_text = True


@dataclass(frozen=True, kw_only=True)
class Merged(Event):
    """The request was merged into another one, because both are about the same thing.

    into     the number of the other request
    name     the service_request_id of the other request; "" if it has none, or if only staff see that request
    status   the status of the merged request itself
    department  the department of the merged request itself
    old      the number of the request into which this one was merged before; 0 for none
    repeats  the possible_duplicate_of before the merge; None in events of releases that did not store this
    """

    kind = "merged"

    into: int
    name: str = ""
    status: str = Status.OPEN
    department: str = ""
    old: int = 0
    repeats: str | None = None

    @property
    def counted(self) -> tuple[Counted | None, Counted | None]:
        """An open request leaves the queue of its department."""
        if self.status != Status.OPEN or self.old:
            return None, None
        return (self.department, self.status), (self.department, MERGED)

    @property
    def description(self) -> str:
        """The other request."""
        return self.name or f"number {self.into}"

    def apply(self, record: RequestRecord) -> RequestRecord:
        """The request is merged. Its possible_duplicate_of is the id of the other request if that one is public."""
        named = self.name or record.possible_duplicate_of
        return touched(replace(record, merged_into=self.into, possible_duplicate_of=named), self.at)


@dataclass(frozen=True, kw_only=True)
class Unmerged(Event):
    """The merge of the request was undone. `note`: the text that becomes status_notes again.

    old      the number of the request into which this one was merged
    status   the status of the request itself
    department  the department of the request itself
    repeats  the possible_duplicate_of from now on; None in events of earlier releases
    """

    kind = "unmerged"
    has_text = True

    old: int
    status: str = Status.OPEN
    department: str = ""
    repeats: str | None = None

    @property
    def counted(self) -> tuple[Counted | None, Counted | None]:
        """An open request is in the queue of its department again."""
        if self.status != Status.OPEN:
            return None, None
        return (self.department, MERGED), (self.department, self.status)

    def apply(self, record: RequestRecord) -> RequestRecord:
        """The request is not merged any more. status_notes and possible_duplicate_of are as before the merge."""
        alone = replace(record, merged_into=0)
        if self.repeats is not None:
            alone = replace(alone, status_notes=self.note, possible_duplicate_of=self.repeats)
        return touched(alone, self.at)


@dataclass(frozen=True, kw_only=True)
class ServiceChanged(Event):
    """The request was moved to another service.

    old      the code of the former service
    new      the code of the new service
    dropped  codes of attributes that the new service does not ask for; staff still see the answers
    """

    kind = "service"

    old: str
    new: str
    dropped: tuple[str, ...] = ()

    @property
    def description(self) -> str:
        """Both codes, and the attributes that the new service does not ask for."""
        left = f"; answers kept for staff: {', '.join(self.dropped)}" if self.dropped else ""
        return f"{self.old} to {self.new}{left}"

    def apply(self, record: RequestRecord) -> RequestRecord:
        """The request has the new service."""
        return touched(replace(record, service_code=self.new), self.at)

    def restored(self, record: RequestRecord, stored: RequestRecord) -> RequestRecord:
        """Used by replay: the answers come from the stored request, because no event contains them."""
        return replace(record, answers=stored.answers)


@dataclass(frozen=True, kw_only=True)
class Corrected(Event):
    """Staff corrected parts of the report. `what`: the names of the parts. Their old values are not stored."""

    kind = "corrected"

    what: tuple[str, ...]

    @property
    def description(self) -> str:
        """The names of the corrected parts."""
        return ", ".join(self.what)

    @property
    def takes_back(self) -> bool:
        """The old values of the parts are not public any more."""
        return True

    def apply(self, record: RequestRecord) -> RequestRecord:
        """Only the times move. The event does not contain the corrected parts; `restored` copies them."""
        return touched(record, self.at)

    def restored(self, record: RequestRecord, stored: RequestRecord) -> RequestRecord:
        """Used by replay: the corrected parts come from the stored request, also after an earlier erasure."""
        names = [name for part in self.what for name in _PARTS[part]]
        place = {name: getattr(stored.place, name) for name in names if name != "description"}
        description = stored.description if "description" in names else record.description
        return replace(record, description=description, place=replace(record.place, **place))


@dataclass(frozen=True, kw_only=True)
class MaskChanged(Event):
    """Staff let the public read a text that looks like personal data, or masked such a text again.

    what    the kind of personal data, such as `phone`
    is_shown  whether the public reads the text from now on
    marks   the marks of all texts that the public reads from now on although they look like personal data; a text
            cannot be read from its mark
    """

    kind = "mask"

    what: str
    is_shown: bool
    marks: tuple[str, ...]

    @property
    def description(self) -> str:
        """What happened to which kind."""
        return f"{self.what} {'shown' if self.is_shown else 'masked'}"

    @property
    def takes_back(self) -> bool:
        """Whether a text was masked."""
        return not self.is_shown

    def apply(self, record: RequestRecord) -> RequestRecord:
        """The public reads the request with these texts."""
        return touched(replace(record, unmasked=tuple(self.marks)), self.at)


_PARTS = {"description": ("description",), "address": ("address",), "point": ("lat", "long")}
"""For each part of a report that can be corrected, the names of its fields."""
