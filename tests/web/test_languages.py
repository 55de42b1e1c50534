"""Texts in the caller's language: `locale` first, then Accept-Language, then the city's own language."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from lxml import etree

from open311.domain.services import ServiceTranslation, Translation
from tests import build

BASE = "/open311/v2"
ENGLISH, SPANISH = ("en", "Pothole"), ("es", "Bache")

both_formats = pytest.mark.parametrize("format", ["json", "xml"])


def names(client: FlaskClient, format: str, query: str = "", **headers: str) -> tuple[str, str]:
    """The language of the list of services, and the name of the first service."""
    answer = client.get(f"{BASE}/services.{format}?{query}", headers=headers)
    assert answer.status_code == 200
    assert "Accept-Language" in answer.headers["Vary"]
    document = etree.fromstring(answer.data) if format == "xml" else None
    name = answer.json[0]["service_name"] if document is None else document.findtext("service/service_name")
    return answer.headers["Content-Language"], name or ""


@both_formats
@pytest.mark.requirement("C071")
@pytest.mark.requirement("C298")
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ENGLISH),
        ("locale=es", SPANISH),
        ("langcode=es", SPANISH),
        ("locale=ES", SPANISH),
        ("locale=es_MX", SPANISH),
        ("locale=es-419", SPANISH),
        ("locale=en", ENGLISH),
        ("locale=xx", ENGLISH),
        ("locale=", ENGLISH),
        ("locale=%20es%20", SPANISH),
        ("locale=../../etc", ENGLISH),
        ("locale=en&langcode=es", ENGLISH),
    ],
)
def test_locale_chooses_the_language(
    client: FlaskClient, format: str, query: str, expected: tuple[str, str]
) -> None:
    assert names(client, format, query) == expected


@both_formats
@pytest.mark.requirement("C297")
@pytest.mark.parametrize(
    ("accepted", "expected"),
    [
        ("es", SPANISH),
        ("es-MX,es;q=0.9,en;q=0.8", SPANISH),
        ("en-GB, es;q=0.5", ENGLISH),
        ("fr, es;q=0.5", SPANISH),
        ("es;q=0.2, en;q=0.9", ENGLISH),
        ("fr-FR", ENGLISH),
        ("*", ENGLISH),
        ("es;q=0", ENGLISH),
        ("en;q=0, es", SPANISH),
        ("", ENGLISH),
        (";;,,;q=x", ENGLISH),
    ],
)
def test_accept_language_chooses_the_language_without_locale(
    client: FlaskClient, format: str, accepted: str, expected: tuple[str, str]
) -> None:
    assert names(client, format, **{"Accept-Language": accepted}) == expected


def test_locale_overrides_accept_language(client: FlaskClient) -> None:
    assert names(client, "json", "locale=es", **{"Accept-Language": "en"}) == SPANISH
    assert names(client, "json", "locale=en", **{"Accept-Language": "es"}) == ENGLISH


@both_formats
def test_all_texts_of_a_definition_are_translated_but_no_code_or_key(client: FlaskClient, format: str) -> None:
    def read(locale: str) -> list[dict[str, Any]]:
        attributes: list[dict[str, Any]] = client.get(f"{BASE}/services/graffiti.json?locale={locale}").json[
            "attributes"
        ]
        return attributes

    assert client.get(f"{BASE}/services/graffiti.{format}?locale=es").headers["Content-Language"] == "es"
    fixed = ("variable", "code", "datatype", "required", "order")
    for english, spanish in zip(read("en"), read("es"), strict=True):
        assert [english[name] for name in fixed] == [spanish[name] for name in fixed]
        assert english["description"] != spanish["description"]
        values, translated = english.get("values", []), spanish.get("values", [])
        assert [value["key"] for value in values] == [value["key"] for value in translated]
        assert values != translated or not values


def test_group_keywords_and_description_are_translated_too(client: FlaskClient) -> None:
    (found,) = (
        item for item in client.get(f"{BASE}/services.json?locale=es").json if item["service_code"] == "potholes"
    )
    assert (found["group"], found["keywords"]) == ("Calles", "calle, camino, asfalto")
    assert found["description"].startswith("Un hoyo")


def test_a_text_without_translation_is_in_the_citys_language(make_app: Callable[..., Flask]) -> None:
    city = build.city(
        languages=("en", "es", "fr"),
        translations={
            "es": Translation(services={"potholes": ServiceTranslation(name="Bache")}),
            "fr": Translation(services={"trees": ServiceTranslation(name="Arbre")}),
        },
    )
    client = make_app(city).test_client()

    def ask(accepted: str) -> list[str]:
        found = client.get(f"{BASE}/services.json", headers={"Accept-Language": accepted}).json
        return [item["service_name"] for item in found]

    assert ask("es") == ["Bache", "Tree", "Talk to us"]
    assert ask("fr, es;q=0.5") == ["Bache", "Arbre", "Talk to us"]
    assert ask("en, es") == ["Pothole", "Tree", "Talk to us"]
