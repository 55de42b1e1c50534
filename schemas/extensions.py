"""Parameters and bodies of our extensions (spec/extensions.md)."""

from __future__ import annotations

from marshmallow import EXCLUDE, fields

from schemas.arguments import PAGE_SIZE_ALIASES, JurisdictionArguments, RequestArguments, RequestSearchArguments
from schemas.base import Body, Geometry, Instant, Items, Text, TextIfAny, describe
from schemas.georeport import ExtrasSchema, ServiceRequestSchema
from schemas.limits import (
    LONGEST_WAIT_S,
    MAX_ROWS,
    MAX_VICINITY_DAYS,
    MAX_VICINITY_M,
    MOST_NOTICE_ROWS,
    NOTICE_CATEGORIES,
    NOTICE_SEVERITIES,
)
from schemas.parameters import (
    FlagParameter,
    InstantParameter,
    LatitudeParameter,
    LongitudeParameter,
    NumberParameter,
    SecondsParameter,
    TextParameter,
)
from schemas.texts import tell

USUAL_ACTIVITIES, MOST_ACTIVITIES = 50, 200
"""How many activities a page of the outbox has by default, and at most."""
OWN_PHOTO_STATES = ("preparing", "shown", "not_shown", "refused")


class TableArguments(RequestSearchArguments):
    """The parameters of a list as CSV."""

    bom = FlagParameter("true: the file begins with a byte order mark, for Excel (extension).", default=False)


class BulkArguments(RequestSearchArguments):
    """The parameters of GeoReport Bulk: the filters of a list, without ids, pages, sorting and extensions."""

    class Meta:
        unknown = EXCLUDE
        exclude = (
            "service_request_id",
            "service_request_id_ext",
            "sort",
            "extensions",
            "cursor",
            "page",
            "page_size",
            "count",
        )


class TileArguments(BulkArguments):
    """The parameters of a map tile: the filters of a list."""

    tells_unknown = True


class ChangeArguments(RequestArguments):
    """The parameters of the change feed."""

    cursor = TextParameter("The position to continue from; copied from X-Cursor or the Link header.")
    since = InstantParameter(
        "Begin with the changes after this time; only in a call without cursor.", "2026-03-01T00:00:00Z"
    )
    page_size = NumberParameter(
        "Changes in one answer, at most 1000. Also called per_page, limit or max_requests.",
        100,
        least=1,
        cut_to=MAX_ROWS,
        default=MAX_ROWS,
        aliases=PAGE_SIZE_ALIASES,
    )
    department = TextParameter(
        "Code of a department: only its requests. A request that it has given away is withdrawn.", "streets"
    )
    wait = SecondsParameter("Seconds to wait for a change if there is none, at most 25.", 20, cut_to=LONGEST_WAIT_S)


class OutboxArguments(JurisdictionArguments):
    """The parameters of the outbox."""

    tells_unknown = True

    page = FlagParameter("true: the newest page of the collection.", True, default=False)
    cursor = TextParameter("The position before which the page begins; part of the address in `next`.")
    page_size = NumberParameter(
        "Activities on a page, at most 200.",
        50,
        least=1,
        cut_to=MOST_ACTIVITIES,
        default=USUAL_ACTIVITIES,
        aliases=PAGE_SIZE_ALIASES,
    )


class WithdrawnSchema(Body):
    """A tombstone: a request that was public and is not public any more."""

    xml_item = "request"

    service_request_id = Text(metadata=describe("Identifies the request.", "SR26-00000042"))
    withdrawn = fields.Boolean(metadata=describe("Always true: delete your copy of the request.", True))


class ChangeSchema(ExtrasSchema, ServiceRequestSchema):
    """A request in its current state. A withdrawn request has only its id and `withdrawn`."""

    xml_root = "changes"
    sometimes = (
        "withdrawn",
        *ExtrasSchema.sometimes,
        *sorted({*ServiceRequestSchema().fields} - {"service_request_id"}),
    )

    withdrawn = fields.Boolean(
        metadata=describe("true if the request is no longer public; otherwise absent.", True)
    )


class PendingSchema(Body):
    """What the reporter's own view adds to a request without an id."""

    token = Text(metadata=describe("The token, only while the request has no service_request_id.", "9f1c2ab0"))


class OwnPhotoSchema(Body):
    """The state of a photo of a report."""

    xml_item = "photo"

    state = fields.String(
        metadata=describe("Where it is on its way.", "refused") | {"enum": list(OWN_PHOTO_STATES)}
    )
    description = Text(
        metadata=describe("The same in words, with the reason.", "It is not kept, because the file is broken.")
    )


class OwnPhotosSchema(Body):
    """What the reporter's own view adds to a request whose report had photos."""

    photos = fields.List(
        fields.Nested(OwnPhotoSchema),
        metadata=describe("The states of the photos of the report, if extensions= asks for extended_attributes."),
    )


class OwnRequestSchema(PendingSchema, OwnPhotosSchema, ExtrasSchema, ServiceRequestSchema):
    """One's own request, as the reporter reads it. Without an id, service_request_id is empty."""

    sometimes = (*ExtrasSchema.sometimes, "photos", "token")


class NearbyArguments(RequestArguments):
    """The parameters of the search for earlier requests nearby."""

    together = (("lat", "long"),)

    lat = LatitudeParameter("Latitude.", 60.1718, missing=tell("is missing; send lat and long together."))
    long = LongitudeParameter("Longitude.", 24.9414, missing=tell("is missing; send lat and long together."))
    service_code = TextParameter(
        "The code of the service.",
        "pothole",
        is_single=True,
        missing=tell("is missing; send one from the service list."),
    )
    radius = NumberParameter(
        "Radius in metres, at most 1000; by default, the service's radius.", 50, least=0, most=MAX_VICINITY_M
    )
    days = NumberParameter(
        "Greatest age of the requests in days, at most 365; by default, the number of days of the service.",
        7,
        least=1,
        most=MAX_VICINITY_DAYS,
    )


class NearbySchema(ExtrasSchema, ServiceRequestSchema):
    """An earlier request with its distance."""

    distance = fields.Float(metadata=describe("Distance from the point in metres.", 12.5))


class PlaceArguments(JurisdictionArguments):
    """The parameters of the lists of cities and areas."""

    together = (("lat", "long"),)

    lat = LatitudeParameter("Only cities or areas that contain this point; with long.", 60.1718)
    long = LongitudeParameter("Only cities or areas that contain this point; with lat.", 24.9414)


class JurisdictionSchema(Body):
    """A city that is served."""

    xml_root = "jurisdictions"
    xml_item = "jurisdiction"

    jurisdiction_id = Text(attribute="id", metadata=describe("The value for jurisdiction_id.", "city.example"))
    name = Text(metadata=describe("The city's name.", "Demoville"))
    time_zone = Text(metadata=describe("IANA name of the city's time zone.", "Europe/Helsinki"))
    languages = Items(
        fields.String(),
        xml_item="language",
        metadata=describe("BCP 47 tags of the languages; the first is the catalogue's own."),
    )
    services_url = Text(metadata=describe("Address of the city's service list."))
    requests_url = Text(metadata=describe("Address of the city's requests."))
    changes_url = Text(metadata=describe("Address of the city's change feed."))
    areas_url = Text(metadata=describe("Address of the city's areas."))
    boundary = Geometry(metadata=describe("The city's boundary; null if there is none."))
    federation_id = TextIfAny(metadata=describe("Names the city among servers that federate; it never changes."))


class AreaSchema(Body):
    """A part of a city with a name, such as a ward or a district."""

    xml_root = "areas"
    xml_item = "area"

    jurisdiction_id = Text(metadata=describe("The jurisdiction_id of the city.", "city.example"))
    name = Text(metadata=describe("The value for `area`.", "Harbour"))
    boundary = Geometry(metadata=describe("The area's boundary."))


class LocalArguments(JurisdictionArguments):
    """A city, and the language of texts."""

    locale = TextParameter("Language of the texts; overrides Accept-Language.", "es", aliases=("langcode",))


class NoticesArguments(LocalArguments):
    """The parameters of the list of a city's notices."""

    together = (("lat", "long"),)

    past = FlagParameter("true: also notices that are over, the newest first.", default=False)
    service_code = TextParameter("Only notices about this service.", "potholes", is_single=True)
    lat = LatitudeParameter("Only notices about this point; with long.", 60.1718)
    long = LongitudeParameter("Only notices about this point; with lat.", 24.9414)
    cursor = TextParameter("The position to continue from; copied from the Link header. Only with past=true.")
    page_size = NumberParameter(
        "Notices in one answer, at most 100.",
        20,
        least=1,
        cut_to=MOST_NOTICE_ROWS,
        default=MOST_NOTICE_ROWS,
        aliases=PAGE_SIZE_ALIASES,
    )


class NoticeSchema(Body):
    """A notice of a city."""

    xml_root = "notices"
    xml_item = "notice"

    notice_id = Text(metadata=describe("Names the notice.", "12"))
    headline = Text(metadata=describe("One line.", "Water is off in Harbour"))
    description = Text(metadata=describe("More; empty for none.", "A pipe has burst. Crews are at work."))
    language = Text(metadata=describe("BCP 47 tag of the headline's language.", "en"))
    languages = Items(
        fields.String(), xml_item="language", metadata=describe("BCP 47 tags of all languages of the notice.")
    )
    category = fields.String(metadata=describe("Of CAP 1.2.", "Infra") | {"enum": list(NOTICE_CATEGORIES)})
    severity = fields.String(metadata=describe("Of CAP 1.2.", "Minor") | {"enum": list(NOTICE_SEVERITIES)})
    state = fields.String(metadata=describe("Whether it is valid now.") | {"enum": ["current", "past"]})
    service_codes = Items(
        fields.String(), xml_item="service_code", metadata=describe("The services it is about; empty for all.")
    )
    area = Text(metadata=describe("The name of the area it is about; empty for none.", "Harbour"))
    boundary = Geometry(metadata=describe("What it is about; null for the whole city."))
    start_datetime = Instant(metadata=describe("From when it is valid."))
    end_datetime = Instant(metadata=describe("Until when; earlier if the city has ended it."))
    updated_datetime = Instant(metadata=describe("When it was last changed."))
    cap_url = Text(metadata=describe("Address of the same notice as a CAP 1.2 alert."))
