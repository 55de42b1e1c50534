"""The keys of apps: the list, a new key, and decisions about a key. Only for admins."""

from __future__ import annotations

import re
from collections.abc import Mapping

from open311.errors import Invalid, NotFound
from open311.operations.access.city_keys import (
    DECISIONS,
    NewKey,
    add_city_key,
    decide_key,
    find_city_key,
    list_city_keys,
)
from open311.operations.access.sealing import seal, unseal
from open311.web.calls import Answer, Call
from open311.web.endpoints import endpoint
from open311.web.portal.rendering import see_other
from open311.web.portal.staff import words
from open311.web.portal.staff.frames import DeskFrame, desk_page
from open311.web.portal.staff.requests import ON_PAGE
from open311.web.portal.wording import for_staff
from open311.web.session_cookies import once_cookie, read_once
from open311.web.surfaces import DESK
from schemas.desk import KeyDecisionArguments, KeyPageArguments, NewKeyArguments
from schemas.portal import PageArguments
from schemas.texts import tell

_KEYS, _KEY = "/<jurisdiction_id>/keys", "/<jurisdiction_id>/keys/<key>"


@endpoint(DESK, _KEYS, reads=PageArguments, **ON_PAGE)
def keys_page(call: Call) -> Answer:
    """The keys of the city, and the form for a new one."""
    return _list(call)


@endpoint(DESK, _KEYS, reads=NewKeyArguments, method="POST", **ON_PAGE)
def add_key_on_page(call: Call) -> Answer:
    """Make a key, and lead to the only page that shows its secret. A reload makes no other key."""
    values = call.values
    new = NewKey(
        label=values["label"],
        contact=values["contact"],
        is_test=values["test"],
        may_update=values["updates"],
        is_for_staff=values["staff"],
        things=tuple(values["things"] or ()),
    )
    try:
        number, secret = add_city_key(call.platform, call.city, new, principal=call.caller, now=call.now)
    except Invalid as error:
        faults = {one.field: for_staff(one.message) for one in error.problems}
        return _list(call, new=new, faults=faults, status=400)
    sealed = seal(call.platform, {"city": call.city.id, "key": number, "secret": secret})
    if not sealed:  # the database has just gone down
        return _with_secret(call, number, secret)
    return see_other(DeskFrame.of(call).link(f"keys/{number}"), once_cookie(call.request, sealed))


@endpoint(DESK, _KEY, reads=KeyPageArguments, **ON_PAGE)
def key_page(call: Call, key: str) -> Answer:
    """One key, and what can be decided about it.

    When the browser opens this page for the first time after the key was made, the page shows the secret instead.
    """
    number = _number(key)
    kept = unseal(call.platform, sealed) if (sealed := read_once(call.request)) else None
    if isinstance(kept, dict) and (kept.get("city"), kept.get("key")) == (call.city.id, number):
        return _with_secret(call, number, kept["secret"])
    return _one(call, number, notice=words.KEY_ACTS.get(call.values["done"]))


@endpoint(DESK, _KEY, reads=KeyDecisionArguments, method="POST", **ON_PAGE)
def decide_key_on_page(call: Call, key: str) -> Answer:
    """Carry out what an admin decides about a key."""
    number, values = _number(key), call.values
    if values["do"] not in DECISIONS:
        raise NotFound(tell("There is nothing at this address; see the API page at /docs."))
    try:
        decide_key(
            call.platform, call.city, number, values["do"], values["text"], principal=call.caller, now=call.now
        )
    except Invalid as error:
        return _one(call, number, fault=(values["do"], for_staff(error.problems[0].message)), status=400)
    return see_other(DeskFrame.of(call).link(f"keys/{number}", done=values["do"]))


def _with_secret(call: Call, number: int, secret: str) -> Answer:
    key = find_city_key(call.platform, call.city, number, principal=call.caller)
    forget = once_cookie(call.request, "")
    return desk_page(call, "new_key.html", key=key, secret=secret, headers=(forget,))


def _list(
    call: Call, *, new: NewKey | None = None, faults: Mapping[str, str] | None = None, status: int = 200
) -> Answer:
    found = list_city_keys(call.platform, call.city, principal=call.caller)
    return desk_page(call, "keys.html", status=status, keys=found, new=new or NewKey(label=""), faults=faults or {})


def _one(
    call: Call,
    number: int,
    *,
    notice: str | None = None,
    fault: tuple[str, str] = ("", ""),
    status: int = 200,
) -> Answer:
    """The page of a key. `fault`: the decision that was faulty, and what is wrong with its text."""
    found = find_city_key(call.platform, call.city, number, principal=call.caller)
    return desk_page(
        call, "key.html", status=status, key=found, notice=notice, fault=fault, sent=call.values.get("text", "")
    )


def _number(key: str) -> int:
    """The number in the path. Raises NotFound if the path has no number there."""
    if not re.fullmatch(r"\d{1,18}", key, re.ASCII):
        raise NotFound(tell("{id} is no key here.", id=repr(key[:60])), "key")
    return int(key)
