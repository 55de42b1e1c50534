"""The ids that requests have in other systems."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from operator import itemgetter
from typing import Any

from sqlalchemy import ARRAY, BigInteger, Connection, LargeBinary, Text, any_, bindparam, cast, select, update
from sqlalchemy.dialects.postgresql import insert as pg_insert

from open311.storage.hot.statements import Statement
from open311.storage.hot.transactions import Run
from open311.storage.tables import external_id, publication


def add(connection: Connection, jurisdiction_id: str, system: str, name: str, *, number: int, at: datetime) -> bool:
    """Store the id that another system has for a request. Returns False if another request has this id.

    system  the name of a back end, or the principal of a partner such as `key:3`
    name    the id in the other system
    number  the number of the request
    """
    return bool(add_all(connection, jurisdiction_id, system, [(name, number)], at=at))


def add_all(
    connection: Connection, jurisdiction_id: str, system: str, ids: Sequence[tuple[str, int]], *, at: datetime
) -> set[tuple[str, int]]:
    """Store ids that another system has for requests, each with the request's number.

    Returns those that are stored now. The others are ids of other requests.
    """
    rows = [
        {"jurisdiction_id": jurisdiction_id, "system": system, "external_id": name, "request_id": number, "at": at}
        # All lock the requests in the same order, to avoid deadlocks.
        for name, number in sorted(ids, key=itemgetter(1))
    ]
    if not rows:
        return set()
    connection.execute(
        pg_insert(external_id).on_conflict_do_nothing(index_elements=["jurisdiction_id", "system", "external_id"]),
        rows,
    )
    return set(ids) & numbers_of(connection, jurisdiction_id, system, [name for name, _ in ids]).items()


def number_of(connection: Connection, jurisdiction_id: str, system: str, name: str) -> int:
    """The number of the request that has this id in another system; 0 if there is none."""
    columns = external_id.c
    found = connection.execute(
        select(columns.request_id).where(
            columns.jurisdiction_id == jurisdiction_id, columns.system == system, columns.external_id == name
        )
    ).scalar_one_or_none()
    return found or 0


def numbers_of(connection: Connection, jurisdiction_id: str, system: str, names: Sequence[str]) -> dict[str, int]:
    """The numbers of the requests that have these ids in another system, by the ids; unknown ids are left out."""
    columns = external_id.c
    rows = connection.execute(
        select(columns.external_id, columns.request_id).where(
            columns.jurisdiction_id == jurisdiction_id,
            columns.system == system,
            columns.external_id == any_(bindparam(None, list(names), ARRAY(Text))),
        )
    )
    return {row.external_id: row.request_id for row in rows}


def numbers_named(connection: Connection, jurisdiction_id: str, name: str, *, most: int = 10) -> list[int]:
    """The numbers of the requests that have this id in any other system."""
    columns = external_id.c
    rows = connection.execute(
        select(columns.request_id)
        .where(columns.jurisdiction_id == jurisdiction_id, columns.external_id == name)
        .distinct()
        .order_by(columns.request_id)
        .limit(most)
    )
    return list(rows.scalars())


def ids_of(connection: Connection, jurisdiction_id: str, number: int) -> dict[str, str]:
    """The newest id of a request in each other system, by the system."""
    columns = external_id.c
    rows = connection.execute(
        select(columns.system, columns.external_id)
        .where(columns.jurisdiction_id == jurisdiction_id, columns.request_id == number)
        .order_by(columns.at, columns.external_id)
    )
    return {row.system: row.external_id for row in rows}


def sent_as(run: Run, jurisdiction_id: str, system: str, name: str) -> tuple[int, bytes | None]:
    """The number of the request that a partner has sent under its own id, and the digest of the report.

    The number is 0 if there is none. The digest is None after an erasure.
    """
    rows = run(_sent_as(), {"jurisdiction_id": jurisdiction_id, "system": system, "name": name})
    return rows[0] if rows else (0, None)


def claim(
    run: Run, jurisdiction_id: str, system: str, name: str, *, number: int, digest: bytes, at: datetime
) -> bool:
    """Store a partner's own id of a request that this transaction has stored. Returns False if the id is taken.

    A second call with the same id waits here until the first call's transaction ends.
    """
    values = {"jurisdiction_id": jurisdiction_id, "system": system, "external_id": name}
    return bool(run(_claim(), values | {"request_id": number, "digest": digest, "at": at}))


def of_shown(connection: Connection, jurisdiction_id: str, system: str, ids: Sequence[str]) -> dict[str, str]:
    """A partner's own ids of published requests, by their service_request_id."""
    shown, columns = publication.c, external_id.c
    rows = connection.execute(
        select(shown.service_request_id, columns.external_id)
        .where(shown.jurisdiction_id == jurisdiction_id)
        .where(shown.service_request_id == any_(cast(bindparam("ids"), ARRAY(Text))))
        .where(columns.jurisdiction_id == shown.jurisdiction_id, columns.request_id == shown.id)
        .where(columns.system == system)
        .order_by(columns.at, columns.external_id),
        {"ids": list(ids)},
    )
    return {row.service_request_id: row.external_id for row in rows}


def shown_as(connection: Connection, jurisdiction_id: str, system: str, name: str) -> str:
    """The service_request_id of the request with this id in another system; "" if no publication has it.

    The publication may be a tombstone, so the caller must still check whether the public can read the request.
    """
    shown, columns = publication.c, external_id.c
    query = select(shown.service_request_id).where(
        columns.jurisdiction_id == jurisdiction_id,
        columns.system == system,
        columns.external_id == name,
        shown.jurisdiction_id == columns.jurisdiction_id,
        shown.id == columns.request_id,
    )
    return connection.execute(query).scalar_one_or_none() or ""


def forget_digests(connection: Connection, jurisdiction_id: str, numbers: Sequence[int]) -> int:
    """Erase the digests of reports, and return how many there were. They are computed from what people wrote."""
    columns = external_id.c
    return connection.execute(
        update(external_id)
        .where(
            columns.jurisdiction_id == jurisdiction_id,
            columns.request_id == any_(bindparam(None, list(numbers), ARRAY(BigInteger))),
            columns.digest.is_not(None),
        )
        .values(digest=None)
    ).rowcount


@cache
def _sent_as() -> Statement:
    columns = external_id.c
    query = select(columns.request_id, columns.digest).where(
        columns.jurisdiction_id == bindparam("jurisdiction_id"),
        columns.system == bindparam("system"),
        columns.external_id == bindparam("name"),
    )
    return Statement.of(query, is_prepared=True)


@cache
def _claim() -> Statement:
    names = ("jurisdiction_id", "system", "external_id", "request_id", "at")
    values: dict[str, Any] = {name: bindparam(name) for name in names} | {
        "digest": cast(bindparam("digest"), LargeBinary)
    }
    row = pg_insert(external_id).values(values)
    key = ["jurisdiction_id", "system", "external_id"]
    taken = row.on_conflict_do_nothing(index_elements=key).returning(external_id.c.request_id)
    return Statement.of(taken, is_prepared=True)
