"""Everything that a search finds, as it is at one moment, for files and downloads of any length."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from types import TracebackType
from typing import Self

from open311.domain.search import RequestSearch, Sort
from open311.formats import with_fields
from open311.operations.platform import Platform
from open311.storage.hot.snapshots import Snapshot, open_snapshot

EXPORT_ORDER = Sort.REQUESTED
"""Oldest first, so that today's export begins like yesterday's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """Requests in batches. An item is a request's JSON text with its extensions, or its line of GeoReport Bulk.

    All items show the same moment. Close the export when they are read, or before.

    count      how many items there are
    validator  changes exactly when the items change
    """

    count: int
    validator: str
    batches: Iterator[list[bytes]]
    snapshot: Snapshot

    def close(self) -> None:
        """End the query, even before its last row."""
        self.snapshot.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_export(
    platform: Platform, search: RequestSearch, *, as_bulk_csv: bool = False, idle_limit_s: int = 0
) -> Export:
    """All that a search finds, on all its pages. Raises Unavailable here, not later, if the database is down.

    as_bulk_csv   the items are lines of GeoReport Bulk
    idle_limit_s  see `open_snapshot`
    """
    snapshot = open_snapshot(platform.database.hot, idle_limit_s=idle_limit_s)
    try:
        count, digest = snapshot.digest(search)
        batches = snapshot.bulk_csv_lines(search) if as_bulk_csv else _items(snapshot, search)
        first = next(batches, [])  # so that a query that fails does so here
    except BaseException:
        snapshot.close()
        raise
    return Export(
        count=count,
        validator=f"{count}-{digest % 2**64:x}",
        batches=chain([first], batches) if first else iter(()),
        snapshot=snapshot,
    )


def _items(snapshot: Snapshot, search: RequestSearch) -> Iterator[list[bytes]]:
    for bodies, extras in snapshot.items(search):
        yield [with_fields(body, added) if added else body for body, added in zip(bodies, extras, strict=True)]
