"""Deliveries to back offices: the list, and one delivery with what a person may decide about it."""

from __future__ import annotations

import re

from open311.errors import Conflict, Invalid, NotFound
from open311.operations.delivery.managing import (
    Decision,
    decide,
    delivery_search,
    find_deliveries,
    read_delivery,
)
from open311.operations.delivery.rendering import plain_deliveries, plain_view
from open311.web.calls import Answer, Call
from open311.web.endpoints import endpoint
from open311.web.errors import STATUSES
from open311.web.portal.rendering import see_other
from open311.web.portal.staff import words
from open311.web.portal.staff.frames import DeskFrame, desk_page
from open311.web.portal.staff.requests import ON_PAGE
from open311.web.portal.wording import filter_faults, for_staff
from open311.web.surfaces import DESK
from schemas.deliveries import DELIVERY_COMMANDS
from schemas.desk import DeliveriesPageArguments, DeliveryDecisionArguments, DeliveryPageArguments
from schemas.texts import Message, tell

_FILTERS = ("backend", "state", "request", "older_than_hours")
_DELIVERY = "/<jurisdiction_id>/deliveries/<delivery>"


@endpoint(DESK, "/<jurisdiction_id>/deliveries", reads=DeliveriesPageArguments, gathers_problems=True, **ON_PAGE)
def deliveries_page(call: Call) -> Answer:
    """Deliveries, newest first, with the filters of the API; by default those that have not ended."""
    frame, problems = DeskFrame.of(call), call.problems
    filters = {name: call.request.args.get(name, "").strip() for name in _FILTERS}
    found = None
    try:
        search = delivery_search(call.platform, call.city, call.values, principal=call.caller, now=call.now)
        found = plain_deliveries(find_deliveries(call.platform, search))
    except (Invalid, NotFound) as error:
        problems = error.problems
    rows, cursor = (found["deliveries"], found["cursor"]) if found and not problems else ([], None)
    return desk_page(
        call,
        "deliveries.html",
        status=400 if problems else 200,
        rows=rows,
        filters=filters,
        faults=filter_faults(problems, _FILTERS),
        next_page=frame.link("deliveries", **filters, cursor=cursor) if cursor else "",
        words=words,
    )


@endpoint(DESK, _DELIVERY, reads=DeliveryPageArguments, **ON_PAGE)
def delivery_page(call: Call, delivery: str) -> Answer:
    """One delivery, with its cause, its risk, and what people have decided about it."""
    return _shown(call, _number(delivery), notice=words.done_of(call.values["done"]))


@endpoint(DESK, _DELIVERY, reads=DeliveryDecisionArguments, method="POST", **ON_PAGE)
def decide_delivery_on_page(call: Call, delivery: str) -> Answer:
    """Carry out what a person decides about a delivery."""
    number, values = _number(delivery), call.values
    if values["do"] not in DELIVERY_COMMANDS:
        raise NotFound(tell("There is nothing at this address; see the API page at /docs."))
    decision = Decision(
        command=values["do"],
        reason=values["reason"],
        accepts_risk=values["accept_risk"],
        external_id=values["external_id"],
    )
    try:
        decide(call.platform, call.city, number, decision, principal=call.caller, now=call.now)
    except (Conflict, Invalid) as error:
        alarm = for_staff(error.problems[0].message)
        return _shown(call, number, alarm=alarm, status=STATUSES[type(error)])
    return see_other(DeskFrame.of(call).link(f"deliveries/{number}", done=decision.command))


def _shown(
    call: Call, number: int, *, notice: Message | None = None, alarm: Message | None = None, status: int = 200
) -> Answer:
    view = read_delivery(call.platform, call.city, number, principal=call.caller, now=call.now)
    return desk_page(
        call, "delivery.html", status=status, it=plain_view(view), alarm=alarm, notice=notice, words=words
    )


def _number(delivery: str) -> int:
    """The number in the path. Raises NotFound if the path has no number there."""
    if not re.fullmatch(r"\d{1,18}", delivery, re.ASCII):
        raise NotFound(tell("{id} is no delivery here.", id=repr(delivery[:60])), "delivery")
    return int(delivery)
