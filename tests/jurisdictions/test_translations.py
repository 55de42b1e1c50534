"""The catalogues in other languages, and the words that sound like an emergency."""

from __future__ import annotations

import pytest

from open311.plugins import Jurisdiction
from open311.plugins.registry import load_registry

CITIES = load_registry(()).jurisdictions
TRANSLATED = [(city, tag) for city in sorted(CITIES) for tag in CITIES[city].languages[1:]]
REAL = sorted(set(CITIES) - {"city.example"})


def test_boston_and_toronto_are_translated() -> None:
    assert CITIES["cityofboston.gov"].languages == ("en", "es", "ht")
    assert CITIES["toronto.ca"].languages == ("en", "fr", "zh-Hans")


@pytest.mark.parametrize(("city_id", "tag"), TRANSLATED)
def test_every_name_description_and_question_is_translated(city_id: str, tag: str) -> None:
    city: Jurisdiction = CITIES[city_id]
    translation = city.translations[tag]
    assert set(translation.groups) == {one.group for one in city.services if one.group}
    for service in city.services:
        texts = translation.services[service.code]
        for name in ("name", "description", "notice"):
            assert bool(getattr(texts, name)) >= bool(getattr(service, name)), f"{service.code}: {name}"
        for attribute in service.attributes:
            found = texts.attributes[attribute.code]
            for name in ("description", "datatype_description"):
                assert bool(getattr(found, name)) >= bool(getattr(attribute, name)), f"{attribute.code}: {name}"


@pytest.mark.parametrize("city_id", REAL)
@pytest.mark.parametrize(
    "text",
    [
        "The bin is on FIRE!",
        "Hay fuego en la esquina",
        "il y a une odeur de gaz",
        "Gen yon kay ki pran dife",
        "这里有人流血",
        "يوجد حريق هنا",
    ],
)
def test_words_for_emergencies_are_known_in_six_languages(city_id: str, text: str) -> None:
    assert CITIES[city_id].emergency_number([text]) == "911"


@pytest.mark.parametrize("city_id", REAL)
@pytest.mark.parametrize("text", ["A fire hydrant leaks", "le feu ne change pas", "路灯不亮", "عمود إنارة مطفأ"])
def test_ordinary_reports_do_not_sound_like_an_emergency(city_id: str, text: str) -> None:
    assert CITIES[city_id].emergency_number([text]) == ""
