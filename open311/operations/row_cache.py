"""Rendered rows of queues and lists, kept in the memory of a web process (decision 0029)."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from datetime import datetime
from threading import Lock
from typing import Generic, NamedTuple, TypeVar

from open311.plugins import Jurisdiction

OVERHEAD_BYTES = 700
"""About how many bytes Python needs for a row in addition to its text: the key, the objects and the entry."""

State = TypeVar("State", bound=Hashable)
Row = TypeVar("Row")


class CachedRow(NamedTuple):
    """A rendered row of a queue: its JSON, a digest of the JSON, and the values of the cursor of the next page."""

    json: bytes
    digest: bytes
    number: int
    expected_at: datetime | None
    updated_at: datetime


class RowCache(Generic[State, Row]):
    """The rows that were used last. The sum of their sizes is bounded. Threads may share it.

    The key of a row is its city and its state. Here, a state is all that decides how the row is rendered, except
    the city's catalogue. A city with another catalogue is another object. So no row becomes outdated.

    Rows are in two dicts. When the newer dict has half of the bytes, it replaces the older one, and the rows that
    are only in the older one are dropped. A row that is used moves from the older dict to the newer one. An
    OrderedDict would be changed at every use of a row, which takes longer than the rest of the search for it.

    size_of  the bytes of a row's text, and of the texts in its state that are kept nowhere else
    """

    def __init__(self, size_of: Callable[[State, Row], int], most_bytes: int) -> None:
        self._size_of = size_of
        self._most_bytes = most_bytes
        self._lock = Lock()
        self._new: dict[Jurisdiction, dict[State, Row]] = {}
        self._old: dict[Jurisdiction, dict[State, Row]] = {}
        self._new_bytes = 0

    def find(self, city: Jurisdiction, states: Sequence[State]) -> list[Row | None]:
        """The rows of these states; None for each row that is not in the cache."""
        found = list(map(self._new.get(city, {}).get, states))
        if None not in found:
            return found
        old = self._old.get(city, {})
        older = {state: old[state] for state, row in zip(states, found, strict=True) if not row and state in old}
        self.keep(city, older)
        return [row or older.get(state) for state, row in zip(states, found, strict=True)]

    def keep(self, city: Jurisdiction, rows: Mapping[State, Row]) -> None:
        """Add rows. They may push out rows that have not been used for a long time."""
        with self._lock:
            new = self._new.setdefault(city, {})
            for state, row in rows.items():
                if state not in new:
                    self._new_bytes += self._size_of(state, row) + OVERHEAD_BYTES
                    new[state] = row
            if self._new_bytes > self._most_bytes // 2:
                self._old, self._new, self._new_bytes = self._new, {}, 0

    def __len__(self) -> int:
        cities = self._new.keys() | self._old.keys()
        return sum(len(self._new.get(city, {}) | self._old.get(city, {})) for city in cities)
