"""What the database knows about the files of photos: the marker of their store, and which must be deleted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert as pg_insert

from open311.domain.access import ALL_JURISDICTIONS
from open311.storage.tables import media_deletion, media_store


@dataclass(frozen=True, slots=True)
class KnownStore:
    """The media store of a database.

    marker     what the store's file says
    marked_at  when the file was written; None until then
    """

    marker: str
    marked_at: datetime | None


def find_store(connection: Connection) -> KnownStore | None:
    """The media store; None before the first use."""
    columns = media_store.c
    query = select(columns.marker, columns.marked_at).where(columns.jurisdiction_id == ALL_JURISDICTIONS)
    row = connection.execute(query).one_or_none()
    return None if row is None else KnownStore(row.marker, row.marked_at)


def add_store(connection: Connection, marker: str) -> None:
    """Store a new marker, unless there is one."""
    row = pg_insert(media_store).values(jurisdiction_id=ALL_JURISDICTIONS, marker=marker)
    connection.execute(row.on_conflict_do_nothing())


def set_marked(connection: Connection, now: datetime) -> None:
    """Store that the media store has its marker."""
    mine = media_store.c.jurisdiction_id == ALL_JURISDICTIONS
    connection.execute(update(media_store).where(mine).values(marked_at=now))


def ask_deletion(
    connection: Connection, jurisdiction_id: str, contents: Iterable[bytes], *, erasure: str, now: datetime
) -> int:
    """Store that the files of these contents must be deleted. Returns how many contents there are."""
    values = {"jurisdiction_id": jurisdiction_id, "erasure": erasure, "asked_at": now}
    rows = [values | {"content_hash": content} for content in sorted(set(contents))]
    if rows:
        connection.execute(pg_insert(media_deletion).on_conflict_do_nothing(), rows)
    return len(rows)


def are_deletions_left(connection: Connection, jurisdiction_id: str) -> bool:
    """Whether files of a city wait to be deleted."""
    found = select(media_deletion.c.erasure).where(media_deletion.c.jurisdiction_id == jurisdiction_id).limit(1)
    return connection.execute(found).first() is not None


def next_deletion(connection: Connection, jurisdiction_id: str) -> bytes | None:
    """The content that has waited longest; None if none is left.

    Nobody else gets a content of this city before the transaction ends.
    """
    connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"deletion {jurisdiction_id}", 0))))
    columns = media_deletion.c
    query = select(columns.content_hash).where(columns.jurisdiction_id == jurisdiction_id)
    found = connection.execute(query.order_by(columns.asked_at, columns.content_hash).limit(1)).scalar_one_or_none()
    return None if found is None else bytes(found)


def end_deletion(connection: Connection, jurisdiction_id: str, content_hash: bytes) -> list[str]:
    """Store that the files of a content are deleted. Returns the erasures that wait for no other file."""
    columns = media_deletion.c
    mine = columns.jurisdiction_id == jurisdiction_id
    query = delete(media_deletion).where(mine, columns.content_hash == content_hash).returning(columns.erasure)
    asked = [erasure for erasure in connection.execute(query).scalars() if erasure]
    left = select(columns.erasure).where(mine, columns.erasure.in_(asked))
    waiting = set(connection.execute(left).scalars()) if asked else set()
    return [erasure for erasure in asked if erasure not in waiting]


def count_deletions(connection: Connection, most: int) -> int:
    """How many contents wait to be deleted, in all cities. The number is not above `most`."""
    rows = select(media_deletion.c.content_hash).limit(most).subquery()
    found: int = connection.execute(select(func.count()).select_from(rows)).scalar_one()
    return found
