"""Rendered rows of queues, kept in the memory of a web process (decision 0029)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from threading import Lock
from typing import NamedTuple

from open311.storage.hot.queues import RowState

MOST_BYTES = 8_000_000
OVERHEAD_BYTES = 600
"""About how many bytes Python needs for a row beside its text: the key, the objects and the entry."""


class CachedRow(NamedTuple):
    """A rendered row: its JSON, and a digest of the JSON."""

    json: bytes
    digest: bytes


class RowCache:
    """The rows that were used last. The sum of their sizes is bounded. Threads may share it.

    The key of a row is its `RowState`, which differs after each change, so a row never becomes outdated. A row also
    has names from the catalogue and of an account. The catalogue is the same as long as the process runs, and the
    name of an account never changes. A row must not depend on the account that reads it.

    Rows are in two dicts. When the newer dict has half of the bytes, it replaces the older one, and the rows that
    are only in the older one are dropped. A row that is used moves from the older dict to the newer one. An
    OrderedDict would be changed at every use of a row, which takes longer than the rest of the search for it.
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._lock = Lock()
        self._new: dict[RowState, CachedRow] = {}
        self._old: dict[RowState, CachedRow] = {}
        self._new_bytes = 0

    def find(self, states: Sequence[RowState]) -> list[CachedRow | None]:
        """The rows of these states; None for each row that is not in the cache."""
        found = list(map(self._new.get, states))
        if None not in found:
            return found
        old = self._old  # another thread may replace self._old
        older = {state: old[state] for state, row in zip(states, found, strict=True) if not row and state in old}
        self.keep(older)
        return [row or older.get(state) for state, row in zip(states, found, strict=True)]

    def keep(self, rows: Mapping[RowState, CachedRow]) -> None:
        """Add rows. They may push out rows that were not used for long."""
        with self._lock:
            for state, row in rows.items():
                if state not in self._new:
                    self._new_bytes += len(row.json) + OVERHEAD_BYTES
                    self._new[state] = row
            if self._new_bytes > self._most_bytes // 2:
                self._old, self._new, self._new_bytes = self._new, {}, 0

    def __len__(self) -> int:
        return len(self._new | self._old)
