"""The accounts that requests can be assigned to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from open311.domain.access import STAFF, Principal, Role
from open311.errors import Invalid
from open311.operations.access.staff import require_city, require_role
from open311.operations.platform import Platform
from open311.plugins import Jurisdiction
from open311.storage import accounts
from open311.storage.accounts import Account
from open311.storage.engine import Connection
from schemas.texts import Message, tell

ME = "me"
NOBODY = ("", "none")
"""The words that mean no account. No account can have such a name."""
WORKING = tuple(str(role) for role in STAFF if role.includes(Role.AGENT))
"""The roles of accounts that requests can be assigned to."""
MOST_COMPARED = 1_000


@dataclass(frozen=True, slots=True)
class AccountPage:
    """A page of accounts, sorted by name. `cursor`: the cursor of the next page; "" on the last page."""

    accounts: Sequence[Account]
    cursor: str


def list_assignees(
    platform: Platform, city: Jurisdiction, *, principal: Principal, after: str, most: int
) -> AccountPage:
    """The accounts that can work on requests of the caller's departments, sorted by name.

    after  the cursor of the page before; "" for the first page
    """
    require_role(principal, Role.READER)
    require_city(principal, city.id)
    with platform.database.reading() as connection:
        found = _working(connection, city.id, principal, after=after, most=most + 1)
    shown = found[:most]
    return AccountPage(shown, shown[-1].name if len(found) > most else "")


def find_assignee(connection: Connection, city: Jurisdiction, name: str, *, principal: Principal) -> Account | None:
    """The account with this name, if it can work on requests; None for nobody.

    name  the name of an account; `me` for the caller's account; a word of NOBODY
    Raises Invalid for an account that is unknown, revoked, or may only read.
    """
    if name.lower() in NOBODY:
        return None
    wanted = _own_name(connection, principal) if name == ME else name
    account = accounts.find_account(connection, city.id, wanted)
    if account is None:
        raise Invalid(_unknown(connection, city, name, principal), "account")
    if account.role not in WORKING:
        named = {"name": account.name, "role": account.role}
        fault = tell("{name} is a {role} and cannot work on requests; name an agent, dispatcher or admin.", **named)
        raise Invalid(fault, "account")
    return account


def _own_name(connection: Connection, principal: Principal) -> str:
    """The name of the caller's account. Raises Invalid in a shell, where the caller has no account."""
    if principal.kind != "staff":
        fault = tell("`me` is the account of a token, and you called without one; send the name of an account.")
        raise Invalid(fault, "account")
    return accounts.name_of(connection, principal.number)


def _unknown(connection: Connection, city: Jurisdiction, name: str, principal: Principal) -> Message:
    """A message that there is no such account. It names the most similar account, if there is one."""
    known = [one.name for one in _working(connection, city.id, principal, after="", most=MOST_COMPARED)]
    starts = [one for one in known if one.partition("@")[0] == name]
    near = starts or get_close_matches(name, known, n=1, cutoff=0.7)
    named = {"account": name[:60], "city": city.id}
    if near:
        return tell("{account!r} is no account of {city}; did you mean {near}?", near=near[0], **named)
    return tell(
        "{account!r} is no account of {city}; `GET /staff/v1/accounts` and `open311 staff list` show them.", **named
    )


def _working(
    connection: Connection, jurisdiction_id: str, principal: Principal, *, after: str, most: int
) -> list[Account]:
    departments = sorted(principal.scope.departments)
    return accounts.list_working(
        connection, jurisdiction_id, roles=WORKING, departments=departments, after=after, rows=most
    )
