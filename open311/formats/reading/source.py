"""Recognise a file of requests by its content, and read it row by row."""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from typing import TYPE_CHECKING, BinaryIO, cast

from open311.domain.imports import Refusal
from open311.errors import Invalid
from open311.formats.reading.columns import ColumnMap, SourceItem
from open311.formats.reading.dates import Order, Shown, order_shown
from open311.formats.reading.elements import read_elements
from open311.formats.reading.maps import shipped_maps
from open311.formats.reading.objects import read_objects
from open311.formats.reading.tables import Table

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

KINDS = ("csv", "json", "xml")
SAMPLE_ROWS = 1_000
"""The number of rows examined before reading. They show which columns there are and how dates are written."""
MOST_SAMPLE_ROWS = 20_000
"""The greatest number of rows examined, if the dates so far fit both orders of day and month."""
_READ_BYTES = 65_536
_CURE = "If that is wrong, set `dates` in a column map and give it by --columns."
_GZIP = b"\x1f\x8b"
_FOREIGN = {
    _GZIP: "compressed by gzip twice; unpack it once",
    b"PK\x03\x04": "a zip file or a spreadsheet; unpack it, or save it as CSV",
    b"\xd0\xcf\x11\xe0": "an old spreadsheet; save it as CSV",
    b"BZh": "compressed by bzip2; unpack it first",
    b"\x28\xb5\x2f\xfd": "compressed by zstd; unpack it first",
    b"\xfd7zXZ": "compressed by xz; unpack it first",
    b"PAR1": "Parquet; save it as CSV",
    b"%PDF": "a PDF",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A file that has been recognised.

    format      the name of its column map and its kind: `newyork-csv`
    column_map  its column map, with the order of dates that the file itself shows
    found       its rows in the file's order, read on demand. Raises Invalid at a row after which nothing can be
                read
    count       the number of rows, if it is known beforehand
    notes       sentences about the whole file for the person who imports it; the subject of each is the file
    unread      columns that are not read. The set grows while rows of JSON or XML are read
    """

    format: str
    column_map: ColumnMap
    found: Iterator[SourceItem]
    count: int | None = None
    notes: tuple[str, ...] = ()
    unread: set[str] = field(default_factory=set)


class _Lent(io.RawIOBase):
    """The caller's stream, which stays open when a wrapper around it is closed."""

    def __init__(self, stream: BinaryIO) -> None:
        self._read = getattr(stream, "read1", stream.read)  # returns what a pipe has, without waiting for more

    def readable(self) -> bool:
        """Always true."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Read into `buffer`. Returns the number of bytes, 0 at the end. Raises Invalid if the gzip is damaged."""
        view = memoryview(buffer)
        try:
            found: ReadableBuffer = self._read(len(view))
        except (EOFError, gzip.BadGzipFile, zlib.error):
            raise Invalid("is compressed by gzip and damaged, or not whole; fetch it again.") from None
        size = len(memoryview(found))
        view[:size] = memoryview(found)
        return size


def open_source(stream: BinaryIO, known: Sequence[ColumnMap] | None = None, *, wanted: str = "") -> Source:
    """The requests in a stream. The stream is read from its current position and not closed. gzip is unpacked.

    known   the column maps that the file may fit, the best first; None for the server's own column maps
    wanted  the file's format, such as `newyork-csv`, or its kind, such as `csv`; "" to recognise it by the content
    Raises Invalid if the file fits no map, or not the wanted map. The error names the columns that are missing.
    """
    maps = shipped_maps() if known is None else known
    buffered = io.BufferedReader(_Lent(stream), _READ_BYTES)
    if buffered.peek().startswith(_GZIP):
        unpacked = gzip.GzipFile(fileobj=buffered)
        buffered = io.BufferedReader(_Lent(cast("BinaryIO", unpacked)), _READ_BYTES)
    head = buffered.peek()
    _refuse_foreign(head)
    name, _, kind = wanted.rpartition("-")
    choice = [each for each in maps if each.name == name or not name]
    if not choice or kind not in ("", *KINDS):
        formats = ", ".join(f"{each.name}-{kind}" for each in maps for kind in KINDS)
        raise Invalid(f"cannot be read as {wanted}; choose from {formats}.")
    kind = kind or _kind_of(head)
    if kind == "xml":
        return _xml(buffered, choice)
    return _json(buffered, choice) if kind == "json" else _csv(buffered, head, choice)


def _refuse_foreign(head: bytes) -> None:
    for mark, what in _FOREIGN.items():
        if head.startswith(mark):
            raise Invalid(f"is {what}.")


def _kind_of(head: bytes) -> str:
    """json, xml or csv, recognised by the first character. An empty file counts as JSON."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        text = head[: len(head) & ~1].decode("utf-16", "replace")
    else:
        text = head.removeprefix(codecs.BOM_UTF8).decode("latin-1")
    start = text.lstrip()
    if start.startswith("<"):
        return "xml"
    return "json" if start[:1] in ("", "[", "{") or start.split(maxsplit=1)[0] == "null" else "csv"


def _xml(stream: BinaryIO, maps: Sequence[ColumnMap]) -> Source:
    found = ((position, 0, columns) for position, columns in enumerate(read_elements(stream), start=1))
    return _source("xml", found, maps)


def _json(stream: BinaryIO, maps: Sequence[ColumnMap]) -> Source:
    objects = read_objects(stream, {name for each in maps for name in each.id_columns})
    return _source("json", objects.found, maps, count=objects.count, notes=objects.notes)


def _csv(stream: BinaryIO, head: bytes, maps: Sequence[ColumnMap]) -> Source:
    table = Table(stream, head)
    column_map = _best(table.names, maps)
    twice = sorted({name for name in column_map.known if table.names.count(name) > 1})
    notes = tuple(f"has more than one column {name}; the last of them is read." for name in twice)
    source = _source("csv", table.rows(column_map.known), [column_map], names=table.names, notes=notes)
    source.unread.update(name for name in table.names if name and name not in column_map.known)
    return source


def _source(
    kind: str,
    found: Iterator[SourceItem],
    maps: Sequence[ColumnMap],
    *,
    names: Sequence[str] = (),
    count: int | None = None,
    notes: tuple[str, ...] = (),
) -> Source:
    """Make the Source with these rows, after examining the first of them."""
    sample = _Sample(found)
    names = names or list(dict.fromkeys(chain.from_iterable(sample.columns())))
    # A request in XML omits the elements of empty fields. So the first requests may not show all elements.
    is_known = bool(names) and (kind != "xml" or any(each.fit(names) for each in maps))
    column_map = _best(names, maps) if is_known else maps[-1]
    order, more = sample.order(column_map)
    unread: set[str] = set()
    rows = sample.rows() if kind == "csv" else _noting_unread(sample.rows(), column_map, unread)
    return Source(
        format=f"{column_map.name}-{kind}",
        column_map=replace(column_map, order=order),
        found=rows,
        count=count,
        notes=(*notes, *more),
        unread=unread,
    )


def _noting_unread(rows: Iterator[SourceItem], column_map: ColumnMap, unread: set[str]) -> Iterator[SourceItem]:
    """Pass the rows on, and add the names of columns that are not read to `unread`."""
    known = column_map.known
    for row in rows:
        if not isinstance(row, Refusal):
            unread.update(row[2].keys() - known)
        yield row


class _Sample:
    """The first rows of a file, which are examined before the caller gets them."""

    def __init__(self, found: Iterator[SourceItem]) -> None:
        self._found = found
        self._head: list[SourceItem] = []
        self._fault: Invalid | None = None
        self._extend(SAMPLE_ROWS)

    def _extend(self, count: int) -> bool:
        """Examine up to `count` more rows. Returns False if there was no further row."""
        before = len(self._head)
        try:
            self._head.extend(islice(self._found, count))
        except Invalid as error:
            self._fault = error
        return len(self._head) > before

    def columns(self) -> Iterator[list[str]]:
        """The names of each row's columns."""
        return (list(item[2]) for item in self._head[:SAMPLE_ROWS] if not isinstance(item, Refusal))

    def rows(self) -> Iterator[SourceItem]:
        """All rows of the file, including the rows that were examined."""
        yield from self._head
        self._head.clear()
        if self._fault is not None:
            raise self._fault
        yield from self._found

    def order(self, column_map: ColumnMap) -> tuple[Order, tuple[str, ...]]:
        """The order of day and month in the file's dates, and notes for the person who imports the file."""
        shown: Counter[Shown] = Counter()
        examples: dict[Shown, str] = {}
        begin = 0
        while begin < len(self._head):
            for text in self._dates(column_map, begin):
                kind = order_shown(text)
                shown[kind] += 1
                examples.setdefault(kind, text)
            begin = len(self._head)
            is_open = (shown[Shown.EITHER] or shown[Shown.SHORT_YEAR]) and not _decided(shown)
            if not is_open or begin >= MOST_SAMPLE_ROWS or self._fault or not self._extend(SAMPLE_ROWS):
                break
        return _judge(column_map, shown, examples)

    def _dates(self, column_map: ColumnMap, begin: int) -> Iterator[str]:
        """The dates in the rows from `begin` on that are perhaps not in the form of ISO 8601."""
        for item in islice(self._head, begin, None):
            if not isinstance(item, Refusal):
                for name in column_map.date_columns:
                    text = item[2].get(name, "")
                    if text and text[4:5] != "-":
                        yield text


def _decided(shown: Counter[Shown]) -> bool:
    return bool(shown[Shown.MONTH_FIRST] or shown[Shown.DAY_FIRST])


def _judge(
    column_map: ColumnMap, shown: Counter[Shown], examples: dict[Shown, str]
) -> tuple[Order, tuple[str, ...]]:
    """The order that the dates show, and notes. If the dates show no order or both, the order is the map's order.

    If some dates can be misread, a note says how they are read.
    """
    notes = []
    order = column_map.order
    declared = f"read with the {order}, as the column map {column_map.name} declares"
    either, short = examples.get(Shown.EITHER, ""), examples.get(Shown.SHORT_YEAR, "")
    if shown[Shown.MONTH_FIRST] and shown[Shown.DAY_FIRST]:
        both = f"{examples[Shown.MONTH_FIRST]!r} and {examples[Shown.DAY_FIRST]!r}"
        notes.append(
            f"has dates in both orders, {both}; they are {declared}, and those that do not fit are not read."
        )
    elif _decided(shown):
        order = Order.MONTH_FIRST if shown[Shown.MONTH_FIRST] else Order.DAY_FIRST
    elif either:
        notes.append(f"has dates such as {either!r}, which fit both orders; they are {declared}. {_CURE}")
    if short:
        notes.append(f"has dates such as {short!r}; they are read with the {order} and the year last. {_CURE}")
    return order, tuple(notes)


def _best(names: Sequence[str], maps: Sequence[ColumnMap]) -> ColumnMap:
    """The map that reads most of a file's columns. Raises Invalid with the missing columns if none fits."""
    fits = [each.fit(names) for each in maps]
    if any(fits):
        return maps[fits.index(max(fits))]
    near = [each for each in reversed(maps) if each.has_id(names) or len(maps) == 1]
    if not near:
        known = ", ".join(each.name for each in maps)
        cure = "write one (jurisdictions/README.md) and give it by --columns"
        raise Invalid(f"fits none of the column maps {known}; its columns are {_some(names)}; {cure}.")
    raise Invalid(_lacks(max(near, key=lambda each: len(each.known.intersection(names))), names))


def _lacks(column_map: ColumnMap, names: Sequence[str]) -> str:
    missing = column_map.missing(names) or [name for name in column_map.signs if name not in names]
    columns = "the column" if len(missing) == 1 else "the columns"
    return f"lacks {columns} {', '.join(missing)} of {column_map.name} data; its columns are {_some(names)}."


def _some(names: Sequence[str]) -> str:
    return ", ".join(name[:40] for name in names[:8]) + (", …" if len(names) > 8 else "")
