"""Earlier requests of the same service near a point, to find duplicates (spec/extensions.md, N1 to N4)."""

from __future__ import annotations

from open311.domain.services import Vicinity
from open311.formats import join_items, shape_of
from open311.operations.reading.find_nearby import NearbySearch, find_nearby
from open311.web.access import ANYBODY
from open311.web.calls import Answer, Call
from open311.web.endpoints import endpoint
from open311.web.surfaces import GEOREPORT
from schemas.extensions import NearbyArguments, NearbySchema
from schemas.georeport import ServiceRequestSchema

_SHAPE = shape_of(ServiceRequestSchema)


# This path always has a suffix. Without one, it would mean the request with the id "nearby".
@endpoint(
    GEOREPORT,
    "/requests/nearby",
    reads=NearbyArguments,
    access=ANYBODY,
    answers=NearbySchema,
    by_accept=False,
    is_extension=True,
)
def list_nearby(call: Call) -> Answer:
    """List requests that may report the same problem, nearest first (extension).

    The list has requests of the service within `radius`: open requests that were made in the last `days`, and
    requests that were closed in the last `days`. The service has defaults for both. The list has at most 20
    requests, each with its distance.
    """
    values, city = call.values, call.city
    service = city.require_shown(values["service_code"])
    usual = city.vicinity(service)
    vicinity = Vicinity(
        usual.radius_m if values["radius"] is None else values["radius"], values["days"] or usual.days
    )
    search = NearbySearch(
        jurisdiction=city, service=service, long=values["long"], lat=values["lat"], vicinity=vicinity
    )
    page = find_nearby(call.platform, search, call.output, values["extensions"], now=call.now)
    return Answer(body=join_items(_SHAPE, page.items, call.output), validator=page.validator)
