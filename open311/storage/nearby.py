"""The query for earlier open requests near many new requests. It is one statement and reads only publications."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from geoalchemy2 import Geography
from sqlalchemy import (
    ARRAY,
    Boolean,
    Connection,
    Double,
    Select,
    Text,
    bindparam,
    cast,
    func,
    literal_column,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import TIMESTAMP, distinct_on
from sqlalchemy.types import NullType

from open311.domain.search import Circle, box_around, halves
from open311.storage.tables import publication

MOST = 200
"""The number of requests that are examined near one point. Thousands may share a point."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vantage:
    """A search for open requests of one service in a circle and in a span of time. Both ends are included."""

    service_code: str
    circle: Circle
    since: datetime
    until: datetime


class NearRequest(NamedTuple):
    """A request that was found. Such requests are compared by time, so `min` returns the earliest one."""

    requested_at: datetime
    service_request_id: str


def find_earliest(
    connection: Connection, jurisdiction_id: str, wanted: Mapping[str, Vantage]
) -> dict[str, NearRequest]:
    """The earliest listed open request for each search, by the search's key. Searches without result are absent."""
    rows = list(zip(*_rows(wanted), strict=True))
    values = {name: list(column) for name, column in zip(_TYPES, rows, strict=True)}
    found: dict[str, NearRequest] = {}
    for key, requested_at, identifier in connection.execute(
        _earliest(), values | {"jurisdiction_id": jurisdiction_id}
    ):
        near = NearRequest(requested_at, identifier)
        found[key] = min(near, found.get(key, near))
    return found


_TYPES: dict[str, Any] = {
    "key": Text,
    "service_code": Text,
    "since": TIMESTAMP(timezone=True),
    "until": TIMESTAMP(timezone=True),
    **dict.fromkeys(("long", "lat", "radius_m", "west", "south", "east", "north"), Double),
}


def _rows(wanted: Mapping[str, Vantage]) -> Iterable[tuple[Any, ...]]:
    """Rows of values in the order of `_TYPES`: one for each search, but two if it crosses the antimeridian."""
    for key, vantage in wanted.items():
        circle = vantage.circle
        for box in halves(box_around(circle)):
            place = (circle.long, circle.lat, circle.radius_m, box.west, box.south, box.east, box.north)
            yield (key, vantage.service_code, vantage.since, vantage.until, *place)


@cache
def _earliest() -> Select[Any]:
    arrays = [cast(bindparam(name, type_=ARRAY(kind)), ARRAY(kind)) for name, kind in _TYPES.items()]
    wanted = func.unnest(*arrays).table_valued(*_TYPES, name="wanted").render_derived().c
    columns = publication.c
    box = func.ST_MakeEnvelope(wanted.west, wanted.south, wanted.east, wanted.north, 4326, type_=NullType)
    centre = func.ST_SetSRID(func.ST_MakePoint(wanted.long, wanted.lat), 4326, type_=NullType)
    here = (
        select(
            *(columns[name] for name in ("requested_at", "service_request_id", "status", "service_code", "point"))
        )
        .where(
            columns.jurisdiction_id.concat(literal_column("''")) == bindparam("jurisdiction_id"),
            columns.visibility == literal_column("'public'"),
            columns.requested_at.between(wanted.since, wanted.until),
            columns.point.bool_op("&&")(box),
        )
        # Before the table is analyzed, the planner would choose a wrong index. So these conditions are written in a
        # way that no other index matches: all others begin with the plain jurisdiction_id, or need a status too.
        .limit(literal_column(str(MOST)))
        .lateral("here")
    )
    near = (
        here.c.status == literal_column("'open'"),
        here.c.service_code == wanted.service_code,
        func.ST_DWithin(cast(here.c.point, Geography), cast(centre, Geography), wanted.radius_m, type_=Boolean),
    )
    found = (wanted.key, here.c.requested_at, here.c.service_request_id)
    query = select(*found).join_from(wanted.key.table, here, true()).where(*near)
    return query.ext(distinct_on(wanted.key)).order_by(*found)
