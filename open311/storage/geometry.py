"""Points, boxes and circles in SQL. All pairs are (long, lat) in degrees, WGS 84."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from geoalchemy2 import Geography, Geometry
from sqlalchemy import (
    BindParameter,
    Boolean,
    ColumnElement,
    Double,
    Integer,
    Text,
    and_,
    bindparam,
    cast,
    func,
    literal_column,
    or_,
    select,
)
from sqlalchemy.types import NullType

from open311.domain.places import Place
from open311.domain.search import Box, Circle, box_around, halves

_EWKB_POINT = struct.Struct("<BIIdd")
"""Little-endian, a point with a reference system, the system's number, long and lat."""
_SIDES = ("west", "south", "east", "north")


Given = Callable[[ColumnElement[Any]], ColumnElement[Any]]


def as_it_is(value: ColumnElement[Any]) -> ColumnElement[Any]:
    """A value that the planner sees."""
    return value


def unseen(value: ColumnElement[Any]) -> ColumnElement[Any]:
    """A value that the planner does not see, because a subquery computes it.

    PostgreSQL then estimates the same cost for a custom plan as for a generic one, and keeps the generic plan
    (decision 0062). Use it only where one plan is best for all values.
    """
    return select(cast(value, value.type) if isinstance(value, BindParameter) else value).scalar_subquery()


def point_of(place: Place) -> str | None:
    """The place's point as EWKT; None without coordinates."""
    if place.point is None:
        return None
    long, lat = place.point
    return f"SRID=4326;POINT({long!r} {lat!r})"


def point_bytes(place: Place) -> bytes | None:
    """The place's point as EWKB; None without coordinates."""
    return None if place.point is None else _EWKB_POINT.pack(1, 0x20000001, 4326, *place.point)


def point_from(ewkt: ColumnElement[Any]) -> ColumnElement[Any]:
    """A point from a column with EWKT, for INSERT … SELECT.

    The expression has no type, because GeoAlchemy converts every typed geometry in a SELECT to EWKB.
    """
    return func.ST_GeomFromEWKT(ewkt, type_=NullType)


def in_box(point: ColumnElement[Any], name: str, parts: int) -> ColumnElement[bool]:
    """Whether a point is in or on a box. A box across the antimeridian has two `parts`. Values: `box_values`."""
    return or_(*(func.ST_Intersects(point, _envelope(f"{name}_{part}"), type_=Boolean) for part in range(parts)))


def in_bounds(lat: ColumnElement[Any], long: ColumnElement[Any], name: str) -> ColumnElement[bool]:
    """Like `in_box` for a box of one part, but with two number columns, so that a B-tree index can filter."""
    west, south, east, north = (bindparam(f"{name}_{side}", type_=Double) for side in _SIDES)
    return and_(long.between(west, east), lat.between(south, north))


def in_small_box(
    point: ColumnElement[Any], lat: ColumnElement[Any], long: ColumnElement[Any], name: str, parts: int
) -> ColumnElement[bool]:
    """Like `in_box`, for a box with many points: numbers are compared, and not geometries. Values: `box_values`."""
    # `&&` is for the GiST index. It compares in single precision, so it also finds points a few metres outside.
    boxes = (point.bool_op("&&")(_envelope(f"{name}_{part}")) for part in range(parts))
    west, south, east, north = (bindparam(f"{name}_{side}", type_=Double) for side in _SIDES)
    across = long.between(west, east) if parts == 1 else or_(long >= west, long <= east)
    return and_(or_(*boxes), across, lat.between(south, north))


def within(point: ColumnElement[Any], name: str, parts: int, given: Given = as_it_is) -> ColumnElement[bool]:
    """Like `in_circle`, but the GiST index first finds the points in the circle's box, which has `parts` parts."""
    # `&&` is cheap but compares in single precision, so it also finds points a few metres outside the box.
    boxes = (point.bool_op("&&")(given(_envelope(f"{name}_{part}"))) for part in range(parts))
    return and_(or_(*boxes), in_circle(point, name, given))


def in_circle(point: ColumnElement[Any], name: str, given: Given = as_it_is) -> ColumnElement[bool]:
    """Whether a point is within a circle's radius, in metres over the ellipsoid. Values: `circle_values`.

    given  how the values are put into the query, such as `unseen`
    """
    centre = func.ST_GeomFromEWKT(bindparam(f"{name}_centre", type_=Text), type_=Geometry)
    radius = given(bindparam(f"{name}_radius", type_=Double))
    return func.ST_DWithin(cast(point, Geography), given(cast(centre, Geography)), radius, type_=Boolean)


def distance(point: ColumnElement[Any], name: str) -> ColumnElement[float]:
    """The distance from a circle's centre, in metres over the ellipsoid. Values: `circle_values`."""
    centre = func.ST_GeomFromEWKT(bindparam(f"{name}_centre", type_=Text), type_=Geometry)
    return func.ST_Distance(cast(point, Geography), cast(centre, Geography), type_=Double)


def world_x(long: ColumnElement[Any]) -> ColumnElement[Any]:
    """A longitude on the web map: 0 is the 180th meridian in the west, 1 the same meridian in the east."""
    half, whole = (literal_column(degrees, type_=Double) for degrees in ("180", "360"))
    return (long + half) / whole


def world_y(lat: ColumnElement[Any]) -> ColumnElement[Any]:
    """A latitude on the web map: 0 is 85.05 degrees north, 1 is 85.05 degrees south. The poles are outside."""
    one, two = (literal_column(number, type_=Double) for number in ("1", "2"))
    return (one - func.asinh(func.tan(func.radians(lat)), type_=Double) / func.pi(type_=Double)) / two


def cell_x(long: ColumnElement[Any], zoom: int) -> ColumnElement[int]:
    """The column of the cell of the web map at a zoom. 180 degrees east is in the column of 180 degrees west."""
    column = cast(func.floor(world_x(long) * literal_column(str(1 << zoom))), Integer)
    return column.op("&", return_type=Integer())(literal_column(str((1 << zoom) - 1)))


def cell_y(lat: ColumnElement[Any], zoom: int) -> ColumnElement[int]:
    """The row of the cell of the web map at a zoom."""
    return cast(func.floor(world_y(lat) * literal_column(str(1 << zoom))), Integer)


def box_values(name: str, box: Box) -> dict[str, Any]:
    """The parameters of `in_box` and `in_bounds`."""
    sides = (box.west, box.south, box.east, box.north)
    diagonals = {f"{name}_{part}": _diagonal(half) for part, half in enumerate(halves(box))}
    return diagonals | {f"{name}_{side}": degrees for side, degrees in zip(_SIDES, sides, strict=True)}


def circle_values(name: str, circle: Circle) -> dict[str, Any]:
    """The parameters of `in_circle`, `within` and `distance`, and of `in_bounds` for the circle's box."""
    centre = f"SRID=4326;POINT({circle.long!r} {circle.lat!r})"
    return box_values(name, box_around(circle)) | {f"{name}_centre": centre, f"{name}_radius": circle.radius_m}


def _diagonal(box: Box) -> str:
    """The box's diagonal as EWKT. A line is valid even if the box has no width; a polygon would not be."""
    return f"SRID=4326;LINESTRING({box.west!r} {box.south!r}, {box.east!r} {box.north!r})"


def _envelope(name: str) -> ColumnElement[Any]:
    """The box whose diagonal is in a parameter."""
    return func.ST_Envelope(func.ST_GeomFromEWKT(bindparam(name, type_=Text), type_=Geometry), type_=Geometry)
