"""The first page of a city for citizens, and what all pages have in common."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from urllib.parse import quote, urljoin

import pytest
from flask import Flask
from flask.testing import FlaskClient
from lxml import html

from jurisdictions.chicago import jurisdiction as chicago
from open311.domain.requests import Visibility
from open311.domain.services import ServiceTranslation, Translation
from open311.operations.platform import Platform
from open311.web.portal import rendering
from tests import build
from tests.checked_client import platform_of
from tests.pages import checked, text_of

START = "/c/city.example/"


def test_the_page_shows_what_can_be_reported_by_group(client: FlaskClient, platform: Platform) -> None:
    document = checked(client.get(START))
    city = platform.registry.find("city.example")
    shown = city.listed(city.in_season(build.NOON))
    names = {link.text for link in document.xpath("//ul[@class='services']//a")}
    assert {"Pothole", "Graffiti"} <= names <= {service.name for service in city.services}
    assert len(names) >= len(shown) - 1
    assert "Streets" in document.xpath("//h2/text()")
    assert "A hole in the carriageway" in text_of(document)


@pytest.mark.parametrize(("words", "names"), [("HOLE", ["Pothole"]), ("asphalt", ["Pothole"]), ("zzz", [])])
def test_a_search_finds_services_by_their_texts(client: FlaskClient, words: str, names: list[str]) -> None:
    document = checked(client.get(START, query_string={"q": words}))
    assert document.xpath("//main/ul[@class='services']//a/text()") == names
    assert document.xpath("//input[@id='q']/@value") == [words]
    assert ("Nothing fits" in text_of(document)) is (not names)


def test_a_report_is_found_by_its_number(client: FlaskClient, platform: Platform) -> None:
    odd = "2026/08 #7"
    build.store(platform, service_request_id="R1")
    build.store(platform, service_request_id=odd)
    for typed, id in (("R1", "R1"), (" #R1 ", "R1"), (odd, odd)):
        answer = client.get(START, query_string={"number": typed, "locale": "es"})
        assert answer.status_code == 303
        assert answer.headers["Location"] == f"{START}requests/{quote(id, safe='')}?locale=es"
    document = checked(client.get(f"{START}?q=R1"))
    assert f"{START}requests/R1" in document.xpath("//main//a/@href")
    assert "Nothing fits" not in text_of(document)


@pytest.mark.parametrize("number", ["R9", "R7", "R1,R2", "R1,", "<b>", "x" * 3_000, "%00", "r1"])
def test_the_page_says_that_a_number_has_no_public_report(
    client: FlaskClient, platform: Platform, number: str
) -> None:
    build.store_all(platform, [{"number": one, "at": build.NOON} for one in (1, 2)])
    build.store(platform, service_request_id="R7", visibility=Visibility.HELD)
    answer = client.get(START, query_string={"number": number})
    document = checked(answer)
    (alert,) = document.xpath("//*[@role='alert']")
    assert "There is no public report with the number" in alert.text_content()
    assert "only your private page shows it" in alert.text_content()
    assert document.xpath("//input[@id='number']/@value") == [number[:200]]
    assert "<b>" not in answer.text


def test_a_search_finds_services_without_the_database(make_app: Callable[..., Flask]) -> None:
    client = make_app(build.city(), database_url="postgresql://nobody@127.0.0.1:9/none").test_client()
    assert "Pothole" in text_of(checked(client.get("/c/test.example/?q=pothole2")))
    checked(client.get("/c/test.example/?number=R1"), 503)


@pytest.mark.parametrize("words", ["street light", "stret lihgt", "streetlights", "lamp", "STREET-LIGHT", "luz"])
def test_a_search_forgives_mistakes_and_knows_all_languages_of_the_city(
    make_app: Callable[..., Flask], words: str
) -> None:
    lamp = replace(build.HOLE, code="lamp", name="Streetlight out", keywords=("lamp",), group="Lights")
    spanish = Translation(services={"lamp": ServiceTranslation(name="Luz apagada")})
    city = build.city(services=(build.HOLE, lamp), languages=("en", "es"), translations={"es": spanish})
    client = make_app(city).test_client()
    names = checked(client.get("/c/test.example/", query_string={"q": words, "locale": "es"})).xpath(
        "//main/ul[@class='services']//a/text()"
    )
    assert names == ["Luz apagada"]


def test_a_search_is_escaped_and_a_long_one_is_cut(client: FlaskClient) -> None:
    assert "<script>" not in client.get(START, query_string={"q": "<script>alert(1)</script>"}).text
    checked(client.get(START, query_string={"q": "hole " * 5_000}))


@pytest.mark.parametrize(
    ("query", "accepted", "language", "name"),
    [
        ("", "", "en", "Pothole"),
        ("", "es-PE,es;q=0.9", "es", "Bache"),
        ("locale=es", "en", "es", "Bache"),
        ("locale=fi", "es", "en", "Pothole"),
    ],
)
def test_the_page_is_in_the_readers_language(
    client: FlaskClient, query: str, accepted: str, language: str, name: str
) -> None:
    answer = client.get(f"{START}?{query}", headers={"Accept-Language": accepted})
    document = checked(answer)
    assert (document.get("lang"), answer.headers["Content-Language"]) == (language, language)
    assert name in document.xpath("//ul[@class='services']//a/text()")
    assert "Accept-Language" in answer.headers["Vary"]


def test_links_keep_the_language_that_the_reader_has_chosen(client: FlaskClient) -> None:
    document = checked(client.get(f"{START}?locale=es&q=bache"))
    assert all("locale=es" in link for link in document.xpath("//main//a/@href | //header//a/@href"))
    switch = dict(
        zip(document.xpath("//footer//a/@hreflang"), document.xpath("//footer//a[@hreflang]/@href"), strict=True)
    )
    assert switch["en"] == f"{START}?q=bache&locale=en"
    assert document.xpath("//footer//a[@aria-current]/@lang") == ["es"]
    assert not [link for link in checked(client.get(START)).xpath("//main//a/@href") if "locale" in link]


def test_texts_of_the_catalogue_in_another_language_than_the_page_are_marked_with_it(
    make_app: Callable[..., Flask],
) -> None:
    client = make_app(build.city(languages=("fr", "es"))).test_client()
    for path in ("", "report?service_code=potholes"):
        document = checked(client.get(f"/c/test.example/{path}", headers={"Accept-Language": "en"}))
        assert document.get("lang") == "en"
        assert "fr" in document.xpath("//main//@lang")


def test_a_catalogue_in_arabic_is_shown_from_right_to_left_in_an_english_page(
    make_app: Callable[..., Flask],
) -> None:
    hole = replace(build.HOLE, name="حفرة", group="")
    client = make_app(build.city(languages=("ar",), services=(hole,))).test_client()
    for path in ("", "report?service_code=potholes"):
        document = checked(client.get(f"/c/test.example/{path}", headers={"Accept-Language": "en"}))
        assert document.get("dir") == "ltr"
        assert set(document.xpath("//main//*[@lang='ar']/@dir")) == {"rtl"}
        assert not document.xpath("//main//*[@lang and not(@dir)]")
    (more,) = checked(client.get("/c/test.example/", headers={"Accept-Language": "en"})).xpath("//section/h2")
    assert (more.get("lang"), more.get("dir")) == (None, None)


def test_the_answer_to_options_has_no_body_and_no_content_type(client: FlaskClient) -> None:
    answer = client.options(START)
    assert (answer.status_code, answer.data) == (200, b"")
    assert "Content-Type" not in answer.headers
    assert "GET" in answer.headers["Allow"]


@pytest.mark.parametrize("name", ["baltimore", "boston", "losangeles", "newyork", "toronto", "washington"])
def test_the_pages_of_real_cities_keep_the_rules(make_app: Callable[..., Flask], name: str) -> None:
    city = import_module(f"jurisdictions.{name}").jurisdiction
    client = make_app(city).test_client()
    for path in ("", "requests", "data", "privacy", f"report?service_code={quote(city.services[0].code)}"):
        checked(client.get(f"/c/{city.id}/{path}"))
    checked(client.get(f"/map/{city.id}"))


def test_each_language_has_its_direction() -> None:
    assert [rendering.direction_of(tag) for tag in ("en", "ar", "ur", "zh-Hans")] == ["ltr", "rtl", "rtl", "ltr"]


def test_the_page_of_a_city_with_many_services_is_small(make_app: Callable[..., Flask]) -> None:
    client = make_app(chicago).test_client()
    document = checked(client.get("/c/cityofchicago.org/"))
    assert len(document.xpath("//ul[@class='services']/li")) > 100


def test_names_of_a_catalogue_are_escaped(make_app: Callable[..., Flask]) -> None:
    evil = replace(build.HOLE, name="<script>alert(1)</script>", code="a/b & c", group='"><script>')
    client = make_app(build.city(name="<b>Town</b>", services=(evil,))).test_client()
    answer = client.get("/c/test.example/")
    assert "<script>" not in answer.text
    assert "<b>" not in answer.text
    link = checked(answer).xpath("//ul[@class='services']//a/@href")
    assert link == ["/c/test.example/report?service_code=a%2Fb+%26+c"]


def test_a_service_that_is_not_offered_is_not_shown(make_app: Callable[..., Flask]) -> None:
    old = replace(build.HOLE, code="old", name="Old kind", active=False)
    client = make_app(build.city(services=(build.HOLE, old))).test_client()
    assert "Old kind" not in client.get("/c/test.example/").text


def test_a_page_is_revalidated_by_its_etag_and_compressed(client: FlaskClient) -> None:
    first = client.get(START, headers={"Accept-Encoding": "gzip"})
    assert first.headers["Content-Encoding"] == "gzip"
    again = client.get(START, headers={"If-None-Match": first.headers["ETag"], "Accept-Encoding": "gzip"})
    assert (again.status_code, again.data) == (304, b"")


def test_the_style_sheet_may_be_cached_for_a_year_because_its_address_changes(client: FlaskClient) -> None:
    (address,) = checked(client.get(START)).xpath("//link[@rel='stylesheet']/@href")
    with client.get(address) as answer:
        assert answer.content_type.startswith("text/css")
        assert "max-age=31536000" in answer.headers["Cache-Control"]
        assert rendering.digest_of("style.css") in address


def test_no_other_site_may_frame_a_page_and_no_script_runs_in_it(client: FlaskClient) -> None:
    for path in (START, "/c/nowhere/"):
        policy = client.get(path).headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert "Access-Control-Allow-Origin" not in client.get(path).headers


@pytest.mark.parametrize("path", ["/c/nowhere/", "/c/city.example/nothing", "/c", "/c/", "/c/%3Cb%3E/"])
def test_an_unknown_address_is_a_page_that_says_so(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    document = checked(answer, 404)
    assert "This page was not found" in text_of(document)
    own = ["/c/city.example/", "/c/city.example/requests"] if "city.example" in path else ["/"]
    assert document.xpath("//main//a/@href") == own
    assert bool(document.xpath("//header//a")) is ("city.example" in path)
    assert "<b>" not in answer.text
    assert answer.headers["Cache-Control"] == "no-store"


def test_an_address_without_its_last_slash_leads_to_the_page_on_the_same_host(client: FlaskClient) -> None:
    answer = client.get("/c/city.example?q=%C3%B1&locale=es", headers={"Host": "311.city.example:8443"})
    assert answer.status_code == 308
    assert answer.headers["Location"] == "./city.example/?q=%C3%B1&locale=es"
    assert "://" not in answer.text
    checked(client.get(urljoin("/c/city.example", answer.headers["Location"])))


@pytest.mark.parametrize("path", ["/c/a:b", "/c/https:evil.example", "/c/%0d%0aX-Evil:1", "/c/%2F%2Fevil.example"])
def test_no_address_leads_to_another_host(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code in (308, 404)
    assert answer.headers.get("Location", "./").startswith("./")
    assert "X-Evil" not in answer.headers


def test_an_error_is_shown_in_the_readers_language(client: FlaskClient) -> None:
    document = checked(client.get("/c/nowhere/", headers={"Accept-Language": "es"}), 404)
    assert document.get("lang") == "es"
    assert "No se encontró esta página" in text_of(document)


def test_a_wrong_method_is_a_page(client: FlaskClient) -> None:
    answer = client.post(START)
    checked(answer, 405)
    assert "GET" in answer.headers["Allow"]


def test_a_page_says_that_there_were_too_many_calls(make_app: Callable[..., Flask]) -> None:
    client = make_app(get_rate="2 per minute").test_client()
    answers = [client.get(START) for _ in range(3)]
    checked(answers[2], 429)
    assert int(answers[2].headers["Retry-After"]) > 0


def test_a_query_that_is_not_utf8_is_a_400_page(client: FlaskClient) -> None:
    checked(client.get(f"{START}?q=%FF"), 400)


def test_the_pages_are_found_under_a_prefix(make_app: Callable[..., Flask]) -> None:
    client = make_app().test_client()
    document = checked(client.get(START, environ_overrides={"SCRIPT_NAME": "/311"}))
    links = document.xpath("//header//a/@href | //link[@rel='stylesheet']/@href")
    assert links
    assert all(link.startswith(("/311/c/", "/311/map/")) for link in links)


def test_the_landing_page_leads_to_the_pages_of_each_city(make_app: Callable[..., Flask]) -> None:
    app = make_app(build.city(), build.city(id="a/b", name="Second"))
    client = app.test_client()
    links = html.fromstring(client.get("/").text).xpath("//td/a/@href")
    assert {"/c/test.example/", "/c/a%2Fb/"} & set(links) == {"/c/test.example/", "/c/a%2Fb/"}
    assert len(platform_of(app).registry.jurisdictions) == 2


def test_every_link_of_the_page_gets_an_answer(client: FlaskClient) -> None:
    document = html.fromstring(client.get(START).text)
    for link in {
        str(one) for one in document.xpath("//a/@href | //link/@href") if not str(one).startswith(("#", "data:"))
    }:
        with client.get(urljoin(START, link)) as answer:
            assert answer.status_code == 200, link
