"""Imported requests: a row as its source has it, the corrected row, and a refused row."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from open311.domain.places import Place
from open311.domain.requests import Status
from open311.domain.values import quick_dataclass

IMPORT_SOURCE = "import"
"""`RequestRecord.source` of requests that were imported, and the reason of their routes."""
REMOTE_SOURCE = "remote"
"""`RequestRecord.source` of requests that were pulled from a neighbour, and the reason of their routes."""
BROUGHT = (IMPORT_SOURCE, REMOTE_SOURCE)
"""The sources of requests that were not made here. A new row from the source may also change what was reported."""


class Mending(StrEnum):
    """A kind of fault in a row, and how it is corrected. The value is the sentence that reports show.

    The rules are in `open311.domain.mending`; those about the catalogue and about stored requests in
    `open311.operations.importing`; those about columns in `open311.formats.reading.columns`.
    """

    CLOSED_BEFORE_OPENED = "the closing time is before the opening: replaced by the time of the opening"
    UPDATED_BEFORE_OPENED = "the time of an update is before the opening: replaced by the time of the opening"
    DAY_ONLY = "a change has only a date, that of the opening: replaced by the time of the opening"
    IMPOSSIBLE_DATE = "a date is impossible for a 311 request, such as 1900 or 2100: the date is dropped"
    UNREADABLE_DATE = "a date cannot be read: the date is dropped"
    CLOSING_OF_OPEN = "an open request has a closing date: the request stays open, the date counts as an update"
    CLOSED_UNDATED = (
        "a closed request has no closing date: the time of the opening is used, until a later import has the date"
    )
    REPEATED_HOUR = (
        "a change is before the opening, in the hour that clocks repeat in autumn: read as the second such hour"
    )
    UNKNOWN_STATUS = (
        "the status is missing or unknown: the request is closed if it has a closing date, otherwise open"
    )
    ZERO_POINT = "the coordinates are 0, 0: the point is dropped"
    STAND_IN_POINT = "the point is one that the city writes if it does not know the place: the point is dropped"
    BAD_POINT = "a coordinate is missing, unreadable or out of range: the point is dropped"
    SWAPPED_POINT = "lat and long are interchanged: corrected"
    DAMAGED_NUMBER = "an id or zipcode was written as a decimal number, such as 42.0: restored to 42"
    SHORT_ZIPCODE = "a zipcode has lost its leading zeros, as in spreadsheets: the zeros are restored"
    CUT_TEXT = "a text is longer than is allowed: cut, with … at its end"
    CONTROL_CHARACTERS = "a text has control characters: the characters are removed"
    WRONG_ENCODING = "a text is not UTF-8: read as Windows-1252"
    BAD_MEDIA = "a media_url is not a public web address: the address is dropped"
    OLD_SERVICE = "a service code is an old one: replaced by the current code"
    UNLISTED_SERVICE = "a service is not in the catalogue: stored with its name as a retired service"
    OTHER_NAME = (
        "a retired service has another name than before: the first name is shown, the history has the other"
    )
    STAYS_ERASED = (
        "a text, photo or answer was erased here: it stays erased;"
        " `open311 requests note --public` writes a note that may be shown"
    )


@quick_dataclass(frozen=True, slots=True, kw_only=True)
class SourceRow:
    """A request as its source has it: the standard's fields as text. A field that the source does not have is "".

    position         the number of the row in the file, from 1, without headers
    line             the number of the file's line on which the row begins, from 1; 0 if the format has no lines
    service_codes    the possible codes, the best first; if the catalogue has none of them, the first is used
    by_name          whether the service may be found by its name if no code is known
    agency_code      the department's code, if the source has a code in addition to the name
    detailed_status  the source's own word for the status, if the source has one in addition to `status`
    closed           the closing time. Only open data has it; in GeoReport, `updated` is the closing time (A34)
    answers          pairs of an attribute's code and an answer. A city drops answers to unknown attributes, or
                     keeps them for staff
    mended           the faults that were corrected while the row was read
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


@quick_dataclass(frozen=True, slots=True, kw_only=True)
class ImportedRequest:
    """A corrected row. Its texts are clean and not too long. Its instants are in UTC, possible and in order.

    detailed_status  the source's own word for the status; "" if the word has the same meaning as `status`
    updated_at       the time of the last update as the API shows it; for a closed request, the closing time
    changed_at       the time of the last change of any kind
    is_dated         whether the source names a usable time of the last change; without one, `changed_at` is only a
                     bound
    has_closing      whether the source names a closing time of its own
    is_outside       whether the request has a point that does not lie in the city
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
    """What has to be reported about a row.

    position            the row's number in the file, from 1
    service_request_id  its id; "" if it has none
    line                the line of the file on which the row begins, from 1; 0 if the format has no lines
    """

    position: int
    service_request_id: str
    reason: str
    line: int = 0

    @property
    def where(self) -> str:
        """The row's place in messages, such as `row 9, line 10`."""
        return f"row {self.position}, line {self.line}" if self.line else f"row {self.position}"


class Refusal(Finding):
    """A row that cannot be kept, and why."""

    __slots__ = ()


class Conflict(Finding):
    """A row that contradicts a change made here. The reason says whether the row or the change was kept."""

    __slots__ = ()
