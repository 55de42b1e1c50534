"""The personal data of those who sent requests and updates: find them and erase them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import fields

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Connection,
    Select,
    Table,
    and_,
    any_,
    bindparam,
    delete,
    false,
    func,
    literal_column,
    or_,
    select,
    text,
    tuple_,
    union,
    update,
)

from open311.domain.people import Person
from open311.domain.requests import Reporter
from open311.storage import supporters
from open311.storage.tables import (
    follower,
    received_update,
    repeatable_post,
    reporter,
    staff_repeat,
    supporter,
)
from open311.storage.tables.columns import digits_of
from open311.storage.tables.updates import IS_PERSONAL
from open311.storage.updates import Received

NOTHING: ColumnElement[str] = literal_column("''")
_BLANK = dict.fromkeys(("email", "first_name", "last_name", "phone", "account_id", "client_key"), "")


def numbers_of(connection: Connection, jurisdiction_id: str, person: Person, *, after: int, rows: int) -> list[int]:
    """The next requests that a person sent, sent updates of, follows by mail or supports, by number."""
    digests = supporters.digests_of(connection, jurisdiction_id, person)
    return list(connection.scalars(numbers_query(jurisdiction_id, person, digests, after=after, rows=rows)))


def numbers_query(
    jurisdiction_id: str, person: Person, digests: Sequence[bytes] = (), *, after: int, rows: int
) -> Select[tuple[int]]:
    """The statement of `numbers_of`. `digests`: those of the person as a supporter."""
    conditions = {table: is_of(table, person) for table in (reporter, received_update, follower)}
    conditions[supporter] = supporters.is_one_of(digests)
    found = union(
        *(
            select(table.c.request_id)
            .where(table.c.jurisdiction_id == jurisdiction_id, table.c.request_id > after, condition)
            .order_by(table.c.request_id)
            .limit(rows)
            for table, condition in conditions.items()
        )
    ).subquery()
    return select(found.c.request_id).order_by(found.c.request_id).limit(rows)


def is_of(table: Table, person: Person) -> ColumnElement[bool]:
    """Whether a row of `reporter`, `received_update` or `follower` is about a person. Indexes find such rows."""
    return or_(false(), *(_is(table, name, person) for name in person.named_by if name in table.c))


def _is(table: Table, name: str, person: Person) -> ColumnElement[bool]:
    column, value = table.c[name], getattr(person, name)
    if name == "email":
        is_same: ColumnElement[bool] = func.lower(column) == func.lower(value)
    elif name == "phone":
        is_same = digits_of(column).in_(person.phones)
    else:
        is_same = column == value
    return and_(is_same, column != NOTHING)


def reporters_of(
    connection: Connection, jurisdiction_id: str, numbers: Collection[int], person: Person | None = None
) -> dict[int, Reporter]:
    """Who sent these requests, by number. `person`: only those that this person sent."""
    columns = [reporter.c[item.name] for item in fields(Reporter)]
    query = select(reporter.c.request_id, *columns).where(*_among(reporter, jurisdiction_id, numbers, person))
    rows = connection.execute(query.order_by(reporter.c.request_id))
    return {row.request_id: Reporter(**{column.name: row._mapping[column] for column in columns}) for row in rows}


def languages_of(connection: Connection, jurisdiction_id: str, numbers: Collection[int]) -> dict[int, str]:
    """The languages in which the reporters of these requests get mail, by number."""
    query = select(reporter.c.request_id, reporter.c.language)
    rows = connection.execute(query.where(*_among(reporter, jurisdiction_id, numbers, None)))
    return {row.request_id: row.language for row in rows if row.language}


def updates_of(
    connection: Connection, jurisdiction_id: str, numbers: Collection[int], person: Person | None = None
) -> list[Received]:
    """The updates of these requests that say who sent them. `person`: only those that this person sent."""
    columns = [received_update.c[item.name] for item in fields(Received)]
    query = select(*columns).where(*_among(received_update, jurisdiction_id, numbers, person), text(IS_PERSONAL))
    rows = connection.execute(query.order_by(received_update.c.request_id, received_update.c.id))
    return [Received(**dict(row._mapping) | {"media_urls": tuple(row.media_urls)}) for row in rows]


def _among(
    table: Table, jurisdiction_id: str, numbers: Collection[int], person: Person | None
) -> Iterable[ColumnElement[bool]]:
    yield table.c.jurisdiction_id == jurisdiction_id
    yield table.c.request_id == any_(bindparam(None, list(numbers), ARRAY(BigInteger)))
    if person is not None:
        yield is_of(table, person)


def delete_reporters(connection: Connection, jurisdiction_id: str, numbers: Collection[int]) -> int:
    """Delete who sent these requests, and return how many were known.

    A repeated POST is compared with the digest of the first POST. This function erases these digests, too. So
    for a day, a repeated POST is refused, and does not bring the data back.
    """
    columns, among = repeatable_post.c, bindparam(None, list(numbers), ARRAY(BigInteger))
    connection.execute(
        update(repeatable_post)
        .where(columns.jurisdiction_id == jurisdiction_id, columns.request_id == any_(among))
        .values(digest=b"")
    )
    return connection.execute(delete(reporter).where(*_among(reporter, jurisdiction_id, numbers, None))).rowcount


def blank_senders(connection: Connection, jurisdiction_id: str, sent: Sequence[Received]) -> int:
    """Erase who sent these updates, and return their number. The updates stay, so that none is accepted twice."""
    if not sent:
        return 0
    columns, repeats = received_update.c, staff_repeat.c
    keys = [(f"key:{one.api_key_id}", one.client_key) for one in sent]
    connection.execute(
        delete(staff_repeat).where(
            repeats.jurisdiction_id == jurisdiction_id, tuple_(repeats.actor, repeats.client_key).in_(keys)
        )
    )
    return connection.execute(
        update(received_update)
        .where(
            columns.jurisdiction_id == jurisdiction_id,
            tuple_(columns.api_key_id, columns.update_id).in_([(one.api_key_id, one.update_id) for one in sent]),
        )
        .values(**_BLANK, digest=b"")
    ).rowcount
