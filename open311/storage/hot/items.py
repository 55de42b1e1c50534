"""Rendered items as a query brings them, column by column."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from open311.formats import Format
from open311.storage.hot.results import Result
from open311.storage.tables import publication

EXTRAS = {Format.JSON: publication.c.json_extras, Format.XML: publication.c.xml_extras}
BODY = {Format.JSON: publication.c.json, Format.XML: publication.c.xml}


@dataclass(frozen=True, slots=True)
class Items:
    """Rendered items of a list, column by column: a thousand small objects would cost more than their query.

    bodies   UTF-8
    digest   what goes into the list's ETag: those of all items, combined
    number   ours of one of them, for cursors; read when it is asked for
    extras   of each, extended_attributes, notes and attributes as fields to add; empty unless asked for
    distances  of each from a circle's centre, metres; empty unless asked for
    """

    bodies: Sequence[bytes] = ()
    digest: int = 0
    number: Callable[[int], int] = ().__getitem__
    extras: Sequence[Sequence[str]] = ()
    distances: Sequence[float] = ()

    @classmethod
    def of(cls, found: Result, *, with_extras: bool = False, with_distance: bool = False) -> Items:
        """Items of a result that has these columns in this order."""
        return cls(
            found.texts(0),
            found.combined(1),
            partial(found.number, 2),
            found.values(3) if with_extras else (),
            found.values(4 if with_extras else 3) if with_distance else (),
        )

    def first(self, count: int) -> Items:
        """The first items, with the digest of all."""
        return replace(
            self, bodies=self.bodies[:count], extras=self.extras[:count], distances=self.distances[:count]
        )
