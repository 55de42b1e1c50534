"""The rendered items in a query's result, stored by column."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import count
from typing import NamedTuple

from open311.domain.search import PageKey
from open311.formats import Format
from open311.storage.hot.results import Result
from open311.storage.tables import publication

BODY_COLUMNS = {Format.JSON: publication.c.json, Format.XML: publication.c.xml}
EXTRAS_COLUMNS = {Format.JSON: publication.c.json_extras, Format.XML: publication.c.xml_extras}

_NO_KEYS: Callable[[int], PageKey] = ().__getitem__


class Items(NamedTuple):
    """The rendered items of a list. Each attribute holds the values of all items.

    An object for each item is avoided, because making a thousand objects would take longer than the query.

    bodies     the rendered items in UTF-8
    digest     the combined digest of all items, for the list's ETag
    key        a function that returns the key of the item with a given index. The next page can begin after this
               key. The function raises IndexError if the items have no keys
    extras     the rendered extended_attributes, notes and attributes of each item; empty unless requested
    distances  the distance of each item from the circle's centre in metres; empty unless requested
    """

    bodies: Sequence[bytes] = ()
    digest: int = 0
    key: Callable[[int], PageKey] = _NO_KEYS
    extras: Sequence[Sequence[str]] = ()
    distances: Sequence[float] = ()

    @classmethod
    def of(
        cls, result: Result, *, with_keys: bool = False, with_extras: bool = False, with_distance: bool = False
    ) -> Items:
        """The items of a result. The result's first columns are body and digest. Each option adds columns to these:

        with_keys      two columns: the instant by which the list is ordered, and the request's number
        with_extras    one column: the extras
        with_distance  one column: the distance
        """
        column = count(2)
        return cls(
            result.texts(0),
            result.combined(1),
            partial(_key, result, next(column), next(column)) if with_keys else _NO_KEYS,
            result.values(next(column)) if with_extras else (),
            result.values(next(column)) if with_distance else (),
        )

    def first(self, rows: int) -> Items:
        """The first `rows` items. Their digest remains the digest of all items."""
        return self._replace(bodies=self.bodies[:rows], extras=self.extras[:rows], distances=self.distances[:rows])


def _key(result: Result, instant: int, number: int, row: int) -> PageKey:
    """The key of one row. `instant` and `number` are the indexes of the two columns."""
    return PageKey(result.instant(instant, row), result.number(number, row))
