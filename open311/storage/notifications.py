"""Notifications. Each says that a subscriber still has to get the changes of a request, by webhook or by mail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Connection,
    Text,
    and_,
    any_,
    bindparam,
    cast,
    delete,
    literal_column,
    select,
    update,
)

from open311.storage.tables import notification, publication

Place = tuple[str, int]
"""The city and the number of a subscription."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A notification, and the request's newest public version.

    revision    a number that grows with each further change of the request while the notification waits
    written_by  the transaction that wrote the public version
    body        the rendered item; empty if the request is not public or does not match the filter
    """

    number: int
    revision: int
    changes: tuple[str, ...]
    attempts: int
    service_request_id: str
    written_by: int
    changed_at: datetime
    body: str


def due(connection: Connection, place: Place, now: datetime, rows: int) -> list[Waiting]:
    """The next notifications to send, with the newest public version of each request."""
    columns, public = notification.c, publication.c
    is_shown = and_(public.visibility == literal_column("'public'"), ~columns.is_gone)
    query = (
        select(
            columns.request_id,
            columns.revision,
            columns.changes,
            columns.attempts,
            public.service_request_id,
            cast(public.written_by, Text).label("written_by"),
            public.changed_at,
            is_shown.label("is_shown"),
            public.json,
        )
        .join(publication, and_(public.jurisdiction_id == columns.jurisdiction_id, public.id == columns.request_id))
        .where(of_place(place), columns.due_at <= now)
        .order_by(columns.due_at, columns.request_id)
        .limit(rows)
    )
    return [
        Waiting(
            number=row.request_id,
            revision=row.revision,
            changes=tuple(row.changes),
            attempts=row.attempts,
            service_request_id=row.service_request_id,
            written_by=int(row.written_by),
            changed_at=row.changed_at,
            body=row.json if row.is_shown else "",
        )
        for row in connection.execute(query)
    ]


def settle(connection: Connection, place: Place, told: Sequence[Waiting]) -> None:
    """Delete the notifications that were sent. One that has changed since it was read stays, and is sent again."""
    numbers = [one.number for one in told]
    columns = notification.c
    lock = select(columns.request_id).where(of_place(place), columns.request_id == among(numbers))
    connection.execute(lock.order_by(columns.request_id).with_for_update()).all()
    for one in told:
        connection.execute(
            delete(notification).where(
                of_place(place), columns.request_id == one.number, columns.revision == one.revision
            )
        )


def drop_gone(connection: Connection, place: Place) -> None:
    """Delete the notifications of requests that have left the filter. Mails say nothing about such requests."""
    connection.execute(delete(notification).where(of_place(place), notification.c.is_gone))


def drop_others(connection: Connection, place: Place, told: Sequence[Waiting]) -> None:
    """Delete all notifications but these."""
    is_told = notification.c.request_id == among([one.number for one in told])
    connection.execute(delete(notification).where(of_place(place), ~is_told))


def postpone(connection: Connection, place: Place, one: Waiting, due_at: datetime) -> None:
    """Let a notification wait after a failure, so that others are tried first."""
    columns = notification.c
    connection.execute(
        update(notification)
        .where(of_place(place), columns.request_id == one.number, columns.revision == one.revision)
        .values(attempts=columns.attempts + 1, due_at=due_at)
    )


def retry_now(connection: Connection, place: Place, now: datetime) -> None:
    """Let everything that waits after a failure be due now."""
    later = notification.c.due_at > now
    connection.execute(update(notification).where(of_place(place), later).values(due_at=now, attempts=0))


def of_place(place: Place) -> ColumnElement[bool]:
    """The condition that a notification belongs to a subscription."""
    return and_(notification.c.jurisdiction_id == place[0], notification.c.subscription_id == place[1])


def among(numbers: Sequence[int]) -> Any:
    """The numbers as an array, for a comparison with `==`."""
    return any_(bindparam(None, list(numbers), ARRAY(BigInteger)))
