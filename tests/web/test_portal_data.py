"""The pages about open data and privacy, and what is said to somebody in an emergency."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest
from flask import Flask
from flask.testing import FlaskClient

from open311.clock import utc_now
from open311.domain.emergencies import Emergency
from open311.domain.personal_data.policy import Privacy, Treatment, Treatments
from open311.domain.retention import Retention
from open311.domain.services import Translation
from open311.operations.upkeep.dumps import make_dump
from tests import build
from tests.checked_client import platform_of
from tests.pages import checked, text_of
from tests.web.test_portal_report import Browser

CITY = "/c/city.example/"


def test_every_link_of_the_pages_about_data_and_privacy_gets_an_answer(
    make_app: Callable[..., Flask], tmp_path: Path
) -> None:
    app = make_app(build.city(contact="Ada, ada@test.example"), data_dir=str(tmp_path))
    build.store(platform_of(app))
    (city,) = platform_of(app).registry
    make_dump(platform_of(app), city, utc_now())
    client = app.test_client()
    for name in ("data", "privacy"):
        address = f"/c/test.example/{name}"
        document = checked(client.get(address))
        assert "Ada, ada@test.example" in text_of(document)
        links = {str(link) for link in document.xpath("//main//a/@href")}
        assert name != "data" or any(link.endswith(".csv.gz") for link in links)
        for link in links:
            with client.get(urljoin(address, link)) as answer:
                assert answer.status_code == 200, link


def test_the_data_page_names_licence_and_source(make_app: Callable[..., Flask]) -> None:
    client = make_app(build.city(), licence="https://licence.example/cc0", attribution="Town & Co").test_client()
    document = checked(client.get("/c/test.example/data"))
    assert document.xpath("//a[@rel='license']/@href") == ["https://licence.example/cc0"]
    assert "The data can be used under this licence: https://licence.example/cc0 ." in text_of(document)
    assert "please name where they come from: Town & Co." in text_of(document)


def test_without_a_licence_the_data_page_says_whom_to_ask(make_app: Callable[..., Flask]) -> None:
    client = make_app(build.city(contact="ada@test.example")).test_client()
    document = checked(client.get("/c/test.example/data"))
    assert "has not chosen a licence yet" in text_of(document)
    assert "ask the city: ada@test.example." in text_of(document)
    assert not document.xpath("//a[@rel='license']")


@pytest.mark.parametrize(
    ("days", "told"),
    [(None, "does not erase them by itself"), (1, "erased 1 day after"), (400, "erased 400 days after")],
)
def test_the_privacy_notice_says_how_long_data_are_kept(
    make_app: Callable[..., Flask], days: int | None, told: str
) -> None:
    client = make_app(build.city(retention=Retention(reporter_days=days))).test_client()
    assert told in text_of(checked(client.get("/c/test.example/privacy")))


@pytest.mark.parametrize("kind", ["email", "phone", "iban"])
def test_the_privacy_notice_names_masks_only_if_the_city_has_all_of_them(
    make_app: Callable[..., Flask], kind: str
) -> None:
    told = "Phone numbers, e-mail addresses and numbers of bank accounts in public texts are hidden"
    for treatment in (Treatment.MASK, Treatment.SHOW):
        privacy = Privacy().with_treatments(Treatments(**{kind: treatment}))
        client = make_app(build.city(privacy=privacy)).test_client()
        assert (told in text_of(checked(client.get("/c/test.example/privacy")))) is (treatment is Treatment.MASK)


def test_reading_a_page_sets_no_cookie(client: FlaskClient) -> None:
    for path in ("", "requests", "data", "privacy", "report?service_code=potholes"):
        assert "Set-Cookie" not in client.get(CITY + path).headers


@pytest.mark.parametrize(
    "description",
    ["A FIRE in the bin", "smell  of\ngas!", "Huele a humo, hay un INCENDIO", "explosion", "explosión"],
)
def test_words_of_an_emergency_show_the_number_before_and_after_sending(
    client: FlaskClient, description: str
) -> None:
    browser = Browser(client).open("potholes")
    browser.press("next", description=description)
    assert "call 112" in browser.text
    browser.press("next", lat="60.1718", long="24.9414")
    assert "call 112" in browser.text
    browser.press("send")
    assert "call 112" in browser.text
    assert "Its number is" in browser.text


def test_the_number_is_shown_in_the_readers_language(client: FlaskClient) -> None:
    browser = Browser(client).open("potholes", locale="es")
    browser.press("next", description="There is a fire", locale="es")
    assert "llame al 112" in browser.text


@pytest.mark.parametrize("description", ["Fireflies", "a campfire place", "", "Deep hole"])
def test_other_words_show_no_number(client: FlaskClient, description: str) -> None:
    browser = Browser(client).open("potholes").press("next", description=description)
    assert "Is this an emergency?" not in browser.text


def test_an_app_is_told_the_number_too(client: FlaskClient, post: Callable[..., Any]) -> None:
    place = {"service_code": "potholes", "lat": 60.1718, "long": 24.9414}
    assert "call 112" in post(**place, description="It is on fire").json[0]["service_notice"]
    assert "112" not in post(**place, description="Deep hole").json[0]["service_notice"]


@pytest.mark.parametrize(
    ("text", "is_found"), [("着火了", True), ("Горит пожаром", True), ("حريق", True), ("hole", False)]
)
def test_words_of_other_scripts_are_found_within_a_text(text: str, is_found: bool) -> None:
    words = ("着火", "Пожар", "حريق", "")
    city = build.city(emergency=Emergency(number="119", words=("fire",)), translations={"zh": translated(*words)})
    assert city.emergency_number(["nothing", text]) == ("119" if is_found else "")


def translated(*words: str) -> Translation:
    return Translation(emergency_words=words)


def test_a_city_without_a_number_or_without_words_tells_no_number() -> None:
    city = build.city(translations={"es": translated("fuego")})
    assert city.emergency_number(["fuego"]) == ""
    assert build.city(emergency=Emergency(number="112")).emergency_number(["fire"]) == ""


def test_other_sites_may_frame_the_widget_only(client: FlaskClient, post: Callable[..., Any]) -> None:
    for number in range(7):
        post(service_code="potholes", lat=60.1718, long=24.9414, address_string=f"{number} Mill Lane")
    answer = client.get("/widget/city.example")
    document = checked(answer)
    assert "frame-ancestors *" in answer.headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in client.get(CITY).headers["Content-Security-Policy"]
    links = document.xpath("//ul[@class='services']//a/@href")
    assert len(links) == 5
    assert [client.get(link).status_code for link in links] == [200] * 5
    assert "6 Mill Lane" in text_of(document)
    assert not document.xpath("//form | //header")


def test_the_data_page_has_the_frame_for_other_sites(make_app: Callable[..., Flask]) -> None:
    client = make_app(build.city(name='A "B" & C'), public_url="http://311.city.example").test_client()
    (code,) = checked(client.get("/c/test.example/data")).xpath("//code/text()")
    assert 'src="http://311.city.example/widget/test.example"' in code
    assert "There are no reports from the last 90 days." in text_of(checked(client.get("/widget/test.example")))
