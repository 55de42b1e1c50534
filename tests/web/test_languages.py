"""Texts in the caller's language: `locale` first, then Accept-Language, then the city's own language."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from lxml import etree
from werkzeug.wrappers import Request

from open311.clock import utc_now
from open311.domain.services import ServiceTranslation, Translation
from open311.media.kinds import readable_kinds
from open311.operations.access.api_keys import add_key
from open311.web.answers import warning_headers
from schemas.texts import Message, tell
from tests import build
from tests.checked_client import platform_of

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
        ("fi, es;q=0.5", SPANISH),
        ("es;q=0.2, en;q=0.9", ENGLISH),
        ("fi-FI", ENGLISH),
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


# --- Errors, warnings and notices

IN_SPANISH = {"Accept-Language": "es-MX, en;q=0.5"}
PLACE = {"service_code": "potholes", "lat": "60.1718", "long": "24.9414"}
NOTICE = "Se asegura en un día hábil y se repara en diez."
KINDS = ", ".join(kind.name for kind in readable_kinds())
NO_PHOTO = f"no es una imagen que se pueda mostrar aquí; envíe una imagen de uno de estos tipos: {KINDS}"
PHOTOS = f"Su solicitud se guarda, pero no el archivo de photo: {NO_PHOTO}."


def described(answer: Any) -> list[str]:
    """The texts of the errors in an answer."""
    if answer.mimetype == "application/json":
        return [row["description"] for row in answer.json]
    return [element.text or "" for element in etree.fromstring(answer.data).iter("description")]


def warnings_of(answer: Any) -> list[str]:
    return [text.removeprefix('299 - "').removesuffix('"') for text in answer.headers.getlist("Warning")]


@both_formats
@pytest.mark.parametrize(
    ("path", "english", "spanish"),
    [
        (
            "services/nope",
            "service_code: 'nope' is not in the service list of city.example.",
            "service_code: 'nope' no está en la lista de servicios de city.example.",
        ),
        (
            "requests/nope",
            "service_request_id: 'nope' is not a request here.",
            "service_request_id: 'nope' no es una solicitud de aquí.",
        ),
        (
            "tokens/nope",
            "token: 'nope' is not a token here.",
            "token: 'nope' no es un token de aquí.",
        ),
        (
            "nothing/here",
            "There is nothing at this address; see the API page at /docs.",
            "No hay nada en esta dirección; consulte la página de la API en /docs.",
        ),
    ],
)
def test_an_error_is_in_the_callers_language(
    client: FlaskClient, format: str, path: str, english: str, spanish: str
) -> None:
    plain = client.get(f"{BASE}/{path}.{format}")
    assert (described(plain), plain.headers["Content-Language"]) == ([english], "en")
    answer = client.get(f"{BASE}/{path}.{format}", headers=IN_SPANISH)
    assert (described(answer), answer.headers["Content-Language"]) == ([spanish], "es")
    assert answer.status_code == plain.status_code
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Accept-Language" in answer.headers["Vary"]


@both_formats
def test_all_errors_of_a_call_are_in_the_callers_language(client: FlaskClient, format: str) -> None:
    path = f"{BASE}/requests.{format}?status=odd&radius=5&page=x&start_date=2026-13-01&page_size=0"
    assert sorted(described(client.get(path, headers=IN_SPANISH))) == [
        "lat: falta; envíe lat, long y radius juntos.",
        "long: falta; envíe lat, long y radius juntos.",
        "page: 'x' no es un número entero de 0 a 999999999.",
        "page_size: '0' no es un número entero mayor o igual que 1.",
        "start_date: '2026-13-01' no es una fecha con hora; escríbala como 2026-03-01T09:30:00Z o con una"
        " diferencia horaria como -05:00.",
        "status: 'odd' no se conoce; envíe open, closed o ambos.",
    ]


@pytest.mark.parametrize(
    ("query", "accepted", "language"),
    [
        ("locale=es", "", "es"),
        ("langcode=es_MX", "", "es"),
        ("locale=en", "es", "en"),
        ("locale=xx", "es", "en"),
        ("locale=", "es", "es"),
        ("", "fi, es;q=0.5", "es"),
        ("", "en, es", "en"),
        ("", "es;q=0, en", "en"),
        ("", "fi", "en"),
        ("", "*", "en"),
        ("", "es-419", "es"),
        ("", ";;,q=", "en"),
    ],
)
def test_locale_or_accept_language_chooses_the_language_of_an_error(
    client: FlaskClient, query: str, accepted: str, language: str
) -> None:
    answer = client.get(f"{BASE}/requests/nope.json?{query}", headers={"Accept-Language": accepted})
    assert answer.headers["Content-Language"] == language
    assert ("no es una solicitud" in answer.json[0]["description"]) is (language == "es")


def test_one_query_is_answered_in_the_language_of_each_caller(client: FlaskClient) -> None:
    path = f"{BASE}/requests.json?page_size=2000"
    english, spanish = ["page_size is cut to 1000"], ["page_size se limita a 1000"]
    for _ in range(2):
        assert warnings_of(client.get(path)) == english
        answer = client.get(path, headers=IN_SPANISH)
        assert warnings_of(answer) == spanish
        assert "Accept-Language" in answer.headers["Vary"]


def test_a_warning_of_an_error_is_in_the_callers_language_too(client: FlaskClient) -> None:
    answer = client.get(f"{BASE}/requests.json?lng=1&lat=2&page=x", headers=IN_SPANISH)
    assert answer.status_code == 400
    assert warnings_of(answer) == [
        "lng no se tiene en cuenta; ¿quiso decir long?",
        "lat no se tiene en cuenta sin radius; envíe radius en metros, o bbox",
    ]


def test_names_that_are_ignored_together_are_joined_in_the_callers_language(client: FlaskClient) -> None:
    path = f"{BASE}/requests.json?service_request_id=1&status=open&q=x&area=y"
    assert warnings_of(client.get(path)) == ["status and q and area are ignored beside service_request_id"]
    assert warnings_of(client.get(path, headers=IN_SPANISH)) == [
        "status y q y area no se tienen en cuenta junto a service_request_id"
    ]


@both_formats
def test_the_errors_of_a_post_are_in_the_callers_language(client: FlaskClient, key: str, format: str) -> None:
    sent = PLACE | {"api_key": key, "service_code": "graffiti", "attribute[SURFACE]": "wood", "lat": "95"}
    answer = client.post(f"{BASE}/requests.{format}", data=sent, headers=IN_SPANISH)
    assert answer.status_code == 400
    assert described(answer) == [
        "lat: 95 está fuera de -90..90; envíe grados WGS 84.",
        "SURFACE no tiene la clave 'wood'; envíe una de estas: brick, metal, 001.",
    ]
    refused = client.post(f"{BASE}/requests.{format}", data=PLACE | {"locale": "es"})
    assert described(refused) == [
        "api_key: falta; envíe una api_key válida como parámetro, en Authorization: Bearer o en X-Api-Key."
    ]


@both_formats
@pytest.mark.parametrize(
    ("headers", "sent", "language"),
    [(IN_SPANISH, {}, "es"), ({}, {"locale": "es"}, "es"), ({}, {"langcode": "ES"}, "es"), ({}, {}, "en")],
)
def test_the_notice_of_a_post_is_in_the_callers_language(
    client: FlaskClient, key: str, format: str, headers: dict[str, str], sent: dict[str, str], language: str
) -> None:
    data = PLACE | {"api_key": key} | sent
    answer = client.post(f"{BASE}/requests.{format}", data=data, headers=headers)
    assert answer.headers["Content-Language"] == language
    assert (NOTICE in answer.text) is (language == "es")
    assert warnings_of(answer) == []


def test_the_stored_notice_stays_in_the_citys_language(client: FlaskClient, key: str) -> None:
    created = client.post(f"{BASE}/requests.json", data=PLACE | {"api_key": key}, headers=IN_SPANISH).json[0]
    assert created["service_notice"] == NOTICE
    read = client.get(f"{BASE}/requests/{created['service_request_id']}.json", headers=IN_SPANISH).json[0]
    assert read["service_notice"] == "Made safe within one working day, mended within ten."


def test_a_repeated_post_gets_its_notice_in_the_language_of_the_repeat(client: FlaskClient, key: str) -> None:
    data = PLACE | {"api_key": key}
    first = client.post(f"{BASE}/requests.json", data=data, headers={"Idempotency-Key": "one"})
    again = client.post(f"{BASE}/requests.json", data=data, headers={"Idempotency-Key": "one"} | IN_SPANISH)
    assert again.json[0] == first.json[0] | {"service_notice": NOTICE}


def test_the_notice_about_photos_is_in_the_callers_language(client: FlaskClient, key: str) -> None:
    data = PLACE | {"api_key": key, "photo": (io.BytesIO(b"x"), "a.jpg")}
    answer = client.post(f"{BASE}/requests.json", data=data, headers=IN_SPANISH)
    assert answer.json[0]["service_notice"] == f"{NOTICE} {PHOTOS}"
    assert answer.headers["Content-Language"] == "es"
    assert warnings_of(answer) == [f"el archivo de photo no se guarda como foto: {NO_PHOTO}"]


def test_each_part_of_a_notice_has_its_own_language(make_app: Callable[..., Flask]) -> None:
    city = build.city(languages=("fi", "sv"), services=(replace(build.HOLE, notice="Katsomme pian."),))
    app = make_app(city)
    _, key = add_key(platform_of(app), label="app", now=utc_now())
    data = {
        "service_code": "potholes",
        "lat": "1",
        "long": "2",
        "api_key": key,
        "photo": (io.BytesIO(b"x"), "a.jpg"),
    }
    answer = app.test_client().post(f"{BASE}/requests.json", data=data, headers=IN_SPANISH)
    assert answer.json[0]["service_notice"] == f"Katsomme pian. {PHOTOS}"
    assert answer.headers["Content-Language"] == "fi, es"


def test_an_answer_without_notice_names_no_language(client: FlaskClient, key: str) -> None:
    data = PLACE | {"api_key": key, "service_code": "graffiti", "attribute[SURFACE]": "brick"}
    answer = client.post(f"{BASE}/requests.json", data=data, headers=IN_SPANISH)
    assert answer.json[0]["service_notice"] is None
    assert "Content-Language" not in answer.headers


def test_problem_details_are_in_the_callers_language(client: FlaskClient) -> None:
    answer = client.get(f"{BASE}/dumps/city.example/nope", headers=IN_SPANISH)
    assert answer.json["detail"] == "name: 'nope' no es un archivo diario de aquí; consulte todos en dumps.json."
    assert (answer.json["title"], answer.headers["Content-Language"]) == ("Not Found", "es")


@pytest.mark.parametrize(
    ("text", "header"),
    [
        (
            tell("{name} is ignored; did you mean {right}?", name="Łódź", right="long"),
            "%C5%81%C3%B3d%C5%BA is ignored;",
        ),
        (tell("{name} is cut to {most}", name='a"b\\c\r\n', most=1), "a%22b%5Cc%0D%0A is cut"),
        (tell("{name} is cut to {most}", name="¡ñ!", most=1), "¡ñ! se limita a 1"),
    ],
)
def test_a_warning_is_in_english_and_percent_encoded_only_if_a_header_cannot_carry_it(
    text: Message, header: str
) -> None:
    request = Request({"HTTP_ACCEPT_LANGUAGE": "es", "QUERY_STRING": ""})
    [(_, value)] = warning_headers([text], request)
    assert value.startswith(f'299 - "{header}')
    assert value.encode("latin-1")
