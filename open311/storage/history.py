"""The histories of requests: their events, and a row in the outbox for each change.

Without an account of staff, a GET reads histories only if its address has a secret: a status link, or the link in a
mail.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import ARRAY, BigInteger, Connection, and_, any_, bindparam, case, or_, select, tuple_, update

from open311.domain.events import (
    Commented,
    CommentHeld,
    Event,
    NoteAdded,
    PublicComment,
    Received,
    kinds,
    read_event,
)
from open311.domain.requests import Note, RequestRecord
from open311.storage.copying import insert_rows
from open311.storage.tables import outbox, request_event

COMMENTS = (Commented.kind, PublicComment.kind, CommentHeld.kind)
"""The kinds of events whose texts people outside the city wrote."""


def insert_histories(connection: Connection, histories: Iterable[tuple[RequestRecord, Sequence[Event]]]) -> None:
    """Append events to the histories of many requests, and a row to the outbox for each change.

    The events of one pair belong to one change, which made the record's current version.
    """
    changes = [(record, events) for record, events in histories if events]
    rows = [event_values(record, event) for record, events in changes for event in events]
    insert_rows(connection, request_event, rows)
    insert_rows(connection, outbox, [outbox_values(record) for record, _ in changes])


def event_values(record: RequestRecord, event: Event) -> dict[str, Any]:
    """An event as values of the table's columns."""
    return {
        "jurisdiction_id": record.jurisdiction_id,
        "request_id": record.number,
        "at": event.at,
        "kind": event.kind,
        "visibility": "public" if event.is_public else "staff",
        "description": event.description,
        "actor": event.actor,
        "cause": event.cause,
        "version": record.version,
        "data": event.data,
        "reason": event.reason,
    }


def outbox_values(record: RequestRecord) -> dict[str, Any]:
    """A change as values of the outbox's columns."""
    return {"jurisdiction_id": record.jurisdiction_id, "request_id": record.number, "version": record.version}


def load_events(connection: Connection, jurisdiction_id: str, number: int) -> list[Event]:
    """A request's history, oldest first."""
    return load_histories(connection, jurisdiction_id, [number]).get(number, [])


def senders_of(connection: Connection, jurisdiction_id: str, numbers: Sequence[int]) -> dict[int, str]:
    """Who sent each of these requests, such as `key:3`, by number."""
    columns = request_event.c
    rows = connection.execute(
        select(columns.request_id, columns.actor).where(
            columns.jurisdiction_id == jurisdiction_id,
            columns.request_id == any_(bindparam(None, list(numbers), ARRAY(BigInteger))),
            columns.kind == Received.kind,
        )
    )
    return {row.request_id: row.actor for row in rows}


def load_histories(
    connection: Connection, jurisdiction_id: str, numbers: Sequence[int]
) -> Mapping[int, list[Event]]:
    """The histories of several requests, oldest first, by their numbers."""
    columns = request_event.c
    rows = connection.execute(
        select(
            columns.request_id,
            columns.at,
            columns.kind,
            columns.description,
            columns.actor,
            columns.cause,
            columns.version,
            columns.data,
            columns.reason,
        )
        .where(
            columns.jurisdiction_id == jurisdiction_id,
            columns.request_id == any_(bindparam(None, list(numbers), ARRAY(BigInteger))),
        )
        .order_by(columns.id)
    )
    found: dict[int, list[Event]] = {}
    for row in rows:
        found.setdefault(row.request_id, []).append(event_of(row))
    return found


def event_of(row: Any) -> Event:
    """The event in a row that has at least the columns that `load_histories` selects after `request_id`."""
    note = row.description if kinds()[row.kind].has_text else ""
    return read_event(
        row.kind,
        row.data,
        at=row.at,
        actor=row.actor,
        cause=row.cause,
        version=row.version,
        note=note,
        reason=row.reason,
    )


def blank_notes(connection: Connection, jurisdiction_id: str, numbers: Sequence[int]) -> int:
    """Erase the texts and reasons of the events of requests, and return how many had one. The events stay."""
    columns = request_event.c
    has_text = columns.kind.in_([name for name, kind in kinds().items() if kind.has_text])
    return connection.execute(
        update(request_event)
        .where(
            columns.jurisdiction_id == jurisdiction_id,
            columns.request_id == any_(bindparam(None, list(numbers), ARRAY(BigInteger))),
            or_(and_(has_text, columns.description != ""), columns.reason != ""),
        )
        .values(description=case((has_text, ""), else_=columns.description), reason="")
    ).rowcount


def blank_comments(connection: Connection, jurisdiction_id: str, changes: Sequence[tuple[int, int]]) -> int:
    """Erase the texts of comments from outside, and return how many had one. The events stay.

    changes  the number of each request, and the version that it had after the comment
    """
    columns = request_event.c
    statement = update(request_event).where(
        columns.jurisdiction_id == jurisdiction_id,
        tuple_(columns.request_id, columns.version).in_(changes),
        columns.kind.in_(COMMENTS),
        columns.description != "",
    )
    return connection.execute(statement.values(description="")).rowcount if changes else 0


def numbers_with_copies(connection: Connection, jurisdiction_id: str, cause: str) -> list[int]:
    """The numbers of requests that have notes with this cause whose text is not erased."""
    columns = request_event.c
    query = (
        select(columns.request_id)
        .distinct()
        .where(
            columns.jurisdiction_id == jurisdiction_id,
            columns.kind == NoteAdded.kind,
            columns.cause == cause,
            columns.description != "",
        )
        .order_by(columns.request_id)
    )
    return list(connection.scalars(query))


def load_notes(connection: Connection, jurisdiction_id: str, numbers: Sequence[int]) -> Mapping[int, list[Note]]:
    """The public histories of several requests by number, each oldest first."""
    columns = request_event.c
    rows = connection.execute(
        select(columns.request_id, columns.at, columns.kind, columns.description)
        .where(
            columns.jurisdiction_id == jurisdiction_id,
            columns.request_id == any_(bindparam(None, list(numbers), ARRAY(BigInteger))),
            columns.visibility == "public",
        )
        .order_by(columns.id)
    )
    found: dict[int, list[Note]] = {}
    for number, at, kind, description in rows:
        found.setdefault(number, []).append(Note(at, kind, description))
    return found
