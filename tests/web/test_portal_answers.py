"""The pages with answers and with collection days, and the answers that a search shows next to services."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from urllib.parse import urljoin

import pytest
from flask import Flask
from flask.testing import FlaskClient
from icalendar import Calendar as CalendarFile

from open311.clock import utc_now
from open311.domain.articles import Action, ArticleKind
from open311.domain.calendar import Calendar
from open311.domain.collection_days import Collection, DayBook, Round, Shift
from tests import build
from tests.pages import checked, text_of
from tests.web.test_inquiry import ODD, article

CITY = "/c/city.example/"
TOWN = "/c/test.example/"


def test_the_page_lists_answers_by_topic(client: FlaskClient) -> None:
    document = checked(client.get(f"{CITY}answers"))
    assert {"Rubbish & recycling", "Library"} <= set(document.xpath("//h2/text()"))
    assert "Why was my bin not emptied?" in document.xpath("//ul[@class='services']//a/text()")
    for link in document.xpath("//main//a/@href"):
        checked(client.get(urljoin(f"{CITY}answers", link)))


@pytest.mark.parametrize(("words", "best"), [("matress", "Furniture and other bulky items"), ("zzqxj", None)])
def test_a_search_shows_the_best_answer_first(client: FlaskClient, words: str, best: str | None) -> None:
    document = checked(client.get(f"{CITY}answers", query_string={"q": words}))
    names = document.xpath("//main/ul[@class='services']//a/text()")
    assert (names[0] if names else None) == best
    assert ("Nothing fits" in text_of(document)) is (best is None)
    assert document.xpath("//input[@id='q']/@value") == [words]


def test_an_answer_has_its_text_its_actions_and_what_belongs_to_it(client: FlaskClient) -> None:
    document = checked(client.get(f"{CITY}answers/bin-not-emptied?locale=es"))
    assert document.findtext(".//h1") == "¿Por qué no vaciaron mi contenedor?"
    assert "Un feriado ha cambiado el día de recogida." in document.xpath("//main//li/strong/text()")
    links = document.xpath("//main//a/@href")
    assert f"{CITY}report?service_code=001&locale=es" in links
    assert f"{CITY}answers/bin-size?locale=es" in links


def test_a_place_has_its_address_and_hours(client: FlaskClient) -> None:
    text = text_of(checked(client.get(f"{CITY}answers/harbour-library")))
    assert "1 Quay Street, Harbour, 00100, Demoville" in text
    assert "Monday to Friday 10:00-19:00" in text


@pytest.mark.parametrize("id", ["nothing", "BIN-SIZE", "%3Cb%3E", "x" * 3_000])
def test_an_unknown_answer_is_a_page_that_says_so(client: FlaskClient, id: str) -> None:
    answer = client.get(f"{CITY}answers/{id}")
    assert "There is no answer" in text_of(checked(answer, 404))
    assert "<b>" not in answer.text


def test_texts_of_the_city_are_escaped_and_marked_by_their_language(make_app: Callable[..., Flask]) -> None:
    client = make_app(
        build.city(articles=(article(title=ODD, categories=(ODD,), credit=ODD),), languages=("en", "es"))
    ).test_client()
    for path in ("answers", "answers/bins", "answers?q=bins"):
        checked(client.get(f"{TOWN}{path}"))
    (heading,) = checked(client.get(f"{TOWN}answers/bins?locale=es")).xpath("//h1")
    assert (heading.get("lang"), heading.text) == ("en", ODD)


def test_a_search_shows_answers_next_to_services(client: FlaskClient) -> None:
    document = checked(client.get(f"{CITY}?q=pothole"))
    assert document.xpath("//main/ul[@class='services']//a/text()") == ["Pothole"]
    (box,) = document.xpath("//section[h2='Maybe this answers it']")
    assert "How long does it take to mend a pothole?" in box.xpath(".//a/text()")
    only_answers = checked(client.get(f"{CITY}?q=towed"))
    assert "My car was towed. Where is it?" in text_of(only_answers)
    assert "Nothing fits" not in text_of(only_answers)
    assert "Maybe this answers it" not in client.get(CITY).text


@pytest.mark.parametrize(
    ("locale", "words", "is_asked"),
    [
        ("en", "when is my rubbish collected", True),
        ("en", "garden wast", True),
        ("en", "the lamp is dark", False),
        ("es", "cuándo recogen la basura", True),
        ("fr", "quand passe la collecte des ordures", True),
        ("ht", "kilè yo ranmase fatra", True),
        ("ar", "متى تجمع القمامة", True),
        ("ar", "المصباح لا يعمل", False),
        ("zh-Hans", "什么时候收垃圾", True),
        ("es", "garbage", True),
    ],
)
def test_a_search_for_rubbish_leads_to_the_collection_days(
    client: FlaskClient, locale: str, words: str, is_asked: bool
) -> None:
    page = checked(client.get(CITY, query_string={"q": words, "locale": locale}))
    links = page.xpath("//section[@class='box']//a/@href")
    assert bool([one for one in links if one.startswith(f"{CITY}collection")]) is is_asked


def test_a_city_without_collections_has_no_link_to_collection_days(make_app: Callable[..., Flask]) -> None:
    page = make_app(build.city()).test_client().get(TOWN, query_string={"q": "rubbish"})
    assert not checked(page).xpath("//main//a[contains(@href, 'collection')]")


def test_the_form_shows_the_answers_that_lead_to_it(client: FlaskClient) -> None:
    document = checked(client.get(f"{CITY}report?service_code=potholes"))
    (box,) = document.xpath("//section[h2='Maybe this answers it']")
    assert box.xpath(".//a/text()") == ["How long does it take to mend a pothole?"]
    assert "Maybe this answers it" not in client.get(f"{CITY}report?service_code=graffiti").text


def test_a_zone_has_its_days_and_a_calendar(client: FlaskClient) -> None:
    document = checked(client.get(f"{CITY}collection"))
    assert document.xpath("//option/@value") == ["", "Harbour", "elsewhere"]
    assert not document.xpath("//table")
    chosen = checked(client.get(f"{CITY}collection?zone=Harbour"))
    assert chosen.xpath("//option[@selected]/@value") == ["Harbour"]
    assert "Household waste" in text_of(chosen)
    (address,) = chosen.xpath("//a[contains(@href, '.ics')]/@href")
    calendar = client.get(address.removeprefix("http://localhost"))
    assert len(CalendarFile.from_ical(calendar.data).walk("VEVENT")) > 50
    at_point = checked(client.get(f"{CITY}collection?lat=60.14&long=24.95"))
    assert at_point.xpath("//option[@selected]/@value") == ["Harbour"]
    inland = checked(client.get(f"{CITY}collection?lat=60.2&long=24.95&locale=es"))
    assert inland.xpath("//option[@selected]/@value") == ["elsewhere"]
    assert "Basura doméstica" in text_of(inland)


def test_a_moved_day_says_why_on_both_days(make_app: Callable[..., Flask]) -> None:
    closed = utc_now().date() + timedelta(days=3)
    daily = Round(weekdays=tuple(range(7)), first=utc_now().date(), last=closed, shift=Shift.NEXT_DAY, never=())
    book = DayBook(collections=(Collection(code="bin", name="Bin", rounds=(daily,)),))
    calendar = Calendar(office_hours=((),) * 7, closed=(closed.isoformat(),))
    client = make_app(build.city(days=book, calendar=calendar)).test_client()
    document = checked(client.get(f"{TOWN}collection"))
    faults = [" ".join(one.text_content().split()) for one in document.xpath("//span[@class='fault']")]
    assert len(faults) == 2
    assert faults[0].startswith("Comes on ")
    assert faults[1].startswith("Instead of ")
    assert all("closing day of the city" in one for one in faults)
    assert not document.xpath("//select")


@pytest.mark.parametrize(("query", "status"), [("zone=Nowhere", 404), ("lat=95&long=1", 400), ("lat=1", 400)])
def test_a_faulty_zone_is_reported(client: FlaskClient, query: str, status: int) -> None:
    checked(client.get(f"{CITY}collection?{query}"), status)


def test_a_city_without_answers_has_no_link_to_them(make_app: Callable[..., Flask]) -> None:
    client = make_app(build.city()).test_client()
    assert f"{TOWN}answers" not in client.get(TOWN).text
    assert "has not written answers" in text_of(checked(client.get(f"{TOWN}answers")))
    assert "has not entered collection days" in text_of(checked(client.get(f"{TOWN}collection")))


@pytest.mark.parametrize("path", ["answers", "answers/bin-size", "answers?q=bin", "collection?zone=Harbour"])
@pytest.mark.parametrize("language", ["en", "es", "fr", "zh-Hans", "ht", "ar"])
def test_the_pages_are_cachable_in_each_language(client: FlaskClient, path: str, language: str) -> None:
    headers = {"Accept-Language": language}
    answer = client.get(f"{CITY}{path}", headers=headers)
    document = checked(answer)
    assert document.get("lang") == language
    assert answer.headers["Cache-Control"].startswith("public, max-age=")
    same = client.get(f"{CITY}{path}", headers=headers | {"If-None-Match": answer.headers["ETag"]})
    assert same.status_code == 304


def test_an_action_of_an_answer_can_be_a_text(make_app: Callable[..., Flask]) -> None:
    one = article(kind=ArticleKind.FAQ, actions=(Action(label="Bring your card"),))
    document = checked(make_app(build.city(articles=(one,))).test_client().get(f"{TOWN}answers/bins"))
    assert "Bring your card" in text_of(document)
    assert not document.xpath("//main//a[text()='Bring your card']")
