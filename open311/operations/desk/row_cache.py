"""Rendered rows of queues, kept in the memory of a web process (decision 0029)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from threading import Lock
from typing import NamedTuple

from open311.plugins import Jurisdiction
from open311.storage.hot.queues import RowState

MOST_BYTES = 8_000_000
OVERHEAD_BYTES = 700
"""About how many bytes Python needs for a row beside its text: the key, the objects and the entry."""


class CachedRow(NamedTuple):
    """A rendered row: its JSON, a digest of the JSON, and what the key of a page needs."""

    json: bytes
    digest: bytes
    number: int
    expected_at: datetime | None
    updated_at: datetime


class RowCache:
    """The rows that were used last. The sum of their sizes is bounded. Threads may share it.

    The key of a row is its city and its `RowState`, which differs after each change, so no row becomes outdated. A
    row also has names from the catalogue and of an account. A city with another catalogue is another object, and
    the name of an account never changes. A row must not depend on the account that reads it.

    Rows are in two dicts. When the newer dict has half of the bytes, it replaces the older one, and the rows that
    are only in the older one are dropped. A row that is used moves from the older dict to the newer one. An
    OrderedDict would be changed at every use of a row, which takes longer than the rest of the search for it.
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._lock = Lock()
        self._new: dict[Jurisdiction, dict[RowState, CachedRow]] = {}
        self._old: dict[Jurisdiction, dict[RowState, CachedRow]] = {}
        self._new_bytes = 0

    def find(self, city: Jurisdiction, states: Sequence[RowState]) -> list[CachedRow | None]:
        """The rows of these states; None for each row that is not in the cache."""
        found = list(map(self._new.get(city, {}).get, states))
        if None not in found:
            return found
        old = self._old.get(city, {})
        older = {state: old[state] for state, row in zip(states, found, strict=True) if not row and state in old}
        self.keep(city, older)
        return [row or older.get(state) for state, row in zip(states, found, strict=True)]

    def keep(self, city: Jurisdiction, rows: Mapping[RowState, CachedRow]) -> None:
        """Add rows. They may push out rows that were not used for long."""
        with self._lock:
            new = self._new.setdefault(city, {})
            for state, row in rows.items():
                if state not in new:
                    self._new_bytes += len(row.json) + OVERHEAD_BYTES
                    new[state] = row
            if self._new_bytes > self._most_bytes // 2:
                self._old, self._new, self._new_bytes = self._new, {}, 0

    def __len__(self) -> int:
        cities = self._new.keys() | self._old.keys()
        return sum(len(self._new.get(city, {}) | self._old.get(city, {})) for city in cities)
