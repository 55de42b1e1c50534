"""Values for queues, the lists of requests that wait for staff. They can be tested without SQL."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from open311.domain.cursors import decode_cursor, encode_cursor, is_bigint
from open311.domain.workflow import State


class Due(StrEnum):
    """How near the due date of an open request is."""

    OVERDUE = "overdue"
    SOON = "soon"
    LATER = "later"


def due_of(expected_at: datetime | None, held_since: datetime | None, now: datetime, soon: timedelta) -> Due | None:
    """How near a due date is; None without a date. While the work is on hold, the clock stands still.

    soon  how long before its due date a request is due soon
    """
    if expected_at is None:
        return None
    clock = held_since or now
    if expected_at < clock:
        return Due.OVERDUE
    return Due.SOON if expected_at < clock + soon else Due.LATER


_BY_CLOSING = "closed"


@dataclass(frozen=True, slots=True)
class QueueKey:
    """The key of a page's last request.

    at      the due date, None without one; in a list of closed requests, when the request was closed
    number  the number of the request
    is_by_closing  whether the page has closed requests, which have another order
    """

    at: datetime | None
    number: int
    is_by_closing: bool = False

    @classmethod
    def read(cls, text: str) -> QueueKey:
        """Decode a cursor. Raises ValueError if the text is no cursor."""
        try:
            at, number, *order = decode_cursor(text)
            instant = None if at is None else datetime.fromisoformat(at)
        except TypeError as error:
            raise ValueError(text) from error
        if (
            order not in ([], [_BY_CLOSING])
            or not is_bigint(number)
            or (instant is not None and instant.tzinfo is None)
        ):
            raise ValueError(text)
        return cls(instant, number, bool(order))

    def __str__(self) -> str:
        order = (_BY_CLOSING,) if self.is_by_closing else ()
        return encode_cursor(None if self.at is None else self.at.isoformat(), self.number, *order)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class QueueSearch:
    """The filters and the page of a queue. Compared and hashed by identity. It does not depend on the time.

    departments       codes of departments; None for all
    names             ids, tokens, numbers, or ids in other systems. With names, all other filters except
                      departments are ignored
    states            requests in one of these states; empty for all open requests. CLOSED must be alone
    service_codes     requests of one of these services; empty for all
    area              an area's name; "" for all
    older_than        only requests that were sent longer ago than this; None for all
    due               "true": overdue; "soon": due soon; "false": not overdue; "" for all
    assignee          an account as `str(principal)`; "" for nobody; None for all
    words             the text to search for; "" for all
    folded_words      the text to search for in publications: `words`, folded as publications are
    language          PostgreSQL's text search configuration for `words` and `folded_words`
    is_merged         whether only open requests that are merged into others are listed; otherwise none of them
    is_held           whether only requests are listed that wait for a person to release them
    has_personal_data  whether only requests with personal data in their texts are listed
    is_suspected      whether only requests are listed that are held because they look like abuse, or have such an
                      update
    is_test           whether only requests of test keys are listed; otherwise none of them
    soon              how long before its due date a request is due soon, in whole seconds
    after             the key after which the page begins
    """

    jurisdiction_id: str
    soon: timedelta = timedelta(hours=24)
    departments: tuple[str, ...] | None = None
    names: tuple[str, ...] = ()
    states: tuple[State, ...] = ()
    service_codes: tuple[str, ...] = ()
    area: str = ""
    older_than: timedelta | None = None
    due: str = ""
    assignee: str | None = None
    words: str = ""
    folded_words: str = ""
    language: str = "simple"
    is_merged: bool = False
    is_suspected: bool = False
    is_test: bool = False
    is_held: bool = False
    has_personal_data: bool = False
    after: QueueKey | None = None
    page_size: int = 50

    @property
    def is_closed(self) -> bool:
        """Whether the queue lists closed requests, the last closed first."""
        return State.CLOSED in self.states

    @property
    def is_by_closing(self) -> bool:
        """Whether the requests that were closed last come first."""
        return self.is_closed and not self.names


class QueueRow(NamedTuple):
    """One request of a queue. `RequestRecord` explains the fields.

    description  only the beginning of the description
    metres       the distance from a place if the call names a place
    """

    number: int
    service_request_id: str | None
    service_code: str
    status: str
    outcome: str
    department: str
    agency_responsible: str
    progress: str
    is_triage: bool
    assignee: str
    priority: str
    visibility: str
    requested_at: datetime
    updated_at: datetime
    expected_at: datetime | None
    scheduled_at: datetime | None
    held_since: datetime | None
    address: str
    lat: float | None
    long: float | None
    areas: list[str]
    merged_into: int
    version: int
    description: str
    metres: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DepartmentCount:
    """The numbers of requests of one department.

    merged       open requests that are merged into others; `open` does not count them
    overdue      those of the open requests that are overdue
    unassigned   those of the open requests that no account has
    triage       those of the open requests that wait for triage
    suspected    those of the open requests that are held because they look like abuse, or have such an update
    held_photos  photos that a person has to release, also those of closed requests
    """

    department: str
    open: int = 0
    merged: int = 0
    overdue: int = 0
    unassigned: int = 0
    triage: int = 0
    suspected: int = 0
    held_photos: int = 0
