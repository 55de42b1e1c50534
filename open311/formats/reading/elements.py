"""Reads XML, chunk by chunk. All known servers' forms of a list of requests can be read.

Expat builds the elements. Each element is dropped after it has been read. XMLPullParser is not used, for two
reasons:

- If its `doctype` raises an error, it parses the rest of the chunk and expands entities there.
  `xml.parsers.expat` stops at once.
- It refuses a prefix that is not declared.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache, partial
from itertools import chain
from typing import BinaryIO, NoReturn
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from open311.errors import Invalid
from open311.formats.reading.templates import Columns, plain_name

MAX_DEPTH = 50
MAX_FIELD_CHARACTERS = 1_000_000
MAX_REQUEST_BYTES = 8 * 1024 * 1024

_CHUNK_BYTES = 32_768
_EVENT_BYTES = 128
"""Each start and each end of an element adds this number to a request's size, because elements take memory too."""
_ITEMS = {"request", "service_request"}
_LISTS = {"requests", "service_requests"}

_Event = tuple[bool, Element]
"""True if an element begins, False if it ends; and the element. When an element begins, it already has its children
from the same chunk."""


def read_elements(stream: BinaryIO) -> Iterator[Columns]:
    """The requests of an XML file, one after the other. An empty file has no requests.

    A request is an element `request` or `service_request`, below any root or as the root. Prefixes and namespaces
    are ignored. A field with `xsi:nil` and an empty field have no value. After all requests that could be read,
    raises Invalid if the file is not well-formed, has a DOCTYPE (C295), or has no list of requests.
    """
    return map(_columns, _requests(_chunks(stream)))


def _chunks(stream: BinaryIO) -> Iterator[tuple[int, list[_Event]]]:
    """The size of each chunk and its events. Raises Invalid at a fault, after the events before the fault."""
    events: list[_Event] = []
    parser = parser_into(events)
    is_begun = False
    for chunk in chain(iter(partial(stream.read, _CHUNK_BYTES), b""), [b""]):
        fault = ""
        try:
            parser.Parse(chunk, not chunk)
        except expat.ExpatError as error:
            fault = f"is not well-formed XML: line {error.lineno}: {expat.errors.messages[error.code]}."
        except (LookupError, ValueError):
            fault = "is in an encoding that cannot be read; save it as UTF-8."
        is_begun = is_begun or bool(events)
        yield len(chunk), events
        if fault and (is_begun or chunk):
            raise Invalid(fault)
        events.clear()


def parser_into(events: list[_Event]) -> expat.XMLParserType:
    """A parser that appends to `events`. It raises Invalid at a DOCTYPE, before it reads the declarations in it."""
    builder = TreeBuilder()
    local = cache(_local)
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.StartElementHandler = lambda name, found: events.append((True, builder.start(local(name), found)))
    parser.EndElementHandler = lambda name: events.append((False, builder.end(local(name))))
    parser.CharacterDataHandler = builder.data
    return parser


def _refuse_doctype(*_: object) -> NoReturn:
    raise Invalid("has a DOCTYPE, which no list of requests has; it is not read.")


def _requests(chunks: Iterable[tuple[int, list[_Event]]]) -> Iterator[Element]:
    """The elements of complete requests. An element outside every request is dropped when it ends."""
    path: list[Element] = []
    item: Element | None = None
    is_any = False
    held = 0
    for size, events in chunks:
        held += size + len(events) * _EVENT_BYTES
        if held > MAX_REQUEST_BYTES:
            raise Invalid(f"has an element of more than {MAX_REQUEST_BYTES >> 20} MB; no request is that large.")
        for begins, element in events:
            if begins:
                path.append(element)
                if len(path) > MAX_DEPTH:
                    raise Invalid("is nested too deeply to be a list of requests.")
                # If a request begins inside the first child of another request, the outer request is a wrapper.
                if element.tag in _ITEMS and (item is None or item[0] in path):
                    item = element
                continue
            path.pop()
            if element is item:
                yield item
                item, is_any = None, True
            if item is None and path:
                path[-1].clear()
                held = 0
            if not path and not is_any:
                _refuse_other_root(element.tag)


def _refuse_other_root(root: str) -> None:
    """Raise Invalid for a document that has no requests, unless its root says that it is an empty list."""
    if root in ("error", "errors"):
        raise Invalid("is an error answer, not a list of requests.")
    if root not in _LISTS:
        raise Invalid(f"holds no requests; its root is <{root}>.")


def _columns(item: Element) -> Columns:
    columns: dict[str, str] = {}
    for field in item:
        columns[field.tag] = columns.get(field.tag) or _field(field)
    return columns


def _field(field: Element) -> str:
    """The text of a field, "" if it is nil."""
    if any(_local(name) == "nil" and value in ("true", "1") for name, value in field.attrib.items()):
        return ""
    text = _text(field)
    if len(text) > MAX_FIELD_CHARACTERS:
        raise Invalid(f"has a <{field.tag}> of more than {MAX_FIELD_CHARACTERS} characters.")
    return text


def _text(element: Element) -> str:
    """The text of an element and of its children, with a line end after each child."""
    text = element.text or ""
    for child in element:
        text += f"{_text(child)}\n{child.tail or ''}"
    return text


def _local(name: str) -> str:
    return plain_name(name.rpartition(":")[2])
