"""Finds the earlier requests nearby that imported requests may repeat, for a whole batch at once."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from math import cos, hypot, radians

from open311.domain.requests import Status
from open311.domain.search import Circle
from open311.domain.services import ServiceType
from open311.operations.importing.matching import MatchedRow
from open311.plugins import Jurisdiction
from open311.storage.engine import Connection
from open311.storage.nearby import NearRequest, Vantage, find_earliest

METRES_PER_DEGREE = 111_195.0
LEAST_COSINE = 0.01
"""The least cosine of a latitude that is used. It limits the width of cells near a pole."""


def possible_duplicates(
    connection: Connection, jurisdiction: Jurisdiction, rows: Sequence[MatchedRow]
) -> dict[str, str]:
    """Id of each new open row -> id of the earliest open request of the same service near it.

    Both stored requests and other `rows` are searched. Batches that two processes store at the same time do not see
    each other, and neither do two POSTs at the same moment. A closed row never counts as a duplicate.
    """
    wanted = {row.id: vantage for row in rows if (vantage := _vantage(jurisdiction, row)) is not None}
    if not wanted:
        return {}
    found = find_earliest(connection, jurisdiction.id, wanted)
    for identifier, near in _among(wanted):
        found[identifier] = min(near, found.get(identifier, near))
    return {identifier: near.service_request_id for identifier, near in found.items()}


def _vantage(jurisdiction: Jurisdiction, row: MatchedRow) -> Vantage | None:
    """The place and the period in which to search for a row. None if the row cannot be a duplicate."""
    request = row.request
    lat, long = request.place.lat, request.place.long
    if request.status is Status.CLOSED or lat is None or long is None:
        return None
    vicinity = jurisdiction.vicinity(row.service)
    if vicinity.radius_m == 0 or row.service.type is ServiceType.BLACKBOX:
        return None
    return Vantage(
        service_code=row.service.code,
        circle=Circle(long, lat, vicinity.radius_m),
        since=request.requested_at - timedelta(days=vicinity.days),
        until=request.requested_at,
    )


_Cell = tuple[str, int, int]
_Spot = tuple[NearRequest, Circle]


def _among(wanted: Mapping[str, Vantage]) -> Iterator[tuple[str, NearRequest]]:
    """For each wanted request, the earliest other one near it. A cell of the grid is at least one radius wide."""
    least = min(cos(radians(vantage.circle.lat)) for vantage in wanted.values())
    cells: defaultdict[_Cell, list[_Spot]] = defaultdict(list)
    for identifier, vantage in sorted(wanted.items(), key=lambda item: item[1].until):
        circle, code = vantage.circle, vantage.service_code
        height = circle.radius_m / METRES_PER_DEGREE
        x, y = int(circle.long * max(least, LEAST_COSINE) // height), int(circle.lat // height)
        around = [(code, x + right, y + up) for right in (-1, 0, 1) for up in (-1, 0, 1)]
        seen = [found for cell in around if cell in cells and (found := _first(cells[cell], vantage)) is not None]
        if seen:
            yield identifier, min(seen)
        cells[code, x, y].append((NearRequest(vantage.until, identifier), circle))


def _first(spots: list[_Spot], vantage: Vantage) -> NearRequest | None:
    """The first spot of a cell that is near and recent enough; None if there is none. `spots` is sorted by time."""
    for near, circle in spots[bisect_left(spots, vantage.since, key=lambda spot: spot[0].requested_at) :]:
        if _metres(circle, vantage.circle) <= vantage.circle.radius_m:
            return near
    return None


def _metres(one: Circle, other: Circle) -> float:
    """The distance in metres between two circles' centres on a sphere. They must be near each other."""
    east = (one.long - other.long) * cos(radians(one.lat))
    return hypot(east, one.lat - other.lat) * METRES_PER_DEGREE
