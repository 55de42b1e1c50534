"""A request in lines of text, for staff."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from datetime import datetime, timedelta

from open311.domain.deliveries import DeliveryState
from open311.domain.events import FoundOutside, Promised, Routed, Transferred, Triaged
from open311.domain.places import Place
from open311.domain.questions import answered_at
from open311.domain.requests import RequestRecord, Status, TokenState
from open311.domain.workflow import state_of
from open311.operations.desk.whole_request import WholeRequest
from open311.operations.workflow.read_request import StaffView
from schemas.values import format_instant

_WIDTH = 13
HOURS_IN_WORDS = 48
"""A time of this many hours or more is shown in days."""


def name_of(record: RequestRecord) -> str:
    """The name of a request for staff: its id, or its number if it has no id."""
    return record.service_request_id or f"number {record.number}"


def lines_of(view: StaffView, names: Mapping[str, str], now: datetime, *, asks_for_reporter: bool) -> Iterator[str]:
    """The lines about a request itself, the most important ones first, its history last.

    names  the names of the accounts in the request, by actor, such as `staff:3`
    """
    record = view.record
    yield f"{name_of(record)}: {record.service_code}, {record.status}, {record.visibility}"
    yield f"department {record.department or '-'} ({_why_there(view, names)})"
    for name, text in _facts(view, names, now):
        yield from _fact(name, text)
    for answer in view.answers:
        named = answer.value if answer.name == answer.value else f"{answer.name} ({answer.value})"
        question = answer.label or "no question of this service"
        yield from _fact("answer", f"{question} ({answer.code}): {named}")
    for url in record.media_urls:
        yield from _fact("media", url)
    if asks_for_reporter:
        yield from _reporter(view)
    for event in view.events:
        text = names.get(event.description, event.description)
        first, *rest = _shown(text).split("\n")
        by = f"  (by {_shown(names.get(event.actor, event.actor))})"
        yield f"{format_instant(event.at)}  {event.kind:<11} {first}".rstrip() + by
        yield from (f"{'':34}{line}" for line in rest)
        if event.reason and not isinstance(event, Routed):  # a route has its reason in the line
            yield from (f"{'':34}reason: {line}" for line in _shown(event.reason).split("\n"))


def lines_of_photos(whole: WholeRequest) -> Iterator[str]:
    """The photos that this server keeps of a request, with their states, in lines of text."""
    for one in whole.photos:
        audience = "" if one.is_public else ", only for staff"
        reason = f": {one.reason}" if one.reason else ""
        yield from _fact("photo", f"{one.id}, {one.state}{audience}{reason}")


def lines_of_personal_data(whole: WholeRequest) -> Iterator[str]:
    """What looks like personal data in the public texts of a request, in lines of text."""
    for one in whole.personal_data:
        what = "masked" if one.is_masked else "unmasked"
        yield from _fact(what, f"{one.kind} {one.text} in {one.part}")


def lines_elsewhere(whole: WholeRequest) -> Iterator[str]:
    """The ids of a request in other systems, and its deliveries to back offices, in lines of text."""
    for system, name in whole.external_ids.items():
        yield from _fact("id elsewhere", f"{name} ({system})")
    for one in whole.deliveries:
        cause = f": {one.cause}" if one.cause and one.state is not DeliveryState.DONE else ""
        yield from _fact("delivery", f"{one.id}, {one.subject} to {one.backend}, {one.state}{cause}")


def _why_there(view: StaffView, names: Mapping[str, str]) -> str:
    """Why a department has the request: the rule that chose it, or who has transferred it."""
    moved = [event for event in view.events if isinstance(event, Routed | Triaged | Transferred)]
    if moved and isinstance(moved[-1], Transferred):
        return f"transferred by {_shown(names.get(moved[-1].actor, moved[-1].actor))}"
    return view.record.route_reason or "no rule"


def _facts(view: StaffView, names: Mapping[str, str], now: datetime) -> Iterator[tuple[str, str]]:
    """Each fact about a request with its name. Facts without a text are not shown."""
    record = view.record
    yield "service", view.service_name
    yield "number", str(record.number)
    yield "token", _token(view.token)
    yield "requested", f"{format_instant(record.requested_at)} by {record.channel or record.source}"
    yield "changed", format_instant(record.changed_at)
    yield "due", _due(view, now)
    yield "agency", record.agency_responsible
    assignee = names.get(record.assignee, record.assignee)
    yield "state", ", ".join(filter(None, (state_of(record), f"priority {record.priority}", assignee)))
    answered = answered_at(view.events)
    yield "reply", f"to your question came at {format_instant(answered)}" if answered else ""
    yield "visit", format_instant(record.scheduled_at) if record.scheduled_at else ""
    yield "merged into", f"number {record.merged_into}" if record.merged_into else ""
    yield "details", ", ".join(filter(None, (record.detailed_status, record.outcome)))
    yield "status note", record.status_notes
    yield "place", _place(record.place)
    yield "areas", ", ".join(record.areas)
    yield "boundary", _outside(view)
    yield "description", record.description
    yield "notice", record.service_notice
    yield "duplicate?", record.possible_duplicate_of


def _due(view: StaffView, now: datetime) -> str:
    """The due date of a request, how long it is overdue, and the service level or the reason for the date."""
    record = view.record
    if record.expected_at is None:
        return ""
    clock = record.updated_at if record.status is Status.CLOSED else record.held_since or now
    hours = (clock - record.expected_at) // timedelta(hours=1)
    late = f"{hours // 24} days" if hours >= HOURS_IN_WORDS else f"{hours} hours"
    promised = [event for event in view.events if isinstance(event, Promised)]
    parts = (
        format_instant(record.expected_at),
        f"overdue for {late}" if clock > record.expected_at else "",
        promised[-1].reason if promised and promised[-1].expected == record.expected_at else "",
    )
    return ", ".join(filter(None, parts))


def _outside(view: StaffView) -> str:
    """Why a request is flagged as outside; "" if it is not."""
    found = next((event for event in view.events if isinstance(event, FoundOutside)), None)
    if found is not None and found.service:
        return "The service is not offered at this point."
    return "The point lies outside the city." if view.record.is_outside else ""


def _fact(name: str, text: str) -> Iterator[str]:
    first, *rest = _shown(text).split("\n")
    if text:
        yield f"{name:<{_WIDTH}}{first}"
        yield from (f"{'':<{_WIDTH}}{line}" for line in rest)


def _token(token: TokenState | None) -> str:
    if token is None:
        return ""
    state = token.failure and f"rejected: {token.failure}"
    return f"{token.token} ({state or (token.service_request_id and 'resolved') or 'waits for an id'})"


def _place(place: Place) -> str:
    point = f"{place.lat}, {place.long} (lat, long)" if place.has_point else ""
    identifier = f"address_id {place.address_id}" if place.address_id else ""
    return "; ".join(filter(None, (point, place.address, place.zipcode, identifier)))


def _reporter(view: StaffView) -> Iterator[str]:
    if view.reporter is None:
        yield from _fact("reporter", "nothing is known")
        return
    for row in fields(view.reporter):
        if text := getattr(view.reporter, row.name):
            yield from _fact("reporter", f"{row.name}: {text}")


def _shown(text: str) -> str:
    """The text with escapes for characters that could control the terminal."""
    return "".join(
        sign if sign.isprintable() or sign == "\n" else sign.encode("unicode_escape").decode() for sign in text
    )
