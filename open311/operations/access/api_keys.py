"""Creating and revoking API keys, and checking a caller's key (A56, A57)."""

from __future__ import annotations

from datetime import datetime

from open311.domain.access import ALL_JURISDICTIONS, Principal, Role, Scope
from open311.domain.ids import new_api_key
from open311.errors import Forbidden, Invalid
from open311.operations.platform import Platform
from open311.storage import keys
from open311.storage.keys import ApiKey
from schemas.texts import tell

HOW = tell("send a valid api_key as a parameter, in Authorization: Bearer or in X-Api-Key.")


def add_key(
    platform: Platform,
    *,
    label: str,
    jurisdiction_id: str = ALL_JURISDICTIONS,
    contact: str = "",
    is_test: bool = False,
    may_update: bool = False,
    is_for_staff: bool = False,
    now: datetime,
    secret: str = "",
) -> tuple[int, str]:
    """Create a key. Returns its number and its secret, which cannot be read again.

    jurisdiction_id  ALL_JURISDICTIONS for a key that is valid everywhere
    may_update       whether updates with the key count as the city's own
    is_for_staff     whether the key may send requests to services that are only for staff
    secret           the secret of the demo key; for all other keys, leave it out to make a new secret
    Raises Invalid if the jurisdiction is not served.
    """
    if jurisdiction_id != ALL_JURISDICTIONS and platform.registry.get(jurisdiction_id) is None:
        known = ", ".join(sorted(platform.registry.jurisdictions))
        fault = tell("{value!r} is not served here; use one of {known}.", value=jurisdiction_id, known=known)
        raise Invalid(fault, "jurisdiction")
    secret = secret or new_api_key()
    with platform.database.transaction() as connection:
        number = keys.add_key(
            connection,
            secret,
            jurisdiction_id=jurisdiction_id,
            label=label,
            contact=contact,
            is_test=is_test,
            may_update=may_update,
            is_for_staff=is_for_staff,
            now=now,
        )
    return number, secret


def list_keys(platform: Platform) -> list[ApiKey]:
    """All keys, oldest first."""
    with platform.database.reading() as connection:
        return keys.list_keys(connection)


def revoke_key(platform: Platform, number: int, *, now: datetime) -> bool:
    """Revoke a key as of `now`. Returns False if no valid key has this number."""
    with platform.database.transaction() as connection:
        return keys.revoke_key(connection, number, now)


def require_key(platform: Platform, secret: str) -> Principal:
    """The holder of the valid key with this secret. Raises Forbidden if there is no such key (A56)."""
    if not secret:
        raise Forbidden(tell("is missing; {how}", how=HOW), "api_key")
    key = keys.find_key(platform.database.hot, secret)
    if key is None:
        raise Forbidden(tell("is not valid; {how}", how=HOW), "api_key")
    scope = Scope(key.jurisdiction_id)
    return Principal(
        kind="key",
        number=key.id,
        role=Role.APP,
        scope=scope,
        is_test=key.is_test,
        may_update=key.may_update,
        label=key.label,
        is_for_staff=key.is_for_staff,
    )


def number_of_key(platform: Platform, secret: str) -> int:
    """The number of the valid key with this secret; 0 if there is none."""
    key = keys.find_key(platform.database.hot, secret) if secret else None
    return key.id if key else 0


def require_scope(principal: Principal, jurisdiction_id: str) -> None:
    """Raise Forbidden if a key is for another jurisdiction."""
    if not principal.scope.covers(jurisdiction_id):
        raise Forbidden(tell("is not valid for {city}; {how}", city=jurisdiction_id, how=HOW), "api_key")
