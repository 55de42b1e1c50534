"""The first page of a city: what can be reported, a search for services, and the look-up of a report by number."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from open311.domain.services import Service
from open311.errors import NotFound, Unavailable
from open311.formats import JSON
from open311.operations.reading.find_requests import find_request
from open311.operations.suggesting.suggest import suggest
from open311.web.access import ANYBODY
from open311.web.calls import Answer, Call, PageFormat
from open311.web.endpoints import City, endpoint
from open311.web.languages import in_languages
from open311.web.portal.citizens.answers import articles_beside, asks_for_days
from open311.web.portal.notices import notices_of_city
from open311.web.portal.rendering import Frame, page, see_other
from open311.web.portal.shown import ShownRequest
from open311.web.submissions import emergency_notice
from open311.web.surfaces import PORTAL
from schemas.portal import StartArguments


@endpoint(
    PORTAL,
    "/<jurisdiction_id>/",
    reads=StartArguments,
    access=ANYBODY,
    city=City.IN_PATH,
    output=PageFormat.HTML,
    is_fresh=True,
)
def start_page(call: Call) -> Answer:
    """What can be reported to the city. The services that fit the words `q` come first.

    The number of a report leads to the page of this report.
    """
    words, number = call.values["q"].strip(), call.values["number"].strip().lstrip("#").strip()
    frame = Frame(call.request, call.city)
    if number and (id := _public_id(call, frame, number)):
        return see_other(frame.of_request(id))
    offered = call.city.listed(call.city.in_season(call.now))
    services = in_languages(offered, call.city, frame.catalogue_languages)
    suggested = suggest(call.platform, call.city, words, now=call.now) if words else []
    number_of_emergency = call.city.emergency_number((words,))
    return page(
        call,
        "start.html",
        words=words,
        found=in_languages(suggested, call.city, frame.catalogue_languages),
        suggestion=",".join(service.code for service in suggested),
        emergency=emergency_notice(number_of_emergency) if number_of_emergency else None,
        number=number,
        named=_named(call, frame, words),
        answers=articles_beside(call, frame, words) if words else (),
        asks_for_days=bool(words) and asks_for_days(call, frame, words),
        groups=grouped(services),
        told_notices=notices_of_city(call, frame),
    )


def _named(call: Call, frame: Frame, words: str) -> str:
    """The id of the report whose number somebody has typed into the search for services; "" if there is none."""
    if len(words.split()) != 1 or not any(map(str.isdigit, words)):
        return ""
    try:
        return _public_id(call, frame, words.lstrip("#"))
    except Unavailable:  # the services are found without the database
        return ""


def _public_id(call: Call, frame: Frame, number: str) -> str:
    """The id of the public report with exactly this number; "" if there is none."""
    try:
        found = find_request(call.platform, call.city.id, number, JSON)
    except NotFound:
        return ""
    id = ShownRequest(call, frame, found.items[0]).id
    return id if id == number else ""  # the API reads a list of ids too


def grouped(services: Iterable[Service]) -> Sequence[tuple[str, Sequence[Service]]]:
    """The services of each group. Groups and services keep their order; services without a group come last."""
    found: dict[str, list[Service]] = {}
    for service in services:
        found.setdefault(service.group, []).append(service)
    return sorted(found.items(), key=lambda group: not group[0])
