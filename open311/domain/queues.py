"""Queues: the requests that wait for staff, as values which can be tested without SQL."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from open311.domain.cursors import decode_cursor, encode_cursor, is_bigint
from open311.domain.workflow import State

SOON = timedelta(hours=24)
"""A request is due soon if its due date is no further than this."""


class Due(StrEnum):
    """How far the due date of an open request is."""

    OVERDUE = "overdue"
    SOON = "soon"
    LATER = "later"


def due_of(expected_at: datetime | None, held_since: datetime | None, now: datetime) -> Due | None:
    """How far a due date is; None without a date. While the work is on hold, the clock stands still."""
    if expected_at is None:
        return None
    clock = held_since or now
    if expected_at < clock:
        return Due.OVERDUE
    return Due.SOON if expected_at < clock + SOON else Due.LATER


@dataclass(frozen=True, slots=True)
class QueueKey:
    """The key of a page's last request.

    at      its due date, None without one; for closed requests, when it was closed
    number  its number
    """

    at: datetime | None
    number: int

    @classmethod
    def read(cls, text: str) -> QueueKey:
        """Decode a cursor. Raises ValueError if the text is no cursor."""
        try:
            at, number = decode_cursor(text)
            instant = None if at is None else datetime.fromisoformat(at)
        except TypeError as error:
            raise ValueError(text) from error
        if not is_bigint(number) or (instant is not None and instant.tzinfo is None):
            raise ValueError(text)
        return cls(instant, number)

    def __str__(self) -> str:
        return encode_cursor(None if self.at is None else self.at.isoformat(), self.number)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueSearch:
    """The filters and the page of a queue.

    departments       codes; None for all
    names             ids, tokens or numbers; if there are any, only `departments` counts beside them
    states            any of these; empty for all open ones. CLOSED comes alone
    service_codes     any of these; empty for all
    area              an area's name; "" for all
    requested_before  only requests that were sent before; None for all
    due               "true": overdue; "soon"; "false": not overdue; "" for all
    assignee          an account as in events; "" for nobody; None for all
    words             the text to search for; "" for all
    folded_words      the same as publications have it
    language          PostgreSQL's text search configuration for both
    is_merged         whether the open requests that are merged into others are listed, instead of the others
    now               the instant against which due dates are measured
    after             the key after which the page begins
    """

    jurisdiction_id: str
    now: datetime
    departments: tuple[str, ...] | None = None
    names: tuple[str, ...] = ()
    states: tuple[State, ...] = ()
    service_codes: tuple[str, ...] = ()
    area: str = ""
    requested_before: datetime | None = None
    due: str = ""
    assignee: str | None = None
    words: str = ""
    folded_words: str = ""
    language: str = "simple"
    is_merged: bool = False
    after: QueueKey | None = None
    page_size: int = 50

    @property
    def is_closed(self) -> bool:
        """Whether closed requests are listed, the last closed first."""
        return State.CLOSED in self.states


class QueueRow(NamedTuple):
    """One request of a queue, with its columns as `RequestRecord` explains them.

    description  only its beginning
    metres       the distance from a place, where the call names one
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
    """The work of one department. `merged` are open requests that follow others; the rest are among `open`."""

    department: str
    open: int = 0
    merged: int = 0
    overdue: int = 0
    unassigned: int = 0
    triage: int = 0
