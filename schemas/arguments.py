"""What callers may send: query parameters and form fields, as the API page shows them.

Values arrive as text; these schemas name them, describe them and refuse text that no database could keep.
What a value means is checked by the domain, so that all problems of a call come back at once (A59).
"""

from __future__ import annotations

from marshmallow import EXCLUDE, Schema, fields, validate

from schemas.base import describe

NO_NUL = validate.ContainsNoneOf("\x00", error="holds a NUL character; leave it out.")


class Arguments(Schema):
    """Base: unknown parameters are ignored (A62)."""

    class Meta:
        unknown = EXCLUDE


class JurisdictionArguments(Arguments):
    """What every call takes."""

    jurisdiction_id = fields.String(
        load_default="",
        validate=NO_NUL,
        metadata=describe("Which city; may be left out where one alone is served.", "city.example"),
    )


class ServiceArguments(JurisdictionArguments):
    """What service lists and definitions take."""

    locale = fields.String(
        load_default="",
        validate=NO_NUL,
        metadata=describe("Language of the texts, before Accept-Language; also as langcode.", "es"),
    )


class ServiceListArguments(ServiceArguments):
    """What the service list takes."""

    lat = fields.String(
        load_default="", metadata=describe("Only services for this point, with long (extension).", "60.1718")
    )
    long = fields.String(
        load_default="", metadata=describe("Only services for this point, with lat (extension).", "24.9414")
    )


class RequestSearchArguments(JurisdictionArguments):
    """What a list of requests takes (1.6, and paging and places as extensions)."""

    service_request_id = fields.String(
        load_default="", validate=NO_NUL, metadata=describe("Ids, comma-separated; overrides the other filters.")
    )
    service_code = fields.String(
        load_default="", validate=NO_NUL, metadata=describe("Service codes, comma-separated or repeated.")
    )
    start_date = fields.String(
        load_default="", metadata=describe("Earliest requested_datetime.", "2026-03-01T00:00:00Z")
    )
    end_date = fields.String(
        load_default="", metadata=describe("Latest requested_datetime; at most 90 days after start_date.")
    )
    status = fields.String(load_default="", metadata=describe("open, closed, or both comma-separated.", "open"))
    updated_after = fields.String(load_default="", metadata=describe("Earliest change (extension)."))
    updated_before = fields.String(load_default="", metadata=describe("Latest change (extension)."))
    lat = fields.String(load_default="", metadata=describe("Centre of a circle, with long and radius (extension)."))
    long = fields.String(load_default="", metadata=describe("Centre of a circle, with lat and radius (extension)."))
    radius = fields.String(load_default="", metadata=describe("Metres around lat and long (extension)."))
    bbox = fields.String(
        load_default="", metadata=describe("west,south,east,north in degrees (extension).", "24.9,60.1,25.0,60.2")
    )
    sort = fields.String(
        load_default="", metadata=describe("-requested, requested, -updated or updated (extension).")
    )
    q = fields.String(
        load_default="",
        validate=NO_NUL,
        metadata=describe("Words that must be found, accents and case aside (extension).", "street light"),
    )
    group = fields.String(load_default="", validate=NO_NUL, metadata=describe("A service group (extension)."))
    keyword = fields.String(load_default="", validate=NO_NUL, metadata=describe("A service keyword (extension)."))
    agency_responsible = fields.String(
        load_default="", validate=NO_NUL, metadata=describe("As requests show it (extension).")
    )
    area = fields.String(
        load_default="", validate=NO_NUL, metadata=describe("Name of an area, as `areas` lists them (extension).")
    )
    has_photo = fields.String(load_default="", metadata=describe("true or false (extension)."))
    extensions = fields.String(
        load_default="",
        metadata=describe("true, or some of extended_attributes, notes, attributes (extension).", "true"),
    )
    cursor = fields.String(load_default="", metadata=describe("Where to go on; from a Link header (extension)."))
    page = fields.String(load_default="", metadata=describe("Page, from 1 (extension).", "1"))
    page_size = fields.String(
        load_default="",
        metadata=describe("Rows a page, at most 1000; also per_page, limit, max_requests (extension).", "100"),
    )
    count = fields.String(
        load_default="",
        metadata=describe("true: count what is on all pages, up to 10,000, into X-Total-Count (extension)."),
    )


class BulkArguments(RequestSearchArguments):
    """What GeoReport Bulk takes: the filters of a list, without its pages, order and extensions."""

    class Meta:
        unknown = EXCLUDE
        exclude = ("service_request_id", "sort", "extensions", "cursor", "page", "page_size", "count")


class RequestArguments(JurisdictionArguments):
    """What a single request takes (1.7, and an extension)."""

    extensions = fields.String(
        load_default="",
        metadata=describe("true, or some of extended_attributes, notes, attributes (extension).", "true"),
    )


class SubmissionArguments(JurisdictionArguments):
    """What a new request takes (1.4)."""

    api_key = fields.String(
        load_default="",
        metadata=describe("The key; may also stand in Authorization: Bearer or X-Api-Key."),
    )
    service_code = fields.String(load_default="", metadata=describe("Which service.", "pothole"))
    lat = fields.String(load_default="", metadata=describe("Latitude, with long.", "60.1718"))
    long = fields.String(load_default="", metadata=describe("Longitude, with lat.", "24.9414"))
    address_string = fields.String(load_default="", metadata=describe("Where, in words.", "5 Mill Lane"))
    address_id = fields.String(load_default="", metadata=describe("The city's own id of the address."))
    description = fields.String(
        load_default="", metadata=describe("What is wrong; at most 4,000 characters.", "Deep hole")
    )
    email = fields.String(load_default="", metadata=describe("The reporter's; never published."))
    first_name = fields.String(load_default="", metadata=describe("The reporter's; never published."))
    last_name = fields.String(load_default="", metadata=describe("The reporter's; never published."))
    phone = fields.String(load_default="", metadata=describe("The reporter's; never published."))
    device_id = fields.String(load_default="", metadata=describe("The reporter's device; never published."))
    account_id = fields.String(load_default="", metadata=describe("The reporter's account with the app."))
    media_url = fields.String(load_default="", metadata=describe("Address of a picture; may be repeated."))
    client_request_id = fields.String(
        load_default="",
        metadata=describe("Your own id of this call: sent again within 24 hours, the first answer comes back."),
    )
