"""CSV, read a row at a time: a file of any size needs the memory of one row."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Collection, Iterator
from itertools import chain
from typing import BinaryIO

from open311.domain.imports import Refusal
from open311.errors import Invalid
from open311.formats.reading.vocabulary import SourceItem, plain_name

MAX_LINE_CHARACTERS = 4_000_000
DELIMITERS = ",;\t|"


class Table:
    """A CSV file being read: its column names at once, its rows as they are asked for.

    Bytes that are not UTF-8 become lone surrogates (`surrogateescape`), which `open311.domain.mending` reads as
    Windows-1252: a file is not refused for one bad byte.
    """

    def __init__(self, stream: BinaryIO, head: bytes) -> None:
        encoding = "utf-16" if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
        lines = _lines(io.TextIOWrapper(stream, encoding, errors="surrogateescape", newline=""))
        first = next(lines, "")
        self._reader = csv.reader(chain([first], lines), delimiter=_delimiter(first))
        self.names = self._header()

    def _header(self) -> list[str]:
        try:
            return [plain_name(name) for name in next(self._reader, [])]
        except csv.Error as error:
            raise Invalid(f"has a first line that cannot be read as CSV: {error}.") from None

    def rows(self, wanted: Collection[str]) -> Iterator[SourceItem]:
        """Each row with its number, from 1; a Refusal for one that does not fit the header.

        wanted  the columns to read; all others are left out
        Blank lines do not count.
        """
        position = 0
        width = len(self.names)
        # Of two columns with one name, the later one is read.
        places = {name: place for place, name in enumerate(self.names) if name in wanted}.items()
        while True:
            try:
                values = next(self._reader)
            except StopIteration:
                break
            except csv.Error as error:
                position += 1
                yield Refusal(position, "", f"cannot be read as CSV: {error}.")
                continue
            if not values:
                continue
            position += 1
            if len(values) == width:
                yield position, {name: values[place] for name, place in places if values[place]}
            else:
                yield Refusal(position, "", f"has {len(values)} values where the header has {width}.")


def _lines(text: io.TextIOWrapper) -> Iterator[str]:
    """Physical lines. Raises Invalid for a line that is too long for a CSV of requests."""
    try:
        while line := text.readline(MAX_LINE_CHARACTERS):
            if len(line) == MAX_LINE_CHARACTERS:
                raise Invalid(f"has a line of more than {MAX_LINE_CHARACTERS} characters; that is no CSV.")
            yield line
    except UnicodeDecodeError:
        raise Invalid("cannot be read: it begins as UTF-16 and is not.") from None


def _delimiter(header: str) -> str:
    """The delimiter that is most frequent in the header; a comma if there is none."""
    return max(DELIMITERS, key=header.count)
