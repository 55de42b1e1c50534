"""Accounts of staff: add and revoke accounts, their tokens and login links, and check a caller's token.

Every change of an account is in the audit trail. The name of an account is personal data: it is in no log, metric
or public answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from open311.domain.access import ALL_JURISDICTIONS, Principal, Role, Scope
from open311.domain.ids import new_staff_secret
from open311.errors import Conflict, Forbidden, Invalid, NotFound, Unauthenticated, Unavailable
from open311.observe import logger
from open311.operations.platform import Platform
from open311.storage import accounts, audit, staff_sessions
from open311.storage.accounts import BETWEEN_USES, PREFIX, Account, Holder, Secret, SecretKind
from open311.storage.audit import Entry
from open311.storage.engine import Connection
from open311.storage.hot.transactions import Run
from schemas.texts import tell

log = logger(__name__)

TOKEN_DAYS = 90
"""How many days a token is valid, unless the caller asks for another number."""
MOST_DAYS = 730
OVERLAP = timedelta(hours=24)
"""How long old tokens stay valid after a rotation. In this time, the owner gives the new token to all programs."""
LOGIN_FOR = timedelta(minutes=10)
MOST_NAME_CHARACTERS = 100
RESERVED = ("me", "none", "nobody")
"""Words that cannot be names, because they have another meaning where an account is named."""
HOW = tell("send a valid token of a staff account as Authorization: Bearer.")


@dataclass(frozen=True, slots=True)
class Issued:
    """A secret that was just made. It cannot be read again, because only a digest of it is stored.

    number  the number of the secret
    """

    account: Account
    secret: str
    expires_at: datetime
    number: int


def add_account(
    platform: Platform,
    *,
    name: str,
    role: Role,
    jurisdiction_id: str,
    departments: Sequence[str] = (),
    days: int = TOKEN_DAYS,
    label: str = "",
    principal: Principal,
    now: datetime,
) -> Issued:
    """Add an account and its first token; both are stored, or neither is.

    Raises Invalid for a faulty value, Forbidden unless the caller is an admin of the jurisdiction, NotFound for an
    unknown jurisdiction, and Conflict for a name that is taken.

    jurisdiction_id  ALL_JURISDICTIONS for an account that is valid in every city
    departments      codes of departments; empty for all
    days             how long the token is valid
    label            what the token is for
    """
    _require_admin(principal, jurisdiction_id)
    wanted = name.strip()
    _check_name(wanted)
    _check_rights(platform, role, jurisdiction_id, departments)
    expires_at, cleaned = _lasting(days, now), _read_label(label)
    with platform.database.transaction() as connection:
        accounts.lock_names(connection, jurisdiction_id)
        _require_free(connection, jurisdiction_id, wanted)
        number = accounts.add_account(
            connection,
            jurisdiction_id=jurisdiction_id,
            name=wanted,
            role=role,
            departments=departments,
            now=now,
        )
        if number is None:  # somebody else has just added it
            _require_free(connection, jurisdiction_id, wanted)
        account = _find(connection, jurisdiction_id, wanted)
        issued = _add_secret(connection, account, SecretKind.TOKEN, expires_at, now=now, label=cleaned)
        record(connection, account, "account.add", principal, now, _rights(account) | _token(issued, cleaned))
    return issued


def change_account(
    platform: Platform,
    jurisdiction_id: str,
    name: str,
    *,
    role: Role | None = None,
    departments: Sequence[str] | None = None,
    principal: Principal,
    now: datetime,
) -> Account:
    """Give an account another role or other departments. The new rights hold from the next call with its tokens.

    If the rights change, the sessions of the account end, so that no page shows what the person may not do any
    more.

    role         the new role; None to keep the old one
    departments  codes of the new departments; None to keep the old ones; empty for all
    Raises Invalid for a faulty value or if nothing is to be changed, Forbidden unless the caller is an admin of the
    jurisdiction, and NotFound for an unknown or revoked account.
    """
    _require_admin(principal, jurisdiction_id)
    if role is None and departments is None:
        raise Invalid(tell("say what to change: the role, the departments, or both."), "role")
    with platform.database.transaction() as connection:
        before = _find(connection, jurisdiction_id, name, is_locked=True)
        after = replace(
            before,
            role=role or before.role,
            departments=before.departments if departments is None else tuple(sorted(set(departments))),
        )
        _check_rights(platform, Role(after.role), jurisdiction_id, departments or ())
        if after != before:
            accounts.change_account(connection, after)
            staff_sessions.end_sessions_of(connection, after.jurisdiction_id, after.id)
            details = _rights(after) | {"before": _rights(before)}
            record(connection, after, "account.change", principal, now, details)
    return after


def restore_account(
    platform: Platform,
    jurisdiction_id: str,
    name: str,
    *,
    days: int = TOKEN_DAYS,
    label: str = "",
    principal: Principal,
    now: datetime,
) -> Issued:
    """Make a revoked account valid again with its old rights, and give it a new token.

    The old tokens stay invalid. Raises Invalid for faulty days or a faulty label, Forbidden unless the caller is an
    admin of the jurisdiction, NotFound for an unknown account, and Conflict for an account that is valid.
    """
    _require_admin(principal, jurisdiction_id)
    expires_at, cleaned = _lasting(days, now), _read_label(label)
    with platform.database.transaction() as connection:
        before = _find(connection, jurisdiction_id, name, is_locked=True, is_revoked_too=True)
        if before.revoked_at is None:
            raise Conflict(tell("{name!r} is a valid account already.", name=before.name), "name")
        account = replace(before, revoked_at=None)
        accounts.change_account(connection, account)
        issued = _add_secret(connection, account, SecretKind.TOKEN, expires_at, now=now, label=cleaned)
        record(connection, account, "account.restore", principal, now, _rights(account) | _token(issued, cleaned))
    return issued


def list_accounts(platform: Platform, jurisdiction_id: str | None = None) -> list[tuple[Account, list[Secret]]]:
    """All accounts with their secrets, oldest first. With `jurisdiction_id`, only those of one jurisdiction."""
    with platform.database.reading() as connection:
        found = accounts.list_accounts(connection, jurisdiction_id)
        return [(account, accounts.list_secrets(connection, account)) for account in found]


def find_account(platform: Platform, jurisdiction_id: str, name: str) -> Account:
    """The account with this name, also a revoked one. Raises NotFound."""
    with platform.database.reading() as connection:
        return _find(connection, jurisdiction_id, name, is_revoked_too=True)


def find_stranded(platform: Platform) -> list[Stranded]:
    """The valid accounts that have a department which their city does not have any more."""
    with platform.database.reading() as connection:
        found = [one for one in accounts.list_accounts(connection) if one.revoked_at is None]
    return [Stranded(account, gone) for account in found if (gone := gone_departments(platform, account))]


@dataclass(frozen=True, slots=True)
class Stranded:
    """An account with departments that do not exist any more. `gone`: their codes."""

    account: Account
    gone: tuple[str, ...]

    def __str__(self) -> str:
        """A sentence for operators. It has the account's name."""
        account, names = self.account, ", ".join(repr(code) for code in self.gone)
        is_idle = len(self.gone) == len(account.departments)
        seen = "; the account sees no requests" if is_idle else ""
        cure = f"open311 staff change {account.name} --jurisdiction {account.jurisdiction_id} --department CODE"
        return f"{account.jurisdiction_id}: {account.name} works for {names}, which is gone{seen}; run `{cure}`"


def gone_departments(platform: Platform, account: Account) -> tuple[str, ...]:
    """The departments of an account that its city does not have any more; () if the city is not served."""
    city = platform.registry.jurisdictions.get(account.jurisdiction_id)
    if city is None:
        return ()
    known = {department.code for department in city.departments}
    return tuple(code for code in account.departments if code not in known)


def issue_token(
    platform: Platform,
    jurisdiction_id: str,
    name: str,
    *,
    days: int = TOKEN_DAYS,
    label: str = "",
    principal: Principal,
    now: datetime,
) -> Issued:
    """Make another token for an account. Its other tokens stay valid. `label`: what the new token is for."""
    order = _Order("token.add", _lasting(days, now), label=_read_label(label))
    return _issue(platform, jurisdiction_id, name, order, principal=principal, now=now)


def rotate_token(
    platform: Platform,
    jurisdiction_id: str,
    name: str,
    *,
    days: int = TOKEN_DAYS,
    label: str = "",
    is_at_once: bool = False,
    principal: Principal,
    now: datetime,
) -> Issued:
    """Make a new token for an account. Its old tokens expire after OVERLAP.

    If `is_at_once`, they expire now, and the account's sessions end too.
    """
    others_end = now if is_at_once else now + OVERLAP
    order = _Order(
        "token.rotate",
        _lasting(days, now),
        label=_read_label(label),
        others_end=others_end,
        ends_sessions=is_at_once,
    )
    return _issue(platform, jurisdiction_id, name, order, principal=principal, now=now)


def issue_login(
    platform: Platform, jurisdiction_id: str, name: str, *, principal: Principal, now: datetime
) -> Issued:
    """Make a secret with which the account's owner can sign in once within LOGIN_FOR.

    Earlier login secrets of the account become invalid.
    """
    order = _Order("login.add", now + LOGIN_FOR, kind=SecretKind.LOGIN, others_end=now)
    return _issue(platform, jurisdiction_id, name, order, principal=principal, now=now)


def revoke_account(
    platform: Platform, jurisdiction_id: str, name: str, *, principal: Principal, now: datetime
) -> Account:
    """Revoke an account. All its tokens, login links and sessions become invalid."""
    _require_admin(principal, jurisdiction_id)
    with platform.database.transaction() as connection:
        account = replace(_find(connection, jurisdiction_id, name, is_locked=True), revoked_at=now)
        accounts.change_account(connection, account)
        accounts.end_secrets(connection, account, list(SecretKind), now)
        staff_sessions.end_sessions_of(connection, account.jurisdiction_id, account.id)
        record(connection, account, "account.revoke", principal, now, _rights(account))
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
        record(connection, account, "token.revoke", principal, now, {"token": number})
    return account


def require_staff(platform: Platform, token: str, *, now: datetime, run: Run | None = None) -> Principal:
    """The principal of this token. Raises Unauthenticated for a token that is not valid.

    run  runs the statement that finds the account
    """
    if not token:
        raise Unauthenticated(tell("The token is missing; {how}", how=HOW))
    holder = accounts.holder_of(run or platform.database.hot.rows, token, SecretKind.TOKEN, now)
    if holder is None:
        raise Unauthenticated(tell("The token is unknown, expired or revoked; {how}", how=HOW))
    if holder.last_used_at is None or holder.last_used_at <= now - BETWEEN_USES:
        _mark_used(platform, holder, now)
    return principal_of(holder)


def _mark_used(platform: Platform, holder: Holder, now: datetime) -> None:
    """Store that a token was used.

    If the database accepts no writes, only log it, so that reading calls still work.
    """
    try:
        accounts.mark_used(platform.database.hot.write, holder, now)
    except Unavailable as error:
        log.warning("the use of a token is not stored", token=holder.secret, cause=str(error))


def principal_of(holder: Holder) -> Principal:
    """The principal of an account.

    Its label, for the log and metrics, contains the account's number and not its name.
    """
    departments = tuple(holder.departments)
    return _principal(holder.id, holder.jurisdiction_id, holder.role, departments, holder.secret, holder.expires_at)


@lru_cache(maxsize=1_024)
def _principal(
    number: int, jurisdiction_id: str, role: str, departments: tuple[str, ...], token: int, expires_at: datetime
) -> Principal:
    """The principal with these rights. Each call reads the rights from the database; only the object is cached."""
    return Principal(
        kind="staff",
        number=number,
        role=Role(role),
        scope=Scope(jurisdiction_id, frozenset(departments)),
        label=f"{PREFIX}{number}",
        token=token,
        expires_at=expires_at,
    )


def name_of(platform: Platform, principal: Principal) -> str:
    """The name of an account, for staff only; "" for a principal that is no account."""
    return accounts.names_of(platform.database.hot.rows, [str(principal)]).get(str(principal), "")


def names_of(platform: Platform, actors: Sequence[str]) -> Mapping[str, str]:
    """The names of those actors that are accounts, for staff only, by actor, such as `staff:3`."""
    return accounts.names_of(platform.database.hot.rows, sorted(set(actors)))


def require_city(principal: Principal, jurisdiction_id: str) -> None:
    """Raise Forbidden if an account is for another jurisdiction."""
    if not principal.scope.covers(jurisdiction_id):
        raise Forbidden(tell("this account is not valid for {city}.", city=jurisdiction_id), "jurisdiction_id")


def require_role(principal: Principal, role: Role) -> None:
    """Raise Forbidden if the principal's role does not include this role."""
    if not principal.role.includes(role):
        raise Forbidden(tell("this needs the role {role}; this account is {own}.", role=role, own=principal.role))


def _require_admin(principal: Principal, jurisdiction_id: str) -> None:
    require_role(principal, Role.ADMIN)
    require_city(principal, jurisdiction_id)


def _check_name(name: str) -> None:
    if not name or len(name) > MOST_NAME_CHARACTERS or name.lower() in RESERVED or not name.isprintable():
        named = {"name": name[:60], "reserved": ", ".join(RESERVED)}
        fault = tell(
            "{name!r} cannot be a name; use an email address or a short name, but none of {reserved}.", **named
        )
        raise Invalid(fault, "name")


def _check_rights(platform: Platform, role: Role, jurisdiction_id: str, departments: Sequence[str]) -> None:
    if not role.is_staff:
        fault = tell("{role} is no role of staff; use reader, agent, dispatcher or admin.", role=role)
        raise Invalid(fault, "role")
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


def _require_free(connection: Connection, jurisdiction_id: str, name: str) -> None:
    """Raise Conflict if an account has this name in the jurisdiction, whatever the case of its letters."""
    found = accounts.find_namesake(connection, jurisdiction_id, name)
    if found is None:
        return
    if found.revoked_at is None and found.name != name:
        same = {"name": name, "own": found.name}
        raise Conflict(tell("{name!r} is the account {own!r} already; choose another name.", **same), "name")
    if found.revoked_at is None:
        raise Conflict(tell("{name!r} has an account already; choose another name.", name=name), "name")
    named = {"name": found.name, "city": found.jurisdiction_id}
    fault = tell(
        "{name!r} had an account, which is revoked; run `open311 staff restore {name} --jurisdiction {city}`,"
        " or choose another name.",
        **named,
    )
    raise Conflict(fault, "name")


def _lasting(days: int, now: datetime) -> datetime:
    if not 1 <= days <= MOST_DAYS:
        fault = tell("{days} is outside 1..{most}; a token has to expire.", days=days, most=MOST_DAYS)
        raise Invalid(fault, "days")
    return now + timedelta(days=days)


def _read_label(label: str) -> str:
    """The label of a token. Raises Invalid if the label is too long or has several lines."""
    cleaned = label.strip()
    if len(cleaned) > MOST_NAME_CHARACTERS or not cleaned.isprintable():
        fault = tell("is no label; use one line of at most {most} characters.", most=MOST_NAME_CHARACTERS)
        raise Invalid(fault, "label")
    return cleaned


@dataclass(frozen=True, slots=True)
class _Order:
    """A secret to make.

    others_end     when the account's other secrets of this kind expire; None if they stay valid
    ends_sessions  whether the account's sessions end
    """

    act: str
    expires_at: datetime
    kind: SecretKind = SecretKind.TOKEN
    label: str = ""
    others_end: datetime | None = None
    ends_sessions: bool = False


def _issue(
    platform: Platform, jurisdiction_id: str, name: str, order: _Order, *, principal: Principal, now: datetime
) -> Issued:
    _require_admin(principal, jurisdiction_id)
    with platform.database.transaction() as connection:
        account = _find(connection, jurisdiction_id, name)
        if order.others_end is not None:
            accounts.end_secrets(connection, account, [order.kind], order.others_end)
        if order.ends_sessions:
            staff_sessions.end_sessions_of(connection, account.jurisdiction_id, account.id)
        issued = _add_secret(connection, account, order.kind, order.expires_at, now=now, label=order.label)
        record(connection, account, order.act, principal, now, _token(issued, order.label))
    return issued


def _add_secret(
    connection: Connection, account: Account, kind: SecretKind, expires_at: datetime, *, now: datetime, label: str
) -> Issued:
    secret = new_staff_secret()
    number = accounts.add_secret(connection, account, kind, secret, now=now, expires_at=expires_at, label=label)
    return Issued(account, secret, expires_at, number)


def _find(
    connection: Connection,
    jurisdiction_id: str,
    name: str,
    *,
    is_locked: bool = False,
    is_revoked_too: bool = False,
) -> Account:
    """The account of this name. Raises NotFound; for a revoked account, the message says how to restore it."""
    found = accounts.find_account(connection, jurisdiction_id, name, is_revoked_too=True, is_locked=is_locked)
    named = {"name": name[:60], "city": jurisdiction_id}
    if found is None or found.jurisdiction_id != jurisdiction_id:
        raise NotFound(tell("{name!r} is no account of {city}; see `open311 staff list`.", **named), "name")
    if found.revoked_at is not None and not is_revoked_too:
        fault = tell("{name!r} of {city} is revoked; run `open311 staff restore` first.", **named)
        raise NotFound(fault, "name")
    return found


def _rights(account: Account) -> dict[str, Any]:
    """The rights of an account, for the audit trail."""
    return {"role": str(account.role), "departments": list(account.departments)}


def _token(issued: Issued, label: str) -> dict[str, Any]:
    """The number and the label of a secret, for the audit trail."""
    return {"token": issued.number} | ({"label": label} if label else {})


def record(
    connection: Connection,
    account: Account | Holder | Principal,
    act: str,
    principal: Principal,
    now: datetime,
    details: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    """Store in the audit trail what somebody did with an account."""
    city = account.scope.jurisdiction_id if isinstance(account, Principal) else account.jurisdiction_id
    audit.add_entry(
        connection,
        Entry(
            jurisdiction_id=city,
            at=now,
            actor=str(principal),
            act=act,
            subject=str(account),
            details=details,
        ),
    )
