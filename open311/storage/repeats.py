"""The keys that make POSTs idempotent, each with the request that its first call made (A15)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import Connection, bindparam, delete, select
from sqlalchemy.dialects.postgresql import insert

from open311.storage.hot.statements import Statement
from open311.storage.hot.transactions import Run
from open311.storage.tables import repeatable_post

REPEATABLE_FOR = timedelta(hours=24)
"""How long a key is valid. After that time, a call with the same key makes a new request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """A call that a client may repeat.

    client_key  the key that the client has chosen for the call
    digest      a digest of everything that the call sent
    """

    jurisdiction_id: str
    api_key_id: int
    client_key: str
    digest: bytes


def claim(run: Run, post: Post, number: int, now: datetime) -> bool:
    """Store that this call makes request `number`. Returns False if the call repeats a call of the last day.

    A second call with the same key waits here until the first call's transaction ends. So two simultaneous calls
    make only one request.
    """
    values = _key(post) | {
        "digest": post.digest,
        "request_id": number,
        "created_at": now,
        "expired_before": now - REPEATABLE_FOR,
    }
    return bool(run(_claim(), values))


def first_answer(run: Run, post: Post) -> tuple[int, bool]:
    """The number of the request that the first call made, and whether both calls sent the same data."""
    [(number, digest, _)] = run(_first_answer(), _key(post))
    return number, digest == post.digest


def is_claimed(run: Run, post: Post, now: datetime) -> bool:
    """Whether a call of the last day has made a request with this key, from the same data or from other data."""
    return any(created_at >= now - REPEATABLE_FOR for _, _, created_at in run(_first_answer(), _key(post)))


def _key(post: Post) -> dict[str, Any]:
    return {
        "jurisdiction_id": post.jurisdiction_id,
        "api_key_id": post.api_key_id,
        "client_key": post.client_key,
    }


@cache
def _claim() -> Statement:
    columns = repeatable_post.c
    row = insert(repeatable_post).values({item.name: bindparam(item.name) for item in columns})
    replaced = ("digest", "request_id", "created_at")
    return Statement.of(
        row.on_conflict_do_update(
            constraint=repeatable_post.primary_key,
            set_={name: row.excluded[name] for name in replaced},
            where=columns.created_at < bindparam("expired_before"),
        ).returning(columns.request_id),
        is_prepared=True,
    )


@cache
def _first_answer() -> Statement:
    columns = repeatable_post.c
    query = select(columns.request_id, columns.digest, columns.created_at).where(
        columns.jurisdiction_id == bindparam("jurisdiction_id"),
        columns.api_key_id == bindparam("api_key_id"),
        columns.client_key == bindparam("client_key"),
    )
    return Statement.of(query, is_prepared=True)


def delete_old(connection: Connection, before: datetime) -> int:
    """Delete calls older than `before`, and return their number."""
    return connection.execute(delete(repeatable_post).where(repeatable_post.c.created_at < before)).rowcount
