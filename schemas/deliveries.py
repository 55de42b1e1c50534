"""The wire contract of deliveries to back offices: the answers of the staff API."""

from __future__ import annotations

from marshmallow import fields

from schemas.base import Body, Instant, OptionalText, Text, describe

DELIVERY_STATES = ("waiting", "sending", "pending", "uncertain", "parked", "done", "skipped")
DELIVERY_COMMANDS = ("retry", "park", "skip")


class DeliverySchema(Body):
    """A delivery of a request, or of a change of it, to one back office."""

    id = fields.Integer(metadata=describe("The delivery's number.", 12))
    backend = Text(metadata=describe("The name of the back end.", "works"))
    subject = Text(metadata=describe("case: the request itself; update: a change of it.", "case"))
    version = fields.Integer(metadata=describe("The version of the request that it is about.", 3))
    state = fields.String(
        metadata=describe("How far the delivery is; parked and uncertain ones wait for a person.")
        | {"enum": list(DELIVERY_STATES)}
    )
    created_datetime = Instant(metadata=describe("When it was made."))
    due_datetime = Instant(metadata=describe("When it is tried next; while it is sent, when its lease ends."))
    ended_datetime = Instant(metadata=describe("When it was done or skipped."))
    attempts = fields.Integer(metadata=describe("How often it was tried.", 1))
    is_uncertain = fields.Boolean(metadata=describe("Whether an earlier try may have reached the back office."))
    cause = OptionalText(metadata=describe("Why it failed last, or why it is not sent."))


class ListedDeliverySchema(DeliverySchema):
    """A delivery, with the ids and the department of its request."""

    number = fields.Integer(metadata=describe("The request's internal number.", 41))
    service_request_id = OptionalText(metadata=describe("The request's public id.", "8841"))
    department = OptionalText(metadata=describe("The code of the department that has the request.", "streets"))


class DeliveryListSchema(Body):
    """One page of deliveries."""

    deliveries = fields.List(fields.Nested(ListedDeliverySchema), metadata=describe("The newest first."))
    cursor = OptionalText(metadata=describe("Where the next page begins; null on the last page."))


class DeliveryActSchema(Body):
    """The decision of a person about a delivery."""

    at = Instant(metadata=describe("When."))
    actor = Text(metadata=describe("Who: staff:3 or shell."))
    name = OptionalText(metadata=describe("The name of the account."))
    command = Text(metadata=describe("retry, park or skip.", "retry"))
    reason = OptionalText(metadata=describe("Why."))


class DeliveryViewSchema(ListedDeliverySchema):
    """All about one delivery."""

    key = Text(metadata=describe("The idempotency key, the same at each try."))
    remote_id = OptionalText(metadata=describe("The request's id in the back office.", "W-88"))
    missing = fields.List(fields.String(), metadata=describe("Parts that the back office has not got yet."))
    risk = OptionalText(metadata=describe("What can go wrong if it is sent again."))
    waits_for = fields.Integer(
        allow_none=True, metadata=describe("The earlier delivery that has to end before this one is sent.")
    )
    down_since = Instant(metadata=describe("Since when the back office is down; null if it works."))
    history = fields.List(
        fields.Nested(DeliveryActSchema), metadata=describe("What people have decided, oldest first.")
    )
    commands = fields.List(fields.String(), metadata=describe("What may be decided now."))


class ExternalIdSchema(Body):
    """The id that a request has in another system."""

    system = Text(metadata=describe("The name of a back end, or the key of a partner such as key:3.", "works"))
    id = Text(metadata=describe("The id there.", "W-88"))
