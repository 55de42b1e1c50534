"""The page of one's own request, by the secret link that follows a report."""

from __future__ import annotations

from urllib.parse import quote

from open311.formats import JSON
from open311.operations.access.status_links import read_by_link
from open311.web.access import ANYBODY
from open311.web.calls import Answer, Call, PageFormat
from open311.web.endpoints import City, endpoint
from open311.web.portal.rendering import Frame, page
from open311.web.portal.shown import ShownRequest
from open311.web.surfaces import OWN_PAGE
from schemas.arguments import EXTRA_FIELDS
from schemas.portal import PageArguments


@endpoint(
    OWN_PAGE,
    "/<jurisdiction_id>/<code:secret>",
    reads=PageArguments,
    access=ANYBODY,
    city=City.IN_PATH,
    output=PageFormat.HTML,
)
def own_request_page(call: Call, secret: str) -> Answer:
    """One's own request, also while the public does not see it. It never shows who sent it."""
    item = read_by_link(call.platform, call.city, secret, JSON, EXTRA_FIELDS)
    shown = ShownRequest(call, Frame(call.request, call.city), item)
    return page(call, "request.html", cache_control="private, no-store", shown=shown, is_own=True)


def own_page_path(call: Call, secret: str) -> str:
    """The path of the page of one's own request."""
    return f"{OWN_PAGE.prefix}/{quote(call.city.id, safe='')}/{secret}"
