"""Parameters and bodies of subscriptions (spec/extensions.md, W1 to W13)."""

from __future__ import annotations

from marshmallow import fields

from schemas.arguments import JurisdictionArguments
from schemas.base import Body, Degrees, Instant, Items, OptionalText, Text, TextIfAny, describe
from schemas.georeport import ServiceRequestSchema
from schemas.limits import MAX_RADIUS_M
from schemas.parameters import (
    BoxParameter,
    DistanceParameter,
    InstantParameter,
    LatitudeParameter,
    ListParameter,
    LongitudeParameter,
    TextParameter,
)
from schemas.texts import tell

MOST_CODES = 100
MOST_URL_CHARACTERS = 2_000
MOST_LABEL_CHARACTERS = 200
MESSAGE_TYPES = ("subscription.challenge", "service_request.changed", "service_request.withdrawn")
STATES = ("unverified", "active", "paused", "disabled")


class SubscriberArguments(JurisdictionArguments):
    """The parameters of a call for a subscription."""

    tells_unknown = True

    api_key = TextParameter("The key; can also be sent in the header X-Api-Key or as Authorization: Bearer.")


class ReplayArguments(SubscriberArguments):
    """The parameters of a replay."""

    cursor = TextParameter("A position of the change feed (X-Cursor): the changes after it are told.")
    since = InstantParameter("A time: the changes after it are told.", "2026-03-01T00:00:00Z")


class NewSubscriptionArguments(ReplayArguments):
    """The parameters of a new subscription: the receiver, and the filter, as lists have it."""

    together = (("lat", "long", "radius"),)

    url = TextParameter(
        "Address of the receiver; https, at most 2000 characters.",
        "https://app.example/hook",
        is_single=True,
        missing=tell("is missing; send the address of your receiver, such as https://app.example/hook."),
    )
    label = TextParameter("What you call it.", "Map of Kallio", most_characters=MOST_LABEL_CHARACTERS)
    service_request_id = TextParameter("The id of the only request.", "SR26-00000042", is_single=True)
    service_code = ListParameter(
        "Service codes, comma-separated or repeated.", "pothole", most=MOST_CODES, unit=tell("codes")
    )
    group = TextParameter("A service group.", is_single=True)
    status = ListParameter("open, closed, or both comma-separated.", "open", choices=("open", "closed"))
    department = TextParameter("Code or name of a department.", "streets", is_single=True)
    area = TextParameter("Name of an area, as `areas` lists them.", "Kallio", is_single=True)
    lat = LatitudeParameter("Centre of a circle, with long and radius.")
    long = LongitudeParameter("Centre of a circle, with lat and radius.")
    radius = DistanceParameter("Metres around lat and long.", most=MAX_RADIUS_M)
    bbox = BoxParameter("west,south,east,north in degrees.", "24.9,60.1,25.0,60.2")


class SubscriptionSchema(Body):
    """A subscription: the receiver, the filter, and how sending goes."""

    xml_root = "subscriptions"
    xml_item = "subscription"

    subscription_id = Text(metadata=describe("Identifies the subscription.", "sub_5f0c6ad2b1e84c17a9d3e2f4"))
    jurisdiction_id = Text(metadata=describe("The city.", "city.example"))
    state = fields.String(
        metadata=describe(
            "unverified: the receiver has not answered the challenge yet. active: the receiver is told. paused: you"
            " have stopped it. disabled: the receiver failed for days, or the subscription was paused for long.",
            "active",
        )
        | {"enum": list(STATES)}
    )
    label = OptionalText(metadata=describe("What you call it.", "Map of Kallio"))
    url = Text(metadata=describe("Address of the receiver.", "https://app.example/hook"))
    service_request_id = OptionalText(metadata=describe("The only request.", "SR26-00000042"))
    service_code = Items(fields.String(), xml_item="code", metadata=describe("Codes of services.", ["pothole"]))
    group = OptionalText(metadata=describe("A service group.", "Streets"))
    status = Items(fields.String(), xml_item="value", metadata=describe("Statuses.", ["open"]))
    department = OptionalText(metadata=describe("Code of a department.", "streets"))
    area = OptionalText(metadata=describe("Name of an area.", "Kallio"))
    bbox = OptionalText(metadata=describe("A box: west,south,east,north.", "24.9,60.1,25.0,60.2"))
    lat = Degrees(metadata=describe("Centre of a circle.", 60.1718))
    long = Degrees(metadata=describe("Centre of a circle.", 24.9414))
    radius = Degrees(metadata=describe("Radius of a circle in metres.", 500))
    created_datetime = Instant(metadata=describe("When it was created.", "2026-03-01T12:00:00Z"))
    state_datetime = Instant(metadata=describe("When the state changed last.", "2026-03-01T12:00:05Z"))
    waiting = fields.Integer(metadata=describe("How many requests the receiver is still to be told of.", 0))
    sent = fields.Integer(metadata=describe("How many webhooks the receiver has accepted.", 41))
    replaying = fields.Boolean(metadata=describe("Whether earlier changes are being told.", False))
    last_success_datetime = Instant(metadata=describe("When the receiver last accepted one.", None))
    failures = fields.Integer(metadata=describe("How many tries in a row have failed.", 0))
    failing_since = Instant(metadata=describe("Since when they fail.", None))
    next_try_datetime = Instant(metadata=describe("When the next try is due after a failure.", None))
    notice = OptionalText(
        metadata=describe("What is wrong and what you can do.", "The receiver answered 503; it is tried again.")
    )
    secret = TextIfAny(
        metadata=describe("Signs the webhooks. Only the answers that make a secret have it.", "whsec_c2VjcmV0…")
    )
    old_secret_until = Instant(metadata=describe("Until when the former secret signs too.", None))


class MessageDataSchema(Body):
    """What a message is about. A tombstone has `withdrawn` and no item; a challenge has only its value."""

    sometimes = (
        *("jurisdiction_id", "service_request_id", "sequence", "changes"),
        *("service_request", "withdrawn", "challenge"),
    )

    subscription_id = Text(metadata=describe("The subscription.", "sub_5f0c6ad2b1e84c17a9d3e2f4"))
    jurisdiction_id = Text(metadata=describe("The city.", "city.example"))
    service_request_id = Text(metadata=describe("The request.", "SR26-00000042"))
    sequence = fields.Integer(metadata=describe("Grows with each version of a request.", 712045))
    changes = fields.List(fields.String(), metadata=describe("Types of the new notes.", ["status"]))
    service_request = fields.Nested(ServiceRequestSchema, metadata=describe("The request as lists show it now."))
    withdrawn = fields.Boolean(metadata=describe("true: delete your copy of the request.", True))
    challenge = Text(metadata=describe("Send this value back as the body of your answer.", "pYq3vW0…"))


class MessageSchema(Body):
    """A webhook to the receiver of a subscription."""

    type = fields.String(
        metadata=describe("What it tells.", "service_request.changed") | {"enum": list(MESSAGE_TYPES)}
    )
    timestamp = Instant(metadata=describe("When the request changed.", "2026-03-01T12:00:00Z"))
    data = fields.Nested(MessageDataSchema, metadata=describe("What it is about."))
