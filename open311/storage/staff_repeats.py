"""The keys that make commands of staff, and updates by apps, idempotent.

A row also has the request that the first call changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from open311.storage.repeats import REPEATABLE_FOR
from open311.storage.tables import staff_repeat


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeat:
    """A call that an account or an app may repeat.

    actor       the account or the key, as `str(principal)`
    client_key  the key that the caller chose for the call
    digest      a digest of everything that the call sent
    """

    jurisdiction_id: str
    actor: str
    client_key: str
    digest: bytes


def claim(connection: Connection, repeat: Repeat, now: datetime) -> bool:
    """Store the key of a call. Returns False if a call of the last day had the same key.

    A second call with the same key waits here until the first call's transaction ends.
    """
    columns = staff_repeat.c
    row = insert(staff_repeat).values(
        jurisdiction_id=repeat.jurisdiction_id,
        actor=repeat.actor,
        client_key=repeat.client_key,
        digest=repeat.digest,
        request_id=0,
        version=0,
        created_at=now,
    )
    replaced = {name: row.excluded[name] for name in ("digest", "request_id", "version", "created_at")}
    statement = row.on_conflict_do_update(
        constraint=staff_repeat.primary_key,
        set_=replaced,
        where=columns.created_at < now - REPEATABLE_FOR,
    ).returning(columns.request_id)
    return connection.execute(statement).one_or_none() is not None


def settle(connection: Connection, repeat: Repeat, number: int, version: int) -> None:
    """Store which request the call has changed, and the request's version after the change."""
    connection.execute(update(staff_repeat).where(*_is(repeat)).values(request_id=number, version=version))


def first_result(connection: Connection, repeat: Repeat) -> tuple[int, int, bool]:
    """The number and version of the request after the first call, and whether both calls sent the same."""
    columns = staff_repeat.c
    row = connection.execute(select(columns.request_id, columns.version, columns.digest).where(*_is(repeat))).one()
    return row.request_id, row.version, row.digest == repeat.digest


def delete_old(connection: Connection, before: datetime) -> int:
    """Delete calls older than `before`, and return their number."""
    return connection.execute(delete(staff_repeat).where(staff_repeat.c.created_at < before)).rowcount


def _is(repeat: Repeat) -> tuple[ColumnElement[bool], ...]:
    columns = staff_repeat.c
    return (
        columns.jurisdiction_id == repeat.jurisdiction_id,
        columns.actor == repeat.actor,
        columns.client_key == repeat.client_key,
    )


# --- Calls for many requests. Each request has a row, whose key is the call's key, a line break and the request's
# place in the call. No header has a line break, so no caller can choose such a key.

UNCHANGED = -1
"""The version in the row of a request that the call did not change. 0: the call has not reached the request yet."""


def add_parts(connection: Connection, repeat: Repeat, numbers: Sequence[int], now: datetime) -> None:
    """Store the requests of a first call, in this order."""
    connection.execute(delete(staff_repeat).where(*_is_part(repeat)))
    rows = [
        {
            "jurisdiction_id": repeat.jurisdiction_id,
            "actor": repeat.actor,
            "client_key": f"{_prefix(repeat)}{place:06}",
            "digest": repeat.digest,
            "request_id": number,
            "version": 0,
            "created_at": now,
        }
        for place, number in enumerate(numbers)
    ]
    if rows:
        connection.execute(insert(staff_repeat).values(rows))


def load_parts(connection: Connection, repeat: Repeat) -> Sequence[int]:
    """The numbers of the requests of the first call, in their order."""
    columns = staff_repeat.c
    query = select(columns.request_id).where(*_is_part(repeat)).order_by(columns.client_key)
    return connection.execute(query).scalars().all()


def lock_part(connection: Connection, repeat: Repeat, number: int) -> int:
    """The version of the request after the call changed it. The row is locked until the transaction ends.

    UNCHANGED if the call did not change the request, 0 if the call has not reached it yet.
    """
    columns = staff_repeat.c
    query = select(columns.version).where(*_is_part(repeat), columns.request_id == number).with_for_update()
    return connection.execute(query).scalar_one_or_none() or 0


def settle_part(connection: Connection, repeat: Repeat, number: int, version: int) -> None:
    """Store the version of a request after the call changed it, or UNCHANGED."""
    mine = (*_is_part(repeat), staff_repeat.c.request_id == number)
    connection.execute(update(staff_repeat).where(*mine).values(version=version))


def _prefix(repeat: Repeat) -> str:
    return f"{repeat.client_key}\n"


def _is_part(repeat: Repeat) -> tuple[ColumnElement[bool], ...]:
    columns, prefix = staff_repeat.c, _prefix(repeat)
    return (
        columns.jurisdiction_id == repeat.jurisdiction_id,
        columns.actor == repeat.actor,
        func.left(columns.client_key, len(prefix)) == prefix,
    )
