"""Links to one's own request. A link's secret is random and shown only once. The database has only its digest."""

from __future__ import annotations

import hashlib
from datetime import datetime
from functools import cache

from sqlalchemy import ColumnElement, Connection, bindparam, delete, insert, literal_column, select

from open311.storage.hot.statements import Statement
from open311.storage.hot.transactions import Run
from open311.storage.tables import status_link

MOST_LINKS = 5
"""The most links of one request. A repeated call gets a new link. If there are too many, the oldest link ends."""


def add(run: Run, jurisdiction_id: str, number: int, secret: str, now: datetime) -> None:
    """Add a link to request `number`. If the request has too many links, the oldest ends."""
    run(_add(), _key(jurisdiction_id, secret) | {"request_id": number, "created_at": now})


def number_of(run: Run, jurisdiction_id: str, secret: str) -> int:
    """The number of the request that a link is for; 0 if there is no such link."""
    rows = run(_by_digest(), _key(jurisdiction_id, secret))
    return int(rows[0][0]) if rows else 0


def revoke(connection: Connection, jurisdiction_id: str, number: int) -> int:
    """End all links of a request. Returns how many there were."""
    columns = status_link.c
    mine = (columns.jurisdiction_id == jurisdiction_id, columns.request_id == number)
    return connection.execute(delete(status_link).where(*mine)).rowcount


def replace(connection: Connection, jurisdiction_id: str, number: int, secret: str, now: datetime) -> None:
    """End all links of a request and give it a new one."""
    revoke(connection, jurisdiction_id, number)
    values = _key(jurisdiction_id, secret) | {"request_id": number, "created_at": now}
    connection.execute(insert(status_link).values(values))


def _key(jurisdiction_id: str, secret: str) -> dict[str, object]:
    return {"jurisdiction_id": jurisdiction_id, "digest": hashlib.sha256(secret.encode()).digest()}


@cache
def _add() -> Statement:
    """The statement that adds a link and ends the oldest ones, so that at most MOST_LINKS remain."""
    columns = status_link.c
    mine = (
        columns.jurisdiction_id == bindparam("jurisdiction_id"),
        columns.request_id == bindparam("request_id"),
    )
    kept: ColumnElement[int] = literal_column(str(MOST_LINKS - 1))
    old = select(columns.digest).where(*mine).order_by(columns.id.desc()).offset(kept).scalar_subquery()
    ended = delete(status_link).where(
        columns.jurisdiction_id == bindparam("jurisdiction_id"), columns.digest.in_(old)
    )
    row = insert(status_link).values({item.name: bindparam(item.name) for item in columns if item.name != "id"})
    return Statement.of(row.add_cte(ended.cte("ended")).returning(columns.request_id), is_prepared=True)


@cache
def _by_digest() -> Statement:
    columns = status_link.c
    query = select(columns.request_id).where(
        columns.jurisdiction_id == bindparam("jurisdiction_id"), columns.digest == bindparam("digest")
    )
    return Statement.of(query, is_prepared=True)
