"""A reporter's own request, by the link from the answer to its POST (V1 to V6 of spec/extensions.md)."""

from __future__ import annotations

from urllib.parse import urlencode

from open311.formats import JSON, Format, join_items, shape_of
from open311.operations.access.status_links import read_by_link
from open311.operations.platform import Platform
from open311.plugins import Jurisdiction
from open311.web.access import BY_LINK
from open311.web.calls import Answer, Call
from open311.web.endpoints import endpoint
from open311.web.languages import caller_language
from open311.web.surfaces import STATUS
from schemas.arguments import RequestArguments
from schemas.extensions import OwnRequestSchema
from schemas.georeport import ServiceRequestSchema

_REQUEST = shape_of(ServiceRequestSchema)


@endpoint(
    STATUS,
    "/<code:secret>",
    reads=RequestArguments,
    access=BY_LINK,
    answers=OwnRequestSchema,
    is_extension=True,
    headers=("Referrer-Policy",),
)
def get_own_request(call: Call, secret: str) -> Answer:
    """Show the reporter's own request, as a list of one, by the link from the answer to its POST.

    The link shows the request also while it is held, private or without an id. The answer never says who sent it.
    """
    language = caller_language(call.request)
    item = read_by_link(call.platform, call.city, secret, call.output, call.values["extensions"], language=language)
    return Answer(body=join_items(_REQUEST, [item], call.output), cache_control="private, no-store")


def status_url(call: Call, secret: str) -> str:
    """The address that shows a reporter's own request by its secret. Its suffix is the format of the call."""
    return link_address(call.platform, call.city, secret, own_address=call.own_address(), suffix=call.output)


def link_address(
    platform: Platform, city: Jurisdiction, secret: str, *, own_address: str, suffix: Format = JSON
) -> str:
    """The address that shows a reporter's own request. The address names the city only if the server has several.

    own_address  the address of this server; "" for an address without a host
    """
    query = f"?{urlencode({'jurisdiction_id': city.id})}" if len(platform.registry.jurisdictions) > 1 else ""
    return f"{own_address}{STATUS.prefix}/{secret}.{suffix}{query}"
