"""Has this been reported? Earlier requests of the same service around a point (our extension)."""

from __future__ import annotations

from flask import Response

from open311.clock import utc_now
from open311.domain.services import MAX_VICINITY_DAYS, MAX_VICINITY_M, Vicinity
from open311.formats import Format, join_items, shape_of
from open311.operations.reading.find_nearby import NearbySearch, find_nearby
from open311.web.answers import answer
from open311.web.context import platform
from open311.web.georeport.blueprint import extensions
from open311.web.georeport.listing import read_extensions
from open311.web.parsing import read_query
from open311.web.points import read_point, read_whole_number
from schemas import NearbyArguments, NearbySchema, ServiceRequestSchema

_ARGUMENTS = NearbyArguments()
_SHAPE = shape_of(ServiceRequestSchema)


# Not without its suffix: there it is the request whose id is "nearby".
@extensions.call("/requests/nearby", takes=NearbyArguments, answers=NearbySchema, by_accept=False)
def list_nearby(output: Format) -> Response:
    """List requests that may be about the same thing, nearest first (extension).

    Open ones made, and closed ones closed, within the service's radius and days; at most 20, with their distance.
    """
    values = read_query(_ARGUMENTS)
    jurisdiction = platform().registry.find(values["jurisdiction_id"])
    service = jurisdiction.require_service(values["service_code"])
    long, lat = read_point(values, is_required=True) or (0.0, 0.0)
    usual = jurisdiction.vicinity(service)
    vicinity = Vicinity(
        read_whole_number(values, "radius", int(usual.radius_m), least=0, most=MAX_VICINITY_M),
        read_whole_number(values, "days", usual.days, least=1, most=MAX_VICINITY_DAYS),
    )
    search = NearbySearch(jurisdiction=jurisdiction, service=service, long=long, lat=lat, vicinity=vicinity)
    page = find_nearby(platform(), search, output, read_extensions(values["extensions"]), now=utc_now())
    return answer(join_items(_SHAPE, page.items, output), output, validator=page.validator)
