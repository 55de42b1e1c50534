"""Creating and revoking API keys, and checking a caller's key (A56, A57)."""

from __future__ import annotations

from datetime import datetime

from open311.domain.access import ALL_JURISDICTIONS, Principal, Role, Scope
from open311.domain.ids import new_api_key
from open311.errors import Forbidden, Invalid
from open311.operations.platform import Platform
from open311.storage import audit, keys
from open311.storage.audit import Entry
from open311.storage.keys import ApiKey
from schemas.texts import tell

MOST_CHARACTERS = 200
"""How long the label and the contact of a key may be."""
MOST_TOLD_CHARACTERS = 300
"""How long a notice to the users of an app, and the reason for which a key is suspended, may be."""
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
    Raises Invalid if the jurisdiction is not served, and for a label that is empty or cannot be read.
    """
    _check_texts(label, contact)
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


def _check_texts(label: str, contact: str) -> None:
    """Raise Invalid for texts with control characters, and others that could disturb or forge lines of a list."""
    if not label.strip() or len(label) > MOST_CHARACTERS or not label.isprintable():
        fault = tell("is no label; use one line of 1 to {most} characters.", most=MOST_CHARACTERS)
        raise Invalid(fault, "label")
    if len(contact) > MOST_CHARACTERS or not contact.isprintable():
        fault = tell("is no contact; use one line of at most {most} characters.", most=MOST_CHARACTERS)
        raise Invalid(fault, "contact")


def list_keys(platform: Platform) -> list[ApiKey]:
    """All keys, oldest first."""
    with platform.database.reading() as connection:
        return keys.list_keys(connection)


def revoke_key(platform: Platform, number: int, *, now: datetime) -> bool:
    """Revoke a key as of `now`. Returns False if no valid key has this number."""
    with platform.database.transaction() as connection:
        return keys.revoke_key(connection, number, now)


def set_notice(platform: Platform, number: int, notice: str, *, principal: Principal, now: datetime) -> bool:
    """Set what all users of an app are told; "" for nothing. Returns False if no valid key has this number."""
    return _change(platform, number, "key.notice", principal=principal, now=now, notice=_line(notice, "notice"))


def suspend_key(platform: Platform, number: int, reason: str, *, principal: Principal, now: datetime) -> bool:
    """Refuse all calls with a key, at once and in all processes, until `resume_key`.

    reason  what callers are told
    Returns False if no valid key has this number.
    """
    why = _line(reason, "reason")
    if not why:
        raise Invalid(tell("is missing; callers are told why."), "reason")
    return _change(platform, number, "key.suspend", principal=principal, now=now, suspended_for=why)


def resume_key(platform: Platform, number: int, *, principal: Principal, now: datetime) -> bool:
    """Accept calls with a key again. Returns False if no valid key has this number."""
    return _change(platform, number, "key.resume", principal=principal, now=now, suspended_for="")


def _line(text: str, field: str) -> str:
    """A text for the users of an app. Raises Invalid if it is not one line, or too long."""
    line = text.strip()
    if len(line) > MOST_TOLD_CHARACTERS or not line.isprintable():
        raise Invalid(tell("must be one line of at most {most} characters.", most=MOST_TOLD_CHARACTERS), field)
    return line


def _change(
    platform: Platform, number: int, act: str, *, principal: Principal, now: datetime, **values: str
) -> bool:
    """Change a key and write an entry of the audit trail."""
    with platform.database.transaction() as connection:
        changed = 0 <= number < 2**63 and keys.change_key(connection, number, **values)
        if changed:
            entry = Entry(
                jurisdiction_id=ALL_JURISDICTIONS,
                at=now,
                actor=str(principal),
                act=act,
                subject=f"key:{number}",
                reason=next(iter(values.values())),
            )
            audit.add_entry(connection, entry)
    return changed


def require_key(platform: Platform, secret: str) -> Principal:
    """The holder of the valid key with this secret. Raises Forbidden if there is no such key (A56)."""
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


def number_of_key(platform: Platform, secret: str) -> int:
    """The number of the valid key with this secret; 0 if there is none."""
    found = keys.find_key(platform.database.hot, secret) if secret else None
    return found[0].id if found else 0


def require_scope(principal: Principal, jurisdiction_id: str) -> None:
    """Raise Forbidden if a key is for another jurisdiction."""
    if not principal.scope.covers(jurisdiction_id):
        raise Forbidden(tell("is not valid for {city}; {how}", city=jurisdiction_id, how=HOW), "api_key")
