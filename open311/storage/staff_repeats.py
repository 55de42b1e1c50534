"""The keys that make commands of staff idempotent, each with the request that its first call changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, delete, select, update
from sqlalchemy.dialects.postgresql import insert

from open311.storage.repeats import REPEATABLE_FOR
from open311.storage.tables import staff_repeat


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeat:
    """A call that an account may repeat.

    actor       the account, as in events
    client_key  the key that the caller has chosen for the call
    digest      a digest of everything that the call sent
    """

    jurisdiction_id: str
    actor: str
    client_key: str
    digest: bytes


def claim(connection: Connection, repeat: Repeat, now: datetime) -> bool:
    """Store that this call is made. Returns False if it repeats a call of the last day.

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
    """Store which request the call has changed, and its version after it."""
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
