"""Requests that come from elsewhere: a source's row in its own words, the same row mended, a row refused."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from open311.domain.places import Place
from open311.domain.requests import Status

IMPORT_SOURCE = "import"
"""`RequestRecord.source` of requests that were imported, and the reason of their routes."""


class Mending(StrEnum):
    """One kind of dirt and what is done about it; the value is the sentence that reports show.

    The rules are in `open311.domain.mending`; those about the catalogue in `open311.operations.importing.matching`.
    """

    CLOSED_BEFORE_OPENED = "closed before it was opened: closed when it was opened"
    UPDATED_BEFORE_OPENED = "updated before it was opened: updated when it was opened"
    DAY_ONLY = "a change that names only the day it was opened on: changed when it was opened"
    IMPOSSIBLE_DATE = "a date no 311 request can have, such as 1900 or 2100: left out"
    UNREADABLE_DATE = "a date that cannot be read: left out"
    CLOSING_OF_OPEN = "a closing date although it is not closed: still open"
    CLOSED_UNDATED = "closed, nobody says when: closed when it was opened, or when a later import says so"
    REPEATED_HOUR = (
        "a change before the opening, in the hour that clocks repeat in autumn: read as the second such hour"
    )
    UNKNOWN_STATUS = "a status word we do not know, or none: closed if it has a closing date, else open"
    ZERO_POINT = "coordinates 0, 0: place unknown"
    STAND_IN_POINT = "coordinates that the city writes where it knows none: place unknown"
    BAD_POINT = "coordinates that are half there, unreadable or off the earth: place unknown"
    SWAPPED_POINT = "lat and long swapped: swapped back"
    DAMAGED_NUMBER = "an id or zipcode that a program wrote as a decimal number, such as 42.0: restored to 42"
    SHORT_ZIPCODE = "a zipcode without its leading zeros, which spreadsheets drop: restored"
    CUT_TEXT = "a text longer than is allowed: cut, with … at its end"
    CONTROL_CHARACTERS = "control characters in a text: taken out"
    WRONG_ENCODING = "text that is not UTF-8: read as Windows-1252"
    BAD_MEDIA = "a media_url that is no public web address: left out"
    OLD_SERVICE = "an old service code: the living one"
    UNLISTED_SERVICE = "a service that the catalogue lacks: kept, with its name, as a retired one"
    OTHER_NAME = "such a service under another name than before: shown under the first, the history has the other"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRow:
    """One request as its source has it: the standard's fields, still text, "" for what it does not say.

    position       which row of the file, from 1, headers not counted
    line           the line of the file that it begins on, from 1; 0 where the form has no lines
    service_codes  the codes it may have, best first; the first one stands if none is known
    by_name        whether a service may be found by its name, where no code is known
    agency_code    a department's code, where the source has one beside the name
    detailed_status  the source's own word for its status, where it has one beside `status`
    closed         the closing time, which only open data has; in GeoReport it is `updated` (A34)
    answers        attribute code -> answer; those that the definition lacks are not kept
    mended         what reading it has mended already
    """

    position: int
    line: int = 0
    service_request_id: str = ""
    service_codes: tuple[str, ...] = ()
    service_name: str = ""
    by_name: bool = False
    status: str = ""
    detailed_status: str = ""
    status_notes: str = ""
    description: str = ""
    agency: str = ""
    agency_code: str = ""
    service_notice: str = ""
    requested: str = ""
    updated: str = ""
    closed: str = ""
    expected: str = ""
    address: str = ""
    address_id: str = ""
    zipcode: str = ""
    lat: str = ""
    long: str = ""
    media: tuple[str, ...] = ()
    answers: tuple[tuple[str, str], ...] = ()
    mended: tuple[Mending, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedRequest:
    """A source's row, mended: every text clean and short enough, every instant in UTC, possible and in order.

    detailed_status  the source's own word for its status; "" where it says no more than `status`
    updated_at       as shown: the closing time once closed; `changed_at` is the last change of any kind
    is_dated         the source names a usable time of the last change; without one, `changed_at` is only a bound
    has_closing      the source names a closing time of its own
    is_outside       it has a point, which does not lie in the city
    """

    position: int
    service_request_id: str
    service_codes: tuple[str, ...]
    service_name: str
    by_name: bool
    status: Status
    detailed_status: str
    status_notes: str
    description: str
    agency: str
    agency_code: str
    service_notice: str
    requested_at: datetime
    updated_at: datetime
    changed_at: datetime
    is_dated: bool
    has_closing: bool
    expected_at: datetime | None
    place: Place
    is_outside: bool
    media: tuple[str, ...]
    answers: tuple[tuple[str, str], ...]
    mended: tuple[Mending, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """What has to be told about a row.

    position            the row's number in the file, from 1
    service_request_id  its id; "" if it has none
    line                the line of the file on which the row begins, from 1; 0 if the form has no lines
    """

    position: int
    service_request_id: str
    reason: str
    line: int = 0

    @property
    def where(self) -> str:
        """`row 9, line 10`."""
        return f"row {self.position}, line {self.line}" if self.line else f"row {self.position}"


class Refusal(Finding):
    """A row that cannot be kept, and why."""

    __slots__ = ()


class Conflict(Finding):
    """A row that differs from what was changed here after the import, and which of both counts."""

    __slots__ = ()
