"""Pictures of the city's map."""

from __future__ import annotations

from open311.plugins import Jurisdiction
from open311.web.access import ANYBODY
from open311.web.calls import Answer, Call, PageFormat
from open311.web.endpoints import City, endpoint
from open311.web.portal.maps import CLOSER, MapView, draw, whole_city
from open311.web.surfaces import PORTAL
from schemas.portal import MapArguments

_CACHING = "public, max-age=3600"
_KEPT = 200
"""How many pictures a process keeps."""


@endpoint(
    PORTAL,
    "/<jurisdiction_id>/map.svg",
    reads=MapArguments,
    access=ANYBODY,
    city=City.IN_PATH,
    output=PageFormat.SVG,
)
def map_picture(call: Call) -> Answer:
    """A picture of the city's map: the whole city, or the surroundings of a point."""
    values = call.values
    view = whole_city(call.city)
    if values["long"] is not None and values["lat"] is not None:
        view = MapView(values["long"], values["lat"], view.zoom).zoomed(CLOSER)
    if values["zoom"] is not None:
        view = MapView(view.long, view.lat, values["zoom"])
    pin = None if values["pin_long"] is None else (values["pin_long"], values["pin_lat"])
    drawn = call.platform.process.cached(_drawn, most=_KEPT)
    return drawn(call.city, view, pin)


def _drawn(city: Jurisdiction, view: MapView, pin: tuple[float, float] | None) -> Answer:
    return Answer(body=draw(city, view, pin), cache_control=_CACHING)
