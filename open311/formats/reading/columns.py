"""Column maps: the columns in which a publisher's files have the standard's fields, such as `status`."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from dataclasses import fields as fields_of
from functools import cached_property
from itertools import chain
from typing import Any

from open311.domain.imports import Mending, Refusal, SourceRow
from open311.domain.mending import whole_number
from open311.formats.reading.dates import Order, iso_instant
from open311.formats.reading.templates import Columns, Recipe, Template

MAX_BLANK_CHARACTERS = 20
"""No word in `BLANKS` has more characters than this. So a text that has more is not looked up."""
BLANKS = frozenset(
    {
        *("nan", "-nan", "nat", "inf", "+inf", "-inf", "infinity", "-infinity"),
        *("null", "(null)", "[null]", "<null>", "none", "nil", "undefined", "n/a", "#n/a", "<na>", "\\n"),
        *("#ref!", "#value!", "#name?", "#num!", "#null!", "#div/0!"),
    }
)
"""Words that programs write for an empty value, in lower case."""

SourceItem = tuple[int, int, Columns] | Refusal
"""A row of a file: its number and its line, both counted from 1, and its columns; or the reason why it is refused.

The line is 0 if the format has no lines, as in JSON.
"""

FIELDS = {
    "service_request_id": "service_request_id",
    "service_code": "service_codes",
    "service_name": "service_name",
    "status": "status",
    "detailed_status": "detailed_status",
    "status_notes": "status_notes",
    "description": "description",
    "agency_responsible": "agency",
    "department": "agency_code",
    "service_notice": "service_notice",
    "requested_datetime": "requested",
    "updated_datetime": "updated",
    "closed_datetime": "closed",
    "expected_datetime": "expected",
    "address": "address",
    "address_id": "address_id",
    "zipcode": "zipcode",
    "lat": "lat",
    "long": "long",
    "media_url": "media",
}
"""The name of a field in a column map -> its name in SourceRow."""
DATES = ("requested_datetime", "updated_datetime", "closed_datetime", "expected_datetime")
ALWAYS_REQUIRED = ("service_request_id", "requested_datetime")
_ID = "service_request_id"
_LISTS = {"service_code", "media_url"}
_GAP = re.compile(r"\s{2,}")
_COMMA = re.compile(r"\s*[+-]?\d+,\d+\s*", re.ASCII)
_ADDRESSES = re.compile(r"\n|,\s*(?=https?://)")

MAX_PLANS = 4_096
"""The greatest number of cached plans. Each set of columns that are not empty in a row has its own plan."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """Says which column each field is read from. One plan serves all rows in which the same columns are filled.

    columns  fields that are read from one column each
    recipes  fields that are made of several columns
    dates    fields that hold a date
    codes    recipes of the service codes
    media    recipes of the media URLs
    answers  for each attribute, its code and the recipe of its answer
    """

    columns: tuple[tuple[str, str], ...]
    recipes: tuple[tuple[str, Recipe], ...]
    dates: tuple[str, ...]
    codes: tuple[Recipe, ...]
    media: tuple[Recipe, ...]
    answers: tuple[tuple[str, Recipe], ...]


@dataclass(frozen=True, kw_only=True)
class ColumnMap:
    """One publisher's columns, and how its files write values. A map can be pickled for another process.

    name           the first part of a format's name: `newyork` in `newyork-csv`
    columns        name of a field (see `FIELDS`) -> its templates. The first template that gives a text is used;
                   for `service_code` and `media_url`, all are used. For privacy, only the columns that `columns`
                   and `answers` name are read
    answers        attribute code -> the templates of its answer
    required       fields that every file of this publisher has columns for
    signs          columns that a file of this publisher must have too
    blanks         words for an empty value, in addition to `BLANKS`, in lower case
    statuses       the publisher's words for a status, in lower case, -> open or closed
    stand_ins      (lat, long) points that the publisher writes if the place is unknown
    by_name        whether a service is found by its name if the catalogue does not have its code
    spaced_address whether two or more blanks separate the parts of an address
    zipcode_digits number of digits of a zipcode, for leading zeros that a spreadsheet dropped; 0 for any number
    order          the order of day and month in a date such as 3/4/2026
    """

    name: str
    columns: Mapping[str, tuple[Template, ...]]
    answers: Mapping[str, tuple[Template, ...]] = field(default_factory=dict)
    required: tuple[str, ...] = ALWAYS_REQUIRED
    signs: tuple[str, ...] = ()
    blanks: Collection[str] = ()
    statuses: Mapping[str, str] = field(default_factory=dict)
    stand_ins: tuple[tuple[float, float], ...] = ()
    by_name: bool = False
    spaced_address: bool = False
    zipcode_digits: int = 0
    order: Order = Order.MONTH_FIRST

    def __getstate__(self) -> dict[str, Any]:
        return {each.name: getattr(self, each.name) for each in fields_of(self)}

    @cached_property
    def known(self) -> frozenset[str]:
        """All columns that are read."""
        every = chain(*self.columns.values(), *self.answers.values())
        return frozenset(chain.from_iterable(template.names for template in every)) | set(self.signs)

    @cached_property
    def id_columns(self) -> tuple[str, ...]:
        """The columns that may hold the id."""
        return self._names(_ID)

    @cached_property
    def date_columns(self) -> tuple[str, ...]:
        """The columns that may hold a date."""
        return tuple(name for each in DATES if each in self.columns for name in self._names(each))

    def rows(self, found: Iterable[SourceItem]) -> list[SourceRow | Refusal]:
        """The rows with the standard's field names, in the order of the file."""
        return [item if isinstance(item, Refusal) else self._row(*item) for item in found]

    def ids(self, found: Iterable[SourceItem]) -> set[str]:
        """The ids of rows as they will be stored, "" for rows without an id."""
        return {self._id(item[2]) for item in found if not isinstance(item, Refusal)}

    def _id(self, columns: Columns) -> str:
        recipe = _first(self.columns[_ID], {name for name in self.id_columns if columns.get(name)})
        return whole_number(recipe.text(columns).strip()) if recipe else ""

    def has_id(self, names: Collection[str]) -> bool:
        """Whether a file with these column names has a column that this map reads ids from."""
        return any(name in names for name in self.id_columns)

    def fit(self, names: Collection[str]) -> int:
        """How many of a file's columns this map reads; 0 if the file is not this publisher's."""
        if not self.has_id(names) or self.missing(names) or not all(name in names for name in self.signs):
            return 0
        return len(self.known.intersection(names))

    def missing(self, names: Collection[str]) -> list[str]:
        """The required columns that a file with these column names lacks, each by its first possible name."""
        wanted = [self._names(field) for field in self.required]
        return [choices[0] for choices in wanted if not any(name in names for name in choices)]

    def _names(self, field: str) -> tuple[str, ...]:
        return tuple(name for template in self.columns[field] for name in template.names)

    def _row(self, position: int, line: int, columns: Columns) -> SourceRow:
        filled = self._filled_columns(columns)
        names = tuple(filled)
        plan = self._plans.get(names) or self._new_plan(names)
        fields: dict[str, Any] = {name: filled[column] for name, column in plan.columns}
        for name, recipe in plan.recipes:
            fields[name] = recipe.text(filled)
        for name in plan.dates:
            fields[name] = iso_instant(fields[name], self.order)
        codes = fields["service_codes"] = tuple([recipe.text(filled) for recipe in plan.codes])
        fields["by_name"] = self.by_name or not codes
        if plan.media:
            found = [url for recipe in plan.media for url in _urls(recipe.text(filled))]
            fields["media"] = tuple(dict.fromkeys(found))
        if plan.answers:
            fields["answers"] = tuple([(code, recipe.text(filled)) for code, recipe in plan.answers])
        for tidy in self._tidyings:
            tidy(fields)
        return SourceRow(position=position, line=line, **fields)

    def _filled_columns(self, columns: Columns) -> dict[str, str]:
        """The columns that this map reads and that are not empty."""
        blanks, starts, known = self._all_blanks, self._blank_starts, self.known
        return {
            name: text
            for name, text in columns.items()
            if name in known
            and (word := text.strip())
            and (word[0] not in starts or len(word) > MAX_BLANK_CHARACTERS or word.lower() not in blanks)
        }

    @cached_property
    def _all_blanks(self) -> frozenset[str]:
        return BLANKS | frozenset(self.blanks)

    @cached_property
    def _blank_starts(self) -> frozenset[str]:
        """The first letters of all words for an empty value. A word with another first letter is not looked up."""
        return frozenset(letter for word in self._all_blanks if word for letter in (word[0], word[0].upper()))

    @cached_property
    def _plans(self) -> dict[tuple[str, ...], _Plan]:
        return {}

    def _new_plan(self, filled: tuple[str, ...]) -> _Plan:
        present = set(filled)
        one = {
            field: _first(templates, present) for field, templates in self.columns.items() if field not in _LISTS
        }
        found = {FIELDS[field]: recipe for field, recipe in one.items() if recipe is not None}
        plan = _Plan(
            columns=tuple((name, recipe.column) for name, recipe in found.items() if recipe.column),
            recipes=tuple((name, recipe) for name, recipe in found.items() if not recipe.column),
            dates=tuple(FIELDS[field] for field in DATES if FIELDS[field] in found),
            codes=_every(self.columns.get("service_code", ()), present),
            media=_every(self.columns.get("media_url", ()), present),
            answers=tuple(
                (code, recipe)
                for code, templates in self.answers.items()
                if (recipe := _first(templates, present)) is not None
            ),
        )
        if len(self._plans) >= MAX_PLANS:
            self._plans.clear()
        self._plans[filled] = plan
        return plan

    # Some publishers have peculiarities. Each of these functions handles one of them in the fields of a row.

    @cached_property
    def _tidyings(self) -> list[Callable[[dict[str, Any]], None]]:
        wanted: tuple[tuple[object, Callable[[dict[str, Any]], None]], ...] = (
            ("lat" in self.columns, _decimal_comma_to_dot),
            (self.stand_ins, self._leave_out_stand_ins),
            (self.spaced_address, _commas_for_gaps),
            (self.zipcode_digits, self._restore_zeros),
            (self.statuses, self._translate_status),
        )
        return [tidy for is_wanted, tidy in wanted if is_wanted]

    def _leave_out_stand_ins(self, fields: dict[str, Any]) -> None:
        try:
            point = float(fields.get("lat", "")), float(fields.get("long", ""))
        except ValueError:
            return
        if point in self.stand_ins:
            fields |= {"lat": "", "long": "", "mended": (Mending.STAND_IN_POINT,)}

    def _restore_zeros(self, fields: dict[str, Any]) -> None:
        digits = whole_number(fields.get("zipcode", "").strip())
        if digits.isdecimal() and len(digits) < self.zipcode_digits:
            fields["zipcode"] = digits.zfill(self.zipcode_digits)
            fields["mended"] = (*fields.get("mended", ()), Mending.SHORT_ZIPCODE)

    def _translate_status(self, fields: dict[str, Any]) -> None:
        word = fields.get("status", "")
        status = self.statuses.get(word.strip().lower())
        if status:
            fields["detailed_status"] = fields.get("detailed_status") or word
            fields["status"] = status


def _first(templates: Iterable[Template], present: Collection[str]) -> Recipe | None:
    return next(iter(_every(templates, present)), None)


def _every(templates: Iterable[Template], present: Collection[str]) -> tuple[Recipe, ...]:
    return tuple(recipe for template in templates if (recipe := template.recipe(present)) is not None)


def _decimal_comma_to_dot(fields: dict[str, Any]) -> None:
    """Read 40,7 as 40.7. The comma cannot separate thousands, because no coordinate has so many degrees."""
    for name in ("lat", "long"):
        text = fields.get(name, "")
        if "," in text and _COMMA.fullmatch(text):
            fields[name] = text.replace(",", ".")


def _commas_for_gaps(fields: dict[str, Any]) -> None:
    if "address" in fields:
        fields["address"] = ", ".join(filter(None, _GAP.split(fields["address"].strip())))


def _urls(text: str) -> list[str]:
    """The URLs in a text: one on each line, or separated by commas as in Mark-a-Spot (A17)."""
    return [part.strip() for part in _ADDRESSES.split(text) if part.strip()]
