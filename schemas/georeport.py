"""The bodies of GeoReport v2: discovery, services, definitions, requests, receipts, tokens and errors."""

from __future__ import annotations

from typing import ClassVar

from marshmallow import fields

from schemas.base import (
    Body,
    CountIfAny,
    Degrees,
    Instant,
    Items,
    ListIfAny,
    OptionalText,
    Text,
    TextIfAny,
    describe,
)


class ServiceSchema(Body):
    """One service of the service list."""

    xml_root = "services"
    xml_item = "service"

    service_code = Text(attribute="code", metadata=describe("Identifies the service; opaque text.", "pothole"))
    service_name = Text(attribute="name", metadata=describe("The name of the service.", "Pothole in the street"))
    description = Text(metadata=describe("One or two sentences.", "A hole in the road surface."))
    metadata = fields.Boolean(
        attribute="has_metadata", metadata=describe("Whether the service's definition has attributes.", True)
    )
    type = Text(
        metadata=describe("The answer to a POST: an id, a token, or only a notice.", "realtime")
        | {"enum": ["realtime", "batch", "blackbox"]}
    )
    keywords = Text(attribute="keyword_list", metadata=describe("Comma-separated words.", "road, hole"))
    group = Text(metadata=describe("A heading for several services.", "Streets"))


class ValueSchema(Body):
    """One choice of a list attribute."""

    xml_item = "value"

    key = Text(metadata=describe("The answer that apps send.", "brick"))
    name = Text(metadata=describe("The answer that apps show.", "Brick"))


class AttributeSchema(Body):
    """One question of a service."""

    xml_item = "attribute"

    variable = fields.Boolean(
        metadata=describe("true for a question; false if the description is only a note to read.", True)
    )
    code = Text(metadata=describe("Identifies the attribute; sent as attribute[code].", "SURFACE"))
    datatype = Text(
        metadata=describe("The type of the answer.", "singlevaluelist")
        | {"enum": ["string", "number", "datetime", "text", "singlevaluelist", "multivaluelist"]}
    )
    required = fields.Boolean(metadata=describe("Whether a POST without an answer to it is refused.", True))
    datatype_description = Text(metadata=describe("A hint how to write the answer."))
    order = fields.Integer(metadata=describe("Position in the form, from 1.", 1))
    description = Text(metadata=describe("The question.", "Which surface?"))
    values = ListIfAny(
        fields.Nested(ValueSchema), metadata=describe("The choices; only for the two list datatypes.")
    )


class ServiceDefinitionSchema(Body):
    """The questions of a service. The body is one object, not a list."""

    xml_root = "service_definition"

    service_code = Text(attribute="code", metadata=describe("The code of the service.", "graffiti"))
    attributes = fields.List(
        fields.Nested(AttributeSchema), metadata=describe("The questions in order; there may be none.")
    )


class ConditionSchema(Body):
    """A condition on the answer to another question."""

    xml_item = "condition"

    attribute = Text(metadata=describe("The code of the other attribute.", "SURFACE"))
    values = Items(
        fields.String(), xml_item="value", metadata=describe("The answers, one of which must be given.", ["metal"])
    )


class AttributeRulesSchema(Body):
    """The rules of an attribute that the standard's definition has no fields for."""

    automated = OptionalText(
        metadata=describe("server_set: the server gives the answer; hidden_field: apps do not show it.", None)
        | {"enum": ["server_set", "hidden_field", None]}
    )
    required_if_asked = fields.Boolean(
        metadata=describe("Whether the answer is required where the question is asked.", True)
    )
    defaults = Items(
        fields.String(),
        xml_item="default",
        attribute="default",
        metadata=describe("The answer if the app sends none; there may be none."),
    )
    conditions = fields.List(
        fields.Nested(ConditionSchema),
        attribute="only_if",
        metadata=describe("The question is asked only if all of these conditions are met."),
    )
    asset_layer = OptionalText(metadata=describe("The layer of assets whose ids are the answers.", "lamps"))


class ExtendedAttributeSchema(AttributeSchema):
    """One question of a service, with the rules that `extensions=true` adds."""

    sometimes = ("extended_attributes",)

    extended_attributes = fields.Nested(
        AttributeRulesSchema,
        attribute="rules",
        metadata=describe("What the standard cannot say; only with extensions=true."),
    )


class ExtendedDefinitionSchema(ServiceDefinitionSchema):
    """The questions of a service, with the rules that `extensions=true` adds."""

    attributes = fields.List(
        fields.Nested(ExtendedAttributeSchema), metadata=describe("The questions in order; there may be none.")
    )


class ServiceRequestSchema(Body):
    """One request of a list. A single request is a list with one item."""

    xml_root = "service_requests"
    xml_item = "request"

    service_request_id = Text(metadata=describe("Identifies the request; opaque text.", "SR26-00000042"))
    status = Text(
        metadata=describe("open until the work ends, then closed.", "open") | {"enum": ["open", "closed"]}
    )
    status_notes = OptionalText(metadata=describe("Why the request has this status.", "A crew is on its way."))
    service_name = Text(metadata=describe("The service's name.", "Pothole in the street"))
    service_code = Text(metadata=describe("The service's code.", "pothole"))
    description = OptionalText(metadata=describe("What the reporter wrote; plain text.", "Deep, near the kerb."))
    agency_responsible = OptionalText(metadata=describe("The department that does the work.", "Streets"))
    service_notice = OptionalText(metadata=describe("What the reporter can expect.", "Seen to within 3 days."))
    requested_datetime = Instant(
        attribute="requested_at", metadata=describe("When the request was made.", "2026-03-01T09:30:00Z")
    )
    updated_datetime = Instant(
        attribute="updated_at",
        metadata=describe(
            "When the request last changed; for a closed request, when it was closed.", "2026-03-02T08:00:00Z"
        ),
    )
    expected_datetime = Instant(attribute="expected_at", metadata=describe("When the work should be done."))
    address = OptionalText(attribute="place.address", metadata=describe("The address as text.", "5 Mill Lane"))
    address_id = OptionalText(attribute="place.address_id", metadata=describe("The city's own id of the address."))
    zipcode = OptionalText(attribute="place.zipcode", metadata=describe("Postal code.", "02134"))
    lat = Degrees(attribute="place.lat", metadata=describe("Latitude, WGS 84 degrees.", 60.1718))
    long = Degrees(attribute="place.long", metadata=describe("Longitude, WGS 84 degrees.", 24.9414))
    media_url = OptionalText(metadata=describe("Address of a picture.", "https://example.com/hole.jpg"))


class ExtendedAttributesSchema(Body):
    """Fields of a request that the standard does not have. A call gets them if extensions= asks for them."""

    detailed_status = OptionalText(
        metadata=describe("How far the work is, in the city's word; null where status says it all.", "in_progress")
    )
    outcome = OptionalText(metadata=describe("How a closed request ended.", "fixed"))
    channel = OptionalText(metadata=describe("How the request reached the city.", "api"))
    closed_datetime = Instant(attribute="closed_at", metadata=describe("When the request was closed."))
    department = OptionalText(metadata=describe("Code of the department that does the work.", "streets"))
    group = OptionalText(metadata=describe("The service's group.", "Streets"))
    areas = Items(
        fields.String(), xml_item="area", metadata=describe("Names of the city's areas that contain the point.")
    )
    media_urls = Items(fields.String(), xml_item="media_url", metadata=describe("Addresses of all pictures."))
    possible_duplicate_of = OptionalText(
        metadata=describe("Id of an open request nearby, found when this request was made.", "SR26-00000017")
    )
    supporters = CountIfAny(
        metadata=describe("How many people say that it is their problem too; absent for nobody.", 12)
        | {"minimum": 1}
    )
    origin = TextIfAny(
        metadata=describe(
            "Where the request can be read at the neighbouring city from which it comes; absent for others.",
            "https://311.neighbour.example/open311/v2/requests/4711.json",
        )
    )
    via = TextIfAny(
        metadata=describe("The cities that had the request before, each as CITY=ID, with commas; absent for none.")
    )


class OwnedAttributesSchema(ExtendedAttributesSchema):
    """The fields of `ExtendedAttributesSchema`, and a field that only the sender of the request gets."""

    sometimes = (*ExtendedAttributesSchema.sometimes, "service_request_id_ext")

    service_request_id_ext = Text(
        metadata=describe("The caller's own id of the request; only for the api_key that sent it.", "42-7")
    )


class NoteSchema(Body):
    """One public entry of a request's history."""

    xml_item = "note"

    datetime = Instant(attribute="at", metadata=describe("When it happened.", "2026-03-01T09:30:00Z"))
    type = Text(metadata=describe("received, transferred, status, note, question or public_comment.", "status"))
    description = Text(metadata=describe("What happened.", "closed"))


class NamedAnswerSchema(Body):
    """One answer to a service's question. Free text is shown only if the city has declared the question public."""

    xml_item = "attribute"

    code = Text(metadata=describe("The attribute's code.", "SURFACE"))
    label = Text(metadata=describe("The question.", "Which surface?"))
    value = Text(metadata=describe("The key or text that was sent.", "brick"))
    name = Text(metadata=describe("The key's name; for free text, the text itself.", "Brick"))


class ExtrasSchema(Body):
    """All fields that extensions= can add to a request, after the standard's fields."""

    sometimes: ClassVar[tuple[str, ...]] = ("extended_attributes", "notes", "attributes")

    extended_attributes = fields.Nested(
        ExtendedAttributesSchema, metadata=describe("Fields that the standard does not have.")
    )
    notes = fields.List(fields.Nested(NoteSchema), metadata=describe("The public history, the oldest entry first."))
    attributes = fields.List(
        fields.Nested(NamedAnswerSchema), metadata=describe("The answers, in the order of the questions.")
    )


class ExtendedRequestSchema(ExtrasSchema, ServiceRequestSchema):
    """A request in a list or alone: the standard's fields, then the fields that extensions= asks for."""

    sometimes = (*ExtrasSchema.sometimes, "distance")

    extended_attributes = fields.Nested(
        OwnedAttributesSchema, metadata=describe("Fields that the standard does not have.")
    )
    distance = fields.Float(
        metadata=describe("Distance from lat and long in metres; only in a search by radius.", 42.5)
    )


class ReceiptSchema(Body):
    """The answer to a POST: an id, a token, or neither (A02, A03)."""

    xml_root = "service_requests"
    xml_item = "request"

    service_request_id = TextIfAny(metadata=describe("The new request's id (realtime services).", "SR26-00000042"))
    token = TextIfAny(metadata=describe("The token (batch services). tokens/{token} has the id later.", "9f1c2ab0"))
    service_notice = OptionalText(metadata=describe("What the reporter can expect.", "Seen to within 3 days."))
    account_id = OptionalText(metadata=describe("The account_id that was sent."))


class ReceiptAttributesSchema(Body):
    """What extensions= adds to the answer to a POST."""

    status_url = Text(
        metadata=describe(
            "A secret link with which the reporter reads the request without a login.",
            "https://311.city.example/open311/v2/status/pYq3vW0.json",
        )
    )


class ExtendedReceiptSchema(ReceiptSchema):
    """The answer to a POST, with what extensions= adds."""

    sometimes = ("extended_attributes",)

    extended_attributes = fields.Nested(
        ReceiptAttributesSchema, metadata=describe("Fields that the standard does not have.")
    )


class TokenSchema(Body):
    """A token. If its request has an id, the body has this id too (A12)."""

    xml_root = "service_requests"
    xml_item = "request"

    service_request_id = TextIfAny(
        metadata=describe("The request's id; absent until the request has an id.", "SR26-00000042")
    )
    token = Text(metadata=describe("The token from the path.", "9f1c2ab0"))


class ErrorSchema(Body):
    """One problem of a call that failed."""

    xml_root = "errors"
    xml_item = "error"

    code = fields.Integer(metadata=describe("The HTTP status.", 404))
    description = Text(
        metadata=describe("What is wrong and what to send instead.", "service_code: 'nope' is unknown.")
    )


class EndpointSchema(Body):
    """One endpoint of the discovery document. The first is always one of GeoReport v2."""

    xml_item = "endpoint"

    specification = Text(
        metadata=describe("The address of the specification: of GeoReport v2, or of Inquiry v1 for the answers.")
    )
    url = Text(metadata=describe("Base address of all calls, without a slash at the end.") | {"format": "uri"})
    changeset = Text(metadata=describe("Grows whenever the service list or a definition changes."))
    type = Text(metadata=describe("production or test.") | {"enum": ["production", "test"]})
    formats = Items(fields.String(), xml_item="format", metadata=describe("Media types of answers."))


class DiscoverySchema(Body):
    """The discovery document: where the API is and how to get a key."""

    xml_root = "discovery"

    changeset = Text(metadata=describe("When a service list or a definition last changed."))
    contact = Text(metadata=describe("How to reach the operator."))
    key_service = Text(metadata=describe("How to get an api_key."))
    endpoints = fields.List(fields.Nested(EndpointSchema), metadata=describe("The endpoints."))
