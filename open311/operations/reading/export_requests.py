"""Everything that a search finds, at one moment: for files and downloads of any length."""

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
"""Oldest first: what was exported yesterday is how today's export begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """Requests in batches, each the JSON text of one with its extensions, or its line of GeoReport Bulk.

    All are of one moment. Close it when they are read, or before.

    count      how many there are
    validator  changes just when they do
    """

    count: int
    validator: str
    batches: Iterator[list[bytes]]
    snapshot: Snapshot

    def close(self) -> None:
        """End the query, wherever it is."""
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
    """All that a search finds, whatever page it names. Raises Unavailable here for a database that is down.

    as_bulk_csv   have lines of GeoReport Bulk for items
    idle_limit_s  as `open_snapshot` has it
    """
    snapshot = open_snapshot(platform.database.hot, idle_limit_s=idle_limit_s)
    try:
        count, digest = snapshot.digest(search)
        batches = snapshot.bulk_csv_lines(search) if as_bulk_csv else _items(snapshot, search)
        first = next(batches, [])  # so that what can go wrong does so now
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
