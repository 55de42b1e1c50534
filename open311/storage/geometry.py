"""Places in SQL: points, boxes, circles. Degrees, WGS 84, (long, lat)."""

from __future__ import annotations

from geoalchemy2 import Geography, Geometry
from sqlalchemy import ColumnElement, and_, cast, func, or_

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
    parts = [
        point.op("&&")(func.ST_MakeEnvelope(half.west, half.south, half.east, half.north, 4326, type_=Geometry))
        for half in halves(box)
    ]
    return or_(*parts)


def within(point: ColumnElement[object], circle: Circle) -> ColumnElement[bool]:
    """Points no further than the radius, metres over the ellipsoid; a box finds candidates by index first."""
    centre = func.ST_SetSRID(func.ST_MakePoint(circle.long, circle.lat), 4326, type_=Geometry)
    near = func.ST_DWithin(cast(point, Geography), cast(centre, Geography), circle.radius_m)
    return and_(in_box(point, box_around(circle)), near)
