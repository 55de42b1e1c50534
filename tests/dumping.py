"""Bodies by marshmallow's own `dump`, to compare the generated renderers with (spec/decisions, 0020)."""

from __future__ import annotations

from typing import Any

from marshmallow import fields

from schemas.base import Body, Degrees, Instant, OptionalText
from schemas.values import format_instant


class _OptionalText(OptionalText):
    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return super()._serialize(value, attr, obj, **kwargs) or None


class _Degrees(Degrees):
    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> float | None:
        degrees = super()._serialize(value, attr, obj, **kwargs)
        return None if degrees is None else round(float(degrees), 9) + 0.0


class _Instant(Instant):
    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else format_instant(value)


_DUMPED: dict[type[fields.Field[Any]], type[fields.Field[Any]]] = {
    OptionalText: _OptionalText,
    Degrees: _Degrees,
    Instant: _Instant,
}


def dumping(schema: type[Body]) -> Body:
    """The schema, with fields whose `dump` writes values as the API sends them."""
    found = schema()
    for field in found.fields.values():
        _teach(field)
    return found


def _teach(field: fields.Field[Any]) -> None:
    if isinstance(field, fields.List):
        _teach(field.inner)
    elif isinstance(field, fields.Nested):
        for inner in field.schema.fields.values():
            _teach(inner)
    elif type(field) in _DUMPED:
        field.__class__ = _DUMPED[type(field)]
