"""The ways of requests between servers, as rows."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    ColumnElement,
    Connection,
    Select,
    Text,
    any_,
    bindparam,
    cast,
    func,
    literal_column,
    select,
)
from sqlalchemy.dialects.postgresql import insert as pg_insert

from open311.domain.imports import REMOTE_SOURCE
from open311.domain.origins import Origin, proven
from open311.storage.hot.statements import Statement
from open311.storage.hot.transactions import Run
from open311.storage.tables import jurisdiction, request_origin, service_request

_COPY: ColumnElement[str] = literal_column(f"'{REMOTE_SOURCE}'")
_MOST_COPIES = 100
"""The most copies of one request that are read. A federation of reasonable size has fewer neighbours."""


def load(connection: Connection, jurisdiction_id: str, numbers: Sequence[int]) -> dict[int, Origin]:
    """The origin of each of these requests that comes from another server, by number."""
    columns = request_origin.c
    rows = connection.execute(
        select(columns.request_id, columns.via, columns.url, columns.is_trusted)
        .where(columns.jurisdiction_id == jurisdiction_id)
        .where(columns.request_id == any_(bindparam(None, list(numbers), ARRAY(BigInteger))))
    )
    return {row.request_id: Origin(tuple(row.via), row.url, row.is_trusted) for row in rows}


def add(run: Run, jurisdiction_id: str, number: int, origin: Origin) -> None:
    """Store the origin of a request. An origin that is stored already stays."""
    values = {"jurisdiction_id": jurisdiction_id, "request_id": number, "via": list(origin.via)}
    run(_add(), values | {"url": origin.url, "is_trusted": origin.is_trusted})


def find(run: Run, jurisdiction_id: str, via: Sequence[str]) -> int:
    """The number of the request that was sent here and that, as a neighbour says, was at one of these hops before.

    Returns 0 if there is none. Pulled requests do not count; see `find_copies`.
    """
    rows = run(_find(), {"jurisdiction_id": jurisdiction_id, "via": proven(via)})
    return int(rows[0][0]) if rows else 0


def find_copies(run: Run, jurisdiction_id: str, via: Sequence[str]) -> dict[int, tuple[str, ...]]:
    """The pulled requests that were at one of these hops, as a neighbour says: number -> all hops of it."""
    rows = run(_find_copies(), {"jurisdiction_id": jurisdiction_id, "via": proven(via)})
    return {int(number): tuple(hops) for number, hops in rows}


def lock(run: Run, origin: str) -> None:
    """Until the transaction ends, no other transaction can store a request with this first hop."""
    run(_lock(), {"origin": origin})


def federation_id(run: Run, jurisdiction_id: str) -> str:
    """The name of a city among servers; "" before its catalogue is stored."""
    rows = run(_federation_id(), {"jurisdiction_id": jurisdiction_id})
    return str(rows[0][0]) if rows else ""


@cache
def _add() -> Statement:
    row = pg_insert(request_origin).values(
        jurisdiction_id=bindparam("jurisdiction_id"),
        request_id=bindparam("request_id"),
        via=cast(bindparam("via"), ARRAY(Text)),
        url=bindparam("url"),
        is_trusted=cast(bindparam("is_trusted"), Boolean),
    )
    key = ["jurisdiction_id", "request_id"]
    return Statement.of(row.on_conflict_do_nothing(index_elements=key).returning(request_origin.c.request_id))


@cache
def _find() -> Statement:
    columns = request_origin.c
    query = _at_hops(columns.request_id).where(service_request.c.source != _COPY)
    return Statement.of(query.order_by(columns.request_id).limit(literal_column("1")))


@cache
def _find_copies() -> Statement:
    columns = request_origin.c
    query = _at_hops(columns.request_id, columns.via).where(service_request.c.source == _COPY)
    return Statement.of(query.order_by(columns.request_id).limit(literal_column(str(_MOST_COPIES))))


def _at_hops(*wanted: ColumnElement[Any]) -> Select[Any]:
    columns, stored = request_origin.c, service_request.c
    return select(*wanted).where(
        columns.via.overlap(cast(bindparam("via"), ARRAY(Text))),
        columns.is_trusted,
        columns.jurisdiction_id == bindparam("jurisdiction_id"),
        stored.jurisdiction_id == columns.jurisdiction_id,
        stored.id == columns.request_id,
    )


@cache
def _lock() -> Statement:
    return Statement.of(select(func.pg_advisory_xact_lock(func.hashtext(cast(bindparam("origin"), Text)))))


@cache
def _federation_id() -> Statement:
    columns = jurisdiction.c
    query = select(columns.federation_id).where(columns.jurisdiction_id == bindparam("jurisdiction_id"))
    return Statement.of(query)
