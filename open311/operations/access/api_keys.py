"""API keys: create, suspend, resume and revoke them, tell their users something, check a caller's (A56, A57)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

from open311.domain.access import ALL_JURISDICTIONS, SHELL, Principal, Role, Scope
from open311.domain.ids import new_api_key
from open311.errors import Forbidden, Invalid
from open311.operations.platform import Platform
from open311.storage import audit, keys
from open311.storage.audit import Entry
from open311.storage.engine import Connection
from open311.storage.keys import ApiKey
from schemas.texts import tell

MOST_CHARACTERS = 200
"""The most characters of the label of a key, and of its contact."""
MOST_TOLD_CHARACTERS = 300
"""The most characters of a notice to the users of an app, and of the reason why a key is suspended or revoked."""
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
    things: Collection[str] = (),
    principal: Principal = SHELL,
    now: datetime,
    secret: str = "",
) -> tuple[int, str]:
    """Create a key. Returns its number and its secret, which cannot be read again.

    jurisdiction_id  ALL_JURISDICTIONS for a key that is valid everywhere
    may_update       whether updates with the key count as the city's own
    is_for_staff     whether the key may send requests to services that are only for staff
    things           a key with things may send only observations of these; empty for an app's key
    secret           the secret of the demo key; for all other keys, leave it out to make a new secret
    Raises Invalid if the jurisdiction is not served or does not have the things, if a key for things has other
    rights too, for an empty label, and for a label or contact that is too long or not one line.
    """
    _check_texts(label, contact)
    if jurisdiction_id != ALL_JURISDICTIONS and platform.registry.get(jurisdiction_id) is None:
        known = ", ".join(sorted(platform.registry.jurisdictions))
        fault = tell("{value!r} is not served here; use one of {known}.", value=jurisdiction_id, known=known)
        raise Invalid(fault, "jurisdiction")
    if things:
        _check_things(platform, things, jurisdiction_id, has_rights=is_test or may_update or is_for_staff)
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
            things=sorted(set(things)),
            now=now,
        )
        rights = {"test": is_test, "updates": may_update, "staff": is_for_staff}
        details: dict[str, Any] = {"rights": [name for name, is_given in rights.items() if is_given]}
        if things:
            details["things"] = sorted(set(things))
        _record(connection, jurisdiction_id, number, "key.add", principal, now, details=details)
    return number, secret


def _check_things(platform: Platform, things: Collection[str], jurisdiction_id: str, *, has_rights: bool) -> None:
    """Raise Invalid for things that the city does not have, and for rights that a key of sensors cannot have."""
    city = platform.registry.get(jurisdiction_id)
    if city is None:
        raise Invalid(tell("is missing; a key of sensors is for one city."), "jurisdiction")
    if has_rights:
        raise Invalid(tell("cannot be combined with other rights; make another key for them."), "things")
    known = {sensor.thing for sensor in city.sensors}
    if unknown := sorted(set(things) - known):
        named = {"thing": unknown[0][:60], "city": city.id}
        raise Invalid(tell("{thing!r} is no thing of {city}; its jurisdiction.toml names them.", **named), "things")


def _check_texts(label: str, contact: str) -> None:
    """Raise Invalid for an empty label, for long texts, and for characters that could forge lines of a list."""
    if not label.strip() or len(label) > MOST_CHARACTERS or not label.isprintable():
        fault = tell("is no label; use one line of 1 to {most} characters.", most=MOST_CHARACTERS)
        raise Invalid(fault, "label")
    if len(contact) > MOST_CHARACTERS or not contact.isprintable():
        fault = tell("is no contact; use one line of at most {most} characters.", most=MOST_CHARACTERS)
        raise Invalid(fault, "contact")


def list_keys(platform: Platform, jurisdiction_id: str | None = None) -> list[ApiKey]:
    """All keys, oldest first. With `jurisdiction_id`, only those of one jurisdiction."""
    with platform.database.reading() as connection:
        return keys.list_keys(connection, jurisdiction_id)


def revoke_key(
    platform: Platform,
    number: int,
    *,
    reason: str = "",
    jurisdiction_id: str | None = None,
    principal: Principal = SHELL,
    now: datetime,
) -> bool:
    """Revoke a key as of `now`. Returns False if no valid key has this number.

    jurisdiction_id  the only jurisdiction whose keys may be changed; None for all
    """
    change = _Change("key.revoke", _line(reason, "reason"), {"revoked_at": now})
    return _apply(platform, number, change, jurisdiction_id, principal=principal, now=now)


def set_notice(
    platform: Platform,
    number: int,
    notice: str,
    *,
    jurisdiction_id: str | None = None,
    principal: Principal,
    now: datetime,
) -> bool:
    """Set what all users of an app are told; "" for nothing. Returns False if no valid key has this number."""
    told = _line(notice, "notice")
    change = _Change("key.notice", told, {"notice": told})
    return _apply(platform, number, change, jurisdiction_id, principal=principal, now=now)


def suspend_key(
    platform: Platform,
    number: int,
    reason: str,
    *,
    jurisdiction_id: str | None = None,
    principal: Principal,
    now: datetime,
) -> bool:
    """Refuse all calls with a key, at once and in all processes, until `resume_key`.

    reason  what callers are told
    Returns False if no valid key has this number. Raises Invalid if the reason is missing, too long, or not one
    line.
    """
    why = _line(reason, "reason")
    if not why:
        raise Invalid(tell("is missing; callers are told why."), "reason")
    change = _Change("key.suspend", why, {"suspended_for": why})
    return _apply(platform, number, change, jurisdiction_id, principal=principal, now=now)


def resume_key(
    platform: Platform,
    number: int,
    *,
    jurisdiction_id: str | None = None,
    principal: Principal,
    now: datetime,
) -> bool:
    """Accept calls with a key again. Returns False if no valid key has this number."""
    change = _Change("key.resume", "", {"suspended_for": ""})
    return _apply(platform, number, change, jurisdiction_id, principal=principal, now=now)


def _line(text: str, field: str) -> str:
    """A notice or a reason without spaces around it. Raises Invalid if it is not one line, or too long."""
    line = text.strip()
    if len(line) > MOST_TOLD_CHARACTERS or not line.isprintable():
        raise Invalid(tell("must be one line of at most {most} characters.", most=MOST_TOLD_CHARACTERS), field)
    return line


@dataclass(frozen=True, slots=True)
class _Change:
    """A change of a key: its name in the audit trail, why it is made, and the new values of columns."""

    act: str
    reason: str
    values: Mapping[str, Any]


def _apply(
    platform: Platform,
    number: int,
    change: _Change,
    jurisdiction_id: str | None,
    *,
    principal: Principal,
    now: datetime,
) -> bool:
    """Change a key and write an entry of the audit trail."""
    if not 0 <= number < 2**63:
        return False
    with platform.database.transaction() as connection:
        place = keys.change_key(connection, number, jurisdiction_id, change.values)
        if place is not None:
            _record(connection, place, number, change.act, principal, now, reason=change.reason)
    return place is not None


def _record(
    connection: Connection,
    jurisdiction_id: str,
    number: int,
    act: str,
    principal: Principal,
    now: datetime,
    *,
    reason: str = "",
    details: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    """Store in the audit trail what somebody did with a key."""
    entry = Entry(
        jurisdiction_id=jurisdiction_id,
        at=now,
        actor=str(principal),
        act=act,
        subject=f"key:{number}",
        reason=reason,
        details=details,
    )
    audit.add_entry(connection, entry)


def require_key(platform: Platform, secret: str) -> Principal:
    """The holder of the valid key with this secret. Raises Forbidden if there is none or it is suspended (A56)."""
    if not secret:
        raise Forbidden(tell("is missing; {how}", how=HOW), "api_key")
    found = keys.find_key(platform.database.hot, secret)
    if found is None:
        raise Forbidden(tell("is not valid; {how}", how=HOW), "api_key")
    key, version = found
    platform.process.blocks.note_version(version)
    if key.suspended_for:
        raise Forbidden(tell("is suspended: {reason}", reason=key.suspended_for), "api_key")
    scope = Scope(key.jurisdiction_id)
    if key.things:
        things = frozenset(key.things)
        return Principal(
            kind="sensor", number=key.id, role=Role.SENSOR, scope=scope, label=key.label, things=things
        )
    return Principal(
        kind="key",
        number=key.id,
        role=Role.APP,
        scope=scope,
        is_test=key.is_test,
        may_update=key.may_update,
        label=key.label,
        is_for_staff=key.is_for_staff,
        notice=key.notice,
    )


def require_app(principal: Principal) -> None:
    """Raise Forbidden for a key of sensors, which may only send observations."""
    if principal.role is Role.SENSOR:
        raise Forbidden(tell("is a key of sensors, which may only send observations; {how}", how=HOW), "api_key")


def require_sensor_key(principal: Principal) -> None:
    """Raise Forbidden for a key that was not made for sensors."""
    if principal.role is not Role.SENSOR:
        fault = tell("is not a key of sensors; ask the city for one that is made for your things.")
        raise Forbidden(fault, "api_key")


def number_of_key(platform: Platform, secret: str) -> int:
    """The number of the valid key with this secret; 0 if there is none."""
    found = keys.find_key(platform.database.hot, secret) if secret else None
    return found[0].id if found else 0


def require_scope(principal: Principal, jurisdiction_id: str) -> None:
    """Raise Forbidden if a key is for another jurisdiction."""
    if not principal.scope.covers(jurisdiction_id):
        raise Forbidden(tell("is not valid for {city}; {how}", city=jurisdiction_id, how=HOW), "api_key")
