"""What the public can see: one row a request, rendered when it changes. Every public read comes here alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ARRAY, ColumnElement, Connection, Select, Text, any_, bindparam, func, select
from sqlalchemy.dialects.postgresql import insert

from open311.domain.requests import Record
from open311.domain.search import RequestSearch, Sort
from open311.formats import VERSION, Format, Rendition
from open311.storage.geometry import in_box, point_of, within
from open311.storage.tables import publication

WITHDRAWN = "withdrawn"

_ORDERS = {
    Sort.REQUESTED_DESC: (publication.c.requested_at.desc(), publication.c.id.desc()),
    Sort.REQUESTED: (publication.c.requested_at, publication.c.id),
    Sort.UPDATED_DESC: (publication.c.updated_at.desc(), publication.c.id.desc()),
    Sort.UPDATED: (publication.c.updated_at, publication.c.id),
}
_BODY = {Format.JSON: publication.c.json, Format.XML: publication.c.xml}


@dataclass(frozen=True, slots=True)
class Publication:
    """A record's public side; without a rendition, a tombstone."""

    record: Record
    rendition: Rendition | None


def publish(connection: Connection, publications: Iterable[Publication]) -> None:
    """Write public sides, new or changed, in the caller's transaction."""
    rows = [_row(item) for item in publications]
    if not rows:
        return
    statement = insert(publication)
    changes: dict[str, Any] = {
        column: statement.excluded[column] for column in rows[0] if column not in ("jurisdiction_id", "id")
    }
    changes["written_by"] = func.pg_current_xact_id()
    connection.execute(
        statement.values(rows).on_conflict_do_update(index_elements=["jurisdiction_id", "id"], set_=changes)
    )


def find_items(connection: Connection, search: RequestSearch, output: Format) -> list[str]:
    """The rendered items of a page, in order, one more than the page where there are more."""
    if search.ids:
        return _find_ids(connection, search, output)
    statement = (
        select(_BODY[output])
        .where(*_conditions(search))
        .order_by(*_ORDERS[search.sort])
        .limit(search.page_size + 1)
        .offset((search.page - 1) * search.page_size)
    )
    return list(connection.execute(statement).scalars())


def find_item(connection: Connection, jurisdiction_id: str, service_request_id: str, output: Format) -> str | None:
    """One rendered item by its id; also an unlisted one."""
    return connection.execute(
        select(_BODY[output]).where(
            publication.c.jurisdiction_id == jurisdiction_id,
            publication.c.service_request_id == service_request_id,
            publication.c.visibility != WITHDRAWN,
        )
    ).scalar_one_or_none()


def stale_count(connection: Connection, jurisdiction_id: str) -> int:
    """How many renditions an older renderer wrote."""
    return connection.execute(
        select(func.count()).where(
            publication.c.jurisdiction_id == jurisdiction_id, publication.c.renderer != VERSION
        )
    ).scalar_one()


def page_query(search: RequestSearch) -> Select[Any]:
    """The list's statement, for EXPLAIN."""
    return (
        select(publication.c.json)
        .where(*_conditions(search))
        .order_by(*_ORDERS[search.sort])
        .limit(search.page_size + 1)
    )


def _find_ids(connection: Connection, search: RequestSearch, output: Format) -> list[str]:
    """Listed requests by id, in the order asked; unknown ids are left out (A19)."""
    rows = connection.execute(
        select(publication.c.service_request_id, _BODY[output]).where(
            publication.c.jurisdiction_id == search.jurisdiction_id,
            publication.c.service_request_id == any_(bindparam(None, list(search.ids), ARRAY(Text))),
            publication.c.visibility == "public",
        )
    )
    found = {row[0]: row[1] for row in rows}
    return [found[wanted] for wanted in search.ids if wanted in found]


def _conditions(search: RequestSearch) -> Iterator[ColumnElement[bool]]:
    columns = publication.c
    yield columns.jurisdiction_id == search.jurisdiction_id
    yield columns.visibility == "public"
    if search.service_codes:
        yield columns.service_code.in_(search.service_codes)
    if len(set(search.statuses)) == 1:
        yield columns.status == search.statuses[0]
    for column, window in ((columns.requested_at, search.requested), (columns.changed_at, search.updated)):
        if window.start is not None:
            yield column >= window.start
        if window.end is not None:
            yield column <= window.end
    if search.box is not None:
        yield in_box(columns.point, search.box)
    if search.near is not None:
        yield within(columns.point, search.near)


def _row(item: Publication) -> dict[str, Any]:
    record, rendition = item.record, item.rendition
    return {
        "jurisdiction_id": record.jurisdiction_id,
        "id": record.number,
        "service_request_id": record.service_request_id,
        "service_code": record.service_code,
        "status": record.status,
        "requested_at": record.requested_at,
        "updated_at": record.updated_at,
        "changed_at": record.changed_at,
        "point": point_of(record.place) if rendition else None,
        "visibility": record.visibility if rendition else WITHDRAWN,
        "json": rendition.json if rendition else "",
        "xml": rendition.xml if rendition else "",
        "renderer": VERSION,
    }
