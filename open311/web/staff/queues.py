"""Queues of requests, their counts, and the requests near a place."""

from __future__ import annotations

from typing import Any

from werkzeug.wrappers import Request

from open311.clock import utc_now
from open311.domain.search import Circle
from open311.formats import JSON
from open311.operations.desk.queues import count_queues, find_around, queue_search
from open311.operations.desk.rendered_queue import LastSearch, render_queue
from open311.operations.desk.rendering import plain_around, plain_counts
from open311.operations.platform import Platform
from open311.storage.hot.ahead import ReadAhead
from open311.web.access import STAFF as STAFF_ONLY
from open311.web.access import bearer
from open311.web.calls import Answer, Call
from open311.web.endpoints import City, Media, endpoint
from open311.web.links import page_url
from open311.web.parsing import MOST_REMEMBERED_BYTES
from open311.web.staff.answers import staff_answer
from open311.web.surfaces import AHEAD, STAFF
from schemas.staff import CrewArguments, CrewSchema, QueueArguments, QueueCountsSchema, QueueSchema, StaffArguments

_SHARED: dict[str, Any] = {"access": STAFF_ONLY, "output": JSON, "city": City.OF_CALLER}


def _last_search(platform: Platform, request: Request) -> LastSearch:
    return LastSearch.of(platform, hash((request.query_string, bearer(request))))


def _expected(platform: Platform, request: Request) -> ReadAhead:
    return _last_search(platform, request).read_ahead(platform, utc_now())


@endpoint(
    STAFF,
    "/requests",
    reads=QueueArguments,
    answers=Media("application/json", QueueSchema()),
    headers=("Link",),
    is_quick=True,
    expects=_expected,
    **_SHARED,
)
def list_queue(call: Call) -> Answer:
    """List the requests that wait for the account's departments, the earliest due date first.

    With neither `state=closed` nor `merged=true`, the list has the open requests that are not merged into others.
    With `state=closed`, the request that was closed last comes first.
    """
    is_kept = len(call.request.query_string) <= MOST_REMEMBERED_BYTES  # longer queries rarely come twice
    search = queue_search(call.platform, call.city, call.values, principal=call.caller, is_kept=is_kept)
    _last_search(call.platform, call.request).search = search
    ahead: ReadAhead = call.request.environ[AHEAD]
    page = render_queue(call.platform, call.city, search, call.now, run=ahead.rows)
    links = () if page.cursor is None else (("Link", f'<{page_url(call, {"cursor": page.cursor})}>; rel="next"'),)
    return staff_answer(page.json, validator=page.validator, headers=links)


# The rule /requests/<id> of requests.py matches this path too, so this endpoint must be registered first. The order
# is that of the modules' names.
@endpoint(
    STAFF,
    "/requests/nearby",
    reads=CrewArguments,
    answers=Media("application/json", CrewSchema()),
    **_SHARED,
)
def list_requests_around(call: Call) -> Answer:
    """List the open requests of the account's departments around a place, the nearest first."""
    values = call.values
    circle = Circle(values["long"], values["lat"], values["radius"])
    page = find_around(call.platform, call.city, circle, most=values["page_size"], principal=call.caller)
    return staff_answer(plain_around(page, call.city, call.now))


@endpoint(
    STAFF,
    "/queues",
    reads=StaffArguments,
    answers=Media("application/json", QueueCountsSchema()),
    **_SHARED,
)
def list_queues(call: Call) -> Answer:
    """Count the requests that wait in each department of the account."""
    counted = count_queues(call.platform, call.city, principal=call.caller, now=call.now)
    return staff_answer(plain_counts(counted, call.city))
