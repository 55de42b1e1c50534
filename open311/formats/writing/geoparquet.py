"""GeoParquet 1.1, with points as WKB in OGC:CRS84. Needs pyarrow, which the extra `geoparquet` installs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from io import RawIOBase
from math import inf
from typing import Any

import orjson
import shapely

from open311 import __version__
from open311.formats.shapes import Column, FieldKind, Shape, shape_of
from schemas.georeport import ExtrasSchema, ServiceRequestSchema

GEOMETRY = "geometry"
GROUP_ROWS = 20_000
"""The number of rows in a row group. The writer keeps one group in memory, and a reader can skip groups."""

INSTALL = "pip install 'open311-server[geoparquet]'"

# PROJJSON of OGC:CRS84 (longitude, then latitude), copied from the specification of GeoParquet.
CRS84: dict[str, Any] = {
    "$schema": "https://proj.org/schemas/v0.5/projjson.schema.json",
    "type": "GeographicCRS",
    "name": "WGS 84 longitude-latitude",
    "datum": {
        "type": "GeodeticReferenceFrame",
        "name": "World Geodetic System 1984",
        "ellipsoid": {"name": "WGS 84", "semi_major_axis": 6378137, "inverse_flattening": 298.257223563},
    },
    "coordinate_system": {
        "subtype": "ellipsoidal",
        "axis": [
            {"name": "Geodetic longitude", "abbreviation": "Lon", "direction": "east", "unit": "degree"},
            {"name": "Geodetic latitude", "abbreviation": "Lat", "direction": "north", "unit": "degree"},
        ],
    },
    "id": {"authority": "OGC", "code": "CRS84"},
}


def can_write_geoparquet() -> bool:
    """Whether pyarrow is installed."""
    return find_spec("pyarrow") is not None


class _Buffer(RawIOBase):
    """A file in memory. Its bytes can be removed between writes, because pyarrow never seeks in the file."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._position = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def write(self, data: Any) -> int:
        part = bytes(data)
        self._parts.append(part)
        self._position += len(part)
        return len(part)

    def take(self) -> bytes:
        """Remove and return the bytes written since the last call."""
        chunk, self._parts = b"".join(self._parts), []
        return chunk


class GeoParquetWriter:
    """A table of requests with all extensions, written one row group at a time.

    facts  additional key-value metadata, such as licence and attribution
    """

    def __init__(self, facts: dict[str, str] | None = None) -> None:
        import pyarrow
        import pyarrow.parquet

        self._arrow = pyarrow
        self._facts = facts or {}
        self._columns = [*_columns(pyarrow)]
        self._waiting: list[bytes] = []
        self._bounds = (inf, inf, -inf, -inf)
        self._buffer = _Buffer()
        schema = pyarrow.schema([(name, kind) for name, _, kind in self._columns])
        schema = schema.append(pyarrow.field(GEOMETRY, pyarrow.binary()))
        self._schema = schema
        self._parquet = pyarrow.parquet.ParquetWriter(self._buffer, schema, compression="zstd")

    def begin(self) -> bytes:
        """The magic number."""
        return self._buffer.take()

    def more(self, items: Sequence[bytes]) -> bytes:
        """The bytes of the row groups that are complete."""
        self._waiting += items
        while len(self._waiting) >= GROUP_ROWS:
            group, self._waiting = self._waiting[:GROUP_ROWS], self._waiting[GROUP_ROWS:]
            self._write(group)
        return self._buffer.take()

    def end(self) -> bytes:
        """The last row group, and the footer with the bounding box of all points."""
        if self._waiting:
            self._write(self._waiting)
            self._waiting = []
        metadata = {"geo": orjson.dumps(self._geo()).decode(), **self._facts}
        self._parquet.add_key_value_metadata(metadata)
        self._parquet.close()
        return self._buffer.take()

    def _write(self, items: Iterable[bytes]) -> None:
        rows = [orjson.loads(item) for item in items]
        arrays = [self._array([_at(row, path) for row in rows], kind) for _, path, kind in self._columns]
        points = [(row["long"], row["lat"]) for row in rows if _has_point(row)]
        geometries = iter(shapely.to_wkb(shapely.points(points), byte_order=1) if points else ())
        geometry = [next(geometries) if _has_point(row) else None for row in rows]
        arrays.append(self._arrow.array(geometry, self._arrow.binary()))
        self._parquet.write_table(self._arrow.Table.from_arrays(arrays, schema=self._schema))
        self._widen(points)

    def _array(self, values: list[Any], kind: Any) -> Any:
        """A column as an Arrow array. Arrow parses the instants, because it is faster than Python."""
        if self._arrow.types.is_timestamp(kind):
            return self._arrow.array(values, self._arrow.string()).cast(kind)
        return self._arrow.array(values, kind)

    def _widen(self, points: list[tuple[float, float]]) -> None:
        if points:
            longs, lats = zip(*points, strict=True)
            west, south, east, north = self._bounds
            self._bounds = (min(west, *longs), min(south, *lats), max(east, *longs), max(north, *lats))

    def _geo(self) -> dict[str, Any]:
        """The file's `geo` metadata."""
        column: dict[str, Any] = {"encoding": "WKB", "geometry_types": ["Point"], "crs": CRS84}
        if self._bounds[0] <= self._bounds[2]:
            column["bbox"] = self._bounds
        return {
            "version": "1.1.0",
            "primary_column": GEOMETRY,
            "columns": {GEOMETRY: column},
            "creator": {"library": "open311-server", "version": __version__},
        }


def _columns(arrow: Any) -> Iterable[tuple[str, tuple[str, ...], Any]]:
    """Name, path in an item, and Arrow type of each column. Each field of an object becomes a column."""
    for column in (*shape_of(ServiceRequestSchema).columns, *shape_of(ExtrasSchema).columns):
        if column.body is None:
            yield column.name, (column.name,), _type(column, arrow)
            continue
        for inner in column.body.columns:
            yield f"{column.name}.{inner.name}", (column.name, inner.name), _type(inner, arrow)


def _type(column: Column, arrow: Any) -> Any:
    if column.item is not None:
        return arrow.list_(_struct(column.item, arrow))
    if column.xml_item:
        return arrow.list_(arrow.string())
    if column.kind is FieldKind.COUNT:
        return arrow.int64()
    if column.name in ("lat", "long"):
        return arrow.float64()
    return arrow.timestamp("ms", "UTC") if column.name.endswith("_datetime") else arrow.string()


def _struct(shape: Shape, arrow: Any) -> Any:
    return arrow.struct([(column.name, arrow.string()) for column in shape.columns])


def _has_point(row: dict[str, Any]) -> bool:
    return row["lat"] is not None and row["long"] is not None


def _at(item: dict[str, Any], path: tuple[str, ...]) -> Any:
    value: Any = item
    for name in path:
        value = value.get(name) if value else None
    return value
