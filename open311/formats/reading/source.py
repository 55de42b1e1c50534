"""Recognise a file of requests by its content, and read it row by row."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain
from typing import TYPE_CHECKING, BinaryIO

from open311.errors import Invalid
from open311.formats.reading.boston import BOSTON
from open311.formats.reading.elements import read_elements
from open311.formats.reading.georeport import GEOREPORT
from open311.formats.reading.newyork import NEWYORK
from open311.formats.reading.objects import read_objects
from open311.formats.reading.tables import Table
from open311.formats.reading.vocabulary import SourceItem, Vocabulary

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_READ_BYTES = 65_536
VOCABULARIES = (NEWYORK, BOSTON, GEOREPORT)
_FOREIGN = {
    b"PK\x03\x04": "a zip file or a spreadsheet; unpack it, or save it as CSV",
    b"\x1f\x8b": "compressed by gzip; unpack it first",
    b"BZh": "compressed by bzip2; unpack it first",
    b"%PDF": "a PDF",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
}


class SourceFormat(StrEnum):
    """What can be read: a publisher's names in a kind of file."""

    GEOREPORT_JSON = "georeport-json"
    GEOREPORT_XML = "georeport-xml"
    GEOREPORT_CSV = "georeport-csv"
    NEWYORK_CSV = "newyork-csv"
    NEWYORK_JSON = "newyork-json"
    BOSTON_CSV = "boston-csv"
    BOSTON_JSON = "boston-json"


@dataclass(frozen=True, slots=True)
class Source:
    """A file that has been recognised.

    found  its rows in the file's order, read on demand; raises Invalid where the rest cannot be read
    count  the number of rows, if it is known beforehand
    """

    format: SourceFormat
    vocabulary: Vocabulary
    found: Iterator[SourceItem]
    count: int | None = None


def vocabulary_named(name: str) -> Vocabulary:
    """A publisher's names. KeyError for one that is not known."""
    return {each.name: each for each in VOCABULARIES}[name]


class _Lent(io.RawIOBase):
    """The caller's stream, which stays open when a wrapper around it is closed."""

    def __init__(self, stream: BinaryIO) -> None:
        self._read = getattr(stream, "read1", stream.read)  # returns what a pipe has, without waiting for more

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Read into `buffer`; the number of bytes, 0 at the end."""
        view = memoryview(buffer)
        found = self._read(len(view))
        view[: len(found)] = found
        return len(found)


def open_source(stream: BinaryIO, wanted: SourceFormat | None = None) -> Source:
    """The requests in a stream. It is read from its current position, and not closed.

    wanted  the file's format; None to recognise it by the content
    Raises Invalid when it is none of the formats, or not the one wanted, naming the columns that are missing.
    """
    buffered = io.BufferedReader(_Lent(stream), _READ_BYTES)
    head = buffered.peek()
    _refuse_foreign(head)
    kind = _kind(wanted) if wanted else _kind_of(head)
    vocabulary = next((each for each in VOCABULARIES if wanted and each.name == wanted.partition("-")[0]), None)
    if kind == "xml":
        return _xml(buffered)
    return _json(buffered, vocabulary) if kind == "json" else _csv(buffered, head, vocabulary)


def _refuse_foreign(head: bytes) -> None:
    for mark, what in _FOREIGN.items():
        if head.startswith(mark):
            raise Invalid(f"is {what}.")


def _kind(wanted: SourceFormat) -> str:
    return wanted.rpartition("-")[2]


def _kind_of(head: bytes) -> str:
    """json, xml or csv, by the first character; an empty file counts as an empty JSON body."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        text = head[: len(head) & ~1].decode("utf-16", "replace")
    else:
        text = head.removeprefix(codecs.BOM_UTF8).decode("latin-1")
    start = text.lstrip()
    if start.startswith("<"):
        return "xml"
    return "json" if start[:1] in ("", "[", "{") or start.split(maxsplit=1)[0] == "null" else "csv"


def _xml(stream: BinaryIO) -> Source:
    return Source(SourceFormat.GEOREPORT_XML, GEOREPORT, enumerate(read_elements(stream), start=1))


def _json(stream: BinaryIO, wanted: Vocabulary | None) -> Source:
    found = read_objects(stream)
    vocabulary = wanted or (_vocabulary(list(dict.fromkeys(chain(*found[:50])))) if found else GEOREPORT)
    return Source(SourceFormat(f"{vocabulary.name}-json"), vocabulary, enumerate(found, start=1), len(found))


def _csv(stream: BinaryIO, head: bytes, wanted: Vocabulary | None) -> Source:
    table = Table(stream, head)
    vocabulary = wanted or _vocabulary(table.names)
    missing = vocabulary.missing(table.names)
    if missing:
        raise Invalid(_lacks(vocabulary, missing, table.names))
    return Source(SourceFormat(f"{vocabulary.name}-csv"), vocabulary, table.rows(vocabulary.known))


def _vocabulary(names: list[str]) -> Vocabulary:
    """The vocabulary whose id column is among these names. Raises Invalid for none, or if columns are missing."""
    found = next((each for each in VOCABULARIES if each.has_id(names)), None)
    if found is None:
        known = ", ".join(SourceFormat)
        raise Invalid(f"is none of the known formats ({known}); its columns are {_some(names)}.")
    missing = found.missing(names)
    if missing:
        raise Invalid(_lacks(found, missing, names))
    return found


def _lacks(vocabulary: Vocabulary, missing: list[str], names: list[str]) -> str:
    columns = "the column" if len(missing) == 1 else "the columns"
    return f"lacks {columns} {', '.join(missing)} of {vocabulary.name} data; its columns are {_some(names)}."


def _some(names: list[str]) -> str:
    return ", ".join(name[:40] for name in names[:8]) + (", …" if len(names) > 8 else "")
