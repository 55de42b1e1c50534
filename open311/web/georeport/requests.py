"""Requests: new ones, lists, single ones (1.4, 1.6, 1.7)."""

from __future__ import annotations

from flask import Response

from open311.clock import utc_now
from open311.errors import Invalid
from open311.formats import Format, document, join_items, shape_of
from open311.operations.access.api_keys import require_key_for
from open311.operations.intake.submit_request import submit_request
from open311.operations.reading.find_requests import find_request
from open311.operations.upkeep.sync_catalogues import ensure_synced
from open311.web.access import caller_key
from open311.web.answers import answer
from open311.web.context import platform
from open311.web.georeport.blueprint import georeport
from open311.web.georeport.listing import add_headers, find_page, read_extensions, read_listing, unchanged
from open311.web.parsing import form_parameters, read_query, read_submission
from schemas import (
    ExtendedRequestSchema,
    ReceiptSchema,
    RequestArguments,
    RequestSearchArguments,
    ServiceRequestSchema,
    SubmissionArguments,
)

_REQUEST = shape_of(ServiceRequestSchema)
_RECEIPT = shape_of(ReceiptSchema)
_SUBMISSION = SubmissionArguments()
_SINGLE = RequestArguments()


@georeport.call("/requests", takes=RequestSearchArguments, answers=ExtendedRequestSchema, is_hot=True)
def list_requests(output: Format) -> Response:
    """List requests, newest first.

    Without dates, the last 90 days; at most 1000 at once. Follow the Link header for more.
    """
    listing = read_listing()
    response = unchanged(listing, output)
    if response is None:
        page = find_page(listing, output)
        response = answer(join_items(_REQUEST, page.items, output), output, validator=page.validator)
        add_headers(response, listing, page)
    return response


@georeport.call(
    "/requests",
    method="POST",
    takes=SubmissionArguments,
    answers=ReceiptSchema,
    errors=(400, 403, 404, 413, 415, 429, 503),
)
def create_request(output: Format) -> Response:
    """Send a new request.

    A realtime service answers with a service_request_id, a batch service with a token, a blackbox service
    with neither. Answers to a service's questions go into attribute[CODE]; several values of one into
    attribute[CODE][]. The header Idempotency-Key makes a repeated call harmless.
    """
    parameters = form_parameters()
    key = caller_key(parameters)
    jurisdiction = platform().registry.find(parameters.get("jurisdiction_id", ""))
    require_key_for(key, jurisdiction.id)
    ensure_synced(platform())
    submission, problems = read_submission(_SUBMISSION, parameters)
    receipt = submit_request(
        platform(), submission, jurisdiction=jurisdiction, key=key, now=utc_now(), problems=tuple(problems)
    )
    body = document(_RECEIPT, _RECEIPT.plain_list([receipt]), output)
    return answer(body, output, platform().settings.created_status)


@georeport.call(
    "/requests/<code:service_request_id>", takes=RequestArguments, answers=ExtendedRequestSchema, is_hot=True
)
def get_request(output: Format, service_request_id: str) -> Response:
    """Show one request, as a list of one.

    A comma list of ids, when no single id matches it, shows several.
    """
    arguments = read_query(_SINGLE)
    jurisdiction = platform().registry.find(arguments["jurisdiction_id"])
    if not service_request_id:
        raise Invalid("is missing; send the id of a request.", "service_request_id")
    extensions = read_extensions(arguments["extensions"])
    page = find_request(platform(), jurisdiction.id, service_request_id, output, extensions)
    return answer(join_items(_REQUEST, page.items, output), output, validator=page.validator)
