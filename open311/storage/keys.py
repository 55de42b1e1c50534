"""API keys. A key is random, and is shown only when it is made. The database has only its digest."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Column, Connection, bindparam, insert, select, update

from open311.storage.blocks import version_now
from open311.storage.hot.connections import HotConnections
from open311.storage.hot.statements import Statement
from open311.storage.tables import api_key


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A stored key.

    jurisdiction_id  "*" for all jurisdictions
    may_update       whether updates with the key may change a request's status; without it they are comments
    notice           what all users of the app are told; "" for nothing
    suspended_for    why calls with the key are refused for now; "" for a key that works
    """

    id: int
    jurisdiction_id: str
    label: str
    contact: str
    is_test: bool
    may_update: bool
    created_at: datetime
    revoked_at: datetime | None
    is_for_staff: bool
    notice: str
    suspended_for: str


def add_key(
    connection: Connection,
    secret: str,
    *,
    jurisdiction_id: str,
    label: str,
    contact: str = "",
    is_test: bool = False,
    may_update: bool = False,
    is_for_staff: bool = False,
    now: datetime,
) -> int:
    """Store a key's digest, and return the key's number, which `revoke_key` needs."""
    number: int = connection.execute(
        insert(api_key)
        .values(
            jurisdiction_id=jurisdiction_id,
            digest=_digest(secret),
            label=label,
            contact=contact,
            is_test=is_test,
            may_update=may_update,
            is_for_staff=is_for_staff,
            created_at=now,
        )
        .returning(api_key.c.id)
    ).scalar_one()
    return number


def find_key(hot: HotConnections, secret: str) -> tuple[ApiKey, int] | None:
    """The key with this secret, of any jurisdiction, and the version of the block list.

    None if there is no such key or it is revoked.
    """
    rows = hot.rows(_by_digest(), {"digest": _digest(secret)})
    if not rows:
        return None
    *values, version = rows[0]
    return ApiKey(**dict(zip(_NAMES, values, strict=True))), version


@cache
def _by_digest() -> Statement:
    query = select(*_columns(), version_now()).where(
        api_key.c.digest == bindparam("digest"), api_key.c.revoked_at.is_(None)
    )
    return Statement.of(query, is_prepared=True)


def list_keys(connection: Connection) -> list[ApiKey]:
    """All keys, oldest first, including revoked ones."""
    rows = connection.execute(select(*_columns()).order_by(api_key.c.id))
    return [ApiKey(**row._mapping) for row in rows]


def revoke_key(connection: Connection, number: int, now: datetime) -> bool:
    """Revoke a key. Returns False if there is no such key or the key is already revoked."""
    changed = connection.execute(
        update(api_key).where(api_key.c.id == number, api_key.c.revoked_at.is_(None)).values(revoked_at=now)
    )
    return changed.rowcount == 1


def lock_key(connection: Connection, number: int) -> None:
    """Let other transactions that lock this key wait until this transaction ends."""
    connection.execute(select(api_key.c.id).where(api_key.c.id == number).with_for_update(key_share=True))


def change_key(connection: Connection, number: int, **values: str) -> bool:
    """Change the notice of a key, or why it is suspended. Returns False if there is no valid key of this number."""
    changed = connection.execute(
        update(api_key).where(api_key.c.id == number, api_key.c.revoked_at.is_(None)).values(values)
    )
    return changed.rowcount == 1


def _columns() -> list[Column[Any]]:
    return [column for column in api_key.c if column.name != "digest"]


_NAMES = tuple(column.name for column in _columns())


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
