"""The block list: the senders whose reports are held. Only for admins."""

from __future__ import annotations

import re
from collections.abc import Mapping

from open311.domain.abuse import BlockKind
from open311.domain.access import ALL_JURISDICTIONS
from open311.errors import Conflict, Invalid, NotFound
from open311.operations.access.blocks import (
    MOST_DAYS,
    USUAL_DAYS,
    BlockOrder,
    add_block,
    list_blocks,
    remove_block,
)
from open311.operations.access.city_keys import list_city_keys
from open311.operations.access.staff import names_of
from open311.web.calls import Answer, Call
from open311.web.endpoints import endpoint
from open311.web.errors import STATUSES
from open311.web.portal.rendering import see_other
from open311.web.portal.staff import words
from open311.web.portal.staff.frames import DeskFrame, desk_page
from open311.web.portal.staff.requests import ON_PAGE
from open311.web.portal.wording import for_staff
from open311.web.surfaces import DESK
from schemas.desk import BlocksPageArguments, NewBlockArguments, ReasonArguments
from schemas.texts import Message, tell

_BLOCKS = "/<jurisdiction_id>/blocks"


@endpoint(DESK, _BLOCKS, reads=BlocksPageArguments, **ON_PAGE)
def blocks_page(call: Call) -> Answer:
    """The blocks of the city and those of all cities, and the form for a new one."""
    return _list(call, notice=words.BLOCK_ACTS.get(call.values["done"]))


@endpoint(DESK, _BLOCKS, reads=NewBlockArguments, method="POST", **ON_PAGE)
def add_block_on_page(call: Call) -> Answer:
    """Hold the reports of a sender in this city."""
    values = call.values
    try:
        order = BlockOrder(
            kind=_kind(values["kind"]),
            value=values["value"],
            reason=values["reason"],
            days=_days(values["days"]),
            jurisdiction_id=call.city.id,
        )
        add_block(call.platform, order, principal=call.caller, now=call.now)
    except (Conflict, Invalid) as error:
        faults = {one.field: for_staff(one.message) for one in error.problems}
        return _list(call, faults=faults, status=STATUSES[type(error)])
    return see_other(DeskFrame.of(call).link("blocks", done="added"))


@endpoint(DESK, f"{_BLOCKS}/<block>/remove", reads=ReasonArguments, method="POST", **ON_PAGE)
def remove_block_on_page(call: Call, block: str) -> Answer:
    """Remove a block. Reports that are held stay held until a person releases them."""
    if not re.fullmatch(r"\d{1,18}", block, re.ASCII):
        raise NotFound(tell("{number} is no block here.", number=repr(block[:60])), "block")
    try:
        remove_block(call.platform, int(block), reason=call.values["reason"], principal=call.caller, now=call.now)
    except Invalid as error:
        return _list(call, wrong=int(block), alarm=for_staff(error.problems[0].message), status=400)
    return see_other(DeskFrame.of(call).link("blocks", done="removed"))


def _kind(text: str) -> BlockKind:
    if text not in tuple(BlockKind):
        raise Invalid(tell("Please choose one."), "kind")
    return BlockKind(text)


def _days(text: str) -> int:
    if not re.fullmatch(r"\d{1,5}", text.strip(), re.ASCII):
        raise Invalid(tell("must be 0 to {most}; 0 means without end.", most=MOST_DAYS), "days")
    return int(text)


def _list(
    call: Call,
    *,
    notice: Message | None = None,
    alarm: Message | None = None,
    faults: Mapping[str, Message] | None = None,
    wrong: int = 0,
    status: int = 200,
) -> Answer:
    """The page of blocks. `wrong`: the block that could not be removed."""
    found = list_blocks(call.platform, call.city.id, principal=call.caller)
    sent = {name: call.values.get(name) or "" for name in ("kind", "value", "reason")}
    return desk_page(
        call,
        "blocks.html",
        status=status,
        blocks=found,
        names=names_of(call.platform, [one.actor for one in found]),
        keys={str(one.id): one.label for one in list_city_keys(call.platform, call.city, principal=call.caller)}
        if not call.caller.scope.departments
        else {},
        scope=call.caller.scope,
        everywhere=ALL_JURISDICTIONS,
        notice=notice,
        alarm=alarm,
        faults=faults or {},
        wrong=wrong,
        sent=sent | {"days": call.values.get("days") or str(USUAL_DAYS)},
        kinds=words.BLOCK_KINDS,
    )
