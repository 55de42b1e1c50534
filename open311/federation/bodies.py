"""Bytes in JSON or XML to plain data, with limits against hostile answers."""

from __future__ import annotations

import json
import math
from typing import Literal, NoReturn
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from open311.federation.failures import Unreadable
from open311.federation.values import Plain

Format = Literal["json", "xml"]
MAX_DEPTH = 50
MAX_ELEMENTS = 2_000_000

_ITEMS = frozenset(
    {"service", "request", "service_request", "error", "attribute", "value", "endpoint", "format", "request_update"}
)
_VAGUE = frozenset({"", "text/plain", "application/octet-stream"})
_SCRIPT = frozenset({"text/javascript", "application/javascript"})


def format_of(content_type: str, content: bytes) -> Format:
    """The format of a body, by its content type; by its first character if the type is vague.

    Raises Unreadable for any other type, such as text/html.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind.endswith(("/json", "+json")) or kind in _SCRIPT:
        return "json"
    if kind.endswith(("/xml", "+xml")) and kind != "application/xhtml+xml":
        return "xml"
    if kind in _VAGUE:
        return "xml" if content.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"<" else "json"
    raise Unreadable(f"the content type is {kind[:60]!r}, neither JSON nor XML")


def plain(content: bytes, format: Format) -> Plain:
    """The data of a body; None if the body is empty. Raises Unreadable."""
    if not content.removeprefix(b"\xef\xbb\xbf").strip():
        return None
    return _json(content) if format == "json" else _xml(content)


def _json(content: bytes) -> Plain:
    try:
        found: Plain = json.loads(content.decode("utf-8-sig"), parse_constant=_refuse_constant, parse_float=_finite)
    except UnicodeDecodeError as error:
        raise Unreadable(f"the JSON is not UTF-8: byte {error.start} cannot be decoded") from None
    except RecursionError:
        raise Unreadable("the JSON is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise Unreadable(f"the JSON is broken at line {error.lineno}, column {error.colno}") from None
    except ValueError:
        raise Unreadable("the JSON has a number that cannot be read") from None
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def _xml(content: bytes) -> Plain:
    builder = _Builder()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = builder.refuse_doctype
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.tree.data
    try:
        parser.Parse(content, True)
    except expat.ExpatError as error:
        raise Unreadable(f"the XML is broken at line {error.lineno}, column {error.offset}") from None
    except (LookupError, ValueError):
        raise Unreadable("the XML is in an encoding that cannot be read") from None
    return _plain(builder.tree.close())


class _Builder:
    """Builds elements without their prefixes. Stops at a DOCTYPE, so that no entity is ever declared."""

    def __init__(self) -> None:
        self.tree = TreeBuilder()
        self.depth = self.count = 0

    def refuse_doctype(self, *_: object) -> NoReturn:
        raise Unreadable("the XML has a DOCTYPE, which no answer of GeoReport has; it is not read")

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self.depth += 1
        self.count += 1
        if self.depth > MAX_DEPTH or self.count > MAX_ELEMENTS:
            raise Unreadable(f"the XML has more than {MAX_DEPTH} levels or {MAX_ELEMENTS} elements")
        self.tree.start(name.rpartition(":")[2], attributes)

    def end(self, name: str) -> None:
        self.depth -= 1
        self.tree.end(name.rpartition(":")[2])


def _plain(element: Element) -> Plain:
    """An element as JSON would have it. An element that wraps items of one name is a list."""
    if not len(element):
        return element.text
    names = {child.tag for child in element}
    if len(names) == 1:
        [name] = names
        if len(element) > 1 or name in _ITEMS or element.tag == f"{name}s":
            return [_plain(child) for child in element]
    members: dict[str, list[Plain]] = {}
    for child in element:
        members.setdefault(child.tag, []).append(_plain(child))
    return {name: found if len(found) > 1 else found[0] for name, found in members.items()}
