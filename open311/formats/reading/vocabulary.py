"""How a publisher calls the standard's fields: a table of columns, and a function for what a table cannot say."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any

from open311.domain.imports import Refusal, SourceRow

Columns = Mapping[str, str]
"""One row as it was found: column name, in `plain_name`'s spelling, to text."""

MAX_BLANK_CHARACTERS = 20
"""No word that means nothing is longer."""
SourceItem = tuple[int, Columns] | Refusal
"""A row as it was found, with its number from 1; or why it is none."""

_NOT_IN_NAMES = re.compile(r"[^a-z0-9]+")


def plain_name(name: str) -> str:
    """`Unique Key`, `unique_key` and `Unique-Key ` are one column: lower case, one _ for all between words."""
    return _NOT_IN_NAMES.sub("_", name.lower()).strip("_")


def nothing_more(columns: Columns) -> dict[str, Any]:  # noqa: ARG001
    """What a vocabulary derives that its table says all of."""
    return {}


@dataclass(frozen=True, kw_only=True, eq=False)
class Vocabulary:
    """One publisher's names.

    name      as formats are called: `newyork` in `newyork-csv`
    columns   field of SourceRow -> its column, then other names of it; the first that says something counts.
              Columns that stand nowhere here are never read: what is personal stays out
    required  fields without whose column a file is not of this vocabulary
    codes     columns that hold a service code, best first
    media     columns that hold addresses of pictures
    blanks    words that mean nothing, in lower case
    derive    further fields from a row's columns
    derived   the columns that `derive` looks at, where they stand nowhere else here
    """

    name: str
    columns: Mapping[str, tuple[str, ...]]
    required: tuple[str, ...]
    codes: tuple[str, ...] = ()
    media: tuple[str, ...] = ()
    blanks: Collection[str] = ()
    derive: Callable[[Columns], dict[str, Any]] = nothing_more
    derived: tuple[str, ...] = ()

    @cached_property
    def known(self) -> frozenset[str]:
        """All columns that are read."""
        return frozenset(chain(*self.columns.values(), self.codes, self.media, self.derived))

    def row(self, position: int, columns: Columns) -> SourceRow:
        """A row in the standard's words."""
        blanks = self.blanks
        said = {
            name: text
            for name, text in columns.items()
            if (word := text.strip()) and (len(word) > MAX_BLANK_CHARACTERS or word.lower() not in blanks)
        }
        fields: dict[str, Any] = {}
        for field, names in self.columns.items():
            for name in names:
                if name in said:
                    fields[field] = said[name]
                    break
        fields["service_codes"] = tuple([said[name] for name in self.codes if name in said])
        if self.media:
            fields["media"] = tuple(address for name in self.media for address in _addresses(said.get(name, "")))
        fields |= self.derive(said)
        return SourceRow(position=position, **fields)

    def rows(self, found: Iterable[SourceItem]) -> list[SourceRow | Refusal]:
        """Several rows in the standard's words."""
        return [item if isinstance(item, Refusal) else self.row(*item) for item in found]

    def ids(self, found: Iterable[SourceItem]) -> set[str]:
        """The ids of rows, "" for those without."""
        names = self._names("service_request_id")
        columns = [item[1] for item in found if not isinstance(item, Refusal)]
        return {row[name].strip() for row in columns for name in names if name in row}

    def has_id(self, names: Collection[str]) -> bool:
        """Whether a file with these column names has this publisher's ids."""
        return any(name in names for name in self._names("service_request_id"))

    def missing(self, names: Collection[str]) -> list[str]:
        """The required columns that a file with these column names lacks, by their first names."""
        return [
            self._names(field)[0]
            for field in self.required
            if not any(name in names for name in self._names(field))
        ]

    def _names(self, field: str) -> tuple[str, ...]:
        return self.codes if field == "service_codes" else self.columns[field]


def _addresses(text: str) -> list[str]:
    """One address a line, or several joined by commas as Mark-a-Spot does (A17)."""
    return [part.strip() for part in re.split(r"\n|,\s*(?=https?://)", text) if part.strip()]
