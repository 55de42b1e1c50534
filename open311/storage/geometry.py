"""Places in SQL: points, boxes, circles. Degrees, WGS 84, (long, lat)."""

from __future__ import annotations

from typing import Any

from geoalchemy2 import Geography, Geometry
from sqlalchemy import Boolean, ColumnElement, Double, Text, and_, bindparam, cast, func, or_
from sqlalchemy.types import NullType

from open311.domain.places import Place
from open311.domain.search import Box, Circle, box_around, halves

_SIDES = ("west", "south", "east", "north")


def point_of(place: Place) -> str | None:
    """The place's point as EWKT, None without coordinates."""
    if place.point is None:
        return None
    long, lat = place.point
    return f"SRID=4326;POINT({long!r} {lat!r})"


def point_from(ewkt: ColumnElement[Any]) -> ColumnElement[Any]:
    """A point from the text that `point_of` makes, for INSERT … SELECT.

    Without SQLAlchemy's type, because GeoAlchemy converts every geometry that is selected to EWKB.
    """
    return func.ST_GeomFromEWKT(ewkt, type_=NullType)


def in_box(point: ColumnElement[Any], name: str, parts: int) -> ColumnElement[bool]:
    """Points in or on a box, in two parts across the antimeridian; `box_values` has the values of this name."""
    return or_(*(func.ST_Intersects(point, _envelope(f"{name}_{part}"), type_=Boolean) for part in range(parts)))


def in_bounds(lat: ColumnElement[Any], long: ColumnElement[Any], name: str) -> ColumnElement[bool]:
    """Like `in_box` for a box in one part, but by two columns: any index that has both can filter."""
    west, south, east, north = (bindparam(f"{name}_{side}", type_=Double) for side in _SIDES)
    return and_(long.between(west, east), lat.between(south, north))


def within(point: ColumnElement[Any], name: str, parts: int) -> ColumnElement[bool]:
    """Like `in_circle`, but an index first finds the points in the circle's box, which has `parts` parts."""
    # `&&` is cheap but compares in single precision: it also finds points a few metres outside the box.
    boxes = (point.bool_op("&&")(_envelope(f"{name}_{part}")) for part in range(parts))
    return and_(or_(*boxes), in_circle(point, name))


def in_circle(point: ColumnElement[Any], name: str) -> ColumnElement[bool]:
    """Points no further than a circle's radius, metres over the ellipsoid; `circle_values` has the values."""
    centre = func.ST_GeomFromEWKT(bindparam(f"{name}_centre", type_=Text), type_=Geometry)
    radius = bindparam(f"{name}_radius", type_=Double)
    return func.ST_DWithin(cast(point, Geography), cast(centre, Geography), radius, type_=Boolean)


def distance(point: ColumnElement[Any], name: str) -> ColumnElement[float]:
    """Metres from a circle's centre over the ellipsoid; the values are those of `circle_values`."""
    centre = func.ST_GeomFromEWKT(bindparam(f"{name}_centre", type_=Text), type_=Geometry)
    return func.ST_Distance(cast(point, Geography), cast(centre, Geography), type_=Double)


def box_values(name: str, box: Box) -> dict[str, Any]:
    """The values that `in_box` and `in_bounds` ask for."""
    sides = (box.west, box.south, box.east, box.north)
    diagonals = {f"{name}_{part}": _diagonal(half) for part, half in enumerate(halves(box))}
    return diagonals | {f"{name}_{side}": degrees for side, degrees in zip(_SIDES, sides, strict=True)}


def circle_values(name: str, circle: Circle) -> dict[str, Any]:
    """The values that `in_circle`, `within` and `distance` ask for, and `in_bounds` for the circle's box."""
    centre = f"SRID=4326;POINT({circle.long!r} {circle.lat!r})"
    return box_values(name, box_around(circle)) | {f"{name}_centre": centre, f"{name}_radius": circle.radius_m}


def _diagonal(box: Box) -> str:
    """The box's diagonal as EWKT: a line is valid even for a box without width, a polygon would be empty."""
    return f"SRID=4326;LINESTRING({box.west!r} {box.south!r}, {box.east!r} {box.north!r})"


def _envelope(name: str) -> ColumnElement[Any]:
    """The box around the diagonal that a parameter holds."""
    return func.ST_Envelope(func.ST_GeomFromEWKT(bindparam(name, type_=Text), type_=Geometry), type_=Geometry)
