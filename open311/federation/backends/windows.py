"""Windows of time for reading the updates of a GeoReport server, and the cursor.

The cursor has the time of the newest update by the server's clock, or a day ago if this is later. So if the
server's clock is up to a day behind ours, no update is lost. Windows overlap, and once a day a window begins a week
back, for updates that were recorded late. The cursor has the time of that window too.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

LONGEST = timedelta(days=7)
"""The longest window of one call, and how far back the first window begins."""
OLDEST = timedelta(days=90)
"""How far back a cursor can be. Without this limit, a wrong cursor could begin in the year 1."""
SHORTEST = timedelta(hours=1)
LOOKS_BACK_AFTER = timedelta(days=1)
LEAST_BEHIND = timedelta(days=1)
"""How far the cursor stays behind our clock while there are no updates: the server's clock may be behind ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The window of one call. `is_last`: whether the window reaches the present."""

    start: datetime
    end: datetime
    is_last: bool

    def halved(self) -> Window | None:
        """The first half, for a server that finds the window too long; None if the window is short already."""
        span = self.end - self.start
        return None if span <= SHORTEST else Window(start=self.start, end=self.start + span / 2, is_last=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The time up to which updates were read, and when a window last began a week back."""

    read_to: datetime | None = None
    looked_back: datetime | None = None

    @classmethod
    def read(cls, cursor: str, now: datetime) -> Place:
        """The place in a cursor. A missing or wrong cursor means the beginning: the last week is read."""
        try:
            read_to, looked_back = (datetime.fromisoformat(part) for part in cursor.split(" "))
            known = cls(read_to=max(min(read_to, now), now - OLDEST), looked_back=min(looked_back, now))
        except (ValueError, TypeError):  # TypeError: a time without zone
            return cls()
        return known

    def cursor(self) -> str:
        """The cursor of this place."""
        known = (self.read_to, self.looked_back)
        return " ".join(one.astimezone(UTC).isoformat() for one in known if one is not None)

    def window(self, now: datetime, overlap: timedelta) -> tuple[Window, Place]:
        """The next window, and this place. Its `looked_back` is `now` if the window begins a week back."""
        start = (self.read_to or now) - overlap
        looked_back = self.looked_back
        if looked_back is None or now - looked_back >= LOOKS_BACK_AFTER:
            start, looked_back = min(start, now - LONGEST), now
        end = min(start + LONGEST, now) + overlap  # the server's clock may be ahead
        window = Window(start=start, end=end, is_last=end >= now)
        return window, Place(read_to=self.read_to, looked_back=looked_back)

    def after(self, window: Window, times: Iterable[datetime], now: datetime, overlap: timedelta) -> Place:
        """The place after a window was read. `times`: when the updates happened, by the server's clock."""
        if not window.is_last:
            return Place(read_to=window.end + overlap, looked_back=self.looked_back)
        newest = [min(at, now) for at in times]
        known = [self.read_to] if self.read_to else []
        return Place(read_to=max([*known, *newest, now - LEAST_BEHIND]), looked_back=self.looked_back)
