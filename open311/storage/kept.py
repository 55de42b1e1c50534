"""The requests that still have personal data or photos, for retention. An index has the rows of each source."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, Select, Table, func, select, text, union

from open311.domain.requests import Status
from open311.domain.retention import Kept
from open311.storage.tables import (
    follower,
    media,
    public_update,
    received_update,
    remote_update,
    reporter,
    service_request,
    supporter,
)
from open311.storage.tables.media import IS_TAKEN
from open311.storage.tables.requests import HAS_PHOTOS
from open311.storage.tables.support import IS_SOMEBODY
from open311.storage.tables.updates import HAS_PHOTO, IS_PERSONAL

_Source = tuple[Table, str, str]
"""A table, its column with the numbers of requests, and a condition in SQL for the rows that count."""

_PEOPLE: tuple[_Source, ...] = (
    (reporter, "request_id", "true"),
    (received_update, "request_id", IS_PERSONAL),
    (follower, "request_id", "true"),
    (supporter, "request_id", IS_SOMEBODY),
)
_PHOTOS: tuple[_Source, ...] = (
    (media, "request_id", IS_TAKEN),
    (service_request, "id", HAS_PHOTOS),
    (public_update, "request_id", HAS_PHOTO),
    (received_update, "request_id", HAS_PHOTOS),
    (remote_update, "request_id", HAS_PHOTOS),
)


def with_people(connection: Connection, jurisdiction_id: str, *, after: int, rows: int) -> list[Kept]:
    """The next requests that have personal data, by number. Used in a loop over all of them."""
    return _load(connection, people_query(jurisdiction_id, after=after, rows=rows))


def with_photos(connection: Connection, jurisdiction_id: str, *, after: int, rows: int) -> list[Kept]:
    """The next requests that have photos or addresses of photos, also in updates, by number."""
    return _load(connection, photos_query(jurisdiction_id, after=after, rows=rows))


def people_query(jurisdiction_id: str, *, after: int, rows: int) -> Select[tuple[int, str, str, object]]:
    """The statement of `with_people`."""
    return _query(_PEOPLE, jurisdiction_id, after, rows)


def photos_query(jurisdiction_id: str, *, after: int, rows: int) -> Select[tuple[int, str, str, object]]:
    """The statement of `with_photos`."""
    return _query(_PHOTOS, jurisdiction_id, after, rows)


def count_people(connection: Connection, jurisdiction_id: str) -> int:
    """The number of requests whose reporter is known. Reads an index of all of them."""
    return _count(connection, _PEOPLE[:1], jurisdiction_id)


def count_photos(connection: Connection, jurisdiction_id: str) -> int:
    """About how many requests have photos. Reads indexes of all of them."""
    return _count(connection, _PHOTOS[:2], jurisdiction_id)


def _query(
    sources: Sequence[_Source], jurisdiction_id: str, after: int, rows: int
) -> Select[tuple[int, str, str, object]]:
    found = union(
        *(
            select(table.c[column].label("number"))
            .where(table.c.jurisdiction_id == jurisdiction_id, table.c[column] > after, text(counts))
            .order_by(table.c[column])
            .limit(rows)
            for table, column, counts in sources
        )
    ).subquery()
    next_ones = select(found.c.number).order_by(found.c.number).limit(rows).subquery()
    columns = service_request.c
    return (
        select(columns.id, columns.service_code, columns.status, columns.updated_at)
        .where(columns.jurisdiction_id == jurisdiction_id, columns.id == next_ones.c.number)
        .order_by(columns.id)
    )


def _load(connection: Connection, query: Select[tuple[int, str, str, object]]) -> list[Kept]:
    return [
        Kept(row.id, row.service_code, row.updated_at if row.status == Status.CLOSED else None)
        for row in connection.execute(query)
    ]


def _count(connection: Connection, sources: Sequence[_Source], jurisdiction_id: str) -> int:
    numbers = union(
        *(
            select(table.c[column]).where(table.c.jurisdiction_id == jurisdiction_id, text(counts))
            for table, column, counts in sources
        )
    ).subquery()
    return connection.execute(select(func.count()).select_from(numbers)).scalar_one()
