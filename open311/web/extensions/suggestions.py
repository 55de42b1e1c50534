"""Services that a citizen's sentence means (spec/extensions.md, X1 to X7)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from open311.domain.services import Service
from open311.formats import document, shape_of
from open311.operations.suggesting.suggest import suggest
from open311.translations import in_language
from open311.web.access import ANYBODY
from open311.web.calls import Answer, Call
from open311.web.endpoints import City, endpoint
from open311.web.georeport.services import ListedService
from open311.web.languages import caller_language, content_language, in_languages
from open311.web.submissions import emergency_notice
from open311.web.surfaces import GEOREPORT
from schemas.suggestions import SuggestionArguments, SuggestionsSchema

_SHAPE = shape_of(SuggestionsSchema)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Suggestions:
    """What the answer has."""

    emergency_number: str
    emergency_notice: str
    services: Sequence[ListedService]


# This path always has a suffix. Without one, it would mean the service with the code "suggest".
@endpoint(
    GEOREPORT,
    "/services/suggest",
    reads=SuggestionArguments,
    access=ANYBODY,
    answers=SuggestionsSchema,
    city=City.AT_POINT,
    by_accept=False,
    is_extension=True,
    headers=("Content-Language",),
)
def suggest_services(call: Call) -> Answer:
    """Suggest at most three services for a citizen's sentence, the best first (extension).

    Show them, and let the person choose: a suggestion may be wrong. The sentence is not stored. If it sounds like
    an emergency, the answer has a notice that belongs before the services. Send the codes that you have shown as
    the parameter `suggestion` of the POST, so that the city learns which suggestions help.
    """
    point = call.point
    found: list[Service] = []
    if point is None or call.city.covers(*point):
        left_out = call.city.not_offered_at(point) if point else ()
        found = suggest(call.platform, call.city, call.values["q"], now=call.now, left_out=left_out)
    languages = call.languages
    number = call.city.emergency_number((call.values["q"],))
    own = caller_language(call.request)
    shown = _Suggestions(
        emergency_number=number,
        emergency_notice=in_language(emergency_notice(number), own) if number else "",
        services=[ListedService.of(one) for one in in_languages(found, call.city, languages)],
    )
    language = content_language(call.city, languages)
    return Answer(
        body=document(_SHAPE, _SHAPE.plain(shown), call.output),
        language=f"{own}, {language}" if number and own != language else language,
        cache_control="no-store",
    )
