"""Accounts of staff, and their secrets. The database has only a digest of each secret."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Connection,
    Select,
    Table,
    Text,
    and_,
    any_,
    bindparam,
    cast,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from open311.domain.access import ALL_JURISDICTIONS
from open311.storage.hot.statements import Statement
from open311.storage.hot.transactions import Run
from open311.storage.tables import staff_account, staff_secret

BETWEEN_USES = timedelta(hours=1)
"""After this time, the use of a secret is stored again."""
PREFIX = "staff:"
"""The prefix of an account as the actor of an event. The account's number follows."""


class SecretKind(StrEnum):
    """What a secret is for: TOKEN for programs, LOGIN for one sign-in of a person."""

    TOKEN = "token"  # noqa: S105  # a kind, not a secret
    LOGIN = "login"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A stored account of a person or a program of staff.

    jurisdiction_id  the jurisdiction that the account works for; "*" for all
    departments      codes of the departments that the account works for; empty for all
    """

    id: int
    jurisdiction_id: str
    name: str
    role: str
    departments: tuple[str, ...]
    created_at: datetime
    revoked_at: datetime | None

    def __str__(self) -> str:
        """The account as the actor of an event. This text never contains the account's name."""
        return f"{PREFIX}{self.id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """A stored secret, without the secret itself."""

    id: int
    account_id: int
    kind: SecretKind
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    label: str
    last_used_at: datetime | None


class Holder(NamedTuple):
    """The account that a valid secret belongs to, with only the fields that a call needs.

    secret        the number of the secret
    last_used_at  the stored time of the last use; None for never. It is not stored again within BETWEEN_USES, so
                  later uses may be missing
    """

    id: int
    jurisdiction_id: str
    role: str
    departments: list[str]
    secret: int
    expires_at: datetime
    last_used_at: datetime | None

    def __str__(self) -> str:
        """The account as the actor of an event, the same text as that of `Account`."""
        return f"{PREFIX}{self.id}"


def add_account(
    connection: Connection,
    *,
    jurisdiction_id: str,
    name: str,
    role: str,
    departments: Collection[str],
    now: datetime,
) -> int | None:
    """Store an account, and return its number.

    Returns None if the jurisdiction already has an account of this name.
    """
    values = {
        "jurisdiction_id": jurisdiction_id,
        "name": name,
        "role": role,
        "departments": sorted(departments),
        "created_at": now,
    }
    row = insert(staff_account).values(values).on_conflict_do_nothing().returning(staff_account.c.id)
    number: int | None = connection.execute(row).scalar_one_or_none()
    return number


def lock_names(connection: Connection, jurisdiction_id: str) -> None:
    """Let nobody else add an account to the jurisdiction until the transaction ends."""
    connection.execute(select(func.pg_advisory_xact_lock(func.hashtext(f"staff names {jurisdiction_id}"))))


def find_namesake(connection: Connection, jurisdiction_id: str, name: str) -> Account | None:
    """The account with this name in any case, valid or revoked; None if there is none.

    It may be an account of all jurisdictions. An account with exactly this name is preferred.

    Names are compared here and not by PostgreSQL, because the database's collation may know the case of ASCII
    letters only. A city has few accounts.
    """
    query = _accounts().where(staff_account.c.jurisdiction_id.in_((jurisdiction_id, ALL_JURISDICTIONS)))
    found = [_account(row._mapping) for row in connection.execute(query.order_by(staff_account.c.id))]
    same = [account for account in found if account.name.casefold() == name.casefold()]
    return max(same, key=lambda account: account.name == name, default=None)


def find_account(
    connection: Connection,
    jurisdiction_id: str,
    name: str,
    *,
    is_revoked_too: bool = False,
    is_locked: bool = False,
) -> Account | None:
    """The account with this name that may work for the jurisdiction, unless it is revoked.

    is_locked  whether to lock the account until the transaction ends
    """
    columns = staff_account.c
    query = _accounts().where(
        columns.jurisdiction_id.in_((jurisdiction_id, ALL_JURISDICTIONS)), columns.name == name
    )
    if not is_revoked_too:
        query = query.where(columns.revoked_at.is_(None))
    if is_locked:
        query = query.with_for_update()
    found = connection.execute(query.order_by(columns.jurisdiction_id.desc())).first()
    return None if found is None else _account(found._mapping)


def holder_of_name(
    connection: Connection, jurisdiction_id: str, name: str, *, ignores_case: bool, now: datetime
) -> Holder | None:
    """The valid account with this name that may work for the jurisdiction, locked until the transaction ends.

    None if there is none. An account with exactly this name is preferred. Among equal names, the jurisdiction's own
    account is preferred to one of all jurisdictions.

    ignores_case  whether names of ASCII characters may differ in case. All other names must be exactly equal,
                  because a person could otherwise get the account of somebody with a similar address, such as `ß`
                  for `ss`
    """
    columns = staff_account.c
    query = (
        _accounts()
        .where(
            columns.jurisdiction_id.in_((jurisdiction_id, ALL_JURISDICTIONS)),
            columns.revoked_at.is_(None),
            or_(columns.name == name, func.lower(columns.name) == name.lower()),
        )
        .order_by(columns.jurisdiction_id.desc(), columns.id)
        .with_for_update(read=True)
    )
    found = [_account(row._mapping) for row in connection.execute(query)]
    exact = [account for account in found if account.name == name]
    same = [account for account in found if ignores_case and _is_same_ascii(account.name, name)]
    account = next(iter(exact or same), None)
    if account is None:
        return None
    return Holder(account.id, account.jurisdiction_id, account.role, list(account.departments), 0, now, None)


def _is_same_ascii(one: str, other: str) -> bool:
    return one.isascii() and other.isascii() and one.lower() == other.lower()


def list_accounts(connection: Connection, jurisdiction_id: str | None = None) -> list[Account]:
    """All accounts, oldest first, including revoked ones. With `jurisdiction_id`, only those of one city."""
    query = _accounts().order_by(staff_account.c.id)
    if jurisdiction_id is not None:
        query = query.where(staff_account.c.jurisdiction_id == jurisdiction_id)
    return [_account(row._mapping) for row in connection.execute(query)]


def list_working(
    connection: Connection,
    jurisdiction_id: str,
    *,
    roles: Collection[str],
    departments: Collection[str],
    after: str,
    rows: int,
) -> list[Account]:
    """The accounts with one of these roles that may work for a jurisdiction now, sorted by name.

    departments  only accounts that work for one of these departments, or for all; empty for all accounts
    after        the last name of the page before; "" for the first page
    """
    columns = staff_account.c
    query = _accounts().where(
        columns.jurisdiction_id.in_((jurisdiction_id, ALL_JURISDICTIONS)),
        columns.revoked_at.is_(None),
        columns.role.in_(roles),
        columns.name > after,
    )
    if departments:
        query = query.where(
            or_(columns.departments == [], columns.departments.overlap(cast(list(departments), ARRAY(Text))))
        )
    found = connection.execute(query.order_by(columns.name).limit(rows))
    return [_account(row._mapping) for row in found]


def change_account(connection: Connection, account: Account) -> None:
    """Store role, departments and revocation of an account."""
    columns = staff_account.c
    connection.execute(
        update(staff_account)
        .where(columns.jurisdiction_id == account.jurisdiction_id, columns.id == account.id)
        .values(role=account.role, departments=sorted(account.departments), revoked_at=account.revoked_at)
    )


def add_secret(
    connection: Connection,
    account: Account,
    kind: SecretKind,
    secret: str,
    *,
    now: datetime,
    expires_at: datetime,
    label: str = "",
) -> int:
    """Store a secret's digest, and return the secret's number."""
    values = {
        "jurisdiction_id": account.jurisdiction_id,
        "account_id": account.id,
        "kind": kind,
        "digest": digest_of(secret),
        "created_at": now,
        "expires_at": expires_at,
        "label": label,
    }
    number: int = connection.execute(insert(staff_secret).values(values).returning(staff_secret.c.id)).scalar_one()
    return number


def holder_of(run: Run, secret: str, kind: SecretKind, now: datetime) -> Holder | None:
    """The account of a secret. None if the secret is unknown, expired or revoked, or if the account is revoked."""
    rows = run(_by_secret(), {"digest": digest_of(secret), "kind": kind, "now": now})
    return Holder(*rows[0]) if rows else None


def mark_used(run: Run, holder: Holder, now: datetime) -> None:
    """Store that a secret is used now. If several calls do so at the same moment, one writes and no call waits."""
    values = {"city": holder.jurisdiction_id, "number": holder.secret, "now": now}
    run(_use(), values | {"before": now - BETWEEN_USES})


@cache
def _use() -> Statement:
    secrets = staff_secret.c
    free = (
        select(secrets.id)
        .where(
            secrets.jurisdiction_id == bindparam("city"),
            secrets.id == bindparam("number"),
            or_(secrets.last_used_at.is_(None), secrets.last_used_at <= bindparam("before")),
        )
        .with_for_update(skip_locked=True)
    )
    query = (
        update(staff_secret)
        .where(secrets.jurisdiction_id == bindparam("city"), secrets.id == free.scalar_subquery())
        .values(last_used_at=bindparam("now"))
        .returning(secrets.id)
    )
    return Statement.of(query)


@cache
def _by_secret() -> Statement:
    secrets = staff_secret.c
    return holder_by_digest(
        staff_secret,
        secrets.kind == bindparam("kind", type_=Text),
        secrets.revoked_at.is_(None),
        secrets.expires_at > bindparam("now"),
    )


def holder_by_digest(table: Table, *conditions: ColumnElement[bool]) -> Statement:
    """The statement that finds the account of a secret, unless the account is revoked.

    table       staff_secret or staff_session, which have the digests of secrets
    conditions  what else a row of the table must fulfil
    """
    columns = table.c
    owns = and_(
        staff_account.c.jurisdiction_id == columns.jurisdiction_id,
        staff_account.c.id == columns.account_id,
    )
    query = (
        select(
            *(staff_account.c[name] for name in ("id", "jurisdiction_id", "role", "departments")),
            columns.id,
            columns.expires_at,
            columns.last_used_at,
        )
        .join_from(table, staff_account, owns)
        .where(columns.digest == bindparam("digest"), *conditions, staff_account.c.revoked_at.is_(None))
    )
    return Statement.of(query, is_prepared=True)


def use_up(connection: Connection, secret: str, kind: SecretKind, now: datetime) -> bool:
    """Revoke a valid secret.

    Returns False if the secret is not valid: only one of two simultaneous calls gets True.
    """
    columns = staff_secret.c
    changed = connection.execute(
        update(staff_secret)
        .where(
            columns.digest == digest_of(secret),
            columns.kind == kind,
            columns.revoked_at.is_(None),
            columns.expires_at > now,
        )
        .values(revoked_at=now)
    )
    return changed.rowcount == 1


def list_secrets(connection: Connection, account: Account) -> list[Secret]:
    """The secrets of an account, oldest first, also those that are no longer valid."""
    columns = staff_secret.c
    shown = (
        columns.id,
        columns.account_id,
        columns.kind,
        columns.created_at,
        columns.expires_at,
        columns.revoked_at,
        columns.label,
        columns.last_used_at,
    )
    found = connection.execute(
        select(*shown)
        .where(columns.jurisdiction_id == account.jurisdiction_id, columns.account_id == account.id)
        .order_by(columns.id)
    )
    return [Secret(**dict(row._mapping) | {"kind": SecretKind(row.kind)}) for row in found]


def end_secrets(connection: Connection, account: Account, kinds: Collection[SecretKind], at: datetime) -> int:
    """Let an account's valid secrets of these kinds expire at `at` or earlier. Returns how many were changed."""
    columns = staff_secret.c
    changed = connection.execute(
        update(staff_secret)
        .where(
            columns.jurisdiction_id == account.jurisdiction_id,
            columns.account_id == account.id,
            columns.kind.in_(kinds),
            columns.revoked_at.is_(None),
            columns.expires_at > at,
        )
        .values(expires_at=at)
    )
    return changed.rowcount


def revoke_secret(connection: Connection, account: Account, number: int, now: datetime) -> bool:
    """Revoke one secret of an account. Returns False if the account has no such valid secret."""
    columns = staff_secret.c
    changed = connection.execute(
        update(staff_secret)
        .where(
            columns.jurisdiction_id == account.jurisdiction_id,
            columns.account_id == account.id,
            columns.id == number,
            columns.revoked_at.is_(None),
            columns.expires_at > now,
        )
        .values(revoked_at=now)
    )
    return changed.rowcount == 1


def name_of(connection: Connection, number: int) -> str:
    """The name of the account with this number; "" if there is none."""
    found = connection.execute(select(staff_account.c.name).where(staff_account.c.id == number)).scalar()
    return found or ""


def names_of(run: Run, actors: Iterable[str]) -> dict[str, str]:
    """The names of accounts by actor, such as staff:3 in an event. Only staff may see these names."""
    found = [actor.removeprefix(PREFIX) for actor in actors if actor.startswith(PREFIX)]
    numbers = sorted({number for number in found if number.isascii() and number.isdigit()})
    if not numbers:
        return {}
    return {f"{PREFIX}{number}": name for number, name in run(_names(), {"numbers": numbers})}


@cache
def _names() -> Statement:
    columns = staff_account.c
    numbers = bindparam("numbers", type_=ARRAY(Text))  # the driver would send small numbers as smallint[]
    query = select(columns.id, columns.name).where(columns.id == any_(cast(numbers, ARRAY(BigInteger))))
    return Statement.of(query, is_prepared=True)


def digest_of(secret: str) -> bytes:
    """The digest of a secret. Only the digest is stored."""
    return hashlib.sha256(secret.encode()).digest()


def _accounts() -> Select[tuple[object, ...]]:
    return select(*staff_account.c)


def _account(row: Any) -> Account:
    values = dict(row)
    return Account(**values | {"departments": tuple(values["departments"])})
