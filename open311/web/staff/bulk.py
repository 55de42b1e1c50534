"""One command for several requests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from open311.domain.commands import Command
from open311.errors import Invalid, Problem
from open311.formats import JSON
from open311.operations.desk.bulk import (
    REFUSED,
    UNCHANGED,
    BulkResult,
    Selected,
    Selection,
    act_on_all,
    select_requests,
)
from open311.operations.desk.orders import make_command
from open311.operations.desk.views import search_of
from open311.operations.platform import Platform
from open311.web.access import STAFF as STAFF_ONLY
from open311.web.calls import Answer, Call
from open311.web.endpoints import City, Media, endpoint
from open311.web.languages import for_caller
from open311.web.staff.answers import staff_answer
from open311.web.staff.conditions import IDEMPOTENCY_KEY, IF_MATCH, repeat_key
from open311.web.staff.filters import read_filters
from open311.web.streams import Lanes
from open311.web.surfaces import STAFF
from schemas.staff import COMMANDS, MAX_BULK, BulkBody, BulkSchema, StaffArguments
from schemas.texts import tell

LANES = 1
"""How many calls of `/bulk` each web process works on at a time."""


@endpoint(
    STAFF,
    "/bulk",
    reads=StaffArguments,
    access=STAFF_ONLY,
    answers=Media("application/json", BulkSchema()),
    output=JSON,
    city=City.OF_CALLER,
    method="POST",
    body=BulkBody,
    conditions=(IDEMPOTENCY_KEY,),
)
def act_on_requests(call: Call) -> Answer:
    """Give one command for up to 500 requests, by ids or by the filters of a queue.

    Without `"dry_run": false`, nothing changes, and the answer says what would change. Each request is changed
    separately. The answer says for each request what happened or why the command was refused. With a `version`, a
    request is refused if somebody else has changed it since. A call with the Idempotency-Key of an earlier call is
    for the requests of the earlier call, and does not change a request a second time. A web process works on one
    such call at a time. During that time, another call gets 503 with `Retry-After`.
    """
    if IF_MATCH in call.request.headers:
        fault = tell(
            "is for one request, and this call is for several; send their versions in `ids`, as"
            ' {{"id": "8841", "version": 3}}.'
        )
        raise Invalid(fault, IF_MATCH)
    is_dry = call.body.get("dry_run", True)
    with bulk_lane(call.platform):
        results = act_on_all(
            call.platform,
            call.city,
            _selection(call),
            _command(call),
            principal=call.caller,
            now=call.now,
            is_dry=is_dry,
            repeat_key=repeat_key(call.request),
            sent={name: call.body.get(name) for name in ("ids", "filters")},
        )
    return staff_answer(_plain(results, call, is_dry=is_dry))


@contextmanager
def bulk_lane(platform: Platform) -> Iterator[None]:
    """Occupy the lane of this web process for bulk commands, which take long.

    Raises Unavailable if the lane is already occupied.
    """
    leave = platform.process.cached(_make_lanes)(LANES).enter()
    try:
        yield
    finally:
        leave()


def _make_lanes(count: int) -> Lanes:
    return Lanes(count, tell("Another bulk command is running; try again in a moment."))


def _selection(call: Call) -> Selection:
    """The requests that the call names. Raises Invalid unless the call has either ids or filters."""
    if ("ids" in call.body) == ("filters" in call.body):
        raise Invalid(tell("send either ids or filters."), "ids")
    if "ids" in call.body:
        return [Selected(name, version) for name, version in call.body["ids"]]
    values = read_filters(call.body["filters"])
    search = search_of(call.platform, call.city, values, principal=call.caller)
    return partial(select_requests, call.platform, search, call.now, most=MAX_BULK)


def _command(call: Call) -> Command:
    name = call.body["command"]
    values, problems = COMMANDS[name](zone=call.city.zone).read(call.body.get("arguments", {}))
    if problems:
        raise Invalid.of(Problem(f"arguments.{field[:40]}", text) for field, text in problems)
    return make_command(name, values)


def _plain(results: Sequence[BulkResult], call: Call, *, is_dry: bool) -> dict[str, Any]:
    refused = sum(one.result == REFUSED for one in results)
    unchanged = sum(one.result == UNCHANGED for one in results)
    return {
        "dry_run": is_dry,
        "changed": len(results) - refused - unchanged,
        "unchanged": unchanged,
        "refused": refused,
        "results": [
            {
                "id": one.name,
                "service_request_id": one.id or None,
                "number": one.number or None,
                "result": one.result,
                "changes": list(one.changes),
                "why": _in_words(one.problems, call) or None,
                "version": one.version or None,
            }
            for one in results
        ],
    }


def _in_words(problems: Sequence[Problem], call: Call) -> str:
    """The problems in the caller's language."""
    return "; ".join(str(Problem(one.field, for_caller(one.message, call.request))) for one in problems)
