"""Accounts of staff, and their secrets. The database has only a digest of each secret."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Connection,
    Select,
    Text,
    and_,
    any_,
    bindparam,
    cast,
    insert,
    select,
    update,
)

from open311.domain.access import ALL_JURISDICTIONS
from open311.storage.hot.statements import Statement
from open311.storage.hot.transactions import Run
from open311.storage.tables import staff_account, staff_secret

PREFIX = "staff:"
"""The beginning of an account as the actor of an event; its number follows."""


class SecretKind(StrEnum):
    """What a secret is for: TOKEN for programs, LOGIN for one sign-in of a person."""

    TOKEN = "token"  # noqa: S105  # a kind, not a secret
    LOGIN = "login"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A stored account of a person or a program of staff.

    jurisdiction_id  the jurisdiction that the account works for; "*" for all
    departments      codes of the departments that it works for; empty for all
    """

    id: int
    jurisdiction_id: str
    name: str
    role: str
    departments: tuple[str, ...]
    created_at: datetime
    revoked_at: datetime | None

    def __str__(self) -> str:
        """The account as the actor of an event. This text never contains its name."""
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


def add_account(
    connection: Connection,
    *,
    jurisdiction_id: str,
    name: str,
    role: str,
    departments: Collection[str],
    now: datetime,
) -> int:
    """Store an account, and return its number."""
    values = {
        "jurisdiction_id": jurisdiction_id,
        "name": name,
        "role": role,
        "departments": sorted(departments),
        "created_at": now,
    }
    number: int = connection.execute(
        insert(staff_account).values(values).returning(staff_account.c.id)
    ).scalar_one()
    return number


def find_account(
    connection: Connection, jurisdiction_id: str, name: str, *, is_revoked_too: bool = False
) -> Account | None:
    """The account with this name that may work for the jurisdiction, unless it is revoked."""
    columns = staff_account.c
    query = _accounts().where(
        columns.jurisdiction_id.in_((jurisdiction_id, ALL_JURISDICTIONS)), columns.name == name
    )
    if not is_revoked_too:
        query = query.where(columns.revoked_at.is_(None))
    found = connection.execute(query.order_by(columns.jurisdiction_id.desc())).first()
    return None if found is None else _account(found._mapping)


def list_accounts(connection: Connection, jurisdiction_id: str | None = None) -> list[Account]:
    """All accounts, oldest first, including revoked ones. With `jurisdiction_id`, only those of one city."""
    query = _accounts().order_by(staff_account.c.id)
    if jurisdiction_id is not None:
        query = query.where(staff_account.c.jurisdiction_id == jurisdiction_id)
    return [_account(row._mapping) for row in connection.execute(query)]


def revoke_account(connection: Connection, number: int, now: datetime) -> bool:
    """Revoke an account. Returns False if there is none with this number, or if it is revoked already."""
    columns = staff_account.c
    changed = connection.execute(
        update(staff_account).where(columns.id == number, columns.revoked_at.is_(None)).values(revoked_at=now)
    )
    return changed.rowcount == 1


def add_secret(
    connection: Connection, account: Account, kind: SecretKind, secret: str, *, now: datetime, expires_at: datetime
) -> int:
    """Store a secret's digest, and return the secret's number."""
    values = {
        "jurisdiction_id": account.jurisdiction_id,
        "account_id": account.id,
        "kind": kind,
        "digest": digest_of(secret),
        "created_at": now,
        "expires_at": expires_at,
    }
    number: int = connection.execute(insert(staff_secret).values(values).returning(staff_secret.c.id)).scalar_one()
    return number


def account_of(run: Run, secret: str, kind: SecretKind, now: datetime) -> Account | None:
    """The account of a secret. None if the secret is unknown, expired or revoked, or if the account is revoked."""
    rows = run(_by_secret(), {"digest": digest_of(secret), "kind": kind, "now": now})
    return _account(dict(zip(_NAMES, rows[0], strict=True))) if rows else None


@cache
def _by_secret() -> Statement:
    secrets = staff_secret.c
    owns = and_(
        staff_account.c.jurisdiction_id == secrets.jurisdiction_id,
        staff_account.c.id == secrets.account_id,
    )
    query = (
        _accounts()
        .join_from(staff_secret, staff_account, owns)
        .where(
            secrets.digest == bindparam("digest"),
            secrets.kind == bindparam("kind", type_=Text),
            secrets.revoked_at.is_(None),
            secrets.expires_at > bindparam("now"),
            staff_account.c.revoked_at.is_(None),
        )
    )
    return Statement.of(query, is_prepared=True)


def use_up(connection: Connection, secret: str, kind: SecretKind, now: datetime) -> bool:
    """Revoke a valid secret. Returns False if it is not valid: of two simultaneous calls, only one gets True."""
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
    )
    found = connection.execute(
        select(*shown)
        .where(columns.jurisdiction_id == account.jurisdiction_id, columns.account_id == account.id)
        .order_by(columns.id)
    )
    return [Secret(**dict(row._mapping) | {"kind": SecretKind(row.kind)}) for row in found]


def end_secrets(connection: Connection, account: Account, kinds: Collection[SecretKind], at: datetime) -> int:
    """Let an account's valid secrets of these kinds expire at `at`, if not earlier. Returns how many it changed."""
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


_NAMES = tuple(column.name for column in staff_account.c)


def _accounts() -> Select[tuple[object, ...]]:
    return select(*staff_account.c)


def _account(row: Any) -> Account:
    values = dict(row)
    return Account(**values | {"departments": tuple(values["departments"])})
