"""A request in lines of text, for staff."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

from open311.domain.events import FoundOutside, Routed
from open311.domain.places import Place
from open311.domain.requests import RequestRecord, TokenState
from open311.domain.workflow import state_of
from open311.operations.workflow.read_request import StaffView
from schemas.values import format_instant

_WIDTH = 13


def name_of(record: RequestRecord) -> str:
    """The name of a request for staff: its id, or its number if it has no id."""
    return record.service_request_id or f"number {record.number}"


def lines_of(view: StaffView, *, asks_for_reporter: bool) -> Iterator[str]:
    """All lines about a request, the most important ones first, its history last."""
    record = view.record
    yield f"{name_of(record)}: {record.service_code}, {record.status}, {record.visibility}"
    yield f"department {record.department or '-'} ({record.route_reason or 'no rule'})"
    for name, text in _facts(view):
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
        first, *rest = _shown(event.description).split("\n")
        yield f"{format_instant(event.at)}  {event.kind:<11} {first}".rstrip()
        yield from (f"{'':34}{line}" for line in rest)
        if event.reason and not isinstance(event, Routed):  # a route has its reason in the line
            yield from (f"{'':34}reason: {line}" for line in _shown(event.reason).split("\n"))


def _facts(view: StaffView) -> Iterator[tuple[str, str]]:
    """Each fact about a request with its name. Facts without a text are not shown."""
    record = view.record
    expected = format_instant(record.expected_at) if record.expected_at else ""
    yield "service", view.service_name
    yield "number", str(record.number)
    yield "token", _token(view.token)
    yield "requested", f"{format_instant(record.requested_at)} by {record.channel or record.source}"
    yield "changed", format_instant(record.changed_at)
    yield "expected", expected
    yield "agency", record.agency_responsible
    yield "state", ", ".join(filter(None, (state_of(record), f"priority {record.priority}", record.assignee)))
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


def _outside(view: StaffView) -> str:
    """Why the point of a request is marked; "" if it is not."""
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
