"""People who say "me too" about requests, as rows."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Connection,
    Select,
    and_,
    any_,
    bindparam,
    cast,
    delete,
    func,
    select,
    text,
    union,
    update,
)
from sqlalchemy.dialects.postgresql import UUID
from sqlalchemy.dialects.postgresql import insert as pg_insert

from open311.domain import supporters as domain
from open311.domain.people import Person
from open311.storage import mails
from open311.storage.tables import service_request, supporter


def add(
    connection: Connection, jurisdiction_id: str, number: int, api_key_id: int, person: bytes, now: datetime
) -> bool:
    """Store a supporter of a request. Returns False if the person supports it already."""
    row = pg_insert(supporter).values(
        jurisdiction_id=jurisdiction_id, request_id=number, api_key_id=api_key_id, person=person, given_at=now
    )
    return connection.execute(row.on_conflict_do_nothing()).rowcount == 1


def remove(
    connection: Connection, jurisdiction_id: str, numbers: Sequence[int], api_key_id: int, person: bytes
) -> int:
    """Delete a supporter of some requests. Returns how many of them the person has supported."""
    statement = delete(supporter).where(*_one(jurisdiction_id, numbers, api_key_id, person))
    return connection.execute(statement).rowcount


def supports(
    connection: Connection, jurisdiction_id: str, numbers: Sequence[int], api_key_id: int, person: bytes
) -> bool:
    """Whether a person supports any of these requests."""
    query = select(select(supporter.c.person).where(*_one(jurisdiction_id, numbers, api_key_id, person)).exists())
    return bool(connection.execute(query).scalar_one())


def _one(
    jurisdiction_id: str, numbers: Sequence[int], api_key_id: int, person: bytes
) -> tuple[ColumnElement[bool], ...]:
    columns = supporter.c
    return (
        *_among(jurisdiction_id, numbers),
        columns.api_key_id == api_key_id,
        columns.person == person,
    )


def count(connection: Connection, jurisdiction_id: str, numbers: Sequence[int]) -> dict[int, int]:
    """How many people support each of these requests, or a request that is merged into it. Zeros are left out.

    Somebody who supports several of the requests that were merged counts once.
    """
    return {row.number: row.people for row in connection.execute(count_query(jurisdiction_id, numbers))}


def count_query(jurisdiction_id: str, numbers: Sequence[int]) -> Select[tuple[int, int]]:
    """The statement of `count`."""
    columns, requests = supporter.c, service_request.c
    wanted = any_(bindparam(None, list(numbers), ARRAY(BigInteger)))
    own = select(columns.request_id.label("number"), columns.api_key_id, columns.person).where(
        columns.jurisdiction_id == jurisdiction_id, columns.request_id == wanted
    )
    of_merged = select(requests.merged_into, columns.api_key_id, columns.person).where(
        requests.jurisdiction_id == jurisdiction_id,
        text("merged_into <> 0"),  # as in the index
        requests.merged_into == wanted,
        columns.jurisdiction_id == jurisdiction_id,
        columns.request_id == requests.id,
    )
    people = union(own, of_merged).subquery()
    return select(people.c.number, func.count().label("people")).group_by(people.c.number)


def digests_of(connection: Connection, jurisdiction_id: str, person: Person) -> list[bytes]:
    """The digests under which a person may be stored as a supporter."""
    return domain.digests_of(mails.key_of(connection), jurisdiction_id, person)


def is_one_of(digests: Sequence[bytes]) -> ColumnElement[bool]:
    """Whether a row is about the person with these digests. An index finds such rows."""
    return and_(supporter.c.person.in_(digests), supporter.c.given_at.is_not(None))


def supported_by(
    connection: Connection, jurisdiction_id: str, person: Person, numbers: Collection[int]
) -> dict[int, datetime]:
    """Which of these requests a person supports, and since when."""
    digests = digests_of(connection, jurisdiction_id, person)
    columns = supporter.c
    query = select(columns.request_id, func.min(columns.given_at).label("since")).where(
        *_among(jurisdiction_id, numbers), is_one_of(digests)
    )
    return {row.request_id: row.since for row in connection.execute(query.group_by(columns.request_id))}


def forget(connection: Connection, jurisdiction_id: str, person: Person, numbers: Collection[int]) -> int:
    """Forget that a person supports these requests. Returns how many rows have changed.

    The rows stay, each as one unknown person. So the number of a request grows if the person supported it and also
    a request that is merged into it.
    """
    digests = digests_of(connection, jurisdiction_id, person)
    return _forget(connection, *_among(jurisdiction_id, numbers), is_one_of(digests))


def forget_all(connection: Connection, jurisdiction_id: str, numbers: Collection[int]) -> int:
    """Forget who supports these requests, as `forget` does. Returns how many rows have changed."""
    return _forget(connection, *_among(jurisdiction_id, numbers), supporter.c.given_at.is_not(None))


def _among(jurisdiction_id: str, numbers: Collection[int]) -> tuple[ColumnElement[bool], ...]:
    columns = supporter.c
    among = bindparam(None, list(numbers), ARRAY(BigInteger))
    return columns.jurisdiction_id == jurisdiction_id, columns.request_id == any_(among)


def _forget(connection: Connection, *rows: ColumnElement[bool]) -> int:
    nobody = func.uuid_send(cast(func.gen_random_uuid(), UUID))
    return connection.execute(update(supporter).where(*rows).values(person=nobody, given_at=None)).rowcount
