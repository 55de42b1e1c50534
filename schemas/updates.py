"""Parameters and bodies of mySociety's request updates (spec/extensions.md, U1 to U9)."""

from __future__ import annotations

from marshmallow import fields

from schemas.arguments import JurisdictionArguments
from schemas.base import Body, Instant, OptionalText, Text, describe
from schemas.parameters import AddressesParameter, InstantParameter, TextParameter
from schemas.texts import tell

WORDS = (
    *("open", "closed", "fixed", "in_progress", "planned", "action_scheduled", "investigating", "duplicate"),
    *("not_councils_responsibility", "no_further_action", "internal_referral", "cancelled", "reopen"),
    *("for_triage", "unchanged"),
)
"""mySociety's words for the status of a request."""


class UpdateSearchArguments(JurisdictionArguments):
    """The parameters of a list of updates."""

    api_key = TextParameter("Your key, to read your own updates under the ids that you gave them; optional.")
    start_date = InstantParameter(
        "Earliest time of an update; without it, a day before end_date.", "2026-03-01T00:00:00Z"
    )
    end_date = InstantParameter("Latest time of an update; without it, now.", "2026-03-02T00:00:00Z", is_end=True)


class UpdateArguments(JurisdictionArguments):
    """The parameters of a new update."""

    tells_unknown = True

    api_key = TextParameter("The key; can also be sent in the header X-Api-Key or as Authorization: Bearer.")
    service_request_id = TextParameter(
        "The request that the update is about.",
        "SR26-00000042",
        missing=tell("is missing; send the id of a request."),
    )
    update_id = TextParameter(
        "Your own id of the update. Each id can be used once.",
        "1042",
        missing=tell("is missing; send your id of it."),
    )
    status = TextParameter(
        "The status of the request after the update, in upper or lower case.",
        "OPEN",
        missing=tell("is missing; send one of {words}.", words=", ".join(WORDS)),
    )
    updated_datetime = InstantParameter(
        "When the update was made.",
        "2026-03-01T09:30:00Z",
        missing=tell("is missing; send when the update was made."),
    )
    description = TextParameter(
        "What there is to say.", "It is still there.", missing=tell("is missing; send the text of the update.")
    )
    email = TextParameter("The sender's email address; never published.")
    first_name = TextParameter("The sender's first name; never published.")
    last_name = TextParameter("The sender's last name; never published.")
    phone = TextParameter("The sender's phone number; never published.")
    title = TextParameter("The sender's title; not kept.")
    account_id = TextParameter("The sender's account with the app.")
    media_url = AddressesParameter("Address of a picture, for staff; may be repeated.")
    service_request_id_ext = TextParameter("The request's id at the sender; not kept.")
    service_code = TextParameter("The service of the request; not read.")
    public_anonymity_required = TextParameter("TRUE or FALSE; no name is ever published.")
    email_alerts_requested = TextParameter("TRUE or FALSE; this server sends no alerts about updates.")


class RequestUpdateSchema(Body):
    """One update of a request."""

    xml_root = "service_request_updates"
    xml_item = "request_update"

    update_id = Text(metadata=describe("Identifies the update.", "u17"))
    service_request_id = Text(metadata=describe("The request.", "SR26-00000042"))
    status = Text(metadata=describe("The status after the update.", "in_progress") | {"enum": list(WORDS)})
    updated_datetime = Instant(
        attribute="updated_at", metadata=describe("When the update was recorded here.", "2026-03-01T09:30:00Z")
    )
    description = Text(metadata=describe("What there is to say; may be empty.", "We have filled the hole."))
    media_url = OptionalText(metadata=describe("Address of a picture."))


class WishSchema(Body):
    """How the answer to a text message was understood."""

    understood = Text(metadata=describe("stop, start or other.", "stop"))


class TakenSchema(Body):
    """The answer to a call of a back office."""

    stored = fields.Integer(metadata=describe("How many updates are stored for the first time.", 2))
    known = fields.Integer(metadata=describe("How many updates were stored before.", 0))


class RequestUpdateReceiptSchema(Body):
    """The answer to a new update."""

    xml_root = "service_request_updates"
    xml_item = "request_update"

    update_id = Text(metadata=describe("The update_id that was sent.", "1042"))
    account_id = OptionalText(metadata=describe("The account_id that was sent."))
