"""Files of updates. Another program puts them into a folder, and may add rows to them.

The cursor says for each file how far it has been read, with a checksum of the bytes before that place. If a file is
replaced by another one of the same name, it is read from its beginning. The server has stored a page when it asks
for the next one. So a file that was read is moved away only then; a file that cannot be read is moved at once.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import accumulate, islice
from pathlib import Path

from open311.domain.case import RemoteUpdate
from open311.plugins.backends import Page
from open311.plugins.context import Context
from open311.plugins.documents import read_update

ROWS = 200
"""The most updates of a page."""
MOST_BYTES = 32 * 2**20
MOST_ROW_BYTES = 2**18
"""The most bytes of a row that has several lines. So a quote that does not close costs little time."""
SETTLED_S = 60
"""After this time without a change of its file, a last line without a line end is complete."""
NEEDED = frozenset({"status", "description"})
NAMES = frozenset({"service_request_id", "reference"})
REFUSED = -1
"""The offset of a file that cannot be read. The file is tried again when it has changed."""
_CHECKED = 256
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_END = "\x1eend of file"
"""The parser gets this text after the last line. A row that contains it is not complete."""
_LONG = f"a cell has more than {csv.field_size_limit()} characters, or the row has too many"
_OPEN = "it has a quote that does not close; the lines after it are read as rows"


@dataclass(frozen=True, slots=True)
class Place:
    """How far a file has been read: the offset of the next row, and a checksum of what is before it."""

    offset: int = 0
    check: int = 0


class Drops:
    """The files of updates in one folder.

    moves  whether a file that has been read goes to `done/`, or to `refused/` if it is no file of updates
    """

    def __init__(self, folder: Path, context: Context, *, moves: bool) -> None:
        self._folder, self._context, self._moves = folder, context, moves

    def page(self, cursor: str) -> Page:
        """The next updates. Raises OSError if the folder cannot be read."""
        known, after, updates = _read_cursor(cursor), dict[str, Place](), list[RemoteUpdate]()
        for path in self._files():
            place = known.get(path.name, Place())
            if len(updates) < ROWS:
                try:
                    found, end = self._read(path, place, ROWS - len(updates))
                except OSError as error:
                    self._context.log.error("a file of updates cannot be read", file=path.name, why=error.strerror)
                    found, end = [], place
                updates += found
                if self._has_left(path, place, end):
                    continue
                place = end
            after[path.name] = place
        return Page(updates, _write_cursor(after), is_more=len(updates) >= ROWS)

    def _files(self) -> list[Path]:
        """The files in the order of their names, without hidden ones."""
        with os.scandir(self._folder) as entries:
            found = [Path(entry.path) for entry in entries if _is_drop(entry)]
        return sorted(found, key=lambda path: path.name)

    def _read(self, path: Path, place: Place, most: int) -> tuple[list[RemoteUpdate], Place]:
        """Some updates after a place, and the place after them. Raises OSError."""
        refused = Place(REFUSED, _mark(path))
        if place == refused:
            return [], place
        try:
            return _updates(_content(path), place, most, is_settled=self._is_settled(path), file=path.name)
        except (csv.Error, ValueError) as error:
            self._context.log.error("a file of updates is not read", file=path.name, why=str(error))
            return [], refused

    def _is_settled(self, path: Path) -> bool:
        return self._context.now().timestamp() - path.stat().st_mtime > SETTLED_S

    def _has_left(self, path: Path, before: Place, end: Place) -> bool:
        """Whether a file has been moved away: it is refused, or the server has stored all that is in it."""
        if not self._moves:
            return False
        try:
            if end.offset == REFUSED:
                return _moved(path, "refused")
            is_stored = before == end and end.offset >= path.stat().st_size > 0
            return is_stored and self._is_settled(path) and _moved(path, "done")
        except OSError as error:
            self._context.log.error("a file of updates cannot be moved", file=path.name, why=error.strerror)
            return False


def _moved(path: Path, folder: str) -> bool:
    target = path.parent / folder
    target.mkdir(exist_ok=True)
    name = path.name
    while (target / name).exists():
        name = f"{hashlib.sha256(name.encode()).hexdigest()[:8]}-{path.name}"
    path.rename(target / name)
    return True


def _content(path: Path) -> bytes:
    """The bytes of a file. Raises ValueError if there are too many."""
    if path.stat().st_size > MOST_BYTES:
        raise ValueError(f"it has more than {MOST_BYTES} bytes")
    return path.read_bytes()


def _mark(path: Path) -> int:
    stat = path.stat()
    return zlib.crc32(f"{stat.st_size} {stat.st_mtime_ns}".encode())


def _updates(
    content: bytes, place: Place, most: int, *, is_settled: bool, file: str
) -> tuple[list[RemoteUpdate], Place]:
    """Some updates of a file after a place, and the place after them. Raises csv.Error or ValueError."""
    is_known = 0 <= place.offset <= len(content) and _check(content, place.offset) == place.check
    start = place.offset if is_known else 0
    if start == len(content):
        return [], Place(start, _check(content, start))
    header = _header(content, is_settled=is_settled)
    if header is None:
        return [], Place()
    later = _rows(content, max(start, header.end), header, is_settled=is_settled)
    taken = list(islice(later, most))
    end = taken[-1].end if taken else max(start, header.end)
    found = [_update(header.names, row, file) for row in taken if any(map(str.strip, row.cells))]
    return found, Place(end, _check(content, end))


@dataclass(frozen=True, slots=True)
class Header:
    """The names of the columns, the character between the cells, and the offset after the first line."""

    names: list[str]
    delimiter: str
    end: int


def _header(content: bytes, *, is_settled: bool) -> Header | None:
    """The first line; None if it is not complete yet. Raises ValueError if it is not the header of updates.

    A byte order mark and `;` between the cells are read too.
    """
    line = next(iter(content.removeprefix(_BYTE_ORDER_MARK).splitlines(keepends=True)), b"")
    if not line.endswith(b"\n") and not is_settled:
        return None
    mark = len(_BYTE_ORDER_MARK) if content.startswith(_BYTE_ORDER_MARK) else 0
    text = _decoded(line)
    delimiter = ";" if text.count(";") > text.count(",") else ","
    cells = next(csv.reader([text], delimiter=delimiter, strict=True), [])
    names = [name.strip().lower() for name in cells]
    if not frozenset(names) >= NEEDED or not NAMES & frozenset(names):
        raise ValueError(
            "its first line must name the columns status, description, and service_request_id or reference"
        )
    return Header(names, delimiter, mark + len(line))


@dataclass(frozen=True, slots=True)
class Row:
    """A row of CSV, and the offset of the byte after it.

    fault  why it is no CSV; then its only cell is its first line. "" for a sound row
    """

    cells: list[str]
    end: int
    fault: str = ""


class _Feed:
    """Lines for a CSV parser, beginning with one of them. `_END` follows the last line.

    next  the index of the line that follows
    left  how many bytes the parser may still take for the present row; the caller sets it for each row
    Raises csv.Error if a row takes more.
    """

    def __init__(self, lines: list[bytes], begin: int) -> None:
        self._lines, self.next, self.left = lines, begin, MOST_ROW_BYTES

    def __iter__(self) -> Iterator[str]:
        lines = self._lines
        while self.next < len(lines) - 1:
            if self.left < 0:
                raise csv.Error("the row is above the limit")
            line = lines[self.next]
            self.next += 1
            self.left -= len(line)
            yield _decoded(line)
        last = "".join(map(_decoded, lines[self.next :]))
        self.next = len(lines)
        if last.endswith("\n"):
            yield last
            yield _END
        else:
            yield last.rstrip("\r") + _END  # "\n" may follow "\r" later


def _rows(content: bytes, begin: int, header: Header, *, is_settled: bool) -> Iterator[Row]:
    """The complete rows from an offset on. After a row that is no CSV, its next line is the next row.

    is_settled  whether a last row without its end is complete
    """
    lines = content[begin:].splitlines(keepends=True)
    ends = list(accumulate(map(len, lines), initial=begin))
    feed = _Feed(lines, 0)
    reader = csv.reader(feed, delimiter=header.delimiter)
    while (first := feed.next) < len(lines):
        feed.left = MOST_ROW_BYTES
        try:
            cells, fault = next(reader, [_END]), ""
        except csv.Error as error:
            cells, fault = [], _LONG if "limit" in str(error) else f"it is no CSV: {error}"
        is_cut = cells[-1].endswith(_END) if cells else feed.next == len(lines) and not lines[-1].endswith(b"\n")
        if (is_cut and not is_settled) or cells == [_END]:
            return
        record = lines[first : feed.next]
        if (len(record) > 1 and (fault or len(cells) > len(header.names))) or _is_open(record, header):
            fault = _OPEN
        if fault:
            yield Row([_decoded(record[0])], ends[first + 1], fault)
            feed = _Feed(lines, first + 1)
            reader = csv.reader(feed, delimiter=header.delimiter)
        else:
            yield Row([cell.removesuffix(_END) for cell in cells], ends[feed.next])


def _is_open(record: list[bytes], header: Header) -> bool:
    """Whether a quote does not close, or closes in a later line and not at the end of a cell."""
    try:
        list(csv.reader(map(_decoded, record), delimiter=header.delimiter, strict=True))
    except csv.Error as error:
        return len(record) > 1 or "unexpected end" in str(error)
    return False


def _decoded(line: bytes) -> str:
    """The text of a line in UTF-8, or else in the encoding of Windows in western Europe (Windows-1252)."""
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return line.decode("cp1252", "replace")


def _update(names: list[str], row: Row, file: str) -> RemoteUpdate:
    """The update of a row. A row without an id gets one from file, place and content: the same at each reading."""
    digest = hashlib.sha256("\x1f".join([file, str(row.end), *row.cells]).encode("utf-8", "replace")).hexdigest()
    record: Mapping[str, str] = dict(zip(names, row.cells, strict=False))
    update = read_update(record, digest[:32])
    if row.fault or update.fault:
        return replace(update, description=" ".join(row.cells)[:4_000], fault=row.fault or update.fault)
    return update


def _check(content: bytes, offset: int) -> int:
    return zlib.crc32(content[max(0, offset - _CHECKED) : offset]) if offset > 0 else 0


def _is_drop(entry: os.DirEntry[str]) -> bool:
    is_named = entry.name.lower().endswith(".csv") and not entry.name.startswith(".")
    return is_named and entry.is_file(follow_symlinks=False)


def _read_cursor(cursor: str) -> dict[str, Place]:
    """The places of a cursor; none if it cannot be read, so that all files are read again."""
    try:
        found = json.loads(cursor) if cursor else {}
        return {str(name): Place(int(offset), int(check)) for name, (offset, check) in found.items()}
    except (AttributeError, TypeError, ValueError):
        return {}


def _write_cursor(places: Mapping[str, Place]) -> str:
    return json.dumps({name: [place.offset, place.check] for name, place in places.items()}, separators=(",", ":"))
