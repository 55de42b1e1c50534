"""Accounts of staff, and their secrets. The database has only a digest of each secret."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, Select, and_, insert, select, update

from open311.domain.access import ALL_JURISDICTIONS
from open311.storage.tables import staff_account, staff_secret


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
        return f"staff:{self.id}"


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


def find_account(connection: Connection, jurisdiction_id: str, name: str) -> Account | None:
    """The account with this name that may work for the jurisdiction, unless it is revoked."""
    columns = staff_account.c
    found = connection.execute(
        _accounts()
        .where(
            columns.jurisdiction_id.in_((jurisdiction_id, ALL_JURISDICTIONS)),
            columns.name == name,
            columns.revoked_at.is_(None),
        )
        .order_by(columns.jurisdiction_id.desc())
    ).first()
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


def account_of(connection: Connection, secret: str, kind: SecretKind, now: datetime) -> Account | None:
    """The account of a secret. None if the secret is unknown, expired or revoked, or if the account is revoked."""
    secrets = staff_secret.c
    found = connection.execute(
        _accounts()
        .join_from(
            staff_secret,
            staff_account,
            and_(
                staff_account.c.jurisdiction_id == secrets.jurisdiction_id,
                staff_account.c.id == secrets.account_id,
            ),
        )
        .where(
            secrets.digest == digest_of(secret),
            secrets.kind == kind,
            secrets.revoked_at.is_(None),
            secrets.expires_at > now,
            staff_account.c.revoked_at.is_(None),
        )
    ).one_or_none()
    return None if found is None else _account(found._mapping)


def digest_of(secret: str) -> bytes:
    """The digest of a secret. Only the digest is stored."""
    return hashlib.sha256(secret.encode()).digest()


def _accounts() -> Select[tuple[object, ...]]:
    return select(*staff_account.c)


def _account(row: object) -> Account:
    values = dict(row)  # type: ignore[call-overload]
    return Account(**values | {"departments": tuple(values["departments"])})
