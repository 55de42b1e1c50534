"""Accounts of staff: adding and revoking them, their tokens and login links, and checking a caller's token.

Each act on an account is in the audit trail. The name of an account is personal data: no log, metric or public
answer has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from open311.domain.access import ALL_JURISDICTIONS, Principal, Role, Scope
from open311.domain.ids import new_staff_secret
from open311.domain.text import clean_text
from open311.errors import Conflict, Forbidden, Invalid, NotFound, Unauthenticated
from open311.operations.platform import Platform
from open311.storage import accounts, audit
from open311.storage.accounts import Account, Secret, SecretKind
from open311.storage.audit import Entry
from open311.storage.engine import Connection
from open311.storage.hot.transactions import within
from schemas.texts import tell

TOKEN_DAYS = 90
"""How long a token is valid, unless another number of days is asked for."""
MOST_DAYS = 730
OVERLAP = timedelta(hours=24)
"""How long old tokens stay valid after a rotation, so that the account's programs can be given the new one."""
LOGIN_FOR = timedelta(minutes=10)
MOST_NAME_CHARACTERS = 100
HOW = tell("send a valid token of a staff account as Authorization: Bearer.")


@dataclass(frozen=True, slots=True)
class Issued:
    """A secret that was just made. It cannot be read again, because only a digest of it is stored."""

    account: Account
    secret: str
    expires_at: datetime


def add_account(
    platform: Platform,
    *,
    name: str,
    role: Role,
    jurisdiction_id: str,
    departments: Sequence[str] = (),
    principal: Principal,
    now: datetime,
) -> Account:
    """Add an account, which has no token yet. Raises Invalid, Forbidden, and Conflict for a name that is taken.

    jurisdiction_id  ALL_JURISDICTIONS for an account that is valid in every city
    departments      codes; empty for all
    """
    _require_admin(principal, jurisdiction_id)
    wanted = clean_text(name).strip()
    _check(platform, wanted, role, jurisdiction_id, departments)
    with platform.database.transaction() as connection:
        if accounts.find_account(connection, jurisdiction_id, wanted, is_revoked_too=True) is not None:
            fault = tell(
                "{name!r} has an account already, perhaps a revoked one; choose another name.", name=wanted
            )
            raise Conflict(fault, "name")
        accounts.add_account(
            connection,
            jurisdiction_id=jurisdiction_id,
            name=wanted,
            role=role,
            departments=departments,
            now=now,
        )
        account = _find(connection, jurisdiction_id, wanted)
        _record(connection, account, "account.add", principal, now)
    return account


def list_accounts(platform: Platform, jurisdiction_id: str | None = None) -> list[tuple[Account, list[Secret]]]:
    """All accounts with their secrets, oldest first; those of one jurisdiction, if it is given."""
    with platform.database.reading() as connection:
        found = accounts.list_accounts(connection, jurisdiction_id)
        return [(account, accounts.list_secrets(connection, account)) for account in found]


def issue_token(
    platform: Platform,
    jurisdiction_id: str,
    name: str,
    *,
    days: int = TOKEN_DAYS,
    principal: Principal,
    now: datetime,
) -> Issued:
    """Make another token for an account. Its other tokens stay valid."""
    return _issue(platform, jurisdiction_id, name, _lasting(days, now), principal, now, act="token.add")


def rotate_token(
    platform: Platform,
    jurisdiction_id: str,
    name: str,
    *,
    days: int = TOKEN_DAYS,
    is_at_once: bool = False,
    principal: Principal,
    now: datetime,
) -> Issued:
    """Make a new token for an account. Its old tokens expire after OVERLAP, or now if `is_at_once`."""
    ends_at = now if is_at_once else now + OVERLAP
    return _issue(
        platform, jurisdiction_id, name, _lasting(days, now), principal, now, act="token.rotate", others_end=ends_at
    )


def issue_login(
    platform: Platform, jurisdiction_id: str, name: str, *, principal: Principal, now: datetime
) -> Issued:
    """Make a secret with which the account's owner can sign in once within LOGIN_FOR. An earlier one ends."""
    return _issue(
        platform,
        jurisdiction_id,
        name,
        now + LOGIN_FOR,
        principal,
        now,
        act="login.add",
        kind=SecretKind.LOGIN,
        others_end=now,
    )


def revoke_account(
    platform: Platform, jurisdiction_id: str, name: str, *, principal: Principal, now: datetime
) -> Account:
    """Revoke an account. From now on, none of its tokens and login links is valid."""
    _require_admin(principal, jurisdiction_id)
    with platform.database.transaction() as connection:
        account = _find(connection, jurisdiction_id, name)
        accounts.revoke_account(connection, account.id, now)
        accounts.end_secrets(connection, account, list(SecretKind), now)
        _record(connection, account, "account.revoke", principal, now)
    return account


def revoke_token(
    platform: Platform, jurisdiction_id: str, name: str, number: int, *, principal: Principal, now: datetime
) -> Account:
    """Revoke one token of an account. Raises NotFound if the account has no valid token of this number."""
    _require_admin(principal, jurisdiction_id)
    with platform.database.transaction() as connection:
        account = _find(connection, jurisdiction_id, name)
        if not accounts.revoke_secret(connection, account, number, now):
            named = {"number": number, "name": account.name}
            fault = tell("{number} is no valid token of {name}; see `open311 staff list`.", **named)
            raise NotFound(fault, "token")
        _record(connection, account, "token.revoke", principal, now)
    return account


def require_staff(platform: Platform, token: str, *, now: datetime) -> Principal:
    """The account of this token. Raises Unauthenticated."""
    if not token:
        raise Unauthenticated(tell("The token is missing; {how}", how=HOW))
    account = accounts.account_of(platform.database.hot.rows, token, SecretKind.TOKEN, now)
    if account is None:
        raise Unauthenticated(tell("The token is unknown, expired or revoked; {how}", how=HOW))
    return principal_of(account)


def sign_in(platform: Platform, secret: str, *, now: datetime) -> Principal:
    """The account of a login secret, which is used up. Raises Unauthenticated.

    This is where the pages for staff begin a session.
    """
    with platform.database.transaction() as connection:
        account = accounts.account_of(within(connection), secret, SecretKind.LOGIN, now)
        if account is None or not accounts.use_up(connection, secret, SecretKind.LOGIN, now):
            raise Unauthenticated(tell("This login link is used or too old; ask for a new one."))
        principal = principal_of(account)
        _record(connection, account, "login.use", principal, now)
    return principal


def principal_of(account: Account) -> Principal:
    """An account as an actor. Its label, for log and metrics, has its number and not its name."""
    return Principal(
        kind="staff",
        number=account.id,
        role=Role(account.role),
        scope=Scope(account.jurisdiction_id, frozenset(account.departments)),
        label=str(account),
    )


def name_of(platform: Platform, principal: Principal) -> str:
    """The name of an account, for staff only; "" for a principal that is no account."""
    return accounts.names_of(platform.database.hot.rows, [str(principal)]).get(str(principal), "")


def require_city(principal: Principal, jurisdiction_id: str) -> None:
    """Raise Forbidden if an account is for another jurisdiction."""
    if not principal.scope.covers(jurisdiction_id):
        raise Forbidden(tell("this account is not valid for {city}.", city=jurisdiction_id), "jurisdiction_id")


def require_role(principal: Principal, role: Role) -> None:
    """Raise Forbidden if an account may not do what this role may."""
    if not principal.role.includes(role):
        raise Forbidden(tell("this needs the role {role}; this account is {own}.", role=role, own=principal.role))


def _require_admin(principal: Principal, jurisdiction_id: str) -> None:
    require_role(principal, Role.ADMIN)
    require_city(principal, jurisdiction_id)


def _check(platform: Platform, name: str, role: Role, jurisdiction_id: str, departments: Sequence[str]) -> None:
    if not name or len(name) > MOST_NAME_CHARACTERS or name in ("me", "none"):
        raise Invalid(
            tell(
                "{name!r} cannot be a name; use an email address or a short name, but not `me` or `none`.",
                name=name[:60],
            ),
            "name",
        )
    if not role.is_staff:
        raise Invalid(
            tell("{role} is no role of staff; use reader, agent, dispatcher or admin.", role=role), "role"
        )
    if jurisdiction_id == ALL_JURISDICTIONS:
        if departments:
            fault = tell("An account of all cities works for all departments; name a jurisdiction.")
            raise Invalid(fault, "departments")
        return
    city = platform.registry.find(jurisdiction_id)
    known = [department.code for department in city.departments]
    for code in departments:
        if code not in known:
            named = {"code": code, "city": city.id, "known": ", ".join(known)}
            raise Invalid(tell("{code!r} is no department of {city}; use one of {known}.", **named), "departments")


def _lasting(days: int, now: datetime) -> datetime:
    if not 1 <= days <= MOST_DAYS:
        fault = tell("{days} is outside 1..{most}; a token has to expire.", days=days, most=MOST_DAYS)
        raise Invalid(fault, "days")
    return now + timedelta(days=days)


def _issue(
    platform: Platform,
    jurisdiction_id: str,
    name: str,
    expires_at: datetime,
    principal: Principal,
    now: datetime,
    *,
    act: str,
    kind: SecretKind = SecretKind.TOKEN,
    others_end: datetime | None = None,
) -> Issued:
    """Make a secret. `others_end`: when the account's other secrets of this kind expire; None if they stay."""
    _require_admin(principal, jurisdiction_id)
    secret = new_staff_secret()
    with platform.database.transaction() as connection:
        account = _find(connection, jurisdiction_id, name)
        if others_end is not None:
            accounts.end_secrets(connection, account, [kind], others_end)
        accounts.add_secret(connection, account, kind, secret, now=now, expires_at=expires_at)
        _record(connection, account, act, principal, now)
    return Issued(account, secret, expires_at)


def _find(connection: Connection, jurisdiction_id: str, name: str) -> Account:
    account = accounts.find_account(connection, jurisdiction_id, name)
    if account is None or account.jurisdiction_id != jurisdiction_id:
        named = {"name": name[:60], "city": jurisdiction_id}
        fault = tell("{name!r} is no valid account of {city}; see `open311 staff list`.", **named)
        raise NotFound(fault, "name")
    return account


def _record(connection: Connection, account: Account, act: str, principal: Principal, now: datetime) -> None:
    audit.add_entry(
        connection,
        Entry(jurisdiction_id=account.jurisdiction_id, at=now, actor=str(principal), act=act, subject=str(account)),
    )
