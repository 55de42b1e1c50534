"""What admins change in texts and questions of the city, in addition to its files."""

from __future__ import annotations

from typing import Any

from open311.domain.overrides import Stand
from open311.formats import JSON
from open311.operations.overriding.editing import (
    Editable,
    drop_override,
    list_overrides,
    put_override,
    read_item,
)
from open311.web.access import STAFF as STAFF_ONLY
from open311.web.calls import Answer, Call
from open311.web.endpoints import City, Media, endpoint
from open311.web.staff.answers import staff_answer
from open311.web.staff.conditions import IF_MATCH, seen_version
from open311.web.surfaces import STAFF
from schemas.staff import OverrideBody, OverrideItemSchema, OverrideListSchema, StaffArguments

_SHARED: dict[str, Any] = {"reads": StaffArguments, "access": STAFF_ONLY, "output": JSON, "city": City.OF_CALLER}
_LIST: dict[str, Any] = _SHARED | {"answers": Media("application/json", OverrideListSchema())}
_ITEM: dict[str, Any] = _SHARED | {"answers": Media("application/json", OverrideItemSchema()), "errors": (404,)}
_CHANGE: dict[str, Any] = {"errors": (404, 409), "conditions": (IF_MATCH,)}


@endpoint(STAFF, "/overrides", **_LIST)
def list_staff_overrides(call: Call) -> Answer:
    """List what admins have changed in addition to the city's files. Needs the role admin.

    Overrides that do not count are listed, too.
    """
    found = list_overrides(call.platform, call.city, principal=call.caller)
    return staff_answer({"overrides": [_plain(one) for one in found]})


@endpoint(STAFF, "/overrides/<code:item>", **_ITEM)
def get_staff_override(call: Call, item: str) -> Answer:
    """Show an item of the catalogue: what the files say, what counts, and the override. Needs the role admin.

    An item is `text:LANGUAGE:OUTCOME:SERVICE`, with an empty service for all of them; `service:LANGUAGE:SERVICE`;
    `form:SERVICE`; or `group:LANGUAGE:GROUP`. Send its ETag in If-Match with a change.
    """
    return _answer(read_item(call.platform, call.city, item, principal=call.caller))


@endpoint(STAFF, "/overrides/<code:item>", method="PUT", body=OverrideBody, **_ITEM | _CHANGE)
def put_staff_override(call: Call, item: str) -> Answer:
    """Override fields of an item, in place of its former override. Needs the role admin.

    The fields are those of the city's files, and the same rules check them. Those that are left out, or say the
    same as the files, stay as in the files. The catalogue changes at once.
    """
    found = put_override(
        call.platform,
        call.city,
        item,
        call.body["value"],
        seen=seen_version(call.request),
        principal=call.caller,
        now=call.now,
    )
    return _answer(found)


@endpoint(STAFF, "/overrides/<code:item>", method="DELETE", **_LIST | _CHANGE)
def drop_staff_override(call: Call, item: str) -> Answer:
    """Drop an override, so that the city's files count again. Needs the role admin.

    The answer lists the overrides that are left.
    """
    drop_override(
        call.platform, call.city, item, seen=seen_version(call.request), principal=call.caller, now=call.now
    )
    return list_staff_overrides.view(call)  # type: ignore[return-value]


def _answer(found: Editable) -> Answer:
    body = {
        "item": str(found.item),
        "files": dict(found.base),
        "now": dict(found.value),
        "override": None if found.stand is None else _plain(found.stand),
    }
    return staff_answer(body, tag=f"v{found.version}")


def _plain(stand: Stand) -> dict[str, Any]:
    one = stand.override
    return {
        "item": str(one.item),
        "standing": stand.standing,
        "fault": stand.fault or None,
        "value": dict(one.value),
        "base": dict(one.base),
        "actor": one.actor,
        "changed_datetime": one.changed_at,
        "version": one.version,
    }
