"""XML in every shape that a list of requests has been seen in, a chunk at a time.

Expat alone, with nothing that XML can do to a reader: a DOCTYPE is refused, so there are no entities to expand
or to fetch, and depth and length of what is kept are bounded.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO
from xml.parsers import expat

from open311.errors import Invalid
from open311.formats.reading.vocabulary import Columns, plain_name

MAX_DEPTH = 50
MAX_FIELD_CHARACTERS = 1_000_000
_CHUNK_BYTES = 65_536
_ITEMS = {"request", "service_request"}
_LISTS = {"requests", "service_requests"}


def read_elements(stream: BinaryIO) -> Iterator[Columns]:
    """The requests of an XML file, as they are met; an empty body is an empty list.

    `request` or `service_request` elements below any root, or as the root; prefixes and namespaces do not
    count; `xsi:nil` and an empty element are nothing. Raises Invalid, after what could be read, for what is not
    well-formed, has a DOCTYPE, or holds no requests.
    """
    document = _Document()
    parser = _parser(document)
    is_last = False
    while not is_last:
        chunk = stream.read(_CHUNK_BYTES)
        is_last = not chunk
        fault = _feed(parser, chunk, is_last)
        yield from document.take()
        if fault and not (is_last and document.is_untouched):
            raise Invalid(fault)
    document.check()


def _parser(document: _Document) -> expat.XMLParserType:
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = document.doctype
    parser.StartElementHandler = document.start
    parser.EndElementHandler = document.end
    parser.CharacterDataHandler = document.text
    return parser


def _feed(parser: expat.XMLParserType, chunk: bytes, is_last: bool) -> str:
    """Parse a chunk; what is wrong with it, "" if nothing: what came before the fault is to be read first."""
    try:
        parser.Parse(chunk, is_last)
    except expat.ExpatError as error:
        return f"is not well-formed XML: line {error.lineno}: {expat.errors.messages[error.code]}."
    except (LookupError, ValueError):
        return "is in an encoding that cannot be read; save it as UTF-8."
    except Invalid as error:
        return str(error)
    return ""


class _Document:
    """What expat has seen so far."""

    def __init__(self) -> None:
        self._depth = 0
        self._root = ""
        self._found: list[Columns] = []
        self._count = 0
        self._item: dict[str, str] | None = None
        self._item_depth = 0
        self._field = ""
        self._is_nil = False
        self._parts: list[str] = []
        self._length = 0

    @property
    def is_untouched(self) -> bool:
        """Whether there was nothing but white space."""
        return not self._root

    def take(self) -> list[Columns]:
        """The requests that have become whole since the last call."""
        found, self._found = self._found, []
        return found

    def check(self) -> None:
        """Invalid if the document was something else."""
        if self._count or self.is_untouched or self._root in _LISTS:
            return
        if self._root in ("error", "errors"):
            raise Invalid("is an error answer, not a list of requests.")
        raise Invalid(f"holds no requests; its root is <{self._root}>.")

    def doctype(self, *_: object) -> None:
        """No list of requests has one, and it is what hostile XML begins with."""
        raise Invalid("has a DOCTYPE, which no list of requests has; it is not read.")

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """An element begins: a request, a field of it, or something inside a field."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise Invalid("is nested too deeply to be a list of requests.")
        local = _local(name)
        self._root = self._root or local
        if not self._item and local in _ITEMS:  # one inside an empty one: the outer was a wrapper
            self._item, self._item_depth, self._field = {}, self._depth, ""
        elif self._item is not None and self._depth == self._item_depth + 1:
            self._begin(local, attributes)

    def text(self, text: str) -> None:
        """Characters; only those of a field count."""
        if self._field:
            self._length += len(text)
            if self._length > MAX_FIELD_CHARACTERS:
                raise Invalid(f"has a <{self._field}> of more than {MAX_FIELD_CHARACTERS} characters.")
            self._parts.append(text)

    def end(self, _: str) -> None:
        """An element ends."""
        if self._item is not None and self._depth == self._item_depth:
            self._found.append(self._item)
            self._count += 1
            self._item = None
        elif self._field and self._depth == self._item_depth + 1:
            self._finish()
        elif self._field:
            self._parts.append("\n")  # words of a list, one a line
        self._depth -= 1

    def _begin(self, field: str, attributes: dict[str, str]) -> None:
        self._field = field
        self._parts, self._length = [], 0
        self._is_nil = any(_local(name) == "nil" and value in ("true", "1") for name, value in attributes.items())

    def _finish(self) -> None:
        text = "" if self._is_nil else "".join(self._parts)
        if self._item is not None and not self._item.get(self._field):
            self._item[self._field] = text
        self._field = ""


def _local(name: str) -> str:
    return plain_name(name.rpartition(":")[2])
