"""Reads CSV row by row. A file of any size needs the memory of only one row."""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
from collections import deque
from collections.abc import Collection, Iterator
from contextlib import suppress
from typing import BinaryIO

from open311.domain.imports import Refusal
from open311.errors import Invalid
from open311.formats.reading.columns import SourceItem
from open311.formats.reading.templates import plain_name
from open311.formats.writing.csv import csv_columns, unguarded

MAX_LINE_CHARACTERS = 4_000_000
DELIMITERS = ",;\t|"
_SEPARATOR = re.compile(r"\ufeff?\"?sep=(.)\"?\s*", re.IGNORECASE)
"""The first line `sep=;`, which names the delimiter for spreadsheets."""
_OURS = [plain_name(name) for name in csv_columns()]
"""The first columns of a CSV that this server wrote for spreadsheets. Its texts may have an apostrophe in front."""


class Table:
    """A CSV file. The column names are read at once, the rows on demand.

    Bytes that are not UTF-8 become lone surrogates (`surrogateescape`). `open311.domain.mending` reads these as
    Windows-1252. So one bad byte does not make a file unreadable.
    """

    def __init__(self, stream: BinaryIO, head: bytes) -> None:
        self._text = io.TextIOWrapper(stream, _encoding(head), errors="surrogateescape", newline="")
        self._again: deque[str] = deque()
        self._begun: list[str] = []  # the lines of the current record
        self._line = 1  # the line where the current record begins
        first = self._first_with_text()
        declared = _SEPARATOR.fullmatch(first)
        if declared is not None:
            self._end_record()
            first = self._first_with_text()
        self.delimiter = declared[1] if declared else _delimiter(first)
        self._read_again(self._begun)
        self.names = self._header()
        self._is_ours = self.names[: len(_OURS)] == _OURS

    def _first_with_text(self) -> str:
        """The next line that is not blank; "" at the end."""
        lines = self._lines()
        while (line := next(lines, "")) and not line.strip():
            self._end_record()
        return line

    def _header(self) -> list[str]:
        try:
            names = [plain_name(name) for name in next(self._reader(is_strict=False), [])]
        except csv.Error as error:
            raise Invalid(f"has a first line that cannot be read as CSV: {error}.") from None
        self._end_record()
        while names and not names[-1]:
            names.pop()
        return names

    def rows(self, wanted: Collection[str]) -> Iterator[SourceItem]:
        """Each row with its number and its line, both from 1. A row that does not fit the header gives a Refusal.

        wanted  the columns to read; all others are left out
        Blank lines are not rows. Empty values beyond the header are allowed if every row has the same number of
        them, because some publishers end each row with a delimiter. A row with another number of values is refused.
        It often has a delimiter that is not in quotes.
        """
        position = 0
        width, expected = len(self.names), 0
        begun, is_ours = self._begun, self._is_ours
        reader = self._reader()
        # If two columns have the same name, the later one is read.
        places = {name: place for place, name in enumerate(self.names) if name in wanted}.items()
        while True:
            try:
                values = next(reader, None)
                fault = ""
            except csv.Error as error:
                values, fault = self._first_line(), str(error)
            if values is None:
                return
            if not values and not fault:
                self._end_record()
                continue
            position += 1
            if not expected:
                expected = max(width, len(values)) if not any(values[width:]) else width
            is_sound = len(values) == expected and not any(values[width:])
            if is_ours:
                values = list(map(_original, values))
            if is_sound:
                yield position, self._line, {name: text for name, place in places if (text := values[place])}
            else:
                yield Refusal(position, "", self._misfit(values, fault, expected), self._line)
            if fault or (not is_sound and len(begun) > 1):
                self._read_again(begun[1:])
                reader = self._reader()
            self._line += len(begun)
            begun.clear()

    def _first_line(self) -> list[str]:
        """The values of the current record's first line alone, parsed leniently. Empty if that fails too."""
        try:
            return next(csv.reader(self._begun[:1], delimiter=self.delimiter))
        except csv.Error:
            return []

    def _misfit(self, values: list[str], fault: str, expected: int) -> str:
        """Why the current record is not a valid row, and what to do about it."""
        last = self._line + len(self._begun) - 1
        if last > self._line:
            lines = f"lines {self._line + 1} to {last}" if last > self._line + 1 else f"line {last}"
            return (
                f"has a quote that opens and does not close. It would swallow {lines}, read separately instead."
                " Close the quote, or double it."
            )
        if fault:
            return f"cannot be read as CSV: {fault}."
        is_short = len(values) < expected
        cure = "is it cut off?" if is_short else f"put quotes around a value that holds {self.delimiter!r}."
        model = "header" if expected == len(self.names) else "first row"
        return f"has {len(values)} values where the {model} has {expected}; {cure}"

    # The methods below handle lines. An unclosed quote makes one record of many lines. These lines are read again.

    def _reader(self, *, is_strict: bool = True) -> Iterator[list[str]]:
        return csv.reader(self._lines(), delimiter=self.delimiter, strict=is_strict)

    def _lines(self) -> Iterator[str]:
        """The lines from the current position on. Raises Invalid if a line is too long for a CSV of requests."""
        again, begun, read_line = self._again, self._begun, self._text.readline
        try:
            while line := again.popleft() if again else read_line(MAX_LINE_CHARACTERS):
                if len(line) == MAX_LINE_CHARACTERS:
                    raise Invalid(f"has a line of more than {MAX_LINE_CHARACTERS} characters; that is no CSV.")
                begun.append(line)
                yield line
        except UnicodeDecodeError:
            raise Invalid("cannot be read: it begins as UTF-16 and is not.") from None

    def _read_again(self, lines: list[str]) -> None:
        """Remove the last `lines` from the current record and read them again."""
        self._again.extendleft(reversed(lines))
        del self._begun[len(self._begun) - len(lines) :]

    def _end_record(self) -> None:
        self._line += len(self._begun)
        self._begun.clear()


def _original(text: str) -> str:
    """A text as it was before this server wrote it into a CSV: without an added apostrophe, and a list as lines."""
    if text.startswith('["'):
        with suppress(ValueError):
            return "\n".join(map(str, json.loads(text)))
    return unguarded(text)


def _encoding(head: bytes) -> str:
    """The encoding of a CSV. Without a byte order mark, a NUL beside the first letter shows UTF-16."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if 0 not in head[:2] or len(head) < 2:
        return "utf-8-sig"
    return "utf-16-le" if head[0] else "utf-16-be"


def _delimiter(header: str) -> str:
    """The delimiter that is most frequent in the header; a comma if there is none."""
    return max(DELIMITERS, key=header.count)
