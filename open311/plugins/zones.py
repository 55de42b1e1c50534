"""Where time zones are: the position of each zone's main place, from the IANA database."""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from math import asin, cos, radians, sin, sqrt

_EARTH_KM = 6_371.0
_POSITION = re.compile(r"([+-])(\d{2})(\d{2})(?:\d{2})?([+-])(\d{3})(\d{2})(?:\d{2})?")
"""ISO 6709, as in +6010+02458: degrees and minutes, with or without seconds, which are left out."""


def zone_place(zone: str) -> tuple[float, float] | None:
    """The main place of a time zone, (long, lat) in degrees; None for a zone without a place, such as UTC."""
    return _places().get(zone)


def distance_km(one: tuple[float, float], other: tuple[float, float]) -> float:
    """The distance of two points, (long, lat) in degrees, over a sphere; infinite for a latitude beyond a pole."""
    if abs(one[1]) > 90 or abs(other[1]) > 90:
        return float("inf")
    (long, lat), (far_long, far_lat) = (tuple(map(radians, point)) for point in (one, other))
    half = sin((far_lat - lat) / 2) ** 2 + cos(lat) * cos(far_lat) * sin((far_long - long) / 2) ** 2
    return 2 * _EARTH_KM * asin(sqrt(min(1.0, half)))


@cache
def _places() -> dict[str, tuple[float, float]]:
    table = resources.files("tzdata.zoneinfo").joinpath("zone.tab").read_text(encoding="utf-8")
    rows = [line.split("\t") for line in table.splitlines() if not line.startswith("#")]
    return {row[2]: _read(row[1]) for row in rows if len(row) > 2}


def _read(position: str) -> tuple[float, float]:
    match = _POSITION.fullmatch(position)
    if match is None:
        raise ValueError(f"{position!r} is no position")
    south, lat, lat_minutes, west, long, long_minutes = match.groups()
    return (
        float(f"{west}1") * (int(long) + int(long_minutes) / 60),
        float(f"{south}1") * (int(lat) + int(lat_minutes) / 60),
    )
