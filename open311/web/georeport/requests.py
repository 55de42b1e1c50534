"""Requests: lists, single requests, and new requests (A01 to A43)."""

from __future__ import annotations

from dataclasses import replace

from open311.errors import Invalid
from open311.formats import document, join_items, shape_of
from open311.operations.intake.submit_request import submit_request
from open311.operations.reading.find_requests import find_request
from open311.operations.upkeep.sync_catalogues import ensure_synced
from open311.web.access import ANYBODY, API_KEY
from open311.web.calls import Answer, Call
from open311.web.endpoints import endpoint
from open311.web.listing import Listing
from open311.web.submissions import notice_for_caller, submission_of, submission_warnings
from open311.web.surfaces import GEOREPORT
from schemas.arguments import RequestArguments, RequestSearchArguments, SubmissionArguments
from schemas.georeport import ExtendedRequestSchema, ReceiptSchema, ServiceRequestSchema
from schemas.texts import tell

_REQUEST = shape_of(ServiceRequestSchema)
_RECEIPT = shape_of(ReceiptSchema)


@endpoint(
    GEOREPORT,
    "/requests",
    reads=RequestSearchArguments,
    access=ANYBODY,
    answers=ExtendedRequestSchema,
    is_quick=True,
    gathers_problems=True,
    headers=("Link", "X-Total-Count"),
)
def list_requests(call: Call) -> Answer:
    """List requests, newest first.

    Without dates, the list covers the last 90 days. A page has at most 1000 requests; the Link header has the
    address of the next page.
    """
    return Listing.of(call).answer(lambda page, _: join_items(_REQUEST, page.items, call.output))


@endpoint(
    GEOREPORT,
    "/requests",
    reads=SubmissionArguments,
    access=API_KEY,
    answers=ReceiptSchema,
    method="POST",
    gathers_problems=True,
    headers=("Content-Language",),
)
def create_request(call: Call) -> Answer:
    """Send a new request.

    A realtime service answers with a service_request_id, a batch service with a token, a blackbox service
    with neither. Send answers to the service's questions in attribute[CODE], or in attribute[CODE][] if an answer
    has several values. With the header Idempotency-Key, a repeated call creates no second request. The header
    Warning names what is ignored.
    """
    ensure_synced(call.platform)
    receipt = submit_request(
        call.platform,
        submission_of(call),
        jurisdiction=call.city,
        principal=call.caller,
        now=call.now,
        problems=call.problems,
    )
    notice, language = notice_for_caller(receipt, call)
    shown = replace(receipt, service_notice=notice)
    return Answer(
        body=document(_RECEIPT, _RECEIPT.plain_list([shown]), call.output),
        language=language,
        status=call.platform.settings.created_status,
        warnings=tuple(submission_warnings(receipt, call)),
    )


@endpoint(
    GEOREPORT,
    "/requests/<code:service_request_id>",
    reads=RequestArguments,
    access=ANYBODY,
    answers=ExtendedRequestSchema,
    is_quick=True,
)
def get_request(call: Call, service_request_id: str) -> Answer:
    """Show one request, as a list of one.

    If no id matches the whole text, it is read as several ids, separated by commas.
    """
    if not service_request_id:
        raise Invalid(tell("is missing; send the id of a request."), "service_request_id")
    page = find_request(call.platform, call.city.id, service_request_id, call.output, call.values["extensions"])
    return Answer(body=join_items(_REQUEST, page.items, call.output), validator=page.validator)
