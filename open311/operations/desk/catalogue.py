"""The catalogue of a city for staff: the codes that commands and filters accept, with their names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from open311.domain.requests import Priority
from open311.domain.workflow import Outcome, State
from open311.operations.workflow.texts import TEXTS
from open311.plugins import Jurisdiction
from open311.translations import closest, languages, translations_in


def plain_catalogue(city: Jurisdiction) -> dict[str, Any]:
    """The catalogue of a city as plain data (StaffCatalogueSchema)."""
    return {
        "jurisdiction_id": city.id,
        "name": city.name,
        "departments": [{"code": one.code, "name": one.name} for one in city.departments],
        "services": [
            {
                "code": one.code,
                "name": one.name,
                "group": one.group or None,
                "department": one.department or None,
                "is_active": one.active,
                "is_public": one.is_public,
            }
            for one in city.services
        ],
        "areas": sorted(city.areas),
        "states": list(_states(city)),
        "outcomes": [str(outcome) for outcome in Outcome],
        "priorities": [str(priority) for priority in Priority],
        "texts": list(_texts(city)),
    }


def _states(city: Jurisdiction) -> Iterator[dict[str, str | None]]:
    """The states that the city uses. After each state follow the states that the city has added to it."""
    for state in State:
        known = [one for one in city.states if one.state is state]
        if not any(one.hidden and not one.code for one in known):
            name = next((one.name for one in known if not one.code), "")
            yield {"state": state, "detail": None, "name": name or None}
            yield from ({"state": state, "detail": one.code, "name": one.name or None} for one in known if one.code)


@dataclass(frozen=True, slots=True)
class ShownText:
    """A text that citizens read if staff write none.

    language   BCP 47 tag
    outcome    the outcome, or another moment of `domain.workflow.MOMENTS`
    service    the code of the only service that has the text; "" for all
    is_own     whether the city wrote the text; otherwise the server did
    is_public  whether the text can become `status_notes`: only texts in the city's first language can
    """

    language: str
    outcome: str
    service: str
    text: str
    is_own: bool
    is_public: bool


def texts_of(city: Jurisdiction) -> list[ShownText]:
    """The texts for citizens, by language and outcome; first those in the city's first language."""
    order = list(TEXTS)
    first = city.languages[0]
    own = {(one.outcome, one.service or None) for one in city.texts}
    found = [
        ShownText(first, code, one["service_code"] or "", text, (code, one["service_code"]) in own, is_public=True)
        for one in _texts(city)
        if (code := one["outcome"]) and (text := one["text"])
    ]
    found += [
        ShownText(tag, one.outcome, one.service, one.text, is_own=True, is_public=False)
        for tag, translation in city.translations.items()
        for one in translation.texts
    ]
    return sorted(found, key=lambda one: (not one.is_public, one.language, order.index(one.outcome), one.service))


def _texts(city: Jurisdiction) -> Iterator[dict[str, str | None]]:
    """The texts for citizens: the city's texts for one service, those for all services, then the server's own."""
    own = sorted(city.texts, key=lambda one: not one.service)
    for one in own:
        yield {"outcome": one.outcome, "service_code": one.service or None, "text": one.text}
    general = {one.outcome for one in own if not one.service}
    catalogue = translations_in(closest(city.languages[0], languages()))
    for outcome, text in TEXTS.items():
        if outcome not in general:
            yield {"outcome": outcome, "service_code": None, "text": str(catalogue.gettext(text.template))}
