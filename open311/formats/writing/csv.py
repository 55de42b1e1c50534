"""CSV for spreadsheets (RFC 4180), with a header and CRLF. Text that looks like a formula gets an apostrophe."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from io import StringIO
from typing import Any

import orjson

from open311.formats.markup import decimal
from open311.formats.shapes import shape_of
from schemas.georeport import ExtrasSchema, ServiceRequestSchema

LINE_END = "\r\n"
_REQUEST = shape_of(ServiceRequestSchema)
_EXTRAS = {column.name: column for column in shape_of(ExtrasSchema).columns}
# Matches texts that a spreadsheet may run as a formula, also with a full-width sign (OWASP, "CSV Injection"). It
# matches apostrophes before the sign too. So `unguarded` can remove one apostrophe from each match.
_FORMULA = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")
_SUSPECTS = frozenset("'=+-@\t\r\n＝＋－＠")


def csv_columns(extensions: Iterable[str] = (), *, with_distance: bool = False) -> tuple[str, ...]:
    """The header: the standard's fields, then the extensions. A field of an object becomes `object.field`."""
    names = [column.name for column in _REQUEST.columns]
    for extension in extensions:
        body = _EXTRAS[extension].body
        names += [f"{extension}.{column.name}" for column in body.columns] if body else [extension]
    return (*names, "distance") if with_distance else tuple(names)


class CsvWriter:
    """A table of requests. Text that looks like a formula gets an apostrophe before it."""

    def __init__(self, columns: Sequence[str]) -> None:
        self._columns = columns
        self._bodies = dict.fromkeys(column.partition(".")[0] for column in columns if "." in column)

    def begin(self) -> bytes:
        """The header."""
        return csv_lines([self._columns])

    def more(self, items: Sequence[bytes]) -> bytes:
        """The next rows."""
        return csv_lines(self._row(orjson.loads(item)) for item in items)

    def end(self) -> bytes:
        """A CSV file has no end mark."""
        return b""

    def _row(self, item: dict[str, Any]) -> list[str]:
        for name in self._bodies:
            item |= {f"{name}.{inner}": value for inner, value in (item.get(name) or {}).items()}
        return [harmless(item.get(column)) for column in self._columns]


def csv_lines(rows: Iterable[Iterable[str]]) -> bytes:
    """Rows of text as CSV (RFC 4180)."""
    buffer = StringIO(newline="")
    csv.writer(buffer, lineterminator=LINE_END).writerows(rows)
    return buffer.getvalue().encode()


def cell(value: Any) -> str:
    """A value as text: "" for None, a plain decimal for a number, JSON for a list."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, float):
        return decimal(value)
    return orjson.dumps(value).decode()


def harmless(value: Any) -> str:
    """A value as text that no spreadsheet runs as a formula. Numbers are unchanged, also negative numbers."""
    if not isinstance(value, str):
        return cell(value)
    return f"'{value}" if value[:1] in _SUSPECTS and _FORMULA.match(value) else value


def unguarded(text: str) -> str:
    """The original text, before `harmless` changed it."""
    return text[1:] if text[:1] == "'" and _FORMULA.match(text) else text
