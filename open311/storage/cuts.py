"""What the sums over closed and over open requests have in common: how a request is counted, and in which cells."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime

from open311.domain.statistics import Grain

KINDS = ("service_code", "department", "area")
CUTS = {
    "all": (),
    "department": ("department",),
    "service": ("service_code", "department"),
    "area": ("area",),
    "area_department": ("department", "area"),
    "service_area": KINDS,
}
"""The columns by which each cut groups the requests. Each group has its own sums."""
KEYS = ("jurisdiction_id", "cut", "grain", "service_code", "department", "area", "period")
Key = tuple[str, str, str, str, str, str, date]
"""The primary key of a row of sums, in the order of KEYS."""
Sums = dict[Key, dict[str, int]]
"""Key -> the names and values of the sums. They are plain dictionaries, because a Counter takes twice as long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """How a request is counted: a row of `counted_request`. The table explains the columns."""

    id: int
    requested_on: date
    closed_on: date | None
    hours: int | None
    due_at: datetime | None
    place: int
    is_quick: bool
    is_on_time: bool | None
    jurisdiction_id: str
    service_code: str
    department: str
    area: str
    target: str
    supporters: int
    feedback: str | None


def no_sums() -> Sums:
    """Sums to which numbers can be added."""
    return defaultdict(lambda: defaultdict(int))


def cells_of(row: Counted) -> Iterator[tuple[str, str, str, str]]:
    """(cut, service, department, area) of each cell that counts the row.

    A request has a row for each of its areas. Cuts without areas count only the first row.
    """
    for cut, names in CUTS.items():
        if row.place == 0 or "area" in names:
            service, department, area = (getattr(row, name) if name in names else "" for name in KINDS)
            yield cut, service, department, area


def period_of(grain: Grain, day: date) -> date:
    """The first day of the period that contains a day."""
    if grain is Grain.EVER:
        return date.min
    return day.replace(day=1) if grain is Grain.MONTH else day
