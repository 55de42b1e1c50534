"""A report by the pages for citizens, without JavaScript: its steps, its mistakes, and how it is protected."""

from __future__ import annotations

import io
import re
import zlib
from base64 import urlsafe_b64decode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from lxml.html import HtmlElement
from sqlalchemy import select
from werkzeug.test import TestResponse

from open311.app import create_app
from open311.domain.abuse import AbuseRules
from open311.domain.requests import Visibility
from open311.domain.services import Attribute, Condition, Datatype, Value
from open311.operations.access import sealing
from open311.operations.access.sealing import unseal
from open311.operations.platform import Platform
from open311.storage.tables import reporter
from open311.web.portal.maps import whole_city
from tests import build
from tests.checked_client import platform_of
from tests.pages import checked, text_of
from tests.photos import jpeg, prepare_all

CITY = "/c/city.example/"
Fields = list[tuple[str, Any]]


class Browser:
    """A browser without JavaScript: it sends the fields of a form as the page has them, and what was typed."""

    def __init__(self, client: FlaskClient, city: str = CITY) -> None:
        self.client = client
        self.city = city
        self.answer: TestResponse | None = None
        self.document: HtmlElement | None = None
        self.address = ""
        self.action = f"{city}report"

    def open(self, service: str, **more: str) -> Browser:
        """Open the form of a service."""
        return self._show(self.client.get(f"{self.city}report", query_string={"service_code": service} | more))

    def fields(self) -> Fields:
        """The fields of the form with the values that the page gives them."""
        assert self.document is not None
        (form,) = self.document.xpath("//form[@id='form']")
        # A parser of HTML drops the first line end of a textarea; lxml keeps it.
        return [(name, value.removeprefix("\n")) for name, value in form.form_values() if value is not None]

    def press(self, go: str, status: int = 200, headers: dict[str, str] | None = None, **typed: Any) -> Browser:
        """Type into fields and press a button. The name `a__CODE` stands for the field `attribute[CODE]`."""
        return self.send(self.filled(go, **typed), status, headers)

    def filled(self, go: str, **typed: Any) -> Fields:
        """The form as it is sent after the reader has typed."""
        names = {re.sub(r"^a__(.+)$", r"attribute[\1]", name): value for name, value in typed.items()}
        kept = [(name, value) for name, value in self.fields() if name not in names and name != "media"]
        added = [(n, one) for n, value in names.items() for one in (value if isinstance(value, list) else [value])]
        return [*kept, *added, ("go", go)]

    def send(self, fields: Fields, status: int = 200, headers: dict[str, str] | None = None) -> Browser:
        """Send a form."""
        data: dict[str, list[Any]] = {}
        for name, value in fields:
            data.setdefault(name, []).append(value)
        answer = self.client.post(self.action, data=data, content_type="multipart/form-data", headers=headers)
        if answer.status_code == 303:
            self.address = answer.headers["Location"]
            answer = self.client.get(self.address)
        return self._show(answer, status)

    def _show(self, answer: TestResponse, status: int = 200) -> Browser:
        self.answer, self.document = answer, checked(answer, status)
        self.action = next(map(str, self.document.xpath("//form[@id='form']/@action")), self.action)
        return self

    @property
    def text(self) -> str:
        assert self.document is not None
        return text_of(self.document)

    def value(self, name: str) -> str:
        """The value of a field of the page."""
        return next((str(value) for key, value in self.fields() if key == name), "")


@pytest.fixture
def browser(client: FlaskClient) -> Browser:
    """A browser at the demo city."""
    return Browser(client)


PLACE: dict[str, Any] = {"lat": "60.1718", "long": "24.9414"}


def checked_step(browser: Browser, **typed: Any) -> Browser:
    """The last step of a report about a pothole."""
    return browser.open("potholes").press("next", description="Deep hole").press("next", **PLACE | typed)


def newest(client: FlaskClient) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/open311/v2/requests.json?extensions=true").json[0]
    return found


def test_a_report_goes_through_three_steps_and_has_a_number(browser: Browser, platform: Platform) -> None:
    checked_step(browser, address_string="5 Mill Lane")
    assert "Deep hole" in browser.text
    assert "5 Mill Lane" in browser.text
    browser.press("send", email="maria@mail.example", first_name="Maria", phone="+358 40 1234567")
    request = newest(browser.client)
    assert request["service_request_id"] in browser.text
    assert (request["description"], request["address"], request["lat"]) == ("Deep hole", "5 Mill Lane", 60.1718)
    assert request["extended_attributes"]["channel"] == "web"
    record = build.load(platform, service_request_id=request["service_request_id"])
    assert str(build.history(platform, record)[0].actor) == "portal"
    assert "maria@mail.example" not in browser.text


def test_the_reporter_gets_a_secret_page_of_the_report(browser: Browser) -> None:
    checked_step(browser).press("send")
    assert browser.document is not None
    (own,) = [link for link in browser.document.xpath("//main//a/@href") if link.startswith("/status/")]
    answer = browser.client.get(own)
    document = checked(answer)
    assert newest(browser.client)["service_request_id"] in text_of(document)
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert "no-store" in answer.headers["Cache-Control"]
    assert document.xpath("//meta[@name='robots']/@content") == ["noindex"]
    checked(browser.client.get(own[:-3] + "xyz"), 404)


def test_a_batch_service_shows_its_state_on_the_secret_page(browser: Browser) -> None:
    browser.open("trees").press("next", description="A branch", **answers_of(browser))
    browser.press("next", **PLACE).press("send")
    assert "It gets a number later." in browser.text
    assert browser.document is not None
    (own,) = [link for link in browser.document.xpath("//main//a/@href") if link.startswith("/status/")]
    assert "The city has not given this report a number yet." in text_of(checked(browser.client.get(own)))


def answers_of(browser: Browser) -> dict[str, Any]:
    """An answer to each required question of the page."""
    assert browser.document is not None
    found = {}
    for box in browser.document.xpath("//fieldset[.//legend/span]"):
        field = box.xpath(".//input")[0]
        found[re.sub(r"attribute\[(.+)\]", r"a__\1", field.get("name"))] = field.get("value")
    return found


def test_answers_of_every_datatype_are_stored(browser: Browser) -> None:
    browser.open("graffiti").press(
        "next",
        a__SURFACE="001",
        a__TAGS=["a", "x,y"],
        a__HEIGHT="1.5",
        a__SEEN="2026-03-01T09:30",
        a__PLATE="L-77",
        a__NOTE="Two\r\nlines",
    )
    browser.press("next", **PLACE)
    assert "Stone & mortar" in browser.text
    browser.press("send")
    names = [row["name"] for row in newest(browser.client)["attributes"]]
    assert {"Stone & mortar", "It is offensive", "It has been there before"} <= set(names)


def test_the_fault_of_an_answer_is_shown_beside_its_field(browser: Browser) -> None:
    browser.open("graffiti").press("next", 400, a__HEIGHT="tall", description="It says <b>", a__TAGS=["c"])
    assert browser.document is not None
    faults = {one.get("id"): one.text for one in browser.document.xpath("//p[@class='fault']")}
    assert faults["question-1-fault"] == "Please answer: What is it painted on?"
    assert "is not a number" in faults["question-3-fault"]
    assert len(browser.document.xpath("//div[@role='alert']//a")) == 2
    for link in browser.document.xpath("//div[@role='alert']//a/@href"):
        assert browser.document.xpath(f"//*[@id='{link[1:]}']")
    assert (browser.value("attribute[HEIGHT]"), browser.value("description")) == ("tall", "It says <b>")
    assert ("attribute[TAGS]", "c") in browser.fields()
    browser.press("next", a__SURFACE="brick", a__HEIGHT="2")
    assert "Step 2 of 3" in browser.text


CONDITIONAL = replace(
    build.HOLE,
    attributes=(
        Attribute(
            code="KIND",
            description="What kind?",
            datatype=Datatype.SINGLEVALUELIST,
            values=(Value("car", "Car"), Value("bike", "Bicycle")),
        ),
        Attribute(
            code="WHEELS", description="How many wheels?", required=True, only_if=(Condition("KIND", ("car",)),)
        ),
        Attribute(code="MODE", description="Which one?", only_if=(Condition("WHEELS", ("3",)),)),
    ),
)


@pytest.fixture
def conditional(make_app: Callable[..., Flask]) -> Browser:
    """A browser at a city with questions that depend on other answers."""
    return Browser(make_app(build.city(services=(CONDITIONAL,))).test_client(), "/c/test.example/")


def test_a_question_that_depends_on_an_answer_follows_without_script(conditional: Browser) -> None:
    conditional.open("potholes")
    assert "How many wheels?" not in conditional.text
    conditional.press("next", a__KIND="car")
    assert "How many wheels?" in conditional.text
    assert "Step 1 of 3" in conditional.text
    assert "Please correct this" not in conditional.text
    conditional.press("next", 400)
    assert "Please correct this" in conditional.text
    conditional.press("next", a__WHEELS="3")
    assert "Which one?" in conditional.text
    conditional.press("next", a__MODE="old")
    assert "Step 2 of 3" in conditional.text


def test_a_question_that_is_not_asked_is_not_needed(conditional: Browser) -> None:
    conditional.open("potholes").press("next", a__KIND="bike")
    assert "Step 2 of 3" in conditional.text
    conditional.press("next", **PLACE).press("send")
    assert "Its number is" in conditional.text


def test_a_click_in_the_map_gives_the_point(browser: Browser, platform: Platform) -> None:
    browser.open("potholes").press("next", description="Deep hole")
    browser.send([*browser.fields(), ("click.x", "144"), ("click.y", "144")])
    city = platform.registry.find("city.example")
    whole = whole_city(city)
    assert float(browser.value("lat")) == pytest.approx(whole.lat, abs=1e-4)
    assert float(browser.value("long")) == pytest.approx(whole.long, abs=1e-4)
    assert int(browser.value("map_zoom")) > whole.zoom
    assert browser.document is not None
    with browser.client.get(browser.document.xpath("//input[@type='image']/@src")[0]) as picture:
        assert picture.mimetype == "image/svg+xml"
    browser.press("next").press("send")
    assert newest(browser.client)["lat"] == pytest.approx(whole.lat, abs=1e-4)


def test_pressing_the_map_by_keyboard_keeps_the_place(browser: Browser) -> None:
    browser.open("potholes").press("next", description="Deep hole")
    typed = {"lat": "60.1718", "long": "24.9414", "address_string": "5 Mill Lane"}
    (*sent, _) = browser.filled("", **typed)
    before = {name: browser.value(name) for name in ("map_lat", "map_long", "map_zoom")} | typed
    browser.send([*sent, ("click.x", "0"), ("click.y", "0")])
    assert {name: browser.value(name) for name in before} == before
    assert "Step 2 of 3" in browser.text
    assert "To choose a place with the keyboard, move the map with the buttons" in browser.text
    assert "Please correct this" not in browser.text


def test_pressing_the_map_by_keyboard_selects_no_place(browser: Browser) -> None:
    browser.open("potholes").press("next")
    browser.send([*browser.fields(), ("click.x", "0"), ("click.y", "0")])
    assert (browser.value("lat"), browser.value("long")) == ("", "")
    browser.send([*browser.fields(), ("click.x", "0"), ("click.y", "7")])
    assert browser.value("lat")


def test_the_buttons_of_the_map_move_and_zoom_it(browser: Browser) -> None:
    browser.open("potholes").press("next")
    zoom, lat, long = (float(browser.value(name)) for name in ("map_zoom", "map_lat", "map_long"))
    browser.press("in", address_string="5 Mill Lane")
    assert float(browser.value("map_zoom")) == zoom + 1
    browser.press("north")
    assert float(browser.value("map_lat")) > lat
    browser.press("east")
    assert float(browser.value("map_long")) > long
    for _ in range(25):
        browser.press("out")
    assert browser.value("map_zoom") == "1"
    assert browser.value("address_string") == "5 Mill Lane"


def test_a_point_that_was_typed_is_shown_on_the_map(browser: Browser) -> None:
    browser.open("potholes").press("next").press("show", lat="60.17", long="24.95")
    assert (browser.value("map_lat"), browser.value("map_long")) == ("60.170000", "24.950000")
    assert browser.document is not None
    assert "pin_lat=60.17" in browser.document.xpath("//input[@type='image']/@src")[0]
    for lat, long in (("", ""), ("north", "east"), ("nan", "inf"), ("999", "1e400")):
        browser.press("show", lat=lat, long=long)
        assert browser.value("lat") == lat


@pytest.mark.parametrize(
    ("typed", "field", "fault"),
    [
        ({}, "address_string", "Please choose the place on the map, or type an address."),
        ({"lat": "60.17"}, "address_string", "both latitude and longitude"),
        ({"lat": "north", "long": "24.9"}, "lat", "is not a number"),
        ({"lat": "95", "long": "24.9"}, "lat", "a number from -90 to 90"),
        ({"lat": "1", "long": "1"}, "address_string", "This place is outside Demoville"),
        ({"address_string": "x" * 600}, "address_string", "shorten it to 500"),
    ],
)
def test_a_place_that_cannot_be_accepted_is_reported_and_kept(
    browser: Browser, typed: dict[str, Any], field: str, fault: str
) -> None:
    browser.open("potholes").press("next", description="Deep hole").press("next", 400, **typed)
    assert browser.document is not None
    (told,) = browser.document.xpath(f"//p[@id='{field}-fault']")
    assert fault in told.text
    assert f"{field}-fault" in browser.document.xpath(f"//input[@id='{field}']/@aria-describedby")[0].split()
    assert all(browser.value(name) == value for name, value in typed.items())
    assert browser.value("description") == "Deep hole"
    assert "Step 2 of 3" in browser.text


def test_the_middle_of_the_map_can_be_chosen_with_a_button(browser: Browser) -> None:
    browser.open("potholes").press("next").press("in").press("middle")
    assert (browser.value("lat"), browser.value("long")) == (browser.value("map_lat"), browser.value("map_long"))
    assert "The pin marks the place." in browser.text
    assert browser.address.endswith("#where")


def reloaded(browser: Browser) -> str:
    """The text of the page under the address to which the last form has led."""
    return text_of(checked(browser.client.get(browser.address), browser.answer.status_code))


def test_each_step_has_an_address_that_shows_it_again(browser: Browser) -> None:
    browser.open("graffiti").press("next", 400, description="Deep hole")
    assert "Please correct this" in browser.text
    assert reloaded(browser) == browser.text
    way: list[tuple[str, dict[str, Any]]] = [("next", {"a__SURFACE": "brick"}), ("middle", {}), ("next", {})]
    for go, typed in [*way, ("details", {}), ("next", {})]:
        browser.press(go, **typed)
        assert reloaded(browser) == browser.text
    browser.press("next").press("send", email="maria@mail.example")
    assert browser.address.startswith("/status/city.example/")
    assert reloaded(browser) == browser.text
    assert len(browser.client.get("/open311/v2/requests.json").json) == 1


def test_an_address_does_not_show_what_was_typed(browser: Browser) -> None:
    browser.open("potholes").press("next", description="Deep hole")
    sealed = parse_qs(urlsplit(browser.address).query)["kept"][0]
    content = urlsafe_b64decode(sealed)
    for hidden in (b"Deep", zlib.compress(b"Deep hole")[2:8]):
        assert hidden not in content
    assert "Deep" not in browser.address


def test_contact_data_and_photos_are_never_in_an_address(browser: Browser) -> None:
    before = checked_step(browser).address
    browser.press("details", **CONTACT)
    assert browser.address == before
    assert "Step 1 of 3" in browser.text
    assert [browser.value(name) for name in CONTACT] == list(CONTACT.values())


@pytest.mark.parametrize(
    "kept", ["", "x", "gAAAAA==", "é", "A" * 5_000, "gAAAAABrDYuXR_H0p_6LGb8T5JDCO7dPID09UQ4K"]
)
def test_an_address_with_an_invented_value_of_kept_gives_an_empty_form(client: FlaskClient, kept: str) -> None:
    browser = Browser(client).open("potholes", kept=kept, step="check", checked="1")
    assert ("was kept for a day and is gone now" in browser.text) is bool(kept)
    assert browser.value("description") == ""


def test_what_was_typed_is_kept_for_a_day(
    browser: Browser, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser.open("potholes").press("next", description="Deep hole")
    assert unseal(platform, parse_qs(urlsplit(browser.address).query)["kept"][0])["description"] == ["Deep hole"]
    monkeypatch.setattr(sealing, "DAY_S", -1)
    assert "Step 1 of 3" in reloaded(browser)
    assert "Please type it again." in reloaded(browser)


def test_all_processes_of_a_server_can_open_an_address(make_app: Callable[..., Flask]) -> None:
    first, second = make_app(build.city()), make_app(build.city())
    browser = Browser(first.test_client(), "/c/test.example/")
    browser.open("potholes").press("next", description="Deep hole")
    browser.client = second.test_client()
    assert browser.press("details").value("description") == "Deep hole"
    assert "Deep hole" in reloaded(browser)


def test_a_text_that_is_too_long_for_an_address_is_kept_too(browser: Browser) -> None:
    long = "".join(map(chr, range(0x4E00, 0x4E00 + 4_000)))
    browser.open("potholes").press("next", description=long)
    assert browser.address == ""
    assert "Step 2 of 3" in browser.text
    browser.press("next", **PLACE).press("send")
    assert newest(browser.client)["description"] == long


def test_every_step_can_be_shown_in_another_language_and_keeps_what_was_typed(browser: Browser) -> None:
    browser.open("potholes")
    steps: tuple[dict[str, Any], ...] = ({"description": "Deep hole"}, PLACE, CONTACT)
    for number, typed in enumerate(steps, start=1):
        for language, words in (("es", f"Paso {number} de 3"), ("en", f"Step {number} of 3")):
            fields = [one for one in browser.filled("", **typed) if one[0] != "go"]
            browser.send([*fields, ("locale", language)])
            assert browser.document is not None
            assert browser.document.get("lang") == language
            assert words in browser.text
            assert [browser.value(name) for name in typed] == list(typed.values())
        browser.press("next" if number < 3 else "send")
    assert newest(browser.client)["description"] == "Deep hole"


def test_the_page_after_sending_can_be_shown_in_another_language(browser: Browser) -> None:
    checked_step(browser).press("send")
    assert browser.document is not None
    (spanish,) = browser.document.xpath("//footer//a[@hreflang='es']/@href")
    text = text_of(checked(browser.client.get(spanish)))
    assert newest(browser.client)["service_request_id"] in text
    assert "Gracias" in text


def test_no_address_puts_an_invented_text_on_the_page_after_sending(browser: Browser) -> None:
    address = checked_step(browser).press("send").address
    path = address.partition("?")[0]
    for told in ("", "<b>x</b>", "A" * 9_000):
        answer = browser.client.get(path, query_string={"sent": "1", "told": told})
        assert "Your report is sent" in text_of(checked(answer))
        assert "<b>x" not in answer.text


def test_the_form_marks_required_fields_before_sending(browser: Browser) -> None:
    browser.open("graffiti")
    assert browser.document is not None
    assert "Please answer the questions with the mark “required”." in browser.text
    needed = {"".join(box.itertext()) for box in browser.document.xpath("//legend[span[@class='mark']]")}
    assert needed == {"What is it painted on? required"}
    assert "You may leave this page empty" in browser.open("potholes").text
    assert "Where is it? required" in browser.press("next").text


def test_the_number_to_call_is_shown_before_and_after_sending_and_the_report_is_accepted(browser: Browser) -> None:
    browser.open("potholes").press("next", description="There is a fire")
    assert "call 112" in browser.text
    assert "You can still send this report." in browser.text
    browser.press("next", **PLACE)
    assert "call 112" in browser.text
    browser.press("send")
    assert "call 112" in browser.text
    assert newest(browser.client)["description"] == "There is a fire"


def test_a_reader_can_go_back_and_keeps_everything(browser: Browser) -> None:
    checked_step(browser, address_string="5 Mill Lane")
    browser.press("details", email="maria@mail.example", first_name="Maria")
    assert browser.value("description") == "Deep hole"
    browser.press("next", description="Deeper hole").press("next")
    assert browser.value("email") == "maria@mail.example"
    assert "Deeper hole" in browser.text
    assert "60.1718, 24.9414" in browser.text


def reporter_of(browser: Browser, platform: Platform) -> dict[str, Any]:
    """What the city knows about the sender of the report whose number the page shows."""
    id = re.search(r"Its number is (\S+)", browser.text)
    assert id
    number = build.load(platform, service_request_id=id[1]).number
    with platform.database.reading() as connection:
        query = select(reporter).where(reporter.c.request_id == number)
        return {name: value for name, value in connection.execute(query).one()._mapping.items() if value}


def test_contact_fields_have_one_line(browser: Browser, platform: Platform) -> None:
    evil: dict[str, Any] = {
        "first_name": " Maria\r\n",
        "phone": "+358 40\n\n1234567",
        "email": "\r\nmaria@mail.example\r\n",
    }
    checked_step(browser).press("send", **evil)
    found = reporter_of(browser, platform)
    assert found["first_name"] == "Maria"
    assert found["phone"] == "+358 40 1234567"
    assert found["email"] == "maria@mail.example"


def test_a_form_names_no_device_and_no_account(browser: Browser, platform: Platform) -> None:
    ids: dict[str, Any] = {"device_id": "d-1", "account_id": "a-1"}
    checked_step(browser).press("send", email="maria@mail.example", **ids)
    assert not set(ids.values()) & set(map(str, reporter_of(browser, platform).values()))


@pytest.mark.parametrize("email", ["maria", "maria@mail.example\r\nBcc: x@y.example"])
def test_the_fault_of_an_email_address_is_shown_beside_its_field(browser: Browser, email: str) -> None:
    checked_step(browser).press("send", 400, email=email, first_name="Maria")
    assert browser.document is not None
    assert "Please write an e-mail address" in browser.document.xpath("//p[@id='email-fault']")[0].text
    assert browser.document.xpath("//input[@id='email']/@aria-invalid") == ["true"]
    assert (browser.value("email"), browser.value("first_name")) == (" ".join(email.split()), "Maria")
    assert "Step 3 of 3" in browser.text
    browser.press("send", email="maria@mail.example")
    assert "Its number is" in browser.text


def test_reports_nearby_are_shown_before_sending(browser: Browser) -> None:
    checked_step(browser, address_string="5 Mill Lane").press("send")
    first = newest(browser.client)["service_request_id"]
    checked_step(browser)
    assert "Is it one of these?" in browser.text
    assert browser.document is not None
    assert f"{CITY}requests/{first}" in browser.document.xpath("//main//a/@href")
    browser.press("send")
    assert newest(browser.client)["extended_attributes"]["possible_duplicate_of"] == first


def test_a_photo_arrives(make_app: Callable[..., Flask], tmp_path: Path) -> None:
    app = make_app(build.city(), media=str(tmp_path))
    browser = Browser(app.test_client(), "/c/test.example/")
    checked_step(browser).press("send", media=(io.BytesIO(jpeg()), "hole.jpg"))
    assert "1 photo is being prepared." in browser.text
    prepare_all(platform_of(app))
    assert len(newest(browser.client)["extended_attributes"]["media_urls"]) == 1


def test_a_file_that_is_no_photo_is_reported_and_the_report_is_accepted(browser: Browser) -> None:
    checked_step(browser).press("send", media=(io.BytesIO(b"MZ not a photo"), "hole.exe"))
    assert "Its number is" in browser.text
    assert "Your file was left out: it is not a picture" in browser.text


def test_photos_of_the_size_that_the_form_names_are_accepted(
    make_app: Callable[..., Flask], tmp_path: Path
) -> None:
    limits = {"max_body_bytes": 20_000, "max_upload_bytes": 100_000}
    browser = Browser(make_app(build.city(), media=str(tmp_path), **limits).test_client(), "/c/test.example/")
    checked_step(browser)
    assert "Together they can be up to 95 kB large." in browser.text
    photo = jpeg()
    padded = photo + b"\0" * (95_000 - len(photo))
    browser.press("send", media=(io.BytesIO(padded), "hole.jpg"), email="maria@mail.example")
    assert "1 photo is being prepared." in browser.text


def test_photos_that_are_too_large_together_get_a_page_that_helps(make_app: Callable[..., Flask]) -> None:
    limits = {"max_body_bytes": 20_000, "max_upload_bytes": 100_000}
    browser = Browser(make_app(build.city(), **limits).test_client(), "/c/test.example/")
    checked_step(browser).press("send", 413, media=(io.BytesIO(b"x" * 120_000), "hole.jpg"))
    assert "choose fewer or smaller photos" in browser.text
    assert "Nothing was stored" in browser.text
    assert browser.document is not None
    (back,) = browser.document.xpath("//a[text()='Back to your report']/@href")
    assert "Deep hole" in text_of(checked(browser.client.get(back)))
    assert "bytes" not in browser.text
    assert browser.client.get("/open311/v2/requests.json").json == []


@pytest.mark.parametrize("step", ["details", "place"])
def test_a_reader_who_goes_back_is_told_to_choose_photos_again(browser: Browser, step: str) -> None:
    again = "Please choose your photos again in step 3"
    assert "If you go back, please choose your photos again" in checked_step(browser).text
    sent = browser.filled(step)
    assert again not in browser.send(sent).text
    browser.send([*sent, ("media", (io.BytesIO(jpeg()), "hole.jpg"))])
    assert again in browser.text
    assert "Please correct this" not in browser.text


def test_a_form_that_is_sent_twice_makes_one_report(browser: Browser) -> None:
    sent = checked_step(browser).filled("send")
    first = re.search(r"Its number is (\S+)", browser.send(sent).text)
    second = re.search(r"Its number is (\S+)", browser.send(sent).text)
    assert first
    assert second
    assert first[1] == second[1]
    assert len(browser.client.get("/open311/v2/requests.json").json) == 1


def test_a_form_that_is_sent_many_times_at_once_makes_one_report(app: Flask) -> None:
    browser = Browser(app.test_client())
    sent = checked_step(browser).filled("send")

    def send(_: int) -> int:
        data: dict[str, list[Any]] = {}
        for name, value in sent:
            data.setdefault(name, []).append(value)
        answer = app.test_client().post(f"{CITY}report", data=data)
        return answer.status_code

    with ThreadPoolExecutor(6) as pool:
        statuses = set(pool.map(send, range(6)))
    assert statuses <= {303, 503}
    assert len(browser.client.get("/open311/v2/requests.json").json) == 1


def test_a_form_that_is_changed_after_sending_can_be_sent_as_another_report(browser: Browser) -> None:
    sent = checked_step(browser).filled("send")
    browser.send(sent)
    browser.send([(name, "Another" if name == "description" else value) for name, value in sent], 400)
    assert "You have already sent this report" in browser.text
    browser.press("send")
    assert "Its number is" in browser.text
    assert newest(browser.client)["description"] == "Another"


def test_two_people_who_open_the_same_link_have_two_forms(client: FlaskClient) -> None:
    shared = "A" * 22
    numbers = set()
    for words in ("First", "Second"):
        browser = Browser(client).open("potholes", form_id=shared, description=words)
        assert browser.value("form_id") != shared
        browser.press("next").press("next", **PLACE).press("send")
        numbers.add(newest(client)["service_request_id"])
    assert len(numbers) == 2


@pytest.mark.parametrize("invented", ["", "1", "x" * 5_000, "A" * 21, "A" * 23, "A" * 21 + "é", "A" * 21 + "\n"])
def test_an_invented_form_id_is_a_new_form(browser: Browser, invented: str) -> None:
    sent = [*(one for one in checked_step(browser).filled("send") if one[0] != "form_id"), ("form_id", invented)]
    browser.send(sent)
    browser.send(sent)
    assert len(browser.client.get("/open311/v2/requests.json").json) == 2


def test_a_form_that_is_sent_to_an_address_with_a_form_id_is_a_new_form(browser: Browser) -> None:
    sent = [one for one in checked_step(browser).filled("send") if one[0] != "form_id"]
    for _ in range(2):
        assert browser.client.post(f"{CITY}report?form_id={'A' * 22}", data=dict(sent)).status_code == 303
    assert len(browser.client.get("/open311/v2/requests.json").json) == 2


CONTACT: dict[str, Any] = {
    "first_name": "Maria",
    "last_name": "Virta",
    "email": "maria@mail.example",
    "phone": "+358 40 1234567",
}


def test_an_address_never_fills_in_contact_fields(client: FlaskClient) -> None:
    browser = Browser(client).open("potholes", description="Deep hole", **PLACE, **CONTACT)
    assert browser.answer is not None
    assert not [value for value in CONTACT.values() if value in browser.answer.text]
    browser.press("next").press("next")
    assert [browser.value(name) for name in CONTACT] == [""] * 4
    assert "60.1718" in browser.text


def test_only_the_readers_browser_keeps_a_step_and_nothing_keeps_contact_data(browser: Browser) -> None:
    steps = [browser.open("potholes").answer, browser.press("next").answer, browser.press("next", **PLACE).answer]
    for answer in [
        *steps,
        browser.client.get(f"{CITY}report?service_code=potholes", headers={"If-None-Match": "*"}),
    ]:
        assert answer is not None
        assert answer.status_code == 200
        assert answer.headers["Cache-Control"] == "private, no-cache"
        assert "ETag" not in answer.headers
    with_contact = browser.press("details", email="maria@mail.example").answer
    assert with_contact is not None
    assert with_contact.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "https://localhost"},
        {"Origin": "://"},
        {"Origin": ""},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"},
    ],
)
def test_a_form_of_another_site_is_refused(browser: Browser, headers: dict[str, str]) -> None:
    checked_step(browser).press("send", 403, headers)
    assert "another site" in browser.text
    assert browser.client.get("/open311/v2/requests.json").json == []


@pytest.mark.parametrize(
    "headers", [{"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost"}, {"Origin": "http://localhost"}]
)
def test_a_form_of_this_site_is_accepted(browser: Browser, headers: dict[str, str]) -> None:
    checked_step(browser).press("send", 200, headers)
    assert "Its number is" in browser.text


def test_the_origin_may_be_the_public_address(make_app: Callable[..., Flask]) -> None:
    browser = Browser(
        make_app(build.city(), public_url="http://311.city.example").test_client(), "/c/test.example/"
    )
    checked_step(browser).press("send", 200, {"Origin": "http://311.city.example"})
    assert "Its number is" in browser.text


@pytest.mark.parametrize("honeypot", ["", "nickname"])
def test_a_report_that_fills_the_hidden_field_is_held(make_app: Callable[..., Flask], honeypot: str) -> None:
    filled: dict[str, Any] = {honeypot or "website": "http://spam.example"}
    app = make_app(build.city(abuse=AbuseRules(honeypot=honeypot)))
    browser = Browser(app.test_client(), "/c/test.example/")
    checked_step(browser).press("send", **filled)
    id = re.search(r"Its number is (\S+)", browser.text)
    assert id
    assert build.load(platform_of(app), service_request_id=id[1]).visibility is Visibility.HELD
    assert "review" not in browser.text


def public_links(browser: Browser) -> list[str]:
    """The links of the page to public pages of requests."""
    assert browser.document is not None
    return [str(link) for link in browser.document.xpath("//main//a/@href") if "/requests/" in link]


def test_the_page_after_sending_links_to_the_public_page(browser: Browser) -> None:
    (link,) = public_links(checked_step(browser).press("send"))
    checked(browser.client.get(link))


def test_the_page_after_sending_links_to_no_page_that_is_not_there(make_app: Callable[..., Flask]) -> None:
    browser = Browser(make_app(build.city()).test_client(), "/c/test.example/")
    sent = checked_step(browser).filled("send", website="http://spam.example")
    assert public_links(browser.send(sent)) == []
    assert public_links(browser.send(sent)) == []


def test_the_form_has_its_own_rate_and_keeps_what_was_typed(make_app: Callable[..., Flask]) -> None:
    browser = Browser(make_app(build.city(), portal_rate="1 per hour").test_client(), "/c/test.example/")
    checked_step(browser).press("send")
    checked_step(browser).press("send", 429, email="maria@mail.example")
    assert re.search(r"Too much came from your connection .* Try again in \d+ minutes?\.", browser.text)
    assert "Everything that you typed is still here" in browser.text
    assert browser.value("email") == "maria@mail.example"
    assert browser.value("description") == "Deep hole"
    assert browser.answer is not None
    assert int(browser.answer.headers["Retry-After"]) > 0


def test_a_repeat_of_a_stored_form_does_not_use_the_rate(make_app: Callable[..., Flask]) -> None:
    browser = Browser(make_app(build.city(), portal_rate="2 per hour").test_client(), "/c/test.example/")
    sent = checked_step(browser).filled("send")
    numbers = [re.search(r"Its number is (\S+)", browser.send(sent).text) for _ in range(4)]
    assert len({found and found[1] for found in numbers}) == 1
    checked_step(browser).press("send")
    checked_step(browser).press("send", 429)
    browser.send(sent)
    assert "Its number is" in browser.text


def test_a_page_that_is_opened_too_often_tells_how_long_to_wait(make_app: Callable[..., Flask]) -> None:
    client = make_app(build.city(), get_rate="1 per hour").test_client()
    address = "/c/test.example/report?service_code=potholes"
    checked(client.get(address))
    assert re.search(r"Try again in \d+ minutes?\.", text_of(checked(client.get(address), 429)))


def test_the_rate_of_api_keys_does_not_count_reports_by_pages(make_app: Callable[..., Flask]) -> None:
    app = make_app(build.city(abuse=AbuseRules(per_key="1 per hour")))
    browser = Browser(app.test_client(), "/c/test.example/")
    for _ in range(3):
        checked_step(browser).press("send")
    assert len(browser.client.get("/open311/v2/requests.json").json) == 3


def test_the_form_keeps_what_was_typed_if_the_database_is_dead(
    make_app: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app(build.city())
    browser = checked_step(Browser(app.test_client(), "/c/test.example/"))
    dead = platform_of(make_app(build.city(), database_url="postgresql://nobody@127.0.0.1:9/none"))
    other = Browser(dead_client(app, dead), "/c/test.example/")
    other.document = browser.document
    assert "Step 1 of 3" in other.press("details").text
    other.document = browser.document
    other.press("send", 503, email="maria@mail.example")
    assert "Nothing is lost" in other.text
    assert other.answer is not None
    assert int(other.answer.headers["Retry-After"]) > 0
    assert other.value("email") == "maria@mail.example"


def dead_client(app: Flask, dead: Platform) -> FlaskClient:
    """A client of the same city on a server without a database."""
    made = create_app(dead.settings, dead)
    made.test_client_class = app.test_client_class
    return made.test_client()


@pytest.mark.parametrize("code", ["", "nothing", "<b>", "x" * 5_000])
def test_a_service_that_is_not_offered_is_a_page_that_says_so(client: FlaskClient, code: str) -> None:
    answer = client.get(f"{CITY}report", query_string={"service_code": code})
    checked(answer, 404 if code else 400)
    assert "<b>" not in answer.text


def test_a_call_without_a_form_shows_the_first_step(client: FlaskClient) -> None:
    sent = {"service_code": "potholes", "step": "odd", "go": "odd"}
    document = checked(client.post(f"{CITY}report", data=sent, follow_redirects=True))
    assert "Step 1 of 3" in text_of(document)


def test_nobody_can_skip_a_step(browser: Browser) -> None:
    browser.open("graffiti").send([("service_code", "graffiti"), ("step", "check"), ("go", "send")], 400)
    assert "Step 1 of 3" in browser.text
    assert browser.client.get("/open311/v2/requests.json").json == []


def test_texts_of_the_form_are_escaped(browser: Browser) -> None:
    evil = '"><script>alert(1)</script></textarea>'
    browser.open("potholes").press("next", description=evil).press("next", address_string=evil)
    assert browser.answer is not None
    assert "<script>" not in browser.answer.text
    assert browser.value("description") == evil


def test_the_form_is_in_the_readers_language(client: FlaskClient) -> None:
    browser = Browser(client).open("graffiti", locale="es")
    assert browser.document is not None
    assert browser.document.get("lang") == "es"
    assert "¿Sobre qué está pintado?" in browser.text
    browser.press("next", 400)
    assert browser.document.get("lang") == "es"
    assert "Responda: ¿Sobre qué está pintado?" in browser.text
