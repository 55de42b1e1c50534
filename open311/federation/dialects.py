"""The dialects of GeoReport: each point in which servers differ from the standard, and what a client does about it.

`DialectPoint` is the list of all these points. The client reads such an answer, and counts the point in `seen`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from enum import StrEnum


class DialectPoint(StrEnum):
    """A point in which a server differs from the standard. The value says what the server did."""

    WRAPPED_LIST = "a list is wrapped in an object"
    SINGLE_RECORD = "a single result is not in a list"
    EMPTY_BODY = "an empty list is an empty body"
    EMPTY_AS_ERROR = "an empty list is an error 404"
    ERROR_WITH_200 = "an error has the status 200"
    REPEATED_PAGE = "a page had only requests of earlier pages, so it was the last; the list may be cut"
    WINDOW_HALVED = "a list without pages looked cut, so its dates were asked for in halves"
    LIST_CUT = "a list looks cut, and its dates could not be halved; requests may be missing"
    OTHER_PAGE_SIZE = "a page was larger than the call asked"
    WINDOW_IGNORED = "a list has requests from outside the dates of the call"
    TIME_WITHOUT_ZONE = "a time has no zone; it was read in the zone of the dialect"
    TIME_WITH_FRACTION = "a time has fractions of a second"
    TIME_WITH_SPACE = "a time has a space instead of the T"
    STATUS_IN_CAPITALS = "a status is not in lower case"
    NUMBER_AS_TEXT = "a number in JSON is a string"
    BOOLEAN_AS_TEXT = "true or false in JSON is a string"
    NUMBER_FOR_TEXT = "a code or an id in JSON is a number"
    POINT_ZERO = "an unknown place is the point 0, 0"
    RESERVED_IN_CODE = "a code or id has characters that an address reserves"
    SEVERAL_MEDIA = "media_url has several addresses"
    UNREAD_VALUE = "a value could not be read; it is in `unread`"
    UNREAD_RECORD = "a record of a list could not be read and was left out; it is in `unread` of the client"


PAGE_SIZE_NAMES = ("page_size", "per_page", "limit", "max_requests")
"""How servers spell the size of a page."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """What the client cannot see in the answers of a server.

    zone            the zone of times that are written without one
    page_size_name  one of PAGE_SIZE_NAMES
    """

    zone: tzinfo = UTC
    page_size_name: str = "page_size"

    def __post_init__(self) -> None:
        if self.page_size_name not in PAGE_SIZE_NAMES:
            raise ValueError(f"page_size_name: {self.page_size_name!r} is unknown; use one of {PAGE_SIZE_NAMES}")


@dataclass(slots=True)
class Seen:
    """Counts the points in which a server differed."""

    points: Counter[DialectPoint] = field(default_factory=Counter)

    def note(self, *points: DialectPoint) -> None:
        """Count each of these points once more."""
        self.points.update(points)

    def __contains__(self, point: object) -> bool:
        return point in self.points

    def __str__(self) -> str:
        return "; ".join(sorted(self._sentences())) or "as the standard has it"

    def _sentences(self) -> Iterable[str]:
        return (f"{point} ({count}x)" for point, count in self.points.items())
