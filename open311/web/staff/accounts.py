"""The caller's own account, and the accounts that requests can be assigned to."""

from __future__ import annotations

from typing import Any

from open311.domain.access import Principal
from open311.domain.commands import commands
from open311.formats import JSON
from open311.operations.access.assignees import list_assignees
from open311.operations.access.staff import name_of
from open311.web.access import STAFF as STAFF_ONLY
from open311.web.calls import Answer, Call
from open311.web.endpoints import City, Media, endpoint
from open311.web.staff.answers import staff_answer
from open311.web.surfaces import STAFF
from schemas.staff import AccountsArguments, MeSchema, StaffAccountsSchema, StaffArguments


@endpoint(
    STAFF,
    "/me",
    reads=StaffArguments,
    access=STAFF_ONLY,
    answers=Media("application/json", MeSchema()),
    output=JSON,
    city=City.NONE,
)
def get_me(call: Call) -> Answer:
    """Show the account of the token."""
    return staff_answer(_plain(call.caller, name_of(call.platform, call.caller)))


@endpoint(
    STAFF,
    "/accounts",
    reads=AccountsArguments,
    access=STAFF_ONLY,
    answers=Media("application/json", StaffAccountsSchema()),
    output=JSON,
    city=City.OF_CALLER,
)
def list_staff_accounts(call: Call) -> Answer:
    """List the accounts that can work on requests of the account's departments, by name."""
    values = call.values
    page = list_assignees(
        call.platform, call.city, principal=call.caller, after=values["cursor"], most=values["page_size"]
    )
    found = [
        {"name": one.name, "number": one.id, "role": one.role, "departments": list(one.departments)}
        for one in page.accounts
    ]
    return staff_answer({"accounts": found, "cursor": page.cursor or None})


def _plain(principal: Principal, name: str) -> dict[str, Any]:
    return {
        "name": name,
        "number": principal.number,
        "role": principal.role,
        "jurisdiction_id": principal.scope.jurisdiction_id,
        "departments": sorted(principal.scope.departments),
        "token": principal.token,
        "expires": principal.expires_at,
        "commands": [one for one, command in commands().items() if principal.role.includes(command.role)],
    }
