"""The main place of a time zone, from the table of the time zone database."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

_POINT = re.compile(r"(?P<lat>[+-]\d{4}(?:\d\d)?)(?P<long>[+-]\d{5}(?:\d\d)?)", re.ASCII)


def place_of_zone(name: str) -> tuple[float, float] | None:
    """(long, lat) in degrees of the place that a time zone is named after; None for a zone without one."""
    found = _POINT.fullmatch(_points().get(name, ""))
    return None if found is None else (_degrees(found["long"], 3), _degrees(found["lat"], 2))


@cache
def _points() -> dict[str, str]:
    """The point of each zone as the table has it: latitude and longitude in degrees, minutes and seconds."""
    table = files("tzdata") / "zoneinfo" / "zone.tab"
    rows = (line.split("\t") for line in table.read_text(encoding="utf-8").splitlines() if line[:1] != "#")
    return {row[2]: row[1] for row in rows}


def _degrees(text: str, digits: int) -> float:
    """Degrees of ±DDMM or ±DDMMSS. `digits`: the number of D."""
    sign, whole, rest = text[0], text[1 : 1 + digits], text[1 + digits :]
    value = int(whole) + int(rest[:2]) / 60 + int(rest[2:] or 0) / 3600
    return -value if sign == "-" else value
