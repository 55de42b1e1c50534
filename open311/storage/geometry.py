"""Places in SQL: points, boxes, circles. Degrees, WGS 84, (long, lat)."""

from __future__ import annotations

from collections.abc import Iterator

from geoalchemy2 import Geography, Geometry
from sqlalchemy import Boolean, ColumnElement, and_, cast, func, or_

from open311.domain.places import Place
from open311.domain.search import Box, Circle, box_around, halves


def point_of(place: Place) -> str | None:
    """The place's point as EWKT, None without coordinates."""
    if place.point is None:
        return None
    long, lat = place.point
    return f"SRID=4326;POINT({long!r} {lat!r})"


def in_box(point: ColumnElement[object], box: Box) -> ColumnElement[bool]:
    """Points in or on a box; one that crosses the antimeridian is asked for in two halves."""
    return or_(*(func.ST_Intersects(point, envelope, type_=Boolean) for envelope in _envelopes(box)))


def around_box(point: ColumnElement[object], box: Box) -> ColumnElement[bool]:
    """Points in a box and perhaps a few metres beyond: cheap, but its bounds are kept in single precision."""
    return or_(*(point.bool_op("&&")(envelope) for envelope in _envelopes(box)))


def within(point: ColumnElement[object], circle: Circle) -> ColumnElement[bool]:
    """Points no further than the radius, metres over the ellipsoid; a box finds candidates by index first."""
    centre = func.ST_SetSRID(func.ST_MakePoint(circle.long, circle.lat), 4326, type_=Geometry)
    near = func.ST_DWithin(cast(point, Geography), cast(centre, Geography), circle.radius_m)
    return and_(around_box(point, box_around(circle)), near)


def _envelopes(box: Box) -> Iterator[ColumnElement[object]]:
    for half in halves(box):
        yield func.ST_MakeEnvelope(half.west, half.south, half.east, half.north, 4326, type_=Geometry)
