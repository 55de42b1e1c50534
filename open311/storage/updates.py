"""Updates of requests: those that the public can read, and those that were sent from outside."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, BigInteger, Connection, and_, any_, bindparam, func, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert as pg_insert

from open311.domain.updates import PublicUpdate
from open311.storage.copying import insert_rows
from open311.storage.tables import public_update, publication, received_update


@dataclass(frozen=True, slots=True, kw_only=True)
class NewUpdate:
    """A new public update about one change.

    at      when this server stored the change
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
    """An update that was sent from outside. Its text is in an event of the request.

    update_id   the sender's id for the update
    client_key  the call's Idempotency-Key; "" for none
    digest      a digest of everything that was sent
    at          when the update happened, as the sender says
    is_held     whether the update waits for a person, because it looks like abuse
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
    is_held: bool = False


def add_public(connection: Connection, updates: Iterable[NewUpdate]) -> None:
    """Store updates that the public can read."""
    insert_rows(connection, public_update, [asdict(one) for one in updates])


def find_public(
    connection: Connection, jurisdiction_id: str, start: datetime, end: datetime, *, key: int, rows: int
) -> Sequence[PublicUpdate]:
    """The updates of public requests that were recorded from `start` to `end`, oldest first, at most `rows`.

    key  the number of the caller's API key; 0 for none. Updates that were sent with this key have the sender's ids.
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


def blank_public(connection: Connection, jurisdiction_id: str, numbers: Sequence[int]) -> int:
    """Erase the texts of the public updates of requests, and return how many had one."""
    return _blank(connection, jurisdiction_id, numbers, "description")


def blank_public_changes(connection: Connection, jurisdiction_id: str, changes: Sequence[tuple[int, int]]) -> int:
    """Erase the texts of public updates about single changes, and return how many had one.

    changes  the number of each request, and its version after the change
    """
    return _blank_changes(connection, jurisdiction_id, changes, "description")


def blank_public_media_of(connection: Connection, jurisdiction_id: str, changes: Sequence[tuple[int, int]]) -> int:
    """Erase the addresses of photos in public updates about single changes, and return how many had one.

    changes  the number of each request, and its version after the change
    """
    return _blank_changes(connection, jurisdiction_id, changes, "media_url")


def _blank_changes(
    connection: Connection, jurisdiction_id: str, changes: Sequence[tuple[int, int]], name: str
) -> int:
    columns = public_update.c
    statement = update(public_update).where(
        columns.jurisdiction_id == jurisdiction_id,
        tuple_(columns.request_id, columns.version).in_(changes),
        columns[name] != "",
    )
    return connection.execute(statement.values({name: ""})).rowcount if changes else 0


@dataclass(frozen=True, slots=True)
class StoredText:
    """The text of a stored public update. `id`: the number of the update."""

    jurisdiction_id: str
    id: int
    request_id: int
    version: int
    description: str


def texts_of(connection: Connection, jurisdiction_id: str, numbers: Sequence[int]) -> list[StoredText]:
    """The texts of the public updates of requests, oldest update first. Updates without a text are left out."""
    columns = public_update.c
    rows = connection.execute(
        select(columns.jurisdiction_id, columns.id, columns.request_id, columns.version, columns.description)
        .where(
            columns.jurisdiction_id == jurisdiction_id,
            columns.request_id == any_(bindparam(None, list(numbers), ARRAY(BigInteger))),
            columns.description != "",
        )
        .order_by(columns.id)
    )
    return [StoredText(*row) for row in rows]


def replace_text(connection: Connection, stored: StoredText, text: str) -> None:
    """Replace the text of a public update."""
    columns = public_update.c
    connection.execute(
        update(public_update)
        .where(columns.jurisdiction_id == stored.jurisdiction_id, columns.id == stored.id)
        .values(description=text)
    )


def replace_naming(connection: Connection, jurisdiction_id: str, name: str, texts: Mapping[int, str]) -> None:
    """Replace the texts of public updates that name a service_request_id. `texts`: by number of the request."""
    columns = public_update.c
    for number, text in texts.items():
        connection.execute(
            update(public_update)
            .where(
                columns.jurisdiction_id == jurisdiction_id,
                columns.request_id == number,
                func.strpos(columns.description, name) > 0,
            )
            .values(description=text)
        )


def blank_media(connection: Connection, jurisdiction_id: str, numbers: Sequence[int]) -> int:
    """Erase the addresses of pictures in updates that were sent to requests, and return how many had some."""
    columns = received_update.c
    return connection.execute(
        update(received_update)
        .where(
            columns.jurisdiction_id == jurisdiction_id,
            columns.request_id == any_(bindparam(None, list(numbers), ARRAY(BigInteger))),
            columns.media_urls != [],
        )
        .values(media_urls=[])
    ).rowcount


def blank_media_of(connection: Connection, jurisdiction_id: str, sent: Sequence[Received]) -> int:
    """Erase the addresses of pictures in single updates, and return how many had some."""
    columns = received_update.c
    statement = update(received_update).where(
        columns.jurisdiction_id == jurisdiction_id,
        tuple_(columns.api_key_id, columns.update_id).in_([(one.api_key_id, one.update_id) for one in sent]),
        columns.media_urls != [],
    )
    return connection.execute(statement.values(media_urls=[])).rowcount if sent else 0


def blank_public_media(connection: Connection, jurisdiction_id: str, numbers: Sequence[int]) -> int:
    """Erase the addresses of photos in the public updates of requests, and return how many had one."""
    return _blank(connection, jurisdiction_id, numbers, "media_url")


def _blank(connection: Connection, jurisdiction_id: str, numbers: Sequence[int], name: str) -> int:
    """Empty a column of the public updates of requests, and return in how many updates it had a text."""
    columns = public_update.c
    return connection.execute(
        update(public_update)
        .where(
            columns.jurisdiction_id == jurisdiction_id,
            columns.request_id == any_(bindparam(None, list(numbers), ARRAY(BigInteger))),
            columns[name] != "",
        )
        .values({name: ""})
    ).rowcount


def replace_media(
    connection: Connection, jurisdiction_id: str, number: int, addresses: Collection[str], new: str = ""
) -> None:
    """Replace the addresses of photos in the public updates of a request. `new`: "" to show none."""
    columns = public_update.c
    connection.execute(
        update(public_update)
        .where(
            columns.jurisdiction_id == jurisdiction_id,
            columns.request_id == number,
            columns.media_url.in_(addresses),
        )
        .values(media_url=new)
    )


def add_media(connection: Connection, jurisdiction_id: str, number: int, version: int, address: str) -> None:
    """Show a photo in the public update of a version of a request, unless it shows one or does not exist."""
    columns = public_update.c
    connection.execute(
        update(public_update)
        .where(
            columns.jurisdiction_id == jurisdiction_id,
            columns.request_id == number,
            columns.version == version,
            columns.media_url == "",
        )
        .values(media_url=address)
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
    """The Idempotency-Key and the digest of a stored update; None if its sender has not used this update_id."""
    columns = received_update.c
    row = connection.execute(
        select(columns.client_key, columns.digest).where(
            columns.jurisdiction_id == jurisdiction_id,
            columns.api_key_id == api_key_id,
            columns.update_id == update_id,
        )
    ).one_or_none()
    return None if row is None else (row.client_key, row.digest)


def settle_held(connection: Connection, jurisdiction_id: str, number: int, held: int, version: int) -> bool:
    """End the wait of an update. Returns False if no update with the version `held` waits.

    held     the version of the request at which the update came
    version  the version of the request after a person has decided
    """
    columns = received_update.c
    statement = update(received_update).where(
        columns.jurisdiction_id == jurisdiction_id,
        columns.request_id == number,
        columns.version == held,
        columns.is_held,
    )
    return connection.execute(statement.values(is_held=False, version=version)).rowcount == 1


def _values(received: Received) -> dict[str, Any]:
    return asdict(received) | {"media_urls": list(received.media_urls)}
