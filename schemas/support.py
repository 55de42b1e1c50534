"""The parameters and the body of the calls by which people support a request."""

from __future__ import annotations

from marshmallow import fields

from schemas.arguments import JurisdictionArguments
from schemas.base import Body, Text, describe
from schemas.parameters import TextParameter


class SupporterArguments(JurisdictionArguments):
    """Who supports a request. One of the three ids is enough."""

    tells_unknown = True

    api_key = TextParameter("The key; can also be sent in the header X-Api-Key or as Authorization: Bearer.")
    account_id = TextParameter("The person's account with the app; only a digest is stored.", "user-17")
    device_id = TextParameter(
        "Id of the person's device, if there is no account; only a digest is stored.", aliases=("deviceid",)
    )
    email = TextParameter(
        "The person's e-mail address, if there is neither; only a digest is stored.", "you@mail.example"
    )


class SupportSchema(Body):
    """How many people support a request."""

    xml_root = "supports"
    xml_item = "support"

    service_request_id = Text(
        metadata=describe("The request that counts the person: the one that it was merged into, if any.", "8841")
    )
    supporters = fields.Integer(metadata=describe("How many people support it.", 12) | {"minimum": 0})
    supported = fields.Boolean(
        attribute="is_given", metadata=describe("Whether the person supports it after this call.", True)
    )
