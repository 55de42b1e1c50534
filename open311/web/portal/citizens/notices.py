"""The page with all that the city tells everybody now."""

from __future__ import annotations

from open311.web.access import ANYBODY
from open311.web.calls import Answer, Call, PageFormat
from open311.web.endpoints import City, endpoint
from open311.web.portal.notices import notices_of_city
from open311.web.portal.rendering import Frame, page
from open311.web.surfaces import PORTAL
from schemas.portal import PageArguments


@endpoint(
    PORTAL,
    "/<jurisdiction_id>/notices",
    reads=PageArguments,
    access=ANYBODY,
    city=City.IN_PATH,
    output=PageFormat.HTML,
)
def notices_page(call: Call) -> Answer:
    """All notices of the city that are valid now, the worst first."""
    frame = Frame(call.request, call.city)
    return page(call, "notices.html", told=notices_of_city(call, frame, most=None))
