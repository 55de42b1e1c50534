"""The operation that finds the services that a citizen's sentence means."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from open311.domain.service_search import ServiceSearch, Texts
from open311.domain.services import Service, translate
from open311.operations.platform import Platform
from open311.plugins import Jurisdiction
from open311.plugins.lexicon import lexicons_of
from schemas.limits import MOST_SUGGESTIONS


def suggest(
    platform: Platform, city: Jurisdiction, sentence: str, *, now: datetime, left_out: Collection[str] = ()
) -> list[Service]:
    """At most three services that the sentence means, the best first. None if it has no word of a service.

    left_out  codes of services that are not suggested, because they are not offered at the place
    """
    offered = platform.process.cached(_offered, most=64)(city, city.in_season(now))
    fitting = (offered.services[number] for number in offered.search.find(sentence))
    return [service for service in fitting if service.code not in left_out][:MOST_SUGGESTIONS]


@dataclass(frozen=True, slots=True)
class _Offered:
    """The services that everybody can report now, and the search among them."""

    services: tuple[Service, ...]
    search: ServiceSearch


def _offered(city: Jurisdiction, in_season: tuple[str, ...]) -> _Offered:
    services = city.listed(in_season)
    return _Offered(services, search_among(city, services))


def search_among(city: Jurisdiction, services: tuple[Service, ...]) -> ServiceSearch:
    """The search among some services of a city, by their texts in all languages."""
    return ServiceSearch([dict(_texts(city, service)) for service in services], lexicons_of(city))


def texts_by_language(city: Jurisdiction, service: Service) -> Mapping[str, Service]:
    """A service in each language of the city's catalogue."""
    translated = {tag: translate(service, texts) for tag, texts in city.translations.items()}
    return {city.languages[0]: service} | translated


def _texts(city: Jurisdiction, service: Service) -> Iterator[tuple[str, Texts]]:
    for tag, shown in texts_by_language(city, service).items():
        asked = [attribute for attribute in shown.attributes if attribute.is_shown]
        values = (value.name for attribute in asked for value in attribute.values)
        yield (
            tag,
            Texts(
                name=shown.name,
                keywords=" ".join(shown.keywords),
                group=shown.group,
                description=shown.description,
                questions=" ".join((*(attribute.description for attribute in asked), *values)),
            ),
        )
