"""The first page of a city: what can be reported, and a search among it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from open311.domain.services import Service
from open311.domain.text import folded
from open311.web.access import ANYBODY
from open311.web.calls import Answer, Call, PageFormat
from open311.web.endpoints import City, endpoint
from open311.web.languages import in_languages
from open311.web.portal.rendering import Frame, page
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
    """What can be reported to the city, by group, or what fits the words of a search."""
    words = call.values["q"]
    frame = Frame(call.request, call.city)
    services = in_languages(call.city.listed(call.city.in_season(call.now)), call.city, frame.catalogue_languages)
    found = [one for one in services if fits(one, words)]
    return page(call, "start.html", words=words, groups=grouped(found), count=len(found))


def fits(service: Service, words: str) -> bool:
    """Whether the texts of a service have all words of a search."""
    text = folded(" ".join((service.name, service.description, service.group, *service.keywords)))
    return all(word in text for word in folded(words).split())


def grouped(services: Iterable[Service]) -> Sequence[tuple[str, Sequence[Service]]]:
    """The services of each group. Groups and services keep their order; those without a group come last."""
    found: dict[str, list[Service]] = {}
    for service in services:
        found.setdefault(service.group, []).append(service)
    return sorted(found.items(), key=lambda group: not group[0])
