"""Tokens of batch requests (1.5)."""

from __future__ import annotations

from flask import Response

from open311.errors import Invalid
from open311.formats import Format, document, shape_of
from open311.operations.reading.find_requests import find_token
from open311.web.answers import answer
from open311.web.context import platform
from open311.web.georeport.blueprint import georeport
from open311.web.parsing import read_query
from schemas import JurisdictionArguments, TokenSchema

_SHAPE = shape_of(TokenSchema)
_ARGUMENTS = JurisdictionArguments()


@georeport.call("/tokens/<code:token>", takes=JurisdictionArguments, answers=TokenSchema)
def get_token(output: Format, token: str) -> Response:
    """Exchange a token for a service_request_id.

    Until there is an id, the answer holds the token alone; ask again later.
    """
    arguments = read_query(_ARGUMENTS)
    jurisdiction = platform().registry.find(arguments["jurisdiction_id"])
    if not token:
        raise Invalid("is missing; send the token that a POST answered.", "token")
    state = find_token(platform(), jurisdiction.id, token)
    return answer(document(_SHAPE, _SHAPE.plain_list([state]), output), output)
