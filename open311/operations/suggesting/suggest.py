"""The operation that finds the services that a citizen's sentence means."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from open311.domain.service_model import ServiceModel, with_model
from open311.domain.services import Service, translate
from open311.domain.text_search import Texts, TextSearch
from open311.operations.platform import Platform
from open311.operations.suggesting.models import model_of
from open311.plugins import Jurisdiction
from open311.plugins.lexicon import lexicons_of
from schemas.limits import MOST_SUGGESTIONS

MODEL_WEIGHT, LEAST_LIKELY = 2.0, 0.2
"""The arguments `weight` and `least` of `with_model`, which adds the model to the search."""


def suggest(
    platform: Platform, city: Jurisdiction, sentence: str, *, now: datetime, left_out: Collection[str] = ()
) -> list[Service]:
    """At most three services that the sentence may mean, the best first; an empty list if nothing fits.

    left_out  codes of services that are not suggested, because they are not offered at the place
    """
    offered = platform.process.cached(offered_in, most=64)(city, city.in_season(now))
    model = model_of(platform, city)
    codes = ranked(offered, sentence, model)
    fitting = (offered.by_code[code] for code in codes if code not in left_out)
    return list(islice(fitting, MOST_SUGGESTIONS))


def ranked(offered: Offered, sentence: str, model: ServiceModel | None = None) -> list[str]:
    """Codes of the services that a sentence means, the best first: by the search, and by the model if any."""
    hits = [(offered.services[hit.number].code, hit.points) for hit in offered.search.rank(sentence)]
    if model is None:
        return [code for code, _ in hits]
    likely = {code: share for code, share in model.likely(sentence).items() if code in offered.by_code}
    return with_model(hits, likely, weight=MODEL_WEIGHT, least=LEAST_LIKELY)


@dataclass(frozen=True, slots=True)
class Offered:
    """The services to which everybody can report now, and the search among them."""

    services: tuple[Service, ...]
    by_code: Mapping[str, Service]
    search: TextSearch


def offered_in(city: Jurisdiction, in_season: tuple[str, ...]) -> Offered:
    """The services of a city with the search among them. Preparing the search takes some tenths of a second."""
    services = city.listed(in_season)
    by_code = {service.code: service for service in services}
    return Offered(services, by_code, search_among(city, services))


def search_among(city: Jurisdiction, services: tuple[Service, ...]) -> TextSearch:
    """The search among some services of a city, by their texts in all languages."""
    return TextSearch([dict(_texts(city, service)) for service in services], lexicons_of(city))


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
