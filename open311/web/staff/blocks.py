"""The block list, and the links of reporters to their requests."""

from __future__ import annotations

import re
from typing import Any

from open311.domain.abuse import Block, BlockKind
from open311.errors import NotFound
from open311.formats import JSON
from open311.operations.access.blocks import BlockOrder, add_block, list_blocks, remove_block
from open311.operations.access.status_links import renew_link, revoke_links
from open311.web.access import STAFF as STAFF_ONLY
from open311.web.calls import Answer, Call
from open311.web.endpoints import City, Media, endpoint
from open311.web.extensions.status import status_url
from open311.web.staff.answers import staff_answer
from open311.web.surfaces import STAFF
from schemas.staff import (
    BlockBody,
    BlockListSchema,
    CommandBody,
    ReasonBody,
    StaffArguments,
    StatusLinkSchema,
)
from schemas.texts import tell

_SHARED: dict[str, Any] = {
    "reads": StaffArguments,
    "access": STAFF_ONLY,
    "output": JSON,
    "city": City.OF_CALLER,
}
_BLOCKS: dict[str, Any] = _SHARED | {"answers": Media("application/json", BlockListSchema())}
_LINK: dict[str, Any] = _SHARED | {"answers": Media("application/json", StatusLinkSchema()), "method": "POST"}


@endpoint(STAFF, "/blocks", **_BLOCKS)
def list_staff_blocks(call: Call) -> Answer:
    """List the blocks of the city and those of all cities, oldest first. Needs the role admin."""
    found = list_blocks(call.platform, call.city.id, principal=call.caller)
    return staff_answer({"blocks": [_plain(one) for one in found]})


@endpoint(STAFF, "/blocks", method="POST", body=BlockBody, errors=(409,), **_BLOCKS)
def add_staff_block(call: Call) -> Answer:
    """Hold the reports of a sender in this city. The answer lists all blocks. Needs the role admin and a reason."""
    order = BlockOrder(
        kind=BlockKind(call.body["kind"]),
        value=call.body["value"],
        reason=call.body["reason"],
        days=call.body["days"],
        jurisdiction_id=call.city.id,
    )
    add_block(call.platform, order, principal=call.caller, now=call.now)
    return list_staff_blocks.view(call)  # type: ignore[return-value]


@endpoint(STAFF, "/blocks/<code:block>/remove", method="POST", body=ReasonBody, **_BLOCKS)
def remove_staff_block(call: Call, block: str) -> Answer:
    """Remove a block. The answer lists those that are left. Needs the role admin and a reason."""
    if not re.fullmatch(r"\d{1,18}", block, re.ASCII):
        raise NotFound(tell("{number} is no block here.", number=repr(block[:60])), "block")
    remove_block(call.platform, int(block), reason=call.body["reason"], principal=call.caller, now=call.now)
    return list_staff_blocks.view(call)  # type: ignore[return-value]


@endpoint(STAFF, "/requests/<code:id>/renew_link", body=CommandBody, **_LINK)
def renew_status_link(call: Call, id: str) -> Answer:
    """End all links of the reporter to a request, and make a new link, which cannot be shown again.

    Needs the role agent. Give the link only to the reporter: whoever has the link can read the request, also a
    private one.
    """
    secret = renew_link(
        call.platform, call.city, id, principal=call.caller, now=call.now, reason=call.body.get("reason", "")
    )
    return staff_answer({"status_url": status_url(call, secret)})


@endpoint(STAFF, "/requests/<code:id>/revoke_links", body=CommandBody, **_LINK)
def revoke_status_links(call: Call, id: str) -> Answer:
    """End all links of the reporter to a request. Needs the role agent."""
    revoke_links(
        call.platform, call.city, id, principal=call.caller, now=call.now, reason=call.body.get("reason", "")
    )
    return staff_answer({"status_url": None})


def _plain(block: Block) -> dict[str, Any]:
    return {
        "number": block.id,
        "kind": block.kind,
        "value": None if block.kind.is_hashed else block.value,
        "jurisdiction_id": block.jurisdiction_id,
        "reason": block.reason,
        "actor": block.actor,
        "created_datetime": block.created_at,
        "expires": block.expires_at,
    }
