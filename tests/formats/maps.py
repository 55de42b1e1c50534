"""The column maps of all cities."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from open311.formats.reading import ColumnMap, shipped_maps
from open311.plugins.declared.columns import load_map

CITIES = Path(__file__).parents[2] / "jurisdictions"


@cache
def every_map() -> tuple[ColumnMap, ...]:
    """The column maps in the cities' folders, then the column maps that come with the server."""
    return (*map(load_map, sorted(CITIES.glob("*/columns/*.toml"))), *shipped_maps())
