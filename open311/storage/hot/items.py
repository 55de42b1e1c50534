"""Rendered items as a query brings them, column by column."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count

from open311.domain.search import PageKey
from open311.formats import Format
from open311.storage.hot.results import Result
from open311.storage.tables import publication

BODY_COLUMNS = {Format.JSON: publication.c.json, Format.XML: publication.c.xml}
EXTRAS_COLUMNS = {Format.JSON: publication.c.json_extras, Format.XML: publication.c.xml_extras}

_POSTGRES_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
"""PostgreSQL's binary form of a timestamptz is a bigint: microseconds since then."""

_NO_KEYS: Callable[[int], PageKey] = ().__getitem__


@dataclass(frozen=True, slots=True)
class Items:
    """Rendered items of a list, column by column: a thousand small objects would cost more than their query.

    bodies     UTF-8
    digest     the digests of all items combined, for the list's ETag
    key        where a list goes on after one of the items; read when asked for. IndexError for items without keys
    extras     of each item, extended_attributes, notes and attributes as fields to add; empty unless asked for
    distances  of each item from a circle's centre, in metres; empty unless asked for
    """

    bodies: Sequence[bytes] = ()
    digest: int = 0
    key: Callable[[int], PageKey] = _NO_KEYS
    extras: Sequence[Sequence[str]] = ()
    distances: Sequence[float] = ()

    @classmethod
    def of(
        cls, found: Result, *, with_keys: bool = False, with_extras: bool = False, with_distance: bool = False
    ) -> Items:
        """Items of a result with the columns body and digest, then those asked for.

        with_keys    two columns: the instant that the order goes by, and our number of the request
        with_extras  one column; one more with_distance
        """
        column = count(2)
        return cls(
            found.texts(0),
            found.combined(1),
            partial(_key, found, next(column), next(column)) if with_keys else _NO_KEYS,
            found.values(next(column)) if with_extras else (),
            found.values(next(column)) if with_distance else (),
        )

    def first(self, rows: int) -> Items:
        """The first items, with the digest of all."""
        return replace(self, bodies=self.bodies[:rows], extras=self.extras[:rows], distances=self.distances[:rows])


def _key(found: Result, instant: int, number: int, row: int) -> PageKey:
    """The key of a row, from the columns with the instant and the number."""
    at = _POSTGRES_EPOCH + timedelta(microseconds=found.number(instant, row))
    return PageKey(at, found.number(number, row))
