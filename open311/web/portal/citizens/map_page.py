"""The map of a city's requests, made of the vector tiles by MapLibre."""

from __future__ import annotations

from urllib.parse import urlencode

from open311.web.access import ANYBODY
from open311.web.calls import Answer, Call, PageFormat
from open311.web.endpoints import City, endpoint
from open311.web.languages import in_languages
from open311.web.portal.rendering import Frame, page
from open311.web.surfaces import BASE, MAP_PAGE, TILES
from schemas.extensions import TileArguments

_NO_FILTERS = ("locale", "langcode", "jurisdiction_id", "api_key")


@endpoint(
    MAP_PAGE,
    "/<jurisdiction_id>",
    reads=TileArguments,
    access=ANYBODY,
    city=City.IN_PATH,
    output=PageFormat.HTML,
)
def map_page(call: Call) -> Answer:
    """The map of the city, with the filters of the list in the address."""
    frame = Frame(call.request, call.city)
    sent = call.request.args.items(multi=True)
    filters = [(name, value) for name, value in sent if value.strip() and name not in _NO_FILTERS]
    services = in_languages(call.city.services, call.city, frame.catalogue_languages)
    address = frame.link("requests")
    return page(
        call,
        "map.html",
        list=f"{address}{'&' if '?' in address else '?'}{urlencode(filters)}" if filters else address,
        tiles=frame.api(f"{TILES.prefix}.json", **dict(filters)),
        cities=frame.api(f"{BASE}/jurisdictions.geojson"),
        areas=frame.api(f"{BASE}/areas.geojson"),
        services={service.code: service.name for service in services if service.is_public},
    )
