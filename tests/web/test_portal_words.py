"""What readers of the pages are told about faults: sentences for people, without the words of the API."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from open311.web.portal.wording import SENTENCES, for_people
from open311.web.texts import collect
from schemas.texts import tell
from tests.pages import checked, text_of
from tests.web.test_portal_report import PLACE, Browser, newest

LIST = "/c/city.example/requests"
_WORDS_OF_THE_API = re.compile(
    r"attribute\[|\bsend\b|\bkeys?\b|\blat\b|\b[a-z]+_[a-z]+\b|parameter|cursor|Link header|WGS|/docs|\bAPI\b"
)


def assert_is_for_people(text: str) -> None:
    found = _WORDS_OF_THE_API.search(text.replace("JSON", ""))
    assert found is None, text[max(0, found.start() - 60) : found.end() + 60]


def test_every_kind_of_fault_in_the_table_is_a_text_of_the_api() -> None:
    known = {entry.id for entry in collect() if isinstance(entry.id, str)}
    assert not set(SENTENCES) - known, "these texts have changed; change the table too"


def test_a_fault_that_is_not_in_the_table_keeps_its_text() -> None:
    assert for_people("plain {text} of a plugin") == "plain {text} of a plugin"
    assert for_people(tell("{name} is rare.", name="It")) == "It is rare."


@pytest.fixture
def browser(client: FlaskClient) -> Browser:
    """A browser at the demo city."""
    return Browser(client)


def faults_of(browser: Browser) -> list[str]:
    """What the page says is wrong: in its summary, and beside its fields."""
    assert browser.document is not None
    found = browser.document.xpath("//div[@role='alert']//li | //p[@class='fault']")
    return [" ".join(one.itertext()) for one in found]


def test_faults_of_answers_are_shown_without_codes(browser: Browser) -> None:
    wrong: dict[str, Any] = {
        "a__SURFACE": "005",
        "a__HEIGHT": "tall",
        "a__SEEN": "soon",
        "a__TAGS": ["c"],
        "a__PLATE": "x" * 9_000,
    }
    browser.open("graffiti").press("next", 400, **wrong)
    told = faults_of(browser)
    assert len(told) >= 8
    for text in told:
        assert_is_for_people(text)
    assert any("“tall” is not a number." in text for text in told)


@pytest.mark.parametrize(
    "typed",
    [
        {},
        {"lat": "60.17"},
        {"lat": "north", "long": "24.9"},
        {"lat": "95", "long": "24.9"},
        {"lat": "1", "long": "1"},
        {"address_string": "x" * 600},
    ],
)
def test_faults_of_the_place_are_shown_without_names_of_parameters(browser: Browser, typed: dict[str, Any]) -> None:
    browser.open("potholes").press("next").press("next", 400, **typed)
    told = faults_of(browser)
    assert len(told) == 2
    for text in told:
        assert_is_for_people(text)


def test_the_summary_leads_to_the_question_without_repeating_it(browser: Browser) -> None:
    browser.open("graffiti").press("next", 400)
    assert browser.document is not None
    (link,) = browser.document.xpath("//div[@role='alert']//a")
    assert link.text == "Please answer: What is it painted on?"
    assert link.getparent().text_content() == link.text


def test_numbers_may_have_a_decimal_comma(browser: Browser) -> None:
    browser.open("graffiti").press("next", a__SURFACE="001", a__HEIGHT=" 1,5 ")
    browser.press("next", lat="60,1718", long="24,9414")
    assert "60.1718, 24.9414" in browser.text
    assert browser.value("attribute[HEIGHT]") == "1.5"
    browser.press("send")
    request = newest(browser.client)
    assert (request["lat"], request["long"]) == (60.1718, 24.9414)


@pytest.mark.parametrize("typed", ["1,500", "1,5,0", "1.500,5", ",5", "1,"])
def test_a_number_with_unclear_commas_is_refused_and_kept(browser: Browser, typed: str) -> None:
    browser.open("graffiti").press("next", 400, a__SURFACE="001", a__HEIGHT=typed)
    assert browser.value("attribute[HEIGHT]") == typed
    assert any("is not a number" in text for text in faults_of(browser))


def test_in_a_language_whose_decimal_sign_is_the_comma_each_comma_is_decimal(client: FlaskClient) -> None:
    browser = Browser(client).open("graffiti", locale="es")
    browser.press("next", a__SURFACE="001", a__HEIGHT="1,500")
    assert browser.value("attribute[HEIGHT]") == "1.500"


def test_a_comma_in_an_answer_that_is_no_number_stays(browser: Browser) -> None:
    browser.open("graffiti").press("next", a__SURFACE="001", a__PLATE="1,5").press("next", **PLACE)
    assert browser.value("attribute[PLATE]") == "1,5"


@pytest.mark.parametrize(
    "query",
    [
        "status=odd",
        "start_date=soon",
        "start_date=2026-03-01&end_date=2026-01-01",
        "page=x",
        "cursor=x",
        "lat=1",
        "lat=north&long=1&radius=x",
        "has_photo=maybe",
        "sort=odd",
        "sort=requested&sort=updated",
        "page_size=zero&page=none",
        "page_size=1000",
        "serviceCode=x&startDate=y",
        "q=" + "x" * 300,
        "start_date=2020-01-01",
        "bbox=1",
    ],
)
@pytest.mark.parametrize("page", ["requests", "numbers"])
def test_faults_of_filters_are_shown_in_words_for_people(
    make_app: Callable[..., Flask], page: str, query: str
) -> None:
    answer = make_app().test_client().get(f"/c/city.example/{page}?{query}")
    document = checked(answer, answer.status_code)
    assert answer.status_code in (200, 400)
    boxes = document.xpath("//div[@role='alert']//li | //p[@class='fault'] | //main/p[@class='box']")
    assert answer.status_code == 200 or boxes
    texts = [" ".join(one.itertext()) for one in boxes]
    assert len({text for text in texts if "address of this page" in text}) <= 1
    for text in texts:
        assert_is_for_people(text)


def test_filters_without_effect_are_reported_once(client: FlaskClient) -> None:
    document = checked(client.get(f"{LIST}?serviceCode=x&startDate=y"))
    (box,) = document.xpath("//main/p[@class='box']/text()")
    assert box == "The address of this page has filters that change nothing here."


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/c/nowhere/", 404),
        ("GET", "/c/city.example/nothing", 404),
        ("POST", "/c/city.example/", 405),
        ("GET", "/c/city.example/requests/none", 404),
        ("GET", "/c/city.example/report", 400),
        ("GET", "/c/city.example/report?service_code=none", 404),
        ("GET", "/c/city.example/?q=%FF", 400),
        ("GET", "/c/city.example/map.svg?lat=north&long=1", 400),
        ("GET", "/map/city.example?status=odd", 400),
        ("GET", "/status/city.example/none", 404),
    ],
)
def test_an_error_page_is_for_people(client: FlaskClient, method: str, path: str, status: int) -> None:
    text = text_of(checked(client.open(path, method=method), status))
    assert_is_for_people(text)
    spanish = client.open(path, method=method, headers={"Accept-Language": "es"})
    assert text_of(checked(spanish, status)) != text
