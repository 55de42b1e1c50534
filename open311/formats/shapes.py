"""Shapes: the names, order and types of a schema's fields, read once from marshmallow.

Each shape compiles a function that renders values without marshmallow. This function takes less than half the time
of marshmallow's dump (spec/decisions/0020-generated-renderers.md). A test compares the results of the function and
of the dump. The dump is in tests/dumping.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, cached_property
from typing import Any

from marshmallow import fields

from open311.domain.text import clean_text
from open311.formats.markup import decimal, element, escaped, text_of
from schemas.base import (
    OMITTED_EMPTY,
    Body,
    CountIfAny,
    Degrees,
    Geometry,
    Instant,
    Items,
    ListIfAny,
    Named,
    OptionalText,
    Ratio,
    Share,
    XmlAttribute,
)
from schemas.values import format_instant

Parts = Callable[[Any], tuple[dict[str, Any], tuple[str, ...]]]
"""A function from a value to its plain data and to its XML elements, one for each column."""


class FieldKind(StrEnum):
    """The kinds of fields. Each kind is rendered in its own way."""

    TEXT = "text"
    OPTIONAL_TEXT = "optional text"
    INSTANT = "instant"
    DEGREES = "degrees"
    SCALAR = "scalar"
    COUNT = "count"
    WORDS = "words"
    NAMED = "named"
    ATTRIBUTE = "attribute"
    BODY = "body"
    BODIES = "bodies"


@dataclass(frozen=True, slots=True)
class Column:
    """One field of a body.

    name              the field's name on the wire
    path              where a value has the field: its attribute, such as `place.address`
    item              the shape of each item, if the field is a list of bodies
    body              the shape of the field, if the field is a body itself
    xml_item          the name of the element of each word, if the field is a list of words
    is_omitted_empty  whether an empty field is left out
    """

    name: str
    path: str
    kind: FieldKind
    item: Shape | None = None
    body: Shape | None = None
    xml_item: str = ""
    is_omitted_empty: bool = False


@dataclass(frozen=True, eq=False)
class Shape:
    """A body: its columns in wire order, and its XML names. Shapes are compared and hashed by identity."""

    columns: tuple[Column, ...]
    root: str
    item: str

    @cached_property
    def attributes(self) -> tuple[str, ...]:
        """The fields that are attributes of an item's element in XML."""
        return tuple(column.name for column in self.columns if column.kind is FieldKind.ATTRIBUTE)

    def plain(self, value: Any) -> dict[str, Any]:
        """The value as a dict for JSON, with the standard's names in the standard's order."""
        return self.parts(value)[0]

    def plain_list(self, values: Iterable[Any]) -> list[dict[str, Any]]:
        """Several values as dicts for JSON."""
        return [self.plain(value) for value in values]

    @cached_property
    def parts(self) -> Parts:
        """The function that renders a value in both formats at once. It is compiled when it is first used."""
        return _compiled(self)


@cache
def shape_of(schema: type[Body]) -> Shape:
    """The shape that a schema class declares."""
    declared = schema()
    columns = tuple(_column(name, field) for name, field in declared.fields.items())
    return Shape(columns, schema.xml_root, schema.xml_item)


def _column(name: str, field: fields.Field[Any]) -> Column:
    path = field.attribute or name
    if isinstance(field, Items):
        return Column(name, path, FieldKind.WORDS, xml_item=field.xml_item)
    if isinstance(field, Named):
        return Column(name, path, FieldKind.NAMED, xml_item=field.xml_item)
    if isinstance(field, fields.List) and isinstance(field.inner, fields.Nested):
        item = shape_of(type(field.inner.schema))
        return Column(name, path, FieldKind.BODIES, item=item, is_omitted_empty=isinstance(field, ListIfAny))
    if isinstance(field, fields.Nested):
        return Column(name, path, FieldKind.BODY, body=shape_of(type(field.schema)))
    return Column(name, path, _kind(field), is_omitted_empty=isinstance(field, OMITTED_EMPTY))


def _kind(field: fields.Field[Any]) -> FieldKind:
    if isinstance(field, Instant):
        return FieldKind.INSTANT
    if isinstance(field, OptionalText):
        return FieldKind.OPTIONAL_TEXT
    if isinstance(field, XmlAttribute):
        return FieldKind.ATTRIBUTE
    if isinstance(field, fields.String):
        return FieldKind.TEXT
    if isinstance(field, Degrees | Ratio | Share):
        return FieldKind.DEGREES
    if isinstance(field, CountIfAny):
        return FieldKind.COUNT
    if isinstance(field, (fields.Boolean, fields.Integer, Geometry)):
        return FieldKind.SCALAR
    raise TypeError(f"{type(field).__name__} has no wire form yet; add it to shapes.py")


# The compiler. Each kind has statements that put the plain data into `v` and the XML text into `x`.

_STATEMENTS = {
    FieldKind.TEXT: "{v} = clean_text({v}); {x} = escaped({v})",
    FieldKind.OPTIONAL_TEXT: "{v} = (clean_text({v}) or None) if {v} else None; {x} = escaped({v}) if {v} else ''",
    FieldKind.INSTANT: "{v} = {x} = None if {v} is None else format_instant({v})",
    FieldKind.DEGREES: "{v}, {x} = (None, '') if {v} is None else degrees({v})",
    FieldKind.SCALAR: "{x} = text_of({v})",
    FieldKind.COUNT: "{x} = text_of({v}) if {v} else ''",
    FieldKind.WORDS: "{v} = [clean_text(word) for word in {v}]; {x} = words('{inner}', {v}) if {v} else ''",
    FieldKind.NAMED: (
        "{x} = words('{inner}', map(clean_text, {v})) if {v} else '';"
        " {v} = [{{'{inner}': clean_text(word)}} for word in {v}]"
    ),
    FieldKind.ATTRIBUTE: "{v} = clean_text({v}); {x} = escaped({v})",
    FieldKind.BODY: "{v}, {x} = parts_{n}({v}); {x} = ''.join({x})",
    FieldKind.BODIES: "{v}, {x} = bodies(parts_{n}, '{inner}', {attributes}, {v}) if {v} else ([], '')",
}


def _compiled(shape: Shape) -> Parts:
    """Compile a shape's function from generated source text. A loop over the columns takes three times as long."""
    names: dict[str, Any] = {
        "clean_text": clean_text,
        "degrees": _degrees,
        "escaped": escaped,
        "format_instant": format_instant,
        "text_of": text_of,
        "words": _words,
        "bodies": _bodies,
    }
    for number, column in enumerate(shape.columns):
        inner = column.item or column.body
        if inner is not None:
            names[f"parts_{number}"] = inner.parts
    exec("\n    ".join(_source(shape)), names)  # noqa: S102  # the text is made only from our own schemas
    value_parts: Parts = names["parts"]
    return value_parts


def _source(shape: Shape) -> Iterator[str]:
    yield "def parts(value):"
    for number, column in enumerate(shape.columns):
        inner = column.item.item if column.item else column.xml_item
        yield f"v{number} = value.{column.path}"
        if column.is_omitted_empty:
            yield f"is_omitted_{number} = not v{number}"
        attributes = column.item.attributes if column.item else ()
        yield _STATEMENTS[column.kind].format(
            v=f"v{number}", x=f"x{number}", n=number, inner=inner, attributes=attributes
        )
    plain = ", ".join(f"{column.name!r}: v{number}" for number, column in enumerate(shape.columns))
    yield f"plain = {{{plain}}}"
    for number, column in enumerate(shape.columns):
        if column.is_omitted_empty:
            yield f"if is_omitted_{number}: del plain[{column.name!r}]"
    yield f"return plain, ({' '.join(_markup(number, column) for number, column in enumerate(shape.columns))})"


def _markup(number: int, column: Column) -> str:
    """The source text of an expression for a column's element, followed by a comma; "" for an attribute."""
    if column.kind is FieldKind.ATTRIBUTE:
        return ""
    empty = f"'' if is_omitted_{number} else " if column.is_omitted_empty else ""
    return f"f'<{column.name}>{{x{number}}}</{column.name}>' if x{number} else {empty}'<{column.name}/>',"


def _degrees(value: float) -> tuple[float, str]:
    number = round(value, 9) + 0.0
    return number, decimal(number)


def _words(name: str, words: Iterable[str]) -> str:
    return "".join(element(name, escaped(word)) for word in words)


def _bodies(
    parts: Parts, name: str, attributes: tuple[str, ...], values: Iterable[Any]
) -> tuple[list[dict[str, Any]], str]:
    value_lists = [parts(value) for value in values]
    markup = "".join(
        element(name, "".join(inner), {one: plain[one] for one in attributes}) for plain, inner in value_lists
    )
    return [plain for plain, _ in value_lists], markup
