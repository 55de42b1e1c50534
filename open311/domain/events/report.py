"""The events about reports, imports, tokens and erasures, and about changes that the public sees."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, cast

from open311.domain.events.base import (
    AT_FIRST,
    NOT_BEGUN,
    Counted,
    Event,
    counted_as,
    defaults,
    plain,
    touched,
    unseen,
)
from open311.domain.photos import added, mark_of
from open311.domain.requests import RequestRecord, Status, Visibility


@dataclass(frozen=True, kw_only=True)
class Received(Event):
    """A request came in. `needs_id`: the reporter got a token, and the request gets its id later."""

    kind = "received"
    is_public = True

    status: str = Status.OPEN
    department: str = ""
    visibility: str = Visibility.PUBLIC
    channel: str = ""
    needs_id: bool = False

    def begin(self, record: RequestRecord) -> RequestRecord:
        """The request as it was reported, before any change."""
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
        """A new request: it was not counted before."""
        return None, (self.department, self.status)


@dataclass(frozen=True, kw_only=True)
class Routed(Event):
    """The routing rules chose a department for the request. `reason`: the rule that decided."""

    kind = "routed"

    department: str
    reason: str

    @property
    def description(self) -> str:
        """The department and the rule, such as `streets (table: pothole)`."""
        return f"{self.department} ({self.reason})"


@dataclass(frozen=True, kw_only=True)
class Triaged(Routed):
    """No routing rule fitted. The request waits until a person chooses a department."""

    kind = "triage"

    def apply(self, record: RequestRecord) -> RequestRecord:
        """The request waits for triage."""
        return replace(record, is_triage=True)


@dataclass(frozen=True, kw_only=True)
class FoundOutside(Event):
    """The point is outside the city, or the service is not offered there. The city flags such requests.

    service  the code of the service if the point is inside the city but the service is not offered there; "" if the
             point is outside
    """

    kind = "outside"

    service: str = ""

    @property
    def description(self) -> str:
        """A sentence for staff."""
        return (
            "The service is not offered at this point." if self.service else "The point lies outside the boundary."
        )


@dataclass(frozen=True, kw_only=True)
class Suspected(Event):
    """The report or an update broke rules against abuse, so only staff see it until a person releases it.

    rules   values of `Suspicion`
    block   the number of the block that fitted; "" for none
    reason  why the sender is blocked
    """

    kind = "suspected"

    rules: tuple[str, ...]
    block: str = ""

    @property
    def description(self) -> str:
        """The rules, such as `honeypot, block 7`."""
        return ", ".join([f"block {self.block}" if rule == "blocked" else rule for rule in self.rules])


@dataclass(frozen=True, kw_only=True)
class StatusChanged(Event):
    """The request was closed, or opened again.

    department  the code of the department that has the request
    outcome     how the request ended if it was closed; "" if nobody said
    is_merged   whether the request is merged into another one
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
        """The department has the request, under the old status before and under the new one now."""
        old, new = (counted_as(status, is_merged=self.is_merged) for status in (self.old, self.new))
        return (self.department, old), (self.department, new)

    @property
    def description(self) -> str:
        """The new status."""
        return self.new

    def apply(self, record: RequestRecord) -> RequestRecord:
        """The request has the new status. A closed one keeps its closing time as its last update (A34)."""
        changed = replace(record, status=Status(self.new), outcome=self.outcome, **NOT_BEGUN)
        return touched(changed, self.at, is_update=True)


@dataclass(frozen=True, kw_only=True)
class NoteAdded(Event):
    """A public note about the request was added. The text is `note`.

    is_late  whether a newer note was stored before this one
    """

    kind = "note"
    is_public = True
    has_text = True

    is_late: bool = False

    def apply(self, record: RequestRecord) -> RequestRecord:
        """The note becomes status_notes, unless a newer note was stored before."""
        return touched(record if self.is_late else replace(record, status_notes=self.note), self.at)


@dataclass(frozen=True, kw_only=True)
class Transferred(Event):
    """The request was given to another department.

    old        the code of the former department; "" if only a name is known
    new        the code of the new department; "" if only a name is known
    name       the name of the new department
    agency     the name that an import gave; "" to show the name of the department
    status     the status of the request
    is_merged  whether the request is merged into another one
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
        """The old department had the request, and the new one has it now."""
        status = counted_as(self.status, is_merged=self.is_merged)
        return (self.old, status), (self.new, status)

    @property
    def description(self) -> str:
        """The name of the new department."""
        return self.name

    def apply(self, record: RequestRecord) -> RequestRecord:
        """The new department has the request and has not begun. A request with a department leaves triage."""
        is_triage = record.is_triage and not self.new
        moved = replace(
            record, department=self.new, agency_responsible=self.agency, is_triage=is_triage, **NOT_BEGUN
        )
        return touched(moved, self.at)


@dataclass(frozen=True, kw_only=True)
class VisibilityChanged(Event):
    """Other people than before can see the request. `old`, `new`: values of `Visibility`."""

    kind = "visibility"

    old: str
    new: str

    @property
    def description(self) -> str:
        """The new visibility."""
        return self.new

    @property
    def takes_back(self) -> bool:
        """Whether the request was public and is not public any more."""
        return self.old == Visibility.PUBLIC and self.new != Visibility.PUBLIC

    def apply(self, record: RequestRecord) -> RequestRecord:
        """The request has the new visibility."""
        return touched(replace(record, visibility=Visibility(self.new)), self.at)


@dataclass(frozen=True, kw_only=True)
class Promised(Event):
    """The request should be done by another time than before. `expected`: the new time, in UTC."""

    kind = "expected"

    expected: datetime

    @property
    def description(self) -> str:
        """The new time."""
        return self.expected.isoformat()

    def apply(self, record: RequestRecord) -> RequestRecord:
        """The new time becomes expected_datetime."""
        return touched(replace(record, expected_at=self.expected), self.at)


@dataclass(frozen=True, kw_only=True)
class Imported(Event):
    """A row of an imported file created or changed the request. `cause` names the file and the row.

    is_new      whether the row created the request
    status      the status in the row; a new request begins with it
    department  the code of the department in the row; a new request begins with it
    agency      the name of the agency in the row; a new request begins with it
    expected    the due date in the row; a new request begins with it
    updated     the new time of the last update; None to keep the old one
    changed     when the request last changed: the time in the row, or that of the import if the row has none
    is_dated    whether the row says when the request last changed; None in events of earlier releases
    has_notes   whether the request keeps status_notes; False if a row without notes opens a closed request again
    is_triage   whether a new request waits for triage
    mended      descriptions of what was corrected in the row
    visibility  who can see a new request
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
        """Only fields that differ from their defaults, to save space: every imported request has such events."""
        usual, own = defaults(cast("Hashable", type(self))), vars(self)
        return {name: plain(value) for name, default in usual.items() if (value := own[name]) != default}

    def apply(self, record: RequestRecord) -> RequestRecord:
        """The times of the row replace those of the request, but the time of the last change never goes back."""
        return replace(
            record,
            status_notes=record.status_notes if self.has_notes else "",
            updated_at=self.updated or record.updated_at,
            changed_at=max(self.changed or record.changed_at, record.changed_at),
        )

    def restored(self, record: RequestRecord, stored: RequestRecord) -> RequestRecord:
        """Used by replay: text, answers and photos come from the stored request, also after an erasure."""
        return replace(record, description=stored.description, answers=stored.answers, media_urls=stored.media_urls)

    def begin(self, record: RequestRecord) -> RequestRecord:
        """The request as its first row describes it. The notes of that row are part of the report."""
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
        """A new request was not counted before. A row about a stored request changes no count."""
        return None, (self.department, self.status) if self.is_new else None

    @property
    def description(self) -> str:
        """The file, the row, and what was corrected in the row."""
        return "; ".join((self.cause, *self.mended))


@dataclass(frozen=True, kw_only=True)
class MadeUp(Event):
    """The request is an example that the server made up. Nobody reported it."""

    kind = "example"

    status: str = Status.OPEN
    department: str = ""

    @property
    def counted(self) -> tuple[Counted | None, Counted | None]:
        """A new request: it was not counted before."""
        return None, (self.department, self.status)


@dataclass(frozen=True, kw_only=True)
class TokenResolved(Event):
    """The request got its id. Before, it had only a token or a number."""

    kind = "resolved"

    service_request_id: str

    @property
    def description(self) -> str:
        """The id."""
        return self.service_request_id

    def apply(self, record: RequestRecord) -> RequestRecord:
        """The request has its id, and can be read from now on."""
        return touched(replace(record, service_request_id=self.service_request_id), self.at)


@dataclass(frozen=True, kw_only=True)
class TokenRejected(Event):
    """The request will never get an id. Callers who send its token get the reason as the answer (A13)."""

    kind = "rejected"

    reason: str

    @property
    def description(self) -> str:
        """The reason."""
        return self.reason


@dataclass(frozen=True, kw_only=True)
class AreasRecomputed(Event):
    """The request is in other areas: the city's map changed, or its point moved.

    The times of the last update and of the last change stay.
    """

    kind = "areas"

    old: tuple[str, ...]
    new: tuple[str, ...]

    @property
    def description(self) -> str:
        """The areas of the request before."""
        return f"was: {', '.join(self.old) or 'none'}"

    def apply(self, record: RequestRecord) -> RequestRecord:
        """The request has the new areas."""
        return replace(record, areas=tuple(self.new))


@dataclass(frozen=True, kw_only=True)
class PhotosShown(Event):
    """Photos were prepared, and the public can see them. `addresses`: where they are."""

    kind = "photos"

    addresses: tuple[str, ...]

    @property
    def description(self) -> str:
        """The addresses."""
        return " ".join(self.addresses)

    def apply(self, record: RequestRecord) -> RequestRecord:
        """The new photos come after those that the request has."""
        return touched(replace(record, media_urls=added(record.media_urls, self.addresses)), self.at)


@dataclass(frozen=True, kw_only=True)
class PhotosReleased(PhotosShown):
    """Staff released photos that were held, and the public can see them."""

    kind = "photos_released"


@dataclass(frozen=True, kw_only=True)
class PhotoCopied(Event):
    """A photo that lies elsewhere was copied. The request does not have the address elsewhere any more.

    old  the mark of the address elsewhere (`photos.mark_of`). The history does not keep the address itself, so an
         erasure need not look for it there
    new  the address of the copy; "" if the public does not see the copy
    """

    kind = "photo_copied"

    old: str
    new: str

    @property
    def description(self) -> str:
        """The address of the copy."""
        return self.new

    def apply(self, record: RequestRecord) -> RequestRecord:
        """The address of the copy replaces the old one. A photo whose copy the public does not see is left out."""
        salt = record.erasure_salt
        urls = (self.new if mark_of(url, salt) == self.old else url for url in record.media_urls)
        return touched(replace(record, media_urls=tuple(filter(None, urls))), self.at)


@dataclass(frozen=True, kw_only=True)
class PhotosWithdrawn(Event):
    """The public does not see these photos any more.

    addresses  where they were; empty for photos that the public had not seen
    """

    kind = "photos_withdrawn"

    addresses: tuple[str, ...]

    @property
    def description(self) -> str:
        """The addresses."""
        return " ".join(self.addresses)

    @property
    def takes_back(self) -> bool:
        """Whether the public has seen the photos."""
        return bool(self.addresses)

    def apply(self, record: RequestRecord) -> RequestRecord:
        """The request has the other photos only."""
        if not self.addresses:
            return unseen(record, self.at)
        left = tuple(address for address in record.media_urls if address not in self.addresses)
        return touched(replace(record, media_urls=left), self.at)


@dataclass(frozen=True, kw_only=True)
class PhotoBlackened(Event):
    """Staff blackened parts of a photo. The new photo has the place of the old one.

    old  the address of the old photo; "" if the public did not see it
    new  the address of the new photo
    """

    kind = "photo_blackened"

    old: str
    new: str

    @property
    def description(self) -> str:
        """The address of the new photo."""
        return self.new

    @property
    def takes_back(self) -> bool:
        """Whether the public has seen the photo."""
        return bool(self.old)

    def apply(self, record: RequestRecord) -> RequestRecord:
        """The request has the new photo instead of the old one."""
        if not self.old:
            return unseen(record, self.at)
        urls = tuple(self.new if address == self.old else address for address in record.media_urls)
        return touched(replace(record, media_urls=urls), self.at)


@dataclass(frozen=True, kw_only=True)
class Erased(Event):
    """Texts that people wrote, or data that tell who they are, were erased from the request.

    what       values of `Erasable`
    marks      let an import recognise what was erased (`domain.erasures`); None in events of earlier releases
    addresses  the addresses of single photos that were erased, such as those of one comment
    """

    kind = "erased"

    what: tuple[str, ...]
    marks: tuple[str, ...] | None = None
    addresses: tuple[str, ...] = ()

    @property
    def description(self) -> str:
        """The names of the erased parts."""
        return ", ".join(self.what)

    @property
    def emptied(self) -> dict[str, Any]:
        """The fields of the request that the erasure empties, each with its empty value."""
        return emptied_by(self.what)

    @property
    def takes_back(self) -> bool:
        """Whether something was erased that the public could read. The public never reads data of the reporter.

        The erasure of a single comment names only the reporter too, but it has marks or addresses.
        """
        return set(self.what) != {Erasable.REPORTER} or bool(self.marks or self.addresses)

    def apply(self, record: RequestRecord) -> RequestRecord:
        """The erased parts are empty. An erasure is no progress, so the time of the last update stays."""
        left = tuple(address for address in record.media_urls if address not in self.addresses)
        kept = replace(record, media_urls=left, changed_at=max(self.at, record.changed_at))
        return replace(kept, **self.emptied)


class Erasable(StrEnum):
    """A part of a request that can be erased.

    DESCRIPTION  the report's text
    NOTES        the texts of all notes; the history still shows that there were notes
    ANSWERS      the answers to the service's questions
    MEDIA        the photos that the server keeps, and the addresses of all photos
    REPORTER     name, email, phone, device and account of the reporter and of people who sent updates
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
    Erasable.REPORTER: {},  # not in the record: personal data have their own table
}


def emptied_by(parts: Iterable[str]) -> dict[str, Any]:
    """The fields of a request that the erasure of these parts empties, each with its empty value."""
    return {name: value for part in parts for name, value in _ERASED[Erasable(part)].items()}
