"""The events of reports, imports, tokens, erasures, and of changes that the public sees."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, cast

from open311.domain.events.base import AT_FIRST, NOT_BEGUN, Counted, Event, counted_as, defaults, plain, touched
from open311.domain.requests import RequestRecord, Status, Visibility


@dataclass(frozen=True, kw_only=True)
class Received(Event):
    """A request came in. `needs_id`: a token stands for it, until its id is asked for."""

    kind = "received"
    is_public = True

    status: str = Status.OPEN
    department: str = ""
    visibility: str = Visibility.PUBLIC
    channel: str = ""
    needs_id: bool = False

    def begin(self, record: RequestRecord) -> RequestRecord:
        """Nothing but the report."""
        return replace(
            record,
            status=Status(self.status),
            status_notes="",
            department=self.department,
            agency_responsible="",
            is_triage=False,
            visibility=Visibility(self.visibility),
            expected_at=None,
            updated_at=record.requested_at,
            changed_at=record.requested_at,
            **AT_FIRST,
        )

    @property
    def counted(self) -> tuple[Counted | None, Counted | None]:
        """It is new."""
        return None, (self.department, self.status)


@dataclass(frozen=True, kw_only=True)
class Routed(Event):
    """The routing rules gave it to a department."""

    kind = "routed"

    department: str
    reason: str

    @property
    def description(self) -> str:
        """`streets (table: pothole)`."""
        return f"{self.department} ({self.reason})"


@dataclass(frozen=True, kw_only=True)
class Triaged(Routed):
    """No rule fitted: the triage desk has it, and a person has to decide."""

    kind = "triage"

    def apply(self, record: RequestRecord) -> RequestRecord:
        """It waits for a person."""
        return replace(record, is_triage=True)


@dataclass(frozen=True, kw_only=True)
class FoundOutside(Event):
    """Its point lies outside the city, and the city flags such requests.

    service  the code of the service, if the point lies in the city and the service is not offered there
    """

    kind = "outside"

    service: str = ""

    @property
    def description(self) -> str:
        """The same in words."""
        return (
            "The service is not offered at this point." if self.service else "The point lies outside the boundary."
        )


@dataclass(frozen=True, kw_only=True)
class StatusChanged(Event):
    """It was closed, or opened again.

    department  the code of the one that has it
    outcome     how it ended, if it was closed; "" where nobody said
    is_merged   whether it is merged into another request
    """

    kind = "status"
    is_public = True

    old: str
    new: str
    department: str = ""
    outcome: str = ""
    is_merged: bool = False

    @property
    def counted(self) -> tuple[Counted | None, Counted | None]:
        """It has another status."""
        old, new = (counted_as(status, is_merged=self.is_merged) for status in (self.old, self.new))
        return (self.department, old), (self.department, new)

    @property
    def description(self) -> str:
        """The new status."""
        return self.new

    def apply(self, record: RequestRecord) -> RequestRecord:
        """A closed request shows its closing time as its last update, whatever comes later (A34)."""
        changed = replace(record, status=Status(self.new), outcome=self.outcome, **NOT_BEGUN)
        return touched(changed, self.at, is_update=True)


@dataclass(frozen=True, kw_only=True)
class NoteAdded(Event):
    """A public word on how it stands. The text is `note`."""

    kind = "note"
    is_public = True
    has_text = True

    def apply(self, record: RequestRecord) -> RequestRecord:
        """The note becomes status_notes."""
        return touched(replace(record, status_notes=self.note), self.at)


@dataclass(frozen=True, kw_only=True)
class Transferred(Event):
    """Another department has it now.

    old, new  codes; "" where only a name is known
    name      how the new one is called
    agency    the name that an import gave; "" to show the department's
    status    the request's
    is_merged whether it is merged into another request
    """

    kind = "transferred"
    is_public = True

    old: str
    new: str
    name: str
    agency: str = ""
    status: str = Status.OPEN
    is_merged: bool = False

    @property
    def counted(self) -> tuple[Counted | None, Counted | None]:
        """Another department has it."""
        status = counted_as(self.status, is_merged=self.is_merged)
        return (self.old, status), (self.new, status)

    @property
    def description(self) -> str:
        """The new one's name."""
        return self.name

    def apply(self, record: RequestRecord) -> RequestRecord:
        """A person has decided, so it waits for triage no longer. The new department begins anew."""
        is_triage = record.is_triage and not self.new
        moved = replace(
            record, department=self.new, agency_responsible=self.agency, is_triage=is_triage, **NOT_BEGUN
        )
        return touched(moved, self.at)


@dataclass(frozen=True, kw_only=True)
class VisibilityChanged(Event):
    """Somebody else can see it now."""

    kind = "visibility"

    old: str
    new: str

    @property
    def description(self) -> str:
        """Who can see it now."""
        return self.new

    def apply(self, record: RequestRecord) -> RequestRecord:
        """It is shown, or no longer."""
        return touched(replace(record, visibility=Visibility(self.new)), self.at)


@dataclass(frozen=True, kw_only=True)
class Promised(Event):
    """It should be done by another time than before. `expected`: in UTC, as the wire has it."""

    kind = "expected"

    expected: datetime

    @property
    def description(self) -> str:
        """The time."""
        return self.expected.isoformat()

    def apply(self, record: RequestRecord) -> RequestRecord:
        """The time becomes expected_datetime."""
        return touched(replace(record, expected_at=self.expected), self.at)


@dataclass(frozen=True, kw_only=True)
class Imported(Event):
    """A row of a file brought it, or told more about it. `cause` names file and row.

    is_new     whether the row brought the request itself
    status, department, agency, expected  what the row says; of a new request, how it begins
    updated    the last update as shown from now on
    changed    when the row says that it last changed; the time of the import where it does not say
    is_dated   whether the row says when it last changed; None for rows of releases that did not keep this
    has_notes  False: it has no status_notes; those of a closing go when a row opens the request again
    is_triage  whether a new one waits for the triage desk
    mended     what was mended in the row
    visibility  who can see a new one
    """

    kind = "imported"

    is_new: bool = False
    status: str = Status.OPEN
    department: str = ""
    agency: str = ""
    expected: datetime | None = None
    updated: datetime | None = None
    changed: datetime | None = None
    is_dated: bool | None = None
    has_notes: bool = True
    is_triage: bool = False
    mended: tuple[str, ...] = ()
    visibility: str = Visibility.PUBLIC

    @property
    def data(self) -> dict[str, Any]:
        """Only what differs from the default: every imported request has such an event, and most fields do not."""
        usual = defaults(cast("Hashable", type(self)))
        return {name: plain(value) for name, value in vars(self).items() if name in usual and value != usual[name]}

    def apply(self, record: RequestRecord) -> RequestRecord:
        """The instants of a row are the source's own, but the last change never goes back."""
        return replace(
            record,
            status_notes=record.status_notes if self.has_notes else "",
            updated_at=self.updated or record.updated_at,
            changed_at=max(self.changed or record.changed_at, record.changed_at),
        )

    def restored(self, record: RequestRecord, lent: RequestRecord) -> RequestRecord:
        """The report is as the row gave it, even if the report before it was erased."""
        return replace(record, description=lent.description, answers=lent.answers, media_urls=lent.media_urls)

    def begin(self, record: RequestRecord) -> RequestRecord:
        """The first row; its notes are part of the report."""
        return self.apply(
            replace(
                record,
                status=Status(self.status),
                department=self.department,
                agency_responsible=self.agency,
                is_triage=self.is_triage,
                visibility=Visibility(self.visibility),
                expected_at=self.expected,
                updated_at=record.requested_at,
                changed_at=record.requested_at,
                **AT_FIRST,
            )
        )

    @property
    def counted(self) -> tuple[Counted | None, Counted | None]:
        """It may be new."""
        return None, (self.department, self.status) if self.is_new else None

    @property
    def description(self) -> str:
        """File, row and what was mended."""
        return "; ".join((self.cause, *self.mended))


@dataclass(frozen=True, kw_only=True)
class MadeUp(Event):
    """It is an example that nobody reported."""

    kind = "example"

    status: str = Status.OPEN
    department: str = ""

    @property
    def counted(self) -> tuple[Counted | None, Counted | None]:
        """It is new."""
        return None, (self.department, self.status)


@dataclass(frozen=True, kw_only=True)
class TokenResolved(Event):
    """Its token was exchanged for an id."""

    kind = "resolved"

    service_request_id: str

    @property
    def description(self) -> str:
        """The id."""
        return self.service_request_id

    def apply(self, record: RequestRecord) -> RequestRecord:
        """It is known by its id from now on."""
        named = replace(record, service_request_id=self.service_request_id)
        return replace(named, changed_at=max(self.at, record.changed_at))


@dataclass(frozen=True, kw_only=True)
class TokenRejected(Event):
    """It will never get an id; the reason is shown to whoever asks for its token (A13)."""

    kind = "rejected"

    reason: str

    @property
    def description(self) -> str:
        """The reason."""
        return self.reason


@dataclass(frozen=True, kw_only=True)
class AreasRecomputed(Event):
    """The city's map changed, or a file moved its point. Neither its last update nor its last change moves."""

    kind = "areas"

    old: tuple[str, ...]
    new: tuple[str, ...]

    @property
    def description(self) -> str:
        """The areas it lay in before."""
        return f"was: {', '.join(self.old) or 'none'}"

    def apply(self, record: RequestRecord) -> RequestRecord:
        """It lies in other areas."""
        return replace(record, areas=tuple(self.new))


@dataclass(frozen=True, kw_only=True)
class Erased(Event):
    """Parts of a request that people wrote, or that tell who they are, were erased.

    what   names of `Erasable`
    marks  by which an import recognises what was erased (`domain.erasures`); None for those of earlier releases
    """

    kind = "erased"

    what: tuple[str, ...]
    marks: tuple[str, ...] | None = None

    @property
    def description(self) -> str:
        """What was erased."""
        return ", ".join(self.what)

    @property
    def emptied(self) -> dict[str, Any]:
        """The request's fields that it empties, each with its empty value."""
        return {name: value for part in self.what for name, value in _ERASED[Erasable(part)].items()}

    def apply(self, record: RequestRecord) -> RequestRecord:
        """The parts are empty. An erasure is no progress, so the last update as shown stays."""
        return replace(record, **self.emptied, changed_at=max(self.at, record.changed_at))


class Erasable(StrEnum):
    """A part of a request that can be erased.

    DESCRIPTION  the report's text
    NOTES        the texts of all notes; that there were notes stays
    ANSWERS      the answers to the service's questions
    MEDIA        the addresses of photos
    REPORTER     name, email, phone, device, account, also of those who sent updates
    """

    DESCRIPTION = "description"
    NOTES = "notes"
    ANSWERS = "answers"
    MEDIA = "media"
    REPORTER = "reporter"


_ERASED: dict[Erasable, dict[str, Any]] = {
    Erasable.DESCRIPTION: {"description": ""},
    Erasable.NOTES: {"status_notes": ""},
    Erasable.ANSWERS: {"answers": ()},
    Erasable.MEDIA: {"media_urls": ()},
    Erasable.REPORTER: {},  # kept beside the record
}
