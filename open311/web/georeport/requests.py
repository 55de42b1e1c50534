"""Requests: new ones, lists, single ones (1.4, 1.6, 1.7)."""

from __future__ import annotations

from urllib.parse import urlencode

from flask import Response, request

from open311.clock import utc_now
from open311.domain.search import RequestSearch
from open311.errors import Invalid
from open311.formats import Format, document, join_items, shape_of
from open311.operations.api_keys import require_key_for
from open311.operations.find_requests import find_request, find_requests, find_validator
from open311.operations.submit_request import submit_request
from open311.operations.sync import ensure_synced
from open311.web.access import caller_key
from open311.web.answers import answer, not_modified
from open311.web.context import platform
from open311.web.georeport.blueprint import georeport
from open311.web.parsing import (
    form_parameters,
    query_parameters,
    read_or_refuse,
    read_search,
    read_submission,
)
from schemas import (
    JurisdictionArguments,
    ReceiptSchema,
    RequestSearchArguments,
    ServiceRequestSchema,
    SubmissionArguments,
)

_REQUEST = shape_of(ServiceRequestSchema)
_RECEIPT = shape_of(ReceiptSchema)
_SEARCH = RequestSearchArguments()
_SUBMISSION = SubmissionArguments()
_JURISDICTION = JurisdictionArguments()


@georeport.call("/requests", takes=RequestSearchArguments, answers=ServiceRequestSchema)
def list_requests(output: Format) -> Response:
    """List requests, newest first.

    Without dates, the last 90 days; at most 1000 at once. Follow the Link header for more.
    """
    arguments = read_or_refuse(_SEARCH, query_parameters())
    jurisdiction = platform().registry.find(arguments["jurisdiction_id"])
    search = read_search(arguments, jurisdiction, now=utc_now(), policy=platform().settings.span_policy)
    _known_services(search, arguments)
    unchanged = _unchanged(search, output)
    if unchanged is not None:
        return unchanged
    page = find_requests(platform(), search, output)
    response = answer(join_items(_REQUEST, page.items, output), output, validator=page.validator)
    _link_pages(response, search, page.has_more)
    return response


def _unchanged(search: RequestSearch, output: Format) -> Response | None:
    """A 304, without reading the items, for a client that has them already."""
    if search.ids or "If-None-Match" not in request.headers:
        return None
    return not_modified(find_validator(platform(), search), output)


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


@georeport.call("/requests/<code:service_request_id>", takes=JurisdictionArguments, answers=ServiceRequestSchema)
def get_request(output: Format, service_request_id: str) -> Response:
    """Show one request, as a list of one.

    A comma list of ids, when no single id matches it, shows several.
    """
    arguments = read_or_refuse(_JURISDICTION, query_parameters())
    jurisdiction = platform().registry.find(arguments["jurisdiction_id"])
    if not service_request_id:
        raise Invalid("is missing; send the id of a request.", "service_request_id")
    page = find_request(platform(), jurisdiction.id, service_request_id, output)
    return answer(join_items(_REQUEST, page.items, output), output, validator=page.validator)


def _known_services(search: RequestSearch, arguments: dict[str, str]) -> None:
    """404 for an unknown service_code filter, where the operator wants that (A22)."""
    if platform().settings.unknown_service_is_404:
        jurisdiction = platform().registry.find(arguments["jurisdiction_id"])
        for code in search.service_codes:
            jurisdiction.require_service(code)


def _link_pages(response: Response, search: RequestSearch, has_more: bool) -> None:
    """Link to the pages around this one (RFC 8288)."""
    pages = {"first": 1, "prev": search.page - 1} if search.page > 1 else {}
    if has_more:
        pages["next"] = search.page + 1
    if pages:
        response.headers["Link"] = ", ".join(
            f'<{_page_url(number)}>; rel="{relation}"' for relation, number in pages.items()
        )


def _page_url(number: int) -> str:
    pairs = [pair for pair in request.args.items(multi=True) if pair[0] != "page"]
    return f"{request.base_url}?{urlencode([*pairs, ('page', str(number))])}"
