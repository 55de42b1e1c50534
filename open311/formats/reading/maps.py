"""Reads column maps from TOML, among them the maps in `maps/*.toml` that come with the server."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Any

import tomli

from open311.formats.reading.columns import ALWAYS_REQUIRED, ColumnMap
from open311.formats.reading.dates import Order
from open311.formats.reading.templates import plain_name, read_template

GENERIC = "georeport"
"""The map of GeoReport's own names. It is tried last, because other publishers' files may have its columns too."""


def read_map(name: str, table: dict[str, Any]) -> ColumnMap:
    """Make a column map from a TOML table. jurisdictions/README.md explains the keys.

    Raises ValueError if a text is no valid template or point. `open311.plugins.declared` checks everything else.
    """
    columns, answers = (
        {field: tuple(map(read_template, _texts(texts))) for field, texts in table.get(key, {}).items() if texts}
        for key in ("columns", "answers")
    )
    return ColumnMap(
        name=name,
        columns=columns,
        answers=answers,
        required=tuple(dict.fromkeys((*ALWAYS_REQUIRED, *_texts(table.get("required", ()))))),
        signs=tuple(map(plain_name, _texts(table.get("recognised_by", ())))),
        blanks=frozenset(text.lower() for text in _texts(table.get("blanks", ()))),
        statuses={word.strip().lower(): status for word, status in table.get("statuses", {}).items()},
        stand_ins=tuple(read_point(text) for text in _texts(table.get("stand_ins", ()))),
        by_name=table.get("find_by_name", False),
        spaced_address=table.get("spaced_address", False),
        zipcode_digits=table.get("zipcode_digits", 0),
        order=Order(table.get("dates", Order.MONTH_FIRST)),
    )


def read_point(text: str) -> tuple[float, float]:
    """Read a point such as `42.3594, -71.0587`: lat, then long, in degrees. Raises ValueError for other texts."""
    try:
        lat, long = map(float, text.split(","))
    except ValueError:
        raise ValueError(f'must be two numbers such as "42.3594, -71.0587", not {text!r}.') from None
    return lat, long


@cache
def shipped_maps() -> tuple[ColumnMap, ...]:
    """The maps that come with the server, GeoReport's own names last."""
    folder = resources.files("open311.formats.reading") / "maps"
    found = {
        file.name.removesuffix(".toml"): file.read_text(encoding="utf-8")
        for file in folder.iterdir()
        if file.name.endswith(".toml")
    }
    names = sorted(found, key=lambda name: (name == GENERIC, name))
    return tuple(read_map(name, tomli.loads(found[name])) for name in names)


def known_maps(own: Sequence[ColumnMap]) -> tuple[ColumnMap, ...]:
    """A city's own maps, then the server's maps. A map of the city replaces the server's map of the same name."""
    names = {each.name for each in own}
    return (*own, *(each for each in shipped_maps() if each.name not in names))


def _texts(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)
