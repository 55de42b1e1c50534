"""Collections and lines of a city's days: the file `days.toml`. A file with a fault is left out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from importlib.resources.abc import Traversable
from typing import Any

from marshmallow import ValidationError, validates_schema

from open311.domain.collection_days import Break, Collection, DayBook, Line, Round, Shift
from open311.plugins.declared.articles import Words
from open311.plugins.declared.files import File
from open311.plugins.declared.keys import ByCode, Choice, Flag, Number, Table, Tables, Text, Texts, cut
from open311.plugins.declared.times import Days, OneDay, Weekdays
from open311.plugins.interface import Jurisdiction

DAYS_FILE = "days.toml"
_CODE = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
MOST_WEEKS = 52
FARTHEST_MOVE = timedelta(days=183)
"""How far an exception may move a collection. With a mistyped year, it would be moved farther."""


class Code(Text):
    """A short name."""

    def deserialize(self, value: Any, attr: str | None = None, data: Any = None, **kwargs: Any) -> Any:
        """The name, if it can be part of an id."""
        text = super().deserialize(value, attr, data, **kwargs)
        if not _CODE.fullmatch(text):
            raise ValidationError(f"must have a-z, 0-9 and hyphens only, not {cut(text)!r}.")
        return text


class DayOrNone(Text):
    """A day, or none."""

    kind = 'a day such as "2026-12-24", or ""'

    def deserialize(self, value: Any, attr: str | None = None, data: Any = None, **kwargs: Any) -> Any:
        """The day as a text."""
        if type(value) is date:
            return value.isoformat()
        if value == "":
            return ""
        return OneDay().deserialize(value, attr, data, **kwargs).isoformat()


class RoundTable(Table):
    """When a collection comes to some zones."""

    makes, header, noun = Round, "[[collections.rounds]]", "round"

    zones = Texts("Names of features in `areas.geojson`; without them, it comes to the whole city", default=())
    except_zones = Texts("Zones to which a round of the whole city does not come", default=())
    weekdays = Weekdays('The days of the week, such as `"mon"` or `["tue", "fri"]`')
    first = OneDay("A day of the first week in which it comes; it does not come before this day")
    every_weeks = Number(
        "`1`: each week; `2`: each second week, counted from the week of `first`",
        least=1,
        most=MOST_WEEKS,
        default=1,
    )
    last = OneDay("The last usual day", default=None, unset="it does not end")
    shift = Choice(Shift, "What a holiday does, see below", default=Shift.NONE)
    holidays = Days(
        'The days that count: `"2026-12-25"`, or `"12-25"` for every year',
        default=(),
        unset="those of `[calendar]`",
    )
    never = Weekdays("Days of the week to which nothing is moved", default=(6,), unset='`"sun"`')
    moved = ByCode(
        DayOrNone(), '`"usual day" = "actual day"` for single exceptions; `""` if the collection does not come'
    )

    def _load_fast(self, table: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        raise KeyError("weekdays")  # the caller then uses `load`, because only `load` runs `_check`

    @validates_schema
    def _check(self, table: dict[str, Any], **_: object) -> None:
        if len(table["never"]) > 6:
            raise ValidationError({"never": ["must leave a day of the week."]})
        if table["last"] is not None and table["last"] < table["first"]:
            raise ValidationError({"last": ["must not be before first."]})
        for day, actual in table["moved"].items():
            try:
                usual = date.fromisoformat(day)
            except ValueError:
                raise ValidationError(
                    {"moved": [f'must have days such as "2026-12-24", not {cut(day)!r}.']}
                ) from None
            if actual and abs(date.fromisoformat(actual) - usual) > FARTHEST_MOVE:
                raise ValidationError({"moved": [f"moves {day} by more than half a year; check the year."]})


class CollectionTable(Table):
    """Something that the city collects."""

    makes, header, noun = Collection, "[[collections]]", "collection"

    code = Code("Your short name, which never changes, because calendars of residents recognise events by it")
    name = Words("What people read, such as `Household waste`")
    note = Text("What to put out, and how", default="")
    rounds = Tables(RoundTable(), "When it comes, see below")


class BreakTable(Table):
    """Days on which a line has another text."""

    makes, header, noun = Break, "[[lines.breaks]]", "break"

    first = OneDay("The first day")
    last = OneDay("The last day")
    text = Text("The text on these days", default="", unset="`otherwise` of the line")


class LineTable(Table):
    """A line that each day has, such as whether schools are open."""

    makes, header, noun = Line, "[[lines]]", "line"

    code = Code("Your short name")
    name = Words("What it is about, such as `Schools`")
    usual = Words("The text of a usual day, such as `Schools are open.`")
    otherwise = Words("The text of a holiday or of a break")
    weekdays = Weekdays("The days of the week that have the line", default=(), unset="each day")
    on_holidays = Flag("Whether a holiday is like any other day", default=False)
    breaks = Tables(BreakTable(), "Days with another text, see below")


class DaysTable(Table):
    """The file `days.toml`."""

    makes, header = DayBook, DAYS_FILE

    collections = Tables(CollectionTable(), "What the city collects, see below")
    lines = Tables(LineTable(), "The topics about which each day has a line, see below")


DAYS = DaysTable()


def with_days(city: Jurisdiction, folder: Traversable) -> Jurisdiction:
    """The city with the days of its folder. If the file has faults, they are added to `left_out`."""
    path, left_out = folder / DAYS_FILE, list[str]()
    if not path.is_file():
        return city
    file = File(path, f"{folder.name}/{DAYS_FILE}", left_out)
    book = file.toml_with_lines(DAYS)
    for fault in _misfits(city, book) if book is not None else ():
        file.report(fault)
    if left_out:
        return replace(city, left_out=(*city.left_out, *left_out))
    return replace(city, days=book)


def _misfits(city: Jurisdiction, book: DayBook) -> Iterator[str]:
    """What does not fit the other files of the city."""
    codes = [one.code for one in book.collections] + [one.code for one in book.lines]
    for code in sorted({code for code in codes if codes.count(code) > 1}):
        yield f"the code {code} is there {codes.count(code)} times; change all but one."
    for collection in book.collections:
        where = f"collection {collection.code}:"
        if not collection.rounds:
            yield f"{where} needs rounds; write [[collections.rounds]]."
        for one in collection.rounds:
            if one.zones and one.except_zones:
                yield f"{where} zones and except_zones exclude each other; write one of them."
            for zone in (*one.zones, *one.except_zones):
                if zone not in city.areas:
                    yield f"{where} the zone {cut(zone)!r} is no feature of areas.geojson."
            if one.shift is not Shift.NONE and not one.holidays and city.calendar is None:
                yield f"{where} a shift needs holidays, or a [calendar] in jurisdiction.toml."
    for line in book.lines:
        for pause in line.breaks:
            if pause.last < pause.first:
                yield f"line {line.code}: a break ends on {pause.last}, before it begins; correct first or last."
