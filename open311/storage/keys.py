"""API keys. A key is random, and is shown only when it is made. The database has only its digest."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
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
    things           a key with things may send only observations of these; empty for keys of apps
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
    things: tuple[str, ...]

    def __post_init__(self) -> None:
        """Make the things a tuple, because the drivers return lists."""
        object.__setattr__(self, "things", tuple(self.things))


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
    things: Sequence[str] = (),
    now: datetime,
) -> int:
    """Store a key's digest, and return the key's number, by which it is changed or revoked."""
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
            things=list(things),
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


def list_keys(connection: Connection, jurisdiction_id: str | None = None) -> list[ApiKey]:
    """All keys, oldest first, including revoked ones. With `jurisdiction_id`, only those of one jurisdiction."""
    query = select(*_columns()).order_by(api_key.c.id)
    if jurisdiction_id is not None:
        query = query.where(api_key.c.jurisdiction_id == jurisdiction_id)
    return [ApiKey(**row._mapping) for row in connection.execute(query)]


def lock_key(connection: Connection, number: int) -> None:
    """Let other transactions that lock this key wait until this transaction ends."""
    connection.execute(select(api_key.c.id).where(api_key.c.id == number).with_for_update(key_share=True))


def change_key(
    connection: Connection, number: int, jurisdiction_id: str | None, values: Mapping[str, Any]
) -> str | None:
    """Change columns of a valid key. Returns the key's jurisdiction; None if no valid key has this number.

    jurisdiction_id  the only jurisdiction whose keys may be changed; None for all
    """
    query = update(api_key).where(api_key.c.id == number, api_key.c.revoked_at.is_(None))
    if jurisdiction_id is not None:
        query = query.where(api_key.c.jurisdiction_id == jurisdiction_id)
    place: str | None = connection.execute(
        query.values(values).returning(api_key.c.jurisdiction_id)
    ).scalar_one_or_none()
    return place


def _columns() -> list[Column[Any]]:
    return [column for column in api_key.c if column.name != "digest"]


_NAMES = tuple(column.name for column in _columns())


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
