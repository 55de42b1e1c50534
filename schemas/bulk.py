"""The body of GeoReport Bulk v1, and the list of the daily dumps, which is an extension."""

from __future__ import annotations

from marshmallow import fields

from schemas.base import Body, Degrees, Instant, OptionalText, Text, describe


class BulkRequestSchema(Body):
    """One request of GeoReport Bulk. In CSV, the column of `closed_datetime` is called closed_date."""

    xml_root = "service_requests"
    xml_item = "request"

    service_request_id = Text(metadata=describe("Identifies the request; opaque text.", "SR26-00000042"))
    requested_datetime = Instant(metadata=describe("When the request was made.", "2026-03-01T09:30:00Z"))
    updated_datetime = Instant(
        metadata=describe(
            "When the request last changed; for a closed request, when it was closed.", "2026-03-02T08:00:00Z"
        )
    )
    closed_datetime = Instant(
        metadata=describe("When the request was closed; empty if it is open.", "2026-03-02T08:00:00Z")
    )
    status_description = Text(
        metadata=describe("The status in the back office's words, otherwise Open or Closed.", "Open")
    )
    status_notes = OptionalText(metadata=describe("Why the request has this status.", "A crew is on its way."))
    source = OptionalText(metadata=describe("How the request reached the city.", "api"))
    service_name = Text(metadata=describe("The service's name.", "Pothole in the street"))
    service_subtype = OptionalText(
        metadata=describe("A field of GeoReport Bulk that is always empty on this server.")
    )
    description = OptionalText(metadata=describe("What the reporter wrote; plain text.", "Deep, near the kerb."))
    agency_responsible = OptionalText(metadata=describe("The department that does the work.", "Streets"))
    address = OptionalText(metadata=describe("The address as text.", "5 Mill Lane"))
    lat = Degrees(metadata=describe("Latitude, WGS 84 degrees.", 60.1718))
    long = Degrees(metadata=describe("Longitude, WGS 84 degrees.", 24.9414))


class DumpSchema(Body):
    """One file of a daily dump."""

    date = Text(metadata=describe("The day, in UTC.", "2026-03-01") | {"format": "date"})
    format = Text(metadata=describe("csv, ndjson or geoparquet.", "ndjson"))
    media_type = Text(metadata=describe("The file's media type.", "application/gzip"))
    url = Text(metadata=describe("Address of the file; Range requests are supported."))
    checksum_url = Text(
        metadata=describe("Address of the file's checksum, in the form that sha256sum --check reads.")
    )
    rows = fields.Integer(metadata=describe("Number of requests in the file.", 1200))
    bytes = fields.Integer(metadata=describe("Size of the file.", 48213))
    sha256 = Text(metadata=describe("SHA-256 of the file, hexadecimal."))
    made_at = Text(
        metadata=describe("When the file was made. It has the requests as they were then.", "2026-03-01T00:37:00Z")
        | {"format": "date-time"}
    )


class DumpIndexSchema(Body):
    """A city's daily dumps, the newest first."""

    jurisdiction_id = Text(metadata=describe("The city.", "city.example"))
    licence = OptionalText(metadata=describe("Address of the licence, if the city names one."))
    attribution = Text(
        metadata=describe("The name that users of the data must state as its source.", "City of Example")
    )
    files = fields.List(fields.Nested(DumpSchema), metadata=describe("The files."))
