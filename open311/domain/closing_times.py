"""How many days it takes until a request is closed, estimated from closed and open requests. Pure functions.

An open request only shows that it takes longer than its age. If open requests were left out, or counted as closed
today, every service would look fast. The estimate of Kaplan and Meier counts an open request as not closed up to
its age.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

LEAST_CLOSED = 50
"""With fewer closed requests than this, no days are published."""
SHARES = (0.5, 0.8)


class NoDays(StrEnum):
    """Why the days are not published; NONE if they are.

    FEW               fewer than LEAST_CLOSED requests of the last year are closed
    STILL_OPEN        so many are open that nobody can tell when four of five will be closed
    CLOSED_AT_INTAKE  the service answers at once, such as information
    """

    NONE = ""
    FEW = "few_requests"
    STILL_OPEN = "still_open"
    CLOSED_AT_INTAKE = "closed_at_intake"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosingDays:
    """How long the requests of the last year take.

    closed       how many of these requests are closed
    open         how many of these requests are open
    reason       why the days are not published; NONE if they are
    median_days  the least number of days of 24 hours within which half are closed; None if not published
    p80_days     the least number of days within which four of five are closed; None if not published
    """

    closed: int
    open: int
    reason: NoDays
    median_days: int | None = None
    p80_days: int | None = None


def closing_days(closed: Mapping[int, int], still_open: Mapping[int, int]) -> ClosingDays:
    """The days within which requests are closed.

    closed      the day of the closing -> requests; 1 for the first 24 hours
    still_open  age in whole days -> requests. A request of age 3 was still open at the end of its third day
    """
    numbers = {"closed": sum(closed.values()), "open": sum(still_open.values())}
    if numbers["closed"] < LEAST_CLOSED:
        return ClosingDays(**numbers, reason=NoDays.FEW)
    median, most = (day_of_share(closed, still_open, share) for share in SHARES)
    if median is None or most is None:
        return ClosingDays(**numbers, reason=NoDays.STILL_OPEN)
    return ClosingDays(**numbers, reason=NoDays.NONE, median_days=median, p80_days=most)


def day_of_share(closed: Mapping[int, int], still_open: Mapping[int, int], share: float) -> int | None:
    """The first day at the end of which `share` of the requests are closed; None if it cannot be told."""
    at_risk, is_open = sum(closed.values()) + sum(still_open.values()), 1.0
    leaving = Counter(still_open)
    for day in range(max(closed, default=0) + 1):
        if day and at_risk:
            is_open *= 1 - closed.get(day, 0) / at_risk
            if is_open <= 1 - share + 1e-9:
                return day
        at_risk -= closed.get(day, 0) + leaving.pop(day, 0)
    return None
