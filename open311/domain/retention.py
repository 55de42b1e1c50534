"""How long a city keeps personal data and photos after a request was closed."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta

MOST_DAYS = 36_500
RETENTION = "retention"
"""The cause of the events that erase what a city does not keep any longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long personal data and photos stay after their request was closed.

    reporter_days  days until the data of the reporter, and of people who sent updates, are erased
    photo_days     days until photos, also of updates, and the addresses of photos are erased
    None if it is not set: a service then has the time of its city, and a city keeps the data for ever.
    """

    reporter_days: int | None = None
    photo_days: int | None = None

    def or_else(self, other: Retention) -> Retention:
        """These times. A time that is not set comes from `other`."""
        unset = {item.name: getattr(other, item.name) for item in fields(self) if getattr(self, item.name) is None}
        return replace(self, **unset)


@dataclass(frozen=True, slots=True)
class Kept:
    """A request with data that may have to be erased. `closed_at`: None for an open one."""

    number: int
    service_code: str
    closed_at: datetime | None


def is_over(closed_at: datetime, days: int | None, now: datetime) -> bool:
    """Whether this many days have passed since a request was closed; False for None."""
    return days is not None and closed_at <= now - timedelta(days=days)
