"""The rows of people who get mail about a request, or about the requests of a filter."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Connection,
    Row,
    any_,
    bindparam,
    delete,
    func,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import insert as pg_insert

from open311.domain.mails import Follower
from open311.domain.people import Person
from open311.storage import subscriptions
from open311.storage.tables import follower, mail, reporter, subscription
from open311.storage.tables.mail import IS_OPEN_TO_CHANGES


def add(connection: Connection, new: Follower) -> int:
    """Store a follower and return the id; 0 if the request has one with the same address."""
    row = pg_insert(follower).values(_values(new)).on_conflict_do_nothing()
    return connection.execute(row.returning(follower.c.id)).scalar_one_or_none() or 0


def load(connection: Connection, jurisdiction_id: str, id: int, *, is_locked: bool = False) -> Follower | None:
    """One follower; None if there is none any more."""
    columns = follower.c
    query = select(follower).where(columns.jurisdiction_id == jurisdiction_id, columns.id == id)
    row = connection.execute(query.with_for_update() if is_locked else query).one_or_none()
    return None if row is None else _follower(row)


def of_requests(
    connection: Connection, jurisdiction_id: str, numbers: Sequence[int], *, is_confirmed: bool = False
) -> list[Follower]:
    """The followers of some requests. `is_confirmed`: only those who have agreed."""
    columns = follower.c
    query = select(follower).where(
        columns.jurisdiction_id == jurisdiction_id,
        columns.request_id == any_(bindparam(None, list(numbers), ARRAY(BigInteger))),
    )
    if is_confirmed:
        query = query.where(columns.confirmed_at.is_not(None))
    return [_follower(row) for row in connection.execute(query.order_by(columns.id))]


def confirm(connection: Connection, one: Follower, version: int, now: datetime) -> None:
    """Store that the owner of the address has agreed, and the version up to which the person knows the changes."""
    connection.execute(
        update(follower)
        .where(follower.c.jurisdiction_id == one.jurisdiction_id, follower.c.id == one.id)
        .values(confirmed_at=now, told_version=version)
    )


def tell(connection: Connection, one: Follower, version: int) -> None:
    """Store the version of the request up to which a mail has told the changes."""
    connection.execute(
        update(follower)
        .where(follower.c.jurisdiction_id == one.jurisdiction_id, follower.c.id == one.id)
        .values(told_version=version)
    )


def told(connection: Connection, one: Follower, now: datetime) -> None:
    """Store when a mail has told the news about a filter."""
    _change(connection, one, told_at=now)


def choose(connection: Connection, one: Follower, *, is_daily: bool) -> None:
    """Store whether news about a filter come once a day, and not once an hour."""
    _change(connection, one, is_daily=is_daily)


def _change(connection: Connection, one: Follower, **values: object) -> None:
    own = (follower.c.jurisdiction_id == one.jurisdiction_id) & (follower.c.id == one.id)
    connection.execute(update(follower).where(own).values(values))


def of_subscriptions(connection: Connection, jurisdiction_id: str, numbers: Collection[int]) -> list[Follower]:
    """The followers of these subscriptions who need a new mail, because no waiting mail to them can take the news.

    The followers cannot be deleted until the transaction ends. A person who leaves at this moment is left out.
    """
    columns, theirs, waits = follower.c, subscription.c, text(IS_OPEN_TO_CHANGES)
    has_mail = select(mail.c.id).where(
        mail.c.jurisdiction_id == columns.jurisdiction_id, mail.c.follower_id == columns.id, waits
    )
    query = (
        select(follower)
        .join(
            subscription,
            (subscription.c.jurisdiction_id == columns.jurisdiction_id)
            & (subscription.c.follower_id == columns.id),
        )
        .where(
            columns.jurisdiction_id == jurisdiction_id,
            theirs.id == any_(bindparam(None, sorted(set(numbers)), ARRAY(BigInteger))),
            ~has_mail.exists(),
        )
        .order_by(columns.id)
        .with_for_update(of=follower, read=True, key_share=True)
    )
    return [_follower(row) for row in connection.execute(query)]


def remove(connection: Connection, jurisdiction_id: str, ids: Iterable[int]) -> int:
    """Delete followers, their subscriptions, and the mails that wait for them. Returns the number of followers.

    The subscriptions go first, because the dispatcher too locks subscriptions before it locks followers.
    """
    columns, wanted = follower.c, list(ids)
    if wanted:
        subscriptions.delete_of_followers(connection, jurisdiction_id, wanted)
    gone = delete(follower).where(
        columns.jurisdiction_id == jurisdiction_id,
        columns.id == any_(bindparam(None, wanted, ARRAY(BigInteger))),
    )
    return connection.execute(gone).rowcount if wanted else 0


def remove_from(
    connection: Connection, jurisdiction_id: str, numbers: Sequence[int], *, reporters_only: bool = False
) -> int:
    """Delete the followers of some requests, or only their reporters. Returns how many there were."""
    columns = follower.c
    gone = delete(follower).where(
        columns.jurisdiction_id == jurisdiction_id,
        columns.request_id == any_(bindparam(None, list(numbers), ARRAY(BigInteger))),
    )
    return connection.execute(gone.where(columns.is_reporter) if reporters_only else gone).rowcount


def with_address(
    connection: Connection, jurisdiction_id: str, email: str, numbers: Sequence[int] | None = None
) -> list[Follower]:
    """The followers with this address, without regard to case. `numbers`: only followers of these requests."""
    columns = follower.c
    query = select(follower).where(
        columns.jurisdiction_id == jurisdiction_id, func.lower(columns.email) == func.lower(email)
    )
    if numbers is not None:
        query = query.where(columns.request_id == any_(bindparam(None, list(numbers), ARRAY(BigInteger))))
    return [_follower(row) for row in connection.execute(query.order_by(columns.id))] if email else []


def of_person(
    connection: Connection, jurisdiction_id: str, person: Person, numbers: Sequence[int]
) -> list[Follower]:
    """How a person follows some requests. Only an address identifies the person here."""
    return with_address(connection, jurisdiction_id, person.email, numbers)


def subscribed(connection: Connection, jurisdiction_id: str, email: str) -> list[Follower]:
    """The followers with this address who follow a filter."""
    return [one for one in with_address(connection, jurisdiction_id, email) if not one.number]


def delete_ended(connection: Connection, confirmed_before: datetime) -> int:
    """Delete those who get mail about a filter and agreed before an instant. Returns their number."""
    columns = follower.c
    query = select(columns.jurisdiction_id, columns.id).where(
        columns.request_id.is_(None), columns.confirmed_at < confirmed_before
    )
    return sum(remove(connection, row.jurisdiction_id, [row.id]) for row in connection.execute(query).all())


def delete_unconfirmed(connection: Connection, before: datetime) -> int:
    """Delete the followers who were stored before an instant and have not agreed. Returns their number."""
    columns = follower.c
    gone = delete(follower).where(columns.confirmed_at.is_(None), columns.created_at < before)
    return connection.execute(gone).rowcount


def _values(one: Follower) -> dict[str, Any]:
    values = {field.name: getattr(one, field.name) for field in fields(Follower) if field.name != "id"}
    return values | {"request_id": values.pop("number") or None}


def _follower(row: Row[Any]) -> Follower:
    values = dict(row._mapping)
    return Follower(number=values.pop("request_id") or 0, **values)


def wanting(connection: Connection, jurisdiction_id: str, numbers: Sequence[int]) -> list[tuple[int, str, str]]:
    """The reporters of some requests who gave an address while the city sent mail: number, address, language."""
    columns = reporter.c
    query = select(columns.request_id, columns.email, columns.language).where(
        columns.jurisdiction_id == jurisdiction_id,
        columns.request_id == any_(bindparam(None, list(numbers), ARRAY(BigInteger))),
        columns.email != "",
        columns.language != "",
    )
    return [tuple(row) for row in connection.execute(query.order_by(columns.request_id))]
