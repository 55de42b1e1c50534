"""The page of a reporter's own request, by the secret link that the reporter gets after sending it."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from open311.errors import NotFound
from open311.formats import JSON
from open311.operations.access.sealing import unseal
from open311.operations.access.status_links import read_by_link
from open311.operations.reading.find_requests import find_request
from open311.web.access import BY_LINK
from open311.web.calls import Answer, Call, PageFormat
from open311.web.endpoints import City, endpoint
from open311.web.portal.notices import notices_about_request
from open311.web.portal.rendering import Frame, page, qr_code
from open311.web.portal.shown import ShownRequest
from open311.web.submissions import emergency_notice
from open311.web.surfaces import OWN_PAGE
from schemas.arguments import EXTRA_FIELDS
from schemas.portal import OwnPageArguments

_CACHING = "private, no-store"
_NOTHING_TOLD = {"notice": "", "language": "", "is_urgent": False, "is_mailed": False}


@endpoint(
    OWN_PAGE,
    "/<jurisdiction_id>/<code:secret>",
    reads=OwnPageArguments,
    access=BY_LINK,
    city=City.IN_PATH,
    output=PageFormat.HTML,
)
def own_request_page(call: Call, secret: str) -> Answer:
    """The reporter's own request, also while the public does not see it. The page never says who sent it.

    After a report, the form leads here too. Then the page tells that the report is sent.
    """
    item = read_by_link(call.platform, call.city, secret, JSON, EXTRA_FIELDS)
    frame = Frame(call.request, call.city)
    shown = ShownRequest(call, frame, item)
    own = own_page_path(call, secret)
    address = call.own_address() + own
    if not call.values["sent"]:
        values: dict[str, Any] = {
            "shown": shown,
            "is_own": True,
            "support": "",
            "address": address,
            "qr": qr_code(address),
        }
        values["told_notices"] = notices_about_request(call, frame, shown)
        return page(call, "request.html", cache_control=_CACHING, **values)
    told = unseal(call.platform, call.values["told"]) if call.values["told"] else None
    return page(
        call,
        "thanks.html",
        cache_control=_CACHING,
        shown=shown,
        told=told or _NOTHING_TOLD,
        emergency=emergency_notice(call.city.emergency.number),
        is_public=_is_public(call, shown.id),
        own=own,
        address=address,
        qr=qr_code(address),
    )


def _is_public(call: Call, service_request_id: str) -> bool:
    """Whether the report has a public page now. A suspected report has none, as in the API (decision 0038)."""
    if not service_request_id:
        return False
    try:
        find_request(call.platform, call.city.id, service_request_id, JSON)
    except NotFound:
        return False
    return True


def own_page_path(call: Call, secret: str) -> str:
    """The path of the page of a reporter's own request."""
    return f"{OWN_PAGE.prefix}/{quote(call.city.id, safe='')}/{secret}"
