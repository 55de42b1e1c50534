"""A publisher's names for the standard's fields: a table of columns, and a function for what a table cannot say."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any

from open311.domain.imports import Refusal, SourceRow

Columns = Mapping[str, str]
"""One row of a file: the name of a column, in the spelling of `plain_name`, to its text."""

MAX_BLANK_CHARACTERS = 20
"""No word in any `blanks` is longer, so longer texts need not be looked up there."""
SourceItem = tuple[int, Columns] | Refusal
"""A row of a file with its number, from 1; or why it cannot be read."""

_NOT_IN_NAMES = re.compile(r"[^a-z0-9]+")


def plain_name(name: str) -> str:
    """`Unique Key`, `unique_key` and `Unique-Key ` are one column: lower case, with a single _ between words."""
    return _NOT_IN_NAMES.sub("_", name.lower()).strip("_")


def nothing_more(columns: Columns) -> dict[str, Any]:  # noqa: ARG001
    """The `derive` of a vocabulary whose table is complete."""
    return {}


@dataclass(frozen=True, kw_only=True, eq=False)
class Vocabulary:
    """One publisher's names.

    name      the first part of a format's name: `newyork` in `newyork-csv`
    columns   field of SourceRow -> its column, then other names of it; the first that is not blank counts.
              Other columns are never read, so that personal data stays out
    required  fields whose columns every file of this vocabulary has
    codes     columns that hold a service code, best first
    media     columns that hold addresses of pictures
    blanks    words that mean nothing, in lower case
    derive    further fields from a row's columns
    derived   the columns that only `derive` reads
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

    def rows(self, found: Iterable[SourceItem]) -> list[SourceRow | Refusal]:
        """Rows in the standard's words, in their order."""
        return [item if isinstance(item, Refusal) else self._row(*item) for item in found]

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

    def _row(self, position: int, columns: Columns) -> SourceRow:
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

    def _names(self, field: str) -> tuple[str, ...]:
        return self.codes if field == "service_codes" else self.columns[field]


def _addresses(text: str) -> list[str]:
    """One address a line, or several joined by commas as Mark-a-Spot does (A17)."""
    return [part.strip() for part in re.split(r"\n|,\s*(?=https?://)", text) if part.strip()]
