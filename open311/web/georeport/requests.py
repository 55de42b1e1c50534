"""Requests: lists, single requests, and new requests (A01 to A43)."""

from __future__ import annotations

from dataclasses import replace

from open311.domain.places import read_place
from open311.domain.requests import Receipt
from open311.errors import Invalid
from open311.formats import document, join_items, shape_of
from open311.operations.intake.submit_request import submit_request
from open311.operations.media.choosing import choose
from open311.operations.notices.current import current_notices, notices_about
from open311.operations.reading.find_requests import find_request
from open311.operations.suggesting.counting import count_choice
from open311.operations.upkeep.sync_catalogues import ensure_synced
from open311.web.access import ANYBODY, API_KEY, find_partner
from open311.web.calls import Answer, Call
from open311.web.endpoints import City, endpoint
from open311.web.extensions.status import status_url
from open311.web.gate import limit_device
from open311.web.listing import Listing, cache_control
from open311.web.submissions import notice_for_caller, repeat_key_named_as_sent, submission_of, submission_warnings
from open311.web.surfaces import GEOREPORT
from schemas.arguments import RequestArguments, RequestSearchArguments, SubmissionArguments
from schemas.georeport import ExtendedReceiptSchema, ExtendedRequestSchema, ReceiptSchema, ServiceRequestSchema
from schemas.texts import tell

_REQUEST = shape_of(ServiceRequestSchema)
_RECEIPT = shape_of(ReceiptSchema)
_EXTENDED_RECEIPT = shape_of(ExtendedReceiptSchema)


@endpoint(
    GEOREPORT,
    "/requests",
    reads=RequestSearchArguments,
    access=ANYBODY,
    answers=ExtendedRequestSchema,
    is_quick=True,
    gathers_problems=True,
    city=City.AT_POINT,
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
    answers=ExtendedReceiptSchema,
    method="POST",
    city=City.AT_POINT,
    gathers_problems=True,
    errors=(409,),
    headers=("Content-Language", "X-Jurisdiction-Id"),
)
def create_request(call: Call) -> Answer:
    """Send a new request.

    A realtime service answers with a service_request_id, a batch service with a token, a blackbox service
    with neither. Send answers to the service's questions in attribute[CODE], or in attribute[CODE][] if an answer
    has several values. Files in a multipart body are kept as photos. With the header Idempotency-Key, a repeated
    call creates no second request. The header Warning names what is ignored.
    """
    ensure_synced(call.platform)
    chosen = choose(call.files, call.platform.settings)
    submission = submission_of(call, chosen.photos)
    limit_device(call.request.environ, submission.reporter.device_id)
    with repeat_key_named_as_sent(call):
        receipt = submit_request(
            call.platform,
            submission,
            jurisdiction=call.city,
            principal=call.caller,
            now=call.now,
            problems=call.problems,
            sender=call.sender(),
            wants_link="extended_attributes" in call.values["extensions"],
        )
    uncounted = count_choice(call.platform, call.city, call.values["suggestion"], receipt, call.caller)
    told = notices_about(
        current_notices(call.platform, call.city, call.now),
        call.city,
        service_code=receipt.service_code,
        point=read_place(lat=submission.lat, long=submission.long)[0].point,
    )
    notice, language = notice_for_caller(receipt, call, chosen.dropped, told=told)
    shown = replace(receipt, service_notice=notice)
    return Answer(
        body=_receipt_body(shown, call),
        language=language,
        status=call.platform.settings.created_status,
        warnings=tuple(submission_warnings(receipt, call, chosen.dropped, uncounted)),
        headers=(("X-Jurisdiction-Id", call.city.id),) if call.platform.settings.hub else (),
    )


def _receipt_body(receipt: Receipt, call: Call) -> bytes:
    """The answer to a POST, with the reporter's link if there is one."""
    content = _RECEIPT.plain(receipt)
    if receipt.status_secret:
        content["extended_attributes"] = {"status_url": status_url(call, receipt.status_secret)}
    return document(_EXTENDED_RECEIPT, [content], call.output)


@endpoint(
    GEOREPORT,
    "/requests/<code:service_request_id>",
    reads=RequestArguments,
    access=ANYBODY,
    answers=ExtendedRequestSchema,
    is_quick=True,
    is_fresh=True,
)
def get_request(call: Call, service_request_id: str) -> Answer:
    """Show one request, as a list of one.

    If no id matches the whole text, it is read as several ids, separated by commas.
    """
    if not service_request_id:
        raise Invalid(tell("is missing; send the id of a request."), "service_request_id")
    extras = call.values["extensions"]
    partner = find_partner(call.platform, call.request, call.city) if extras else None
    page = find_request(call.platform, call.city.id, service_request_id, call.output, extras, partner=partner)
    return Answer(
        body=join_items(_REQUEST, page.items, call.output),
        validator=page.validator,
        cache_control=cache_control(partner),
    )
