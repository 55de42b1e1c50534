"""Idempotent POSTs: the client's own key of a call, and the request that the call made (A15)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects.postgresql import insert

from open311.storage.tables import repeatable_post

REPEATABLE_FOR = timedelta(hours=24)
"""How long a call can be repeated. After that, the same key makes a new request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """A call that a client may repeat.

    client_key  the client's own key of the call
    digest      a digest of everything that the call sent
    """

    jurisdiction_id: str
    api_key_id: int
    client_key: str
    digest: bytes


def claim(connection: Connection, post: Post, number: int, now: datetime) -> bool:
    """Store that this call makes request `number`; False if it repeats a call of the last 24 hours.

    If two equal calls come at once, the second waits here until the first call's transaction ends.
    """
    row = {"digest": post.digest, "request_id": number, "created_at": now}
    statement = (
        insert(repeatable_post)
        .values(
            jurisdiction_id=post.jurisdiction_id,
            api_key_id=post.api_key_id,
            client_key=post.client_key,
            **row,
        )
        .on_conflict_do_update(
            constraint=repeatable_post.primary_key,
            set_=row,
            where=repeatable_post.c.created_at < now - REPEATABLE_FOR,
        )
        .returning(repeatable_post.c.request_id)
    )
    return connection.execute(statement).one_or_none() is not None


def first_answer(connection: Connection, post: Post) -> tuple[int, bool]:
    """The number of the request that the first call made, and whether both calls sent the same data."""
    row = connection.execute(
        select(repeatable_post.c.request_id, repeatable_post.c.digest).where(
            repeatable_post.c.jurisdiction_id == post.jurisdiction_id,
            repeatable_post.c.api_key_id == post.api_key_id,
            repeatable_post.c.client_key == post.client_key,
        )
    ).one()
    return row.request_id, bytes(row.digest) == post.digest


def forget(connection: Connection, before: datetime) -> int:
    """Delete calls older than `before`, and return their number."""
    return connection.execute(delete(repeatable_post).where(repeatable_post.c.created_at < before)).rowcount
