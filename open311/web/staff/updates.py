"""The updates that look like abuse, for staff."""

from __future__ import annotations

from typing import Any

from open311.formats import JSON
from open311.operations.desk.rendering import plain_request
from open311.operations.desk.suspected import drop_update, release_update
from open311.operations.desk.whole_request import read_whole_request
from open311.web.access import STAFF as STAFF_ONLY
from open311.web.calls import Answer, Call
from open311.web.endpoints import City, Media, endpoint
from open311.web.staff.answers import staff_answer
from open311.web.surfaces import STAFF
from schemas.staff import DropUpdateBody, ReleaseUpdateBody, StaffArguments, StaffRequestSchema

_SHARED: dict[str, Any] = {
    "reads": StaffArguments,
    "access": STAFF_ONLY,
    "answers": Media("application/json", StaffRequestSchema()),
    "output": JSON,
    "method": "POST",
    "city": City.OF_CALLER,
    "headers": ("ETag",),
}


@endpoint(STAFF, "/requests/<code:id>/updates/<update>/release", body=ReleaseUpdateBody, **_SHARED)
def release_staff_update(call: Call, id: str, update: str) -> Answer:
    """Let a held update count as a comment. Needs the role dispatcher and a reason.

    `update` is the version of the entry `held_comment` in the history. The status of the update has no effect, and
    only staff see its photos, as before. The answer is the request as it is then.
    """
    return _decided(call, release_update, id, update)


@endpoint(STAFF, "/requests/<code:id>/updates/<update>/drop", body=DropUpdateBody, **_SHARED)
def drop_staff_update(call: Call, id: str, update: str) -> Answer:
    """Drop a held update, and erase its text. Needs the role dispatcher and a reason.

    `update` is the version of the entry `held_comment` in the history. The answer is the request as it is then.
    """
    return _decided(call, drop_update, id, update)


def _decided(call: Call, decide: Any, id: str, update: str) -> Answer:
    reason = call.body["reason"]
    number = decide(call.platform, call.city, id, update, reason=reason, principal=call.caller, now=call.now)
    whole = read_whole_request(call.platform, call.city, number, principal=call.caller, is_changed=True)
    return staff_answer(plain_request(whole, call.now), tag=f"v{whole.view.record.version}")
