"""Tokens of batch requests (A12, A13)."""

from __future__ import annotations

from open311.errors import Invalid
from open311.formats import document, shape_of
from open311.operations.reading.find_requests import find_token
from open311.web.access import ANYBODY
from open311.web.calls import Answer, Call
from open311.web.endpoints import endpoint
from open311.web.surfaces import GEOREPORT
from schemas.arguments import JurisdictionArguments
from schemas.georeport import TokenSchema
from schemas.texts import tell

_SHAPE = shape_of(TokenSchema)


@endpoint(
    GEOREPORT,
    "/tokens/<code:token>",
    reads=JurisdictionArguments,
    access=ANYBODY,
    answers=TokenSchema,
    is_fresh=True,
)
def get_token(call: Call, token: str) -> Answer:
    """Exchange a token for a service_request_id.

    While the request has no id, the answer contains only the token; ask again later.
    """
    if not token:
        raise Invalid(tell("is missing; send the token from the answer to your POST."), "token")
    state = find_token(call.platform, call.city.id, token)
    return Answer(body=document(_SHAPE, _SHAPE.plain_list([state]), call.output))
