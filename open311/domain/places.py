"""The place of a request: checked, but stored as the caller sent it (A04, A38). Degrees, WGS 84."""

from __future__ import annotations

from collections.abc import Iterator

from open311.domain.values import quick_dataclass
from open311.errors import Problem
from schemas.texts import tell
from schemas.values import parse_degrees


@quick_dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A location: coordinates, an address, the id of an address, or several of these.

    lat   the latitude in degrees; 0 is valid. None exactly if `long` is None
    long  the longitude in degrees; 0 is valid. None exactly if `lat` is None
    """

    lat: float | None = None
    long: float | None = None
    address: str = ""
    address_id: str = ""
    zipcode: str = ""

    @property
    def has_point(self) -> bool:
        """Whether the place has coordinates."""
        return self.lat is not None and self.long is not None

    @property
    def point(self) -> tuple[float, float] | None:
        """(long, lat), in the order of Shapely and GeoJSON; None without coordinates."""
        if self.lat is None or self.long is None:
            return None
        return (self.long, self.lat)


def read_place(
    *, lat: str = "", long: str = "", address: str = "", address_id: str = ""
) -> tuple[Place, list[Problem]]:
    """The place in the parameters of a POST, and a problem for each fault."""
    problems = list(_half_point(lat, long))
    degrees: dict[str, float] = {}
    for name, text in (("lat", lat), ("long", long)):
        if text:
            try:
                degrees[name] = parse_degrees(name, text)
            except ValueError as error:
                problems.append(Problem(name, str(error)))
    if not (lat or long or address or address_id):
        fault = tell("the location is missing; send lat and long, address_string or address_id.")
        problems.append(Problem("lat", fault))
    if problems:
        return Place(address=address, address_id=address_id), problems
    return (
        Place(lat=degrees.get("lat"), long=degrees.get("long"), address=address, address_id=address_id),
        [],
    )


def _half_point(lat: str, long: str) -> Iterator[Problem]:
    if lat and not long:
        yield Problem("long", tell("is missing; send lat and long together."))
    if long and not lat:
        yield Problem("lat", tell("is missing; send lat and long together."))
