"""A schema's wire shape: names, order and types, read once from marshmallow and then used without it.

Dumping rows through marshmallow costs thirty times what these compiled columns cost; a test proves both equal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from operator import attrgetter
from typing import Any

from marshmallow import fields

from open311.domain.dates import format_instant
from open311.domain.text import clean_text
from schemas import Body, Degrees, Geometry, Instant, Items, ListIfAny, OptionalText, TextIfAny


@dataclass(frozen=True, slots=True)
class Column:
    """One field: its wire name, how to get it, how to write it.

    item      shape of each item, for a list of bodies
    body      shape of a body inside the body
    xml_item  element of each word, for a list of words
    is_omitted_empty  whether the field is left out when there is nothing in it
    """

    name: str
    get: Callable[[Any], Any]
    convert: Callable[[Any], Any]
    item: Shape | None = None
    body: Shape | None = None
    xml_item: str = ""
    is_omitted_empty: bool = False


@dataclass(frozen=True, slots=True)
class Shape:
    """A body: its columns in the order of the wire and its XML names."""

    columns: tuple[Column, ...]
    root: str
    item: str

    def plain(self, value: Any) -> dict[str, Any]:
        """The value as JSON has it: the standard's names in the standard's order."""
        found: dict[str, Any] = {}
        for column in self.columns:
            content = column.get(value)
            if column.is_omitted_empty and not content:
                continue
            if column.item is not None:
                found[column.name] = [column.item.plain(item) for item in content]
            elif column.body is not None:
                found[column.name] = column.body.plain(content)
            else:
                found[column.name] = column.convert(content)
        return found

    def plain_list(self, values: Iterable[Any]) -> list[dict[str, Any]]:
        """Several values as JSON has them."""
        return [self.plain(value) for value in values]


@cache
def shape_of(schema: type[Body]) -> Shape:
    """The shape that a schema class declares."""
    declared = schema()
    columns = tuple(_column(name, field) for name, field in declared.fields.items())
    return Shape(columns, schema.xml_root, schema.xml_item)


def _column(name: str, field: fields.Field[Any]) -> Column:
    get = attrgetter(field.attribute or name)
    if isinstance(field, Items):
        return Column(name, get, _words, xml_item=field.xml_item)
    if isinstance(field, fields.List) and isinstance(field.inner, fields.Nested):
        item = shape_of(type(field.inner.schema))
        return Column(name, get, _same, item=item, is_omitted_empty=isinstance(field, ListIfAny))
    if isinstance(field, fields.Nested):
        return Column(name, get, _same, body=shape_of(type(field.schema)))
    return Column(name, get, _converter(field), is_omitted_empty=isinstance(field, TextIfAny))


def _converter(field: fields.Field[Any]) -> Callable[[Any], Any]:
    if isinstance(field, Instant):
        return lambda instant: None if instant is None else format_instant(instant)
    if isinstance(field, OptionalText):
        return lambda text: clean_text(text) or None if text else None
    if isinstance(field, fields.String):
        return clean_text
    if isinstance(field, Degrees):
        return lambda degrees: None if degrees is None else round(degrees, 9) + 0.0
    if isinstance(field, (fields.Boolean, fields.Integer, Geometry)):
        return _same
    raise TypeError(f"{type(field).__name__} has no wire form yet; add it to shapes.py")


def _same(value: Any) -> Any:
    return value


def _words(values: Iterable[str]) -> list[str]:
    return [clean_text(value) for value in values]
