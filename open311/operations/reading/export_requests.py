"""Exports: all results of a search from one snapshot of the database, for files and downloads of any length."""

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
"""The oldest request comes first, so that exports of different days begin with the same requests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """Requests in batches. An item is a request's JSON with its extensions, or its line in GeoReport Bulk's CSV.

    All items come from one snapshot of the database. Close the export after the last item, or earlier.

    count      the number of items
    validator  a text that changes exactly when the items change
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
    """Start to export all results of a search. Raises Unavailable now, not later, if the database is down.

    as_bulk_csv   whether the items are lines of GeoReport Bulk's CSV
    idle_limit_s  `open_snapshot` explains it
    """
    snapshot = open_snapshot(platform.database.hot, idle_limit_s=idle_limit_s)
    try:
        count, digest = snapshot.digest(search)
        batches = snapshot.bulk_csv_lines(search) if as_bulk_csv else _items(snapshot, search)
        first = next(batches, [])  # if the query fails, it must fail here
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
