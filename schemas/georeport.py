"""GeoReport v2's bodies: services, definitions, requests, receipts, tokens, errors (sections 1.1 to 1.7)."""

from __future__ import annotations

from marshmallow import fields

from schemas.base import Body, Degrees, Instant, Items, ListIfAny, OptionalText, Text, TextIfAny, describe


class ServiceSchema(Body):
    """One service of the service list (1.2)."""

    xml_root = "services"
    xml_item = "service"

    service_code = Text(attribute="code", metadata=describe("Identifies the service; opaque text.", "pothole"))
    service_name = Text(attribute="name", metadata=describe("What people call it.", "Pothole in the street"))
    description = Text(metadata=describe("One or two sentences.", "A hole in the road surface."))
    metadata = fields.Boolean(
        attribute="has_metadata", metadata=describe("Whether there is a definition with attributes to fetch.", True)
    )
    type = Text(
        metadata=describe("How a POST is answered.", "realtime") | {"enum": ["realtime", "batch", "blackbox"]}
    )
    keywords = Text(attribute="keyword_list", metadata=describe("Comma-separated words.", "road, hole"))
    group = Text(metadata=describe("A heading to list it under.", "Streets"))


class ValueSchema(Body):
    """One choice of a list attribute."""

    xml_item = "value"

    key = Text(metadata=describe("What to send.", "brick"))
    name = Text(metadata=describe("What to show.", "Brick"))


class AttributeSchema(Body):
    """One question of a service (1.3)."""

    xml_item = "attribute"

    variable = fields.Boolean(metadata=describe("Whether it asks for an answer; false shows text only.", True))
    code = Text(metadata=describe("Identifies the attribute; sent as attribute[code].", "SURFACE"))
    datatype = Text(
        metadata=describe("The kind of answer.", "singlevaluelist")
        | {"enum": ["string", "number", "datetime", "text", "singlevaluelist", "multivaluelist"]}
    )
    required = fields.Boolean(metadata=describe("Whether a POST without it is refused.", True))
    datatype_description = Text(metadata=describe("Help with the answer's form.", ""))
    order = fields.Integer(metadata=describe("Place in the form, from 1.", 1))
    description = Text(metadata=describe("The question.", "Which surface?"))
    values = ListIfAny(
        fields.Nested(ValueSchema), metadata=describe("The choices; only for the two list datatypes.")
    )


class ServiceDefinitionSchema(Body):
    """A service's questions (1.3); one object, not a list."""

    xml_root = "service_definition"

    service_code = Text(attribute="code", metadata=describe("The service asked for.", "graffiti"))
    attributes = fields.List(fields.Nested(AttributeSchema), metadata=describe("Questions in order; may be empty."))


class ServiceRequestSchema(Body):
    """One request of a list, or the only one of a single read (1.6, 1.7)."""

    xml_root = "service_requests"
    xml_item = "request"

    service_request_id = Text(metadata=describe("Identifies the request; opaque text.", "SR26-00000042"))
    status = Text(metadata=describe("Whether work is over.", "open") | {"enum": ["open", "closed"]})
    status_notes = OptionalText(metadata=describe("Why it has this status.", "A crew is on its way."))
    service_name = Text(metadata=describe("The service's name.", "Pothole in the street"))
    service_code = Text(metadata=describe("The service's code.", "pothole"))
    description = OptionalText(metadata=describe("What the reporter wrote; plain text.", "Deep, near the kerb."))
    agency_responsible = OptionalText(metadata=describe("The department that has it.", "Streets"))
    service_notice = OptionalText(metadata=describe("What to expect.", "Seen to within 3 days."))
    requested_datetime = Instant(
        attribute="requested_at", metadata=describe("When it was made.", "2026-03-01T09:30:00Z")
    )
    updated_datetime = Instant(
        attribute="updated_at",
        metadata=describe("When it last changed; the closing time once closed.", "2026-03-02T08:00:00Z"),
    )
    expected_datetime = Instant(attribute="expected_at", metadata=describe("When it should be done."))
    address = OptionalText(attribute="place.address", metadata=describe("Where, in words.", "5 Mill Lane"))
    address_id = OptionalText(attribute="place.address_id", metadata=describe("The city's own id of the address."))
    zipcode = OptionalText(attribute="place.zipcode", metadata=describe("Postal code.", "02134"))
    lat = Degrees(attribute="place.lat", metadata=describe("Latitude, WGS 84 degrees.", 60.1718))
    long = Degrees(attribute="place.long", metadata=describe("Longitude, WGS 84 degrees.", 24.9414))
    media_url = OptionalText(metadata=describe("A picture of it.", "https://example.com/hole.jpg"))


class ExtendedAttributesSchema(Body):
    """What we show of a request beyond the standard; only where extensions= asks for it."""

    detailed_status = OptionalText(metadata=describe("The back office's own word.", "assigned"))
    outcome = OptionalText(metadata=describe("What came of it, once closed.", "fixed"))
    channel = OptionalText(metadata=describe("How it came to the city.", "api"))
    closed_datetime = Instant(attribute="closed_at", metadata=describe("When it was closed."))
    department = OptionalText(metadata=describe("Code of the department that has it.", "streets"))
    group = OptionalText(metadata=describe("The service's group.", "Streets"))
    areas = Items(fields.String(), xml_item="area", metadata=describe("The city's areas around its point."))
    media_urls = Items(fields.String(), xml_item="media_url", metadata=describe("All pictures of it."))
    possible_duplicate_of = OptionalText(
        metadata=describe("An earlier request for perhaps the same thing, as of the report.", "SR26-00000017")
    )


class NoteSchema(Body):
    """One public entry of a request's history."""

    xml_item = "note"

    datetime = Instant(attribute="at", metadata=describe("When.", "2026-03-01T09:30:00Z"))
    type = Text(metadata=describe("received, transferred, status, note.", "status"))
    description = Text(metadata=describe("What happened, in words.", "closed"))


class NamedAnswerSchema(Body):
    """One answer to a service's question; of free text only what the city has declared public."""

    xml_item = "attribute"

    code = Text(metadata=describe("The attribute's code.", "SURFACE"))
    label = Text(metadata=describe("The question.", "Which surface?"))
    value = Text(metadata=describe("The key or text that was sent.", "brick"))
    name = Text(metadata=describe("The key's name.", "Brick"))


class ExtrasSchema(Body):
    """All that extensions= can add to a request, after the standard's fields."""

    extended_attributes = fields.Nested(ExtendedAttributesSchema, metadata=describe("Facts beyond the standard."))
    notes = fields.List(fields.Nested(NoteSchema), metadata=describe("Public history, oldest first."))
    attributes = fields.List(fields.Nested(NamedAnswerSchema), metadata=describe("Answers, in form order."))


class ExtendedRequestSchema(ExtrasSchema, ServiceRequestSchema):
    """A request as lists and single reads show it: the standard's fields, then what extensions= asks for."""

    distance = fields.Float(metadata=describe("Metres from lat and long, in a list around them.", 42.5))


class ReceiptSchema(Body):
    """What a POST answers: an id, or a token, or neither (1.4)."""

    xml_root = "service_requests"
    xml_item = "request"

    service_request_id = TextIfAny(metadata=describe("The new request's id (realtime services).", "SR26-00000042"))
    token = TextIfAny(metadata=describe("Exchange it for an id at tokens/{token} (batch services).", "9f1c2ab0"))
    service_notice = OptionalText(metadata=describe("What to expect.", "Seen to within 3 days."))
    account_id = OptionalText(metadata=describe("The account_id that was sent."))


class TokenSchema(Body):
    """A token and, once it is resolved, its request (1.5, A12)."""

    xml_root = "service_requests"
    xml_item = "request"

    service_request_id = TextIfAny(metadata=describe("The request; absent until there is one.", "SR26-00000042"))
    token = Text(metadata=describe("The token asked for.", "9f1c2ab0"))


class ErrorSchema(Body):
    """One thing that went wrong (1.0)."""

    xml_root = "errors"
    xml_item = "error"

    code = fields.Integer(metadata=describe("The HTTP status (A55).", 404))
    description = Text(metadata=describe("What is wrong and how to mend it.", "service_code: 'nope' is unknown."))


class EndpointSchema(Body):
    """One endpoint of the discovery document."""

    xml_item = "endpoint"

    specification = Text(metadata=describe("Always GeoReport v2's address."))
    url = Text(metadata=describe("Base of all calls, without a slash at the end."))
    changeset = Text(metadata=describe("Grows whenever the service list or a definition changes."))
    type = Text(metadata=describe("production or test.") | {"enum": ["production", "test"]})
    formats = Items(fields.String(), xml_item="format", metadata=describe("Media types that are answered."))


class DiscoverySchema(Body):
    """Where the API is and how to get a key (1.1)."""

    xml_root = "discovery"

    changeset = Text(metadata=describe("When anything here last changed."))
    contact = Text(metadata=describe("How to reach the operator."))
    key_service = Text(metadata=describe("How to get an api_key."))
    endpoints = fields.List(fields.Nested(EndpointSchema), metadata=describe("The endpoints."))
