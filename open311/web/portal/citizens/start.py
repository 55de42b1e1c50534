"""The first page of a city: what can be reported, a search among it, and the look-up of a report by its number."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from open311.domain.services import Service
from open311.domain.word_search import Texts, find
from open311.errors import NotFound, Unavailable
from open311.formats import JSON
from open311.operations.reading.find_requests import find_request
from open311.web.access import ANYBODY
from open311.web.calls import Answer, Call, PageFormat
from open311.web.endpoints import City, endpoint
from open311.web.languages import in_languages
from open311.web.portal.citizens.answers import articles_beside
from open311.web.portal.notices import notices_of_city
from open311.web.portal.rendering import Frame, page, see_other
from open311.web.portal.shown import ShownRequest
from open311.web.surfaces import PORTAL
from schemas.portal import StartArguments


@endpoint(
    PORTAL,
    "/<jurisdiction_id>/",
    reads=StartArguments,
    access=ANYBODY,
    city=City.IN_PATH,
    output=PageFormat.HTML,
)
def start_page(call: Call) -> Answer:
    """What can be reported to the city, or what fits the words of a search. With a number: the report with it."""
    words, number = call.values["q"].strip(), call.values["number"].strip().lstrip("#").strip()
    frame = Frame(call.request, call.city)
    if number and (id := _public_id(call, frame, number)):
        return see_other(frame.of_request(id))
    offered = call.city.listed(call.city.in_season(call.now))
    services = in_languages(offered, call.city, frame.catalogue_languages)
    found = [services[place] for place in find(tuple(map(_texts, services, offered)), words)] if words else []
    return page(
        call,
        "start.html",
        words=words,
        found=found,
        number=number,
        named=_named(call, frame, words),
        answers=articles_beside(call, frame, words) if words else (),
        groups=() if found else grouped(services),
        told_notices=notices_of_city(call, frame),
    )


def _texts(shown: Service, own: Service) -> Texts:
    """The texts of a service in the reader's language and in the city's own."""
    both = (shown,) if shown is own else (shown, own)
    return Texts(
        name=" ".join(one.name for one in both),
        keywords=" ".join(word for one in both for word in one.keywords),
        group=" ".join(one.group for one in both),
        description=" ".join(one.description for one in both),
    )


def _named(call: Call, frame: Frame, words: str) -> str:
    """The id of the report whose number somebody has typed into the search for services; "" if it is none."""
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
    """The services of each group. Groups and services keep their order; those without a group come last."""
    found: dict[str, list[Service]] = {}
    for service in services:
        found.setdefault(service.group, []).append(service)
    return sorted(found.items(), key=lambda group: not group[0])
