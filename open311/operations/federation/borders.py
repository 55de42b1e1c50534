"""Find points near the border of a neighbour's territory, where a person may have meant the other side."""

from __future__ import annotations

from datetime import datetime
from math import cos, hypot, radians

from shapely import Point, shortest_line
from shapely.geometry.base import BaseGeometry

from open311.operations.federation.joining import Joined, join_remotes
from open311.operations.platform import Platform
from open311.plugins import Jurisdiction

NEAR_M = 50.0
"""A point nearer to the border than this may belong to the other side, because phones in streets are not exact."""
METRES_PER_DEGREE = 111_195.0


def candidates_at(
    platform: Platform, city: Jurisdiction, point: tuple[float, float] | None, service: str, *, now: datetime
) -> tuple[str, ...]:
    """The names of those who may be responsible at a (long, lat) point near a border, the city first.

    Empty if the point is not near the border of a neighbour that gets requests and has the service.

    service  the code of the request's service, which a neighbour may not have
    """
    if point is None or not city.areas:
        return ()
    joined = platform.process.cached(_joined_at)(platform, now.replace(second=0, microsecond=0))
    near = [
        one.title or one.name
        for one in joined.of_city(city.id)
        if one.pushes
        and one.code_there(service) in joined.codes.get((city.id, one.name), ())
        and any(is_near(city.areas[area], point) for area in one.areas if area in city.areas)
    ]
    return (city.name, *near) if near else ()


def is_near(area: BaseGeometry, point: tuple[float, float], most_m: float = NEAR_M) -> bool:
    """Whether a (long, lat) point, in degrees, is near the edge of an area, on either side."""
    line = shortest_line(area.boundary, Point(point))
    (long, lat), (other_long, other_lat) = line.coords
    east_m = (long - other_long) * METRES_PER_DEGREE * cos(radians(lat))
    return hypot(east_m, (lat - other_lat) * METRES_PER_DEGREE) <= most_m


def _joined_at(platform: Platform, _: datetime) -> Joined:
    """The neighbours, read once a minute. The time is only part of the cache key."""
    with platform.database.reading() as connection:
        return join_remotes(platform, connection)
