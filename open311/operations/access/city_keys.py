"""The keys of apps that are valid in one city, for the admins of the city.

Keys that are valid in all cities belong to the operator of the server, who manages them in the shell.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from open311.domain.access import Principal, Role
from open311.errors import Forbidden, Invalid, NotFound
from open311.operations.access.api_keys import (
    add_key,
    list_keys,
    resume_key,
    revoke_key,
    set_notice,
    suspend_key,
)
from open311.operations.access.staff import require_city, require_role
from open311.operations.platform import Platform
from open311.plugins import Jurisdiction
from open311.storage.keys import ApiKey
from schemas.texts import tell

ROLE = Role.ADMIN
"""The least role that manages keys."""
DECISIONS = ("notice", "suspend", "resume", "revoke")
_NO_KEY = tell("This city has no such key, or it is revoked already.")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """What an admin says about a new key. `add_key` explains the fields."""

    label: str
    contact: str = ""
    is_test: bool = False
    may_update: bool = False
    is_for_staff: bool = False
    things: tuple[str, ...] = ()


def list_city_keys(platform: Platform, city: Jurisdiction, *, principal: Principal) -> list[ApiKey]:
    """The keys of a city, the newest first; revoked ones at the end. Raises Forbidden as `_require_admin` does."""
    _require_admin(principal, city)
    newest_first = reversed(list_keys(platform, city.id))
    return sorted(newest_first, key=lambda key: key.revoked_at is not None)


def find_city_key(platform: Platform, city: Jurisdiction, number: int, *, principal: Principal) -> ApiKey:
    """One key of a city. Raises Forbidden, and NotFound if the city has no key of this number."""
    found = [key for key in list_city_keys(platform, city, principal=principal) if key.id == number]
    if not found:
        raise NotFound(_NO_KEY, "key")
    return found[0]


def add_city_key(
    platform: Platform, city: Jurisdiction, new: NewKey, *, principal: Principal, now: datetime
) -> tuple[int, str]:
    """Create a key of a city. Returns its number and its secret, which cannot be read again.

    Raises Forbidden as `_require_admin` does, and Invalid as `add_key` does.
    """
    _require_admin(principal, city)
    return add_key(
        platform,
        label=new.label.strip(),
        jurisdiction_id=city.id,
        contact=new.contact.strip(),
        is_test=new.is_test,
        may_update=new.may_update,
        is_for_staff=new.is_for_staff,
        things=new.things,
        principal=principal,
        now=now,
    )


def decide_key(
    platform: Platform,
    city: Jurisdiction,
    number: int,
    decision: str,
    text: str,
    *,
    principal: Principal,
    now: datetime,
) -> None:
    """Carry out one of DECISIONS about a key of a city.

    text  what the users of the app are told (notice), what callers are told (suspend), or why (revoke); not used by
          resume
    Raises Forbidden as `_require_admin` does, Invalid for a missing or faulty text, and NotFound if the city has no
    valid key of this number.
    """
    _require_admin(principal, city)
    by: dict[str, Any] = {"jurisdiction_id": city.id, "principal": principal, "now": now}
    if decision == "notice":
        is_done = set_notice(platform, number, text, **by)
    elif decision == "suspend":
        is_done = suspend_key(platform, number, text, **by)
    elif decision == "resume":
        is_done = resume_key(platform, number, **by)
    else:
        if not text.strip():
            raise Invalid(
                tell("is missing; say why the key is revoked. The audit trail keeps the reason."), "reason"
            )
        is_done = revoke_key(platform, number, reason=text, **by)
    if not is_done:
        raise NotFound(_NO_KEY, "key")


def _require_admin(principal: Principal, city: Jurisdiction) -> None:
    """Raise Forbidden unless the principal is an admin for all departments, because a key is for all of them."""
    require_role(principal, ROLE)
    require_city(principal, city.id)
    if principal.scope.departments:
        raise Forbidden(tell("this needs an account for all departments, because a key is valid for all of them."))
