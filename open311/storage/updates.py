"""Updates of requests: those that the public can read, and those that came from outside."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, func, select, update
from sqlalchemy.dialects.postgresql import insert as pg_insert

from open311.domain.updates import PublicUpdate
from open311.storage.copying import insert_rows
from open311.storage.tables import public_update, publication, received_update


@dataclass(frozen=True, slots=True, kw_only=True)
class NewUpdate:
    """What the public can read of one change.

    at      when the change was recorded here
    status  mySociety's word after the change
    """

    jurisdiction_id: str
    request_id: int
    version: int
    at: datetime
    status: str
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """An update that came from outside. Its text is in an event of the request.

    update_id   the sender's own name for it
    client_key  the call's Idempotency-Key; "" for none
    digest      of everything that was sent
    at          when it happened, as the sender says
    """

    jurisdiction_id: str
    api_key_id: int
    update_id: str
    request_id: int
    version: int
    client_key: str
    digest: bytes
    at: datetime
    email: str = ""
    first_name: str = ""
    last_name: str = ""
    phone: str = ""
    account_id: str = ""
    media_urls: tuple[str, ...] = ()


def add_public(connection: Connection, updates: Iterable[NewUpdate]) -> None:
    """Store updates that the public can read."""
    insert_rows(connection, public_update, [asdict(one) for one in updates])


def find_public(
    connection: Connection, jurisdiction_id: str, start: datetime, end: datetime, *, key: int, rows: int
) -> Sequence[PublicUpdate]:
    """The updates of public requests that were recorded from `start` to `end`, oldest first, at most `rows`.

    key  the number of the caller's API key; 0 for none. The caller's own updates have the ids that it gave them.
    """
    columns = public_update.c
    own = and_(
        received_update.c.jurisdiction_id == columns.jurisdiction_id,
        received_update.c.request_id == columns.request_id,
        received_update.c.version == columns.version,
        received_update.c.api_key_id == key,
    )
    shown = and_(
        publication.c.jurisdiction_id == columns.jurisdiction_id,
        publication.c.id == columns.request_id,
        publication.c.visibility == "public",
    )
    query = (
        select(
            func.coalesce(received_update.c.update_id, func.concat("u", columns.id)).label("update_id"),
            publication.c.service_request_id,
            columns.status,
            columns.at.label("updated_at"),
            columns.description,
            columns.media_url,
        )
        .select_from(public_update.join(publication, shown).outerjoin(received_update, own))
        .where(columns.jurisdiction_id == jurisdiction_id, columns.at.between(start, end))
        .order_by(columns.at, columns.id)
        .limit(rows)
    )
    return [PublicUpdate(**row._mapping) for row in connection.execute(query)]


def blank_public(connection: Connection, jurisdiction_id: str, number: int) -> None:
    """Erase the texts of a request's public updates."""
    columns = public_update.c
    connection.execute(
        update(public_update)
        .where(columns.jurisdiction_id == jurisdiction_id, columns.request_id == number)
        .values(description="")
    )


def blank_senders(connection: Connection, jurisdiction_id: str, number: int) -> None:
    """Erase who sent updates of a request."""
    columns = received_update.c
    connection.execute(
        update(received_update)
        .where(columns.jurisdiction_id == jurisdiction_id, columns.request_id == number)
        .values(email="", first_name="", last_name="", phone="", account_id="")
    )


def blank_media(connection: Connection, jurisdiction_id: str, number: int) -> None:
    """Erase the addresses of pictures in updates of a request."""
    columns = received_update.c
    connection.execute(
        update(received_update)
        .where(columns.jurisdiction_id == jurisdiction_id, columns.request_id == number)
        .values(media_urls=[])
    )


def add_received(connection: Connection, received: Received) -> bool:
    """Store an update from outside. Returns False if its sender has used its update_id before.

    A second call with the same update_id waits here until the first call's transaction ends.
    """
    statement = pg_insert(received_update).values(**_values(received))
    stored = connection.execute(
        statement.on_conflict_do_nothing(index_elements=["jurisdiction_id", "api_key_id", "update_id"])
    )
    return stored.rowcount == 1


def find_received(
    connection: Connection, jurisdiction_id: str, api_key_id: int, update_id: str
) -> tuple[str, bytes] | None:
    """The Idempotency-Key and the digest of an update that came before; None if it did not."""
    columns = received_update.c
    row = connection.execute(
        select(columns.client_key, columns.digest).where(
            columns.jurisdiction_id == jurisdiction_id,
            columns.api_key_id == api_key_id,
            columns.update_id == update_id,
        )
    ).one_or_none()
    return None if row is None else (row.client_key, row.digest)


def _values(received: Received) -> dict[str, Any]:
    return asdict(received) | {"media_urls": list(received.media_urls)}
