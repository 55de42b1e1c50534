"""The rendered items of a query's result, column by column."""

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
"""PostgreSQL's binary form of a timestamptz is a bigint: microseconds since this instant."""

_NO_KEYS: Callable[[int], PageKey] = ().__getitem__


@dataclass(frozen=True, slots=True)
class Items:
    """Rendered items of a list, as columns, because a thousand small objects would take longer than the query.

    bodies     the rendered items, UTF-8
    digest     the digests of all items combined, for the list's ETag
    key        a function of an item's index: the key of that item, after which the next page begins. Raises
               IndexError if the items have no keys
    extras     the rendered extended_attributes, notes and attributes of each item; empty unless requested
    distances  the metres between each item and the circle's centre; empty unless requested
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
        """The items of a result with the columns body and digest, followed by those of these options.

        with_keys      two columns: the instant by which the list is ordered, and the request's number
        with_extras    one column
        with_distance  one column
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
        """Only the first items, but with the digest of all items."""
        return replace(self, bodies=self.bodies[:rows], extras=self.extras[:rows], distances=self.distances[:rows])


def _key(found: Result, instant: int, number: int, row: int) -> PageKey:
    """The key of one row. `instant` and `number` are indexes of columns."""
    at = _POSTGRES_EPOCH + timedelta(microseconds=found.number(instant, row))
    return PageKey(at, found.number(number, row))
