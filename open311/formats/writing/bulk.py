"""GeoReport Bulk v1: 14 fields in CSV, JSON and XML. Only the closing time has another name in CSV (B3)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

import orjson

from open311.formats.documents import DECLARATION, JSON, XML, Format, xml_item
from open311.formats.shapes import shape_of
from open311.formats.writing.csv import LINE_END, cell, csv_lines
from open311.formats.writing.writer import Writer
from schemas.bulk import BulkRequestSchema

_SHAPE = shape_of(BulkRequestSchema)
_NAMES = [column.name for column in _SHAPE.columns]
COLUMNS = tuple("closed_date" if name == "closed_datetime" else name for name in _NAMES)
"""The header of the CSV. The specification has closed_date in its table, and closed_datetime in JSON and XML."""
_SPECIAL = re.compile('[",\r\n]')
_COMMAS = len(COLUMNS) - 1
_END = LINE_END.encode()


class BulkFormat(StrEnum):
    """The three formats of GeoReport Bulk, by their suffix."""

    CSV = "csv"
    JSON = "json"
    XML = "xml"

    @property
    def media_type(self) -> str:
        """The value of Content-Type."""
        return _MEDIA_TYPES[self]

    @property
    def error_format(self) -> Format:
        """The format of errors, which are a list as in the standard. Errors of CSV and JSON are JSON."""
        return XML if self is BulkFormat.XML else JSON


_MEDIA_TYPES = {
    BulkFormat.CSV: "text/csv; charset=utf-8; header=present",
    BulkFormat.JSON: "application/json; charset=utf-8",
    BulkFormat.XML: "text/xml; charset=utf-8",
}


def bulk_writer(output: BulkFormat) -> Writer:
    """A new writer for one file."""
    writers: dict[BulkFormat, type[Writer]] = {
        BulkFormat.CSV: BulkCsvWriter,
        BulkFormat.JSON: BulkJsonWriter,
        BulkFormat.XML: BulkXmlWriter,
    }
    return writers[output]()


def bulk_fields(item: bytes) -> dict[str, Any]:
    """The fields of GeoReport Bulk, from the JSON text of a request with extended_attributes."""
    request: dict[str, Any] = orjson.loads(item)
    return _fields(request, request.get("extended_attributes") or {})


def bulk_csv_line(request: Mapping[str, Any], extended: Mapping[str, Any]) -> str:
    """A request's line in the CSV, without the line end. It is rendered when the request changes.

    extended  the request's extended_attributes
    """
    cells = [value if type(value) is str else cell(value) for value in _fields(request, extended).values()]
    line = ",".join(cells)
    if '"' in line or "\n" in line or "\r" in line:
        return ",".join(map(_quoted, cells))
    if line.count(",") == _COMMAS:
        return line  # no cell needs quotes
    return ",".join([f'"{text}"' if "," in text else text for text in cells])


def _quoted(text: str) -> str:
    """A cell as the csv module writes it. For one line, this function takes 1/3 of the csv module's time."""
    return '"' + text.replace('"', '""') + '"' if _SPECIAL.search(text) else text


def _fields(request: Mapping[str, Any], extended: Mapping[str, Any]) -> dict[str, Any]:
    """The fields in the order of the specification. service_subtype is always empty (B5)."""
    fields = {name: request.get(name) for name in _NAMES}
    fields["closed_datetime"] = extended.get("closed_datetime")
    fields["status_description"] = _one_word(extended.get("detailed_status")) or request["status"].capitalize()
    fields["source"] = extended.get("channel")
    return fields


def _one_word(text: str | None) -> str:
    return text if text and text.split() == [text] else ""


class BulkCsvWriter:
    """CSV for programs. Texts are unchanged, even if a spreadsheet would run them as formulas (B2).

    The items are the lines that `bulk_csv_line` makes.
    """

    def begin(self) -> bytes:
        """The header."""
        return csv_lines([COLUMNS])

    def more(self, items: Sequence[bytes]) -> bytes:
        """The next rows."""
        return _END.join([*items, b""])

    def end(self) -> bytes:
        """A CSV file has no end mark."""
        return b""


class BulkJsonWriter:
    """A JSON list."""

    def __init__(self) -> None:
        self._separator = b""

    def begin(self) -> bytes:
        """The start of the list."""
        return b"["

    def more(self, items: Sequence[bytes]) -> bytes:
        """The next items."""
        if not items:
            return b""
        chunk = self._separator + orjson.dumps([bulk_fields(item) for item in items])[1:-1]
        self._separator = b","
        return chunk

    def end(self) -> bytes:
        """The end of the list."""
        return b"]"


class BulkXmlWriter:
    """XML in the style of GeoReport v2."""

    def begin(self) -> bytes:
        """The XML declaration and the start tag of the root."""
        return f"{DECLARATION}<{_SHAPE.root}>".encode()

    def more(self, items: Sequence[bytes]) -> bytes:
        """The next elements."""
        return "".join(xml_item(_SHAPE, bulk_fields(item)) for item in items).encode()

    def end(self) -> bytes:
        """The end tag of the root."""
        return f"</{_SHAPE.root}>".encode()
