"""JSON and XML documents from plain data. XML follows the conventions of the standard (A38 to A44)."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from functools import cache
from typing import Any

import orjson

from open311.formats.markup import element, text_of
from open311.formats.shapes import Column, FieldKind, Shape

DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'


class Format(StrEnum):
    """The standard's two formats, by their suffix."""

    JSON = "json"
    XML = "xml"

    @property
    def media_type(self) -> str:
        """The value of the Content-Type header, with the charset (A44)."""
        return _MEDIA_TYPES[self]

    @property
    def error_format(self) -> Format:
        """The format of error answers. It is the same as the format of other answers."""
        return self


JSON = Format.JSON
XML = Format.XML
_MEDIA_TYPES = {JSON: "application/json; charset=utf-8", XML: "text/xml; charset=utf-8"}


def document(shape: Shape, content: Any, output: Format) -> bytes:
    """A complete body in JSON or XML.

    content  plain data (`Shape.plain`): a list if the shape has items, otherwise one object
    """
    if output is JSON:
        return orjson.dumps(content)
    if shape.item:
        return join_items(shape, (xml_item(shape, item).encode() for item in content), XML)
    return f"{DECLARATION}{element(shape.root, _children(shape, content))}".encode()


def join_items(shape: Shape, items: Iterable[bytes], output: Format) -> bytes:
    """The body of a list, from rendered items."""
    parts = list(items)
    if not parts:
        return b"[]" if output is JSON else f"{DECLARATION}{element(shape.root, '')}".encode()
    # Add the list's start and end to the first and the last item. Adding them to the body would copy the body.
    start, between, end = (b"[", b",", b"]") if output is JSON else _around(shape)
    parts[0] = start + parts[0]
    parts[-1] += end
    return between.join(parts)


@cache
def _around(shape: Shape) -> tuple[bytes, bytes, bytes]:
    """The text before, between and after the items of an XML list."""
    start, end = element(shape.root, "\n").split("\n")
    return f"{DECLARATION}{start}".encode(), b"", end.encode()


def json_item(content: dict[str, Any]) -> str:
    """One item of a JSON list."""
    return orjson.dumps(content).decode()


def xml_item(shape: Shape, content: dict[str, Any]) -> str:
    """One item of an XML list, as an element."""
    attributes = {name: content[name] for name in shape.attributes}
    return element(shape.item, _children(shape, content), attributes)


def json_fragments(content: dict[str, Any]) -> tuple[str, ...]:
    """Each field of an object as a separate text, for `with_fragments`."""
    return tuple(f'"{name}":{orjson.dumps(value).decode()}' for name, value in content.items())


def with_fragments(item: bytes, added: Iterable[str], output: Format) -> bytes:
    """A rendered item with the `added` fields at its end."""
    if output is JSON:
        return with_fields(item, ",".join(added).encode())
    end = item.rindex(b"</")
    return item[:end] + "".join(added).encode() + item[end:]


def with_fields(item: bytes, added: bytes) -> bytes:
    """A JSON item with the `added` fields, joined by commas, at its end."""
    return b"%b,%b}" % (item[:-1], added)


def _children(shape: Shape, content: dict[str, Any]) -> str:
    return "".join(
        _child(column, content[column.name])
        for column in shape.columns
        if column.name in content and column.kind is not FieldKind.ATTRIBUTE
    )


def _child(column: Column, value: Any) -> str:
    if column.item is not None:
        inner = "".join(xml_item(column.item, item) for item in value)
    elif column.body is not None:
        inner = _children(column.body, value)
    elif column.kind is FieldKind.NAMED:
        inner = "".join(element(column.xml_item, text_of(item[column.xml_item])) for item in value)
    elif column.xml_item:
        inner = "".join(element(column.xml_item, text_of(item)) for item in value)
    else:
        inner = text_of(value)
    return element(column.name, inner)
