"""Notices for the operator, as rows."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, text, update

from open311.domain.notices import Notice, NoticeKind
from open311.storage.deliveries import Place
from open311.storage.tables import operator_notice

_LOCK = 3_110_004


def try_lock(connection: Connection) -> bool:
    """Take the lock of notices until the transaction ends. Returns False if another transaction has it."""
    return bool(connection.execute(text("SELECT pg_try_advisory_xact_lock(:lock)"), {"lock": _LOCK}).scalar_one())


def add(connection: Connection, new: Notice) -> None:
    """Store a new notice."""
    connection.execute(insert(operator_notice).values(_values(new)))


def save(connection: Connection, changed: Notice) -> None:
    """Store what has changed of a notice."""
    columns, names = operator_notice.c, ("known", "due_at", "sent_at", "sent_by", "attempts", "cause")
    connection.execute(
        update(operator_notice)
        .where(columns.jurisdiction_id == changed.jurisdiction_id, columns.id == changed.id)
        .values({name: value for name, value in _values(changed).items() if name in names})
    )


def last(connection: Connection, place: Place, kinds: Collection[NoticeKind]) -> Notice | None:
    """The last notice of these kinds about a back office; None if there is none."""
    columns = operator_notice.c
    query = (
        select(operator_notice)
        .where(columns.jurisdiction_id == place[0], columns.backend == place[1])
        .where(columns.kind.in_([kind.value for kind in kinds]))
        .order_by(columns.id.desc())
        .limit(1)
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else _notice(row)


def places(connection: Connection, backend: str) -> list[str]:
    """The cities that have notices about a back office with this name."""
    columns = operator_notice.c
    query = select(columns.jurisdiction_id).where(columns.backend == backend).distinct()
    return list(connection.execute(query.order_by(columns.jurisdiction_id)).scalars())


def supersede(connection: Connection, place: Place, kinds: Collection[NoticeKind], now: datetime) -> None:
    """Do not send the notices of these kinds any more, because a newer notice replaces them."""
    columns = operator_notice.c
    connection.execute(
        update(operator_notice)
        .where(columns.jurisdiction_id == place[0], columns.backend == place[1], columns.sent_at.is_(None))
        .where(columns.kind.in_([kind.value for kind in kinds]))
        .values(sent_at=now)
    )


def due(connection: Connection, now: datetime, rows: int) -> list[Notice]:
    """The next notices to send, oldest first. They are locked."""
    columns = operator_notice.c
    query = (
        select(operator_notice)
        .where(columns.sent_at.is_(None), columns.due_at <= now)
        .order_by(columns.due_at, columns.id)
        .limit(rows)
        .with_for_update(skip_locked=True)
    )
    return [_notice(row) for row in connection.execute(query)]


def delete_old(connection: Connection, before: datetime) -> int:
    """Delete the notices that were sent before an instant, and return their number."""
    return connection.execute(delete(operator_notice).where(operator_notice.c.sent_at < before)).rowcount


def _values(one: Notice) -> dict[str, Any]:
    values = {field.name: getattr(one, field.name) for field in fields(Notice) if field.name != "id"}
    return values | {"kind": one.kind.value, "sent_by": list(one.sent_by)}


def _notice(row: Row[Any]) -> Notice:
    values = dict(row._mapping)
    return Notice(**values | {"kind": NoticeKind(values["kind"]), "sent_by": tuple(values["sent_by"])})
