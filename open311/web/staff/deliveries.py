"""Deliveries to back offices, and what staff decide about them: one endpoint for each decision."""

from __future__ import annotations

import re
from typing import Any

from open311.errors import NotFound
from open311.formats import JSON
from open311.operations.delivery.managing import (
    Decision,
    DeliveryView,
    decide,
    delivery_search,
    find_deliveries,
    read_delivery,
)
from open311.operations.delivery.rendering import plain_deliveries, plain_view
from open311.web.access import STAFF as STAFF_ONLY
from open311.web.calls import Answer, Call
from open311.web.endpoints import City, Endpoint, Media, endpoint
from open311.web.languages import for_caller
from open311.web.links import page_url
from open311.web.staff.answers import staff_answer
from open311.web.surfaces import STAFF
from schemas.deliveries import DeliveryListSchema, DeliveryViewSchema
from schemas.staff import DELIVERY_BODIES, DeliveryArguments, StaffArguments
from schemas.texts import tell

_SHARED: dict[str, Any] = {"access": STAFF_ONLY, "output": JSON, "city": City.OF_CALLER}
_ABOUT = {
    "retry": "Try a delivery now, also one that is parked or uncertain.",
    "park": "Stop a delivery. Later deliveries of the same request to the same back office wait for it.",
    "skip": "Do not send a delivery, for example because the back office has got the request in another way.",
}


@endpoint(
    STAFF,
    "/deliveries",
    reads=DeliveryArguments,
    answers=Media("application/json", DeliveryListSchema()),
    headers=("Link",),
    **_SHARED,
)
def list_deliveries(call: Call) -> Answer:
    """List deliveries to back offices, newest first; by default those that have not ended.

    Needs the role dispatcher.
    """
    search = delivery_search(call.platform, call.city, call.values, principal=call.caller, now=call.now)
    body = plain_deliveries(find_deliveries(call.platform, search))
    next_url = page_url(call, {"cursor": body["cursor"]}) if body["cursor"] else ""
    return staff_answer(body, headers=(("Link", f'<{next_url}>; rel="next"'),) if next_url else ())


@endpoint(
    STAFF,
    "/deliveries/<code:delivery>",
    reads=StaffArguments,
    answers=Media("application/json", DeliveryViewSchema()),
    **_SHARED,
)
def get_delivery(call: Call, delivery: str) -> Answer:
    """Show all about one delivery: its cause, its risk, and what people have decided about it."""
    view = read_delivery(call.platform, call.city, _number(delivery), principal=call.caller, now=call.now)
    return _shown(view, call)


def _shown(view: DeliveryView, call: Call) -> Answer:
    """A delivery, with its risk in the caller's language."""
    return staff_answer(plain_view(view) | {"risk": for_caller(view.risk, call.request) or None})


def _decide(call: Call, delivery: str, command: str) -> Answer:
    """Carry out a decision. Returns the delivery after it."""
    decision = Decision(
        command=command,
        reason=call.body["reason"],
        accepts_risk=call.body.get("accept_risk", False),
        external_id=call.body.get("external_id", "").strip(),
    )
    found = decide(call.platform, call.city, _number(delivery), decision, principal=call.caller, now=call.now)
    view = read_delivery(call.platform, call.city, found.id, principal=call.caller, now=call.now, is_changed=True)
    return _shown(view, call)


def _number(delivery: str) -> int:
    """The number in the path. Raises NotFound if the path has no number there."""
    if not re.fullmatch(r"\d{1,18}", delivery, re.ASCII):
        raise NotFound(tell("{id} is no delivery here.", id=repr(delivery[:60])), "delivery")
    return int(delivery)


def _decision_endpoint(command: str) -> Endpoint:
    """The endpoint of one decision."""

    def view(call: Call, delivery: str) -> Answer:
        return _decide(call, delivery, command)

    view.__name__ = f"{command}_delivery"
    view.__doc__ = f"{_ABOUT[command]}\n\nNeeds the role dispatcher and a reason, which the audit trail keeps."
    declare = endpoint(
        STAFF,
        f"/deliveries/<code:delivery>/{command}",
        reads=StaffArguments,
        answers=Media("application/json", DeliveryViewSchema()),
        method="POST",
        body=DELIVERY_BODIES[command],
        errors=(409,),
        **_SHARED,
    )
    return declare(view)


DECISION_ENDPOINTS = tuple(_decision_endpoint(command) for command in DELIVERY_BODIES)
