"""What our own calls take and answer (spec/extensions.md)."""

from __future__ import annotations

from marshmallow import EXCLUDE, fields

from schemas.arguments import PAGE_SIZE_ALIASES, JurisdictionArguments, RequestArguments, RequestSearchArguments
from schemas.base import Body, Geometry, Items, Text, describe
from schemas.georeport import ExtrasSchema, ServiceRequestSchema
from schemas.limits import LONGEST_WAIT_S, MAX_ROWS, MAX_VICINITY_DAYS, MAX_VICINITY_M
from schemas.parameters import (
    InstantParameter,
    LatitudeParameter,
    LongitudeParameter,
    NumberParameter,
    SecondsParameter,
    TextParameter,
)


class BulkArguments(RequestSearchArguments):
    """What GeoReport Bulk takes: the filters of a list, without its pages, order and extensions."""

    class Meta:
        unknown = EXCLUDE
        exclude = ("service_request_id", "sort", "extensions", "cursor", "page", "page_size", "count")


class ChangeArguments(RequestArguments):
    """What the change feed takes."""

    cursor = TextParameter("Where to go on; from X-Cursor or the Link header.")
    since = InstantParameter("Begin with the changes made after this; without cursor.", "2026-03-01T00:00:00Z")
    page_size = NumberParameter(
        "Changes at once, at most 1000; also per_page, limit, max_requests.",
        100,
        least=1,
        cut_to=MAX_ROWS,
        default=MAX_ROWS,
        aliases=PAGE_SIZE_ALIASES,
    )
    wait = SecondsParameter("Seconds to wait for a change if there is none, at most 25.", 20, cut_to=LONGEST_WAIT_S)


class WithdrawnSchema(Body):
    """A request that was public and is no longer."""

    xml_item = "request"

    service_request_id = Text(metadata=describe("Identifies the request.", "SR26-00000042"))
    withdrawn = fields.Boolean(metadata=describe("Always true: forget the request.", True))


class ChangeSchema(ExtrasSchema, ServiceRequestSchema):
    """A request as it is now; one that was withdrawn has its id and `withdrawn` alone."""

    xml_root = "changes"

    withdrawn = fields.Boolean(metadata=describe("Present, and true, where the request is no longer public.", True))


class NearbyArguments(RequestArguments):
    """What the search for earlier requests takes."""

    together = (("lat", "long"),)

    lat = LatitudeParameter("Latitude.", 60.1718, missing="is missing; send lat and long together.")
    long = LongitudeParameter("Longitude.", 24.9414, missing="is missing; send lat and long together.")
    service_code = TextParameter(
        "Which service.", "pothole", is_single=True, missing="is missing; send one from the service list."
    )
    radius = NumberParameter("Metres, at most 1000; else as the service has it.", 50, least=0, most=MAX_VICINITY_M)
    days = NumberParameter(
        "Days back, at most 365; else as the service has it.", 7, least=1, most=MAX_VICINITY_DAYS
    )


class NearbySchema(ExtrasSchema, ServiceRequestSchema):
    """An earlier request, and how far away it is."""

    distance = fields.Float(metadata=describe("Metres from the point.", 12.5))


class PlaceArguments(JurisdictionArguments):
    """What lists of places take."""

    together = (("lat", "long"),)

    lat = LatitudeParameter("Only what holds this point; with long.", 60.1718)
    long = LongitudeParameter("Only what holds this point; with lat.", 24.9414)


class JurisdictionSchema(Body):
    """A city that is served."""

    xml_root = "jurisdictions"
    xml_item = "jurisdiction"

    jurisdiction_id = Text(attribute="id", metadata=describe("What to send as jurisdiction_id.", "city.example"))
    name = Text(metadata=describe("The city's name.", "Demoville"))
    time_zone = Text(metadata=describe("IANA name.", "Europe/Helsinki"))
    languages = Items(fields.String(), xml_item="language", metadata=describe("BCP 47 tags, its own first."))
    services_url = Text(metadata=describe("Its service list."))
    requests_url = Text(metadata=describe("Its requests."))
    changes_url = Text(metadata=describe("Its change feed."))
    areas_url = Text(metadata=describe("Its areas."))
    boundary = Geometry(metadata=describe("Where it lies; null: no limit."))


class AreaSchema(Body):
    """A named part of a city: a ward, a district."""

    xml_root = "areas"
    xml_item = "area"

    jurisdiction_id = Text(metadata=describe("Its city.", "city.example"))
    name = Text(metadata=describe("What to send as `area`.", "Harbour"))
    boundary = Geometry(metadata=describe("Where it lies."))
