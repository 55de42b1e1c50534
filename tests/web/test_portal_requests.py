"""The page of a request, and the list of requests, for citizens."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from lxml import etree

from open311.domain import commands
from open311.domain.access import SHELL
from open311.domain.public_words import OUTCOMES, STATES
from open311.domain.requests import Visibility
from open311.domain.workflow import CityState, Outcome, State
from open311.operations.platform import Platform
from open311.operations.workflow.act import act
from tests import build
from tests.checked_client import platform_of
from tests.pages import checked, text_of
from tests.photos import Sender, jpeg, prepare_all

BASE = "/c/city.example/requests"
SVG = "{http://www.w3.org/2000/svg}"
Post = Callable[..., Any]


def sent(post: Post, **fields: Any) -> str:
    """Report a pothole, and return the id of the request."""
    values = {"service_code": "potholes", "lat": 60.1718, "long": 24.9414} | fields
    return str(post(**values).json[0]["service_request_id"])


def test_a_request_has_a_page_with_status_place_and_history(client: FlaskClient, post: Post) -> None:
    id = sent(post, description="Deep\nhole", address_string="5 Mill Lane")
    document = checked(client.get(f"{BASE}/{id}"))
    text = text_of(document)
    assert document.findtext(".//h1") == "Pothole"
    assert document.xpath("//p[@class='said'][1]/@dir") == ["auto"]
    assert "5 Mill Lane" in document.xpath("//main//bdi/text()")
    for expected in (
        "Open",
        "5 Mill Lane",
        "Street Works",
        "The city received the report.",
        "60.1718, 24.9414",
        id,
    ):
        assert expected in text, expected
    assert document.xpath("//p[@class='said']/text()") == ["Deep\nhole"]
    assert document.xpath("//main//time/@datetime")


def test_the_page_says_what_happened_and_who_acts_next(client: FlaskClient, post: Post, platform: Platform) -> None:
    id = sent(post)
    city = platform.registry.find("city.example")

    def after(*orders: commands.Command) -> str:
        act(platform, city, id, orders, principal=SHELL, now=build.NOON + timedelta(days=1_000))
        return text_of(checked(client.get(f"{BASE}/{id}")))

    assert "Who acts next Street Works" in text_of(checked(client.get(f"{BASE}/{id}")))
    assert "Somebody works on it" in after(commands.Start())
    asked = after(commands.AskReporter(text="Which lane?"))
    assert "The city asks the person who reported it: Which lane?" in asked
    assert "Who acts next The person who reported it." in asked
    closed = after(commands.Close(outcome=Outcome.FIXED, note="Filled with asphalt."))
    assert "The problem is solved. Filled with asphalt." in closed
    assert "Who acts next Nobody." in closed
    assert "The report was closed." in closed


def test_a_page_can_be_shared_and_printed_with_a_qr_code(client: FlaskClient, post: Post) -> None:
    id = sent(post, address_string="5 Mill & <b> Lane")
    document = checked(client.get(f"{BASE}/{id}"))
    address = f"http://localhost{BASE}/{id}"
    (mail,) = document.xpath("//a[starts-with(@href, 'mailto:')]/@href")
    assert parse_qs(urlsplit(mail).query) == {"subject": [f"Pothole {id}"], "body": [address]}
    (code,) = document.xpath("//figure[@class='qr']")
    assert code.xpath(".//*[local-name()='svg']//*[local-name()='path']/@d")
    assert code.xpath(".//*[@role='img']/@aria-label") == ["QR code with the address of this page"]
    assert code.xpath(".//code/text()") == [address]


def test_a_page_without_a_history_says_so(client: FlaskClient, platform: Platform) -> None:
    build.store(platform, service_request_id="R1")
    build.store(platform, service_request_id="R2", status="closed")
    assert "has written nothing about this report yet" in text_of(checked(client.get(f"{BASE}/R1")))
    assert "has closed this report and has written nothing" in text_of(checked(client.get(f"{BASE}/R2")))


def test_every_state_and_outcome_has_words() -> None:
    assert set(STATES) == {state.value for state in State} - {"received", "triage", "assigned", "closed"}
    assert set(OUTCOMES) == {outcome.value for outcome in Outcome} - {"unknown"}


def test_the_citys_own_name_of_a_state_is_shown(make_app: Callable[..., Flask]) -> None:
    app = make_app(build.city(states=(CityState(state=State.IN_PROGRESS, name="Crew on site"),)))
    id = build.submit(platform_of(app)).service_request_id
    (city,) = platform_of(app).registry
    act(platform_of(app), city, id, [commands.Start()], principal=SHELL, now=build.NOON)
    assert "Crew on site" in text_of(checked(app.test_client().get(f"/c/test.example/requests/{id}")))


@pytest.mark.parametrize("visibility", [Visibility.HELD, Visibility.PRIVATE, Visibility.WITHDRAWN])
def test_a_hidden_request_is_not_found(client: FlaskClient, platform: Platform, visibility: Visibility) -> None:
    build.store(platform, service_request_id="R7", visibility=visibility, description="Not for the public")
    document = checked(client.get(f"{BASE}/R7"), 404)
    assert "There is no public report with this number." in text_of(document)


@pytest.mark.parametrize("id", ["nothing", "R1,R2", "R1,", "%00", "a%2Fb", "..", "<b>", "x" * 3_000])
def test_an_unknown_id_is_a_page_that_says_so(client: FlaskClient, platform: Platform, id: str) -> None:
    build.store(platform, service_request_id="R1")
    build.store(platform, service_request_id="R2")
    answer = client.get(f"{BASE}/{id}")
    checked(answer, 400 if id == "%00" else 404)
    assert "<b>" not in answer.text


def test_an_id_with_odd_characters_has_a_page_that_the_list_links_to(
    client: FlaskClient, platform: Platform
) -> None:
    odd = "2026/08 #7?&.XML"
    build.store(platform, service_request_id=odd)
    address = f"{BASE}/{quote(odd, safe='')}"
    assert odd in text_of(checked(client.get(address)))
    assert address in checked(client.get(f"{BASE}?start_date=2026-02-01")).xpath("//ul[@class='services']//a/@href")


def test_a_merged_request_leads_to_the_one_that_the_city_works_on(
    client: FlaskClient, post: Post, platform: Platform
) -> None:
    first, second = sent(post), sent(post, lat=60.18)
    city = platform.registry.find("city.example")
    act(platform, city, second, [commands.Merge(into=first)], principal=SHELL, now=build.NOON)
    document = checked(client.get(f"{BASE}/{second}"))
    (link,) = document.xpath("//p[@class='box']/a")
    assert (link.get("href"), link.text) == (f"{BASE}/{first}", f"Report {first}")


def test_a_possible_duplicate_is_linked(client: FlaskClient, post: Post) -> None:
    first, second = sent(post), sent(post)
    assert f"{BASE}/{first}" in checked(client.get(f"{BASE}/{second}")).xpath("//p[@class='box']/a/@href")


def test_personal_data_are_not_on_any_page(client: FlaskClient, post: Post) -> None:
    secret = {
        "email": "maria@mail.example",
        "first_name": "Mariaxyz",
        "last_name": "Lopezxyz",
        "phone": "+1 617 555 0143",
        "device_id": "device-77",
        "account_id": "account-88",
    }
    id = sent(post, **secret, description="Call +1 617 555 0143 or write to maria@mail.example")
    for path in (f"{BASE}/{id}", BASE, f"{BASE}?q={id}"):
        page = client.get(path).text
        assert id in page
        assert not [value for value in secret.values() if value in page]
        assert "[phone number]" in page


def test_the_page_is_in_the_readers_language(client: FlaskClient, post: Post) -> None:
    id = sent(post)
    document = checked(client.get(f"{BASE}/{id}", headers={"Accept-Language": "es"}))
    assert (document.get("lang"), document.findtext(".//h1")) == ("es", "Bache")
    text = text_of(document)
    assert "La ciudad recibió el aviso." in text
    assert re.search(r"\d+ de \w+ de 20\d\d", text)


def test_texts_of_a_request_are_escaped(client: FlaskClient, post: Post) -> None:
    id = sent(post, description="<script>alert(1)</script>", address_string='"><img src=x onerror=alert(1)>')
    for path in (f"{BASE}/{id}", BASE):
        page = client.get(path)
        checked(page)
        assert "<script>" not in page.text
        assert "<img src=x" not in page.text


def test_own_photos_are_shown_and_photos_elsewhere_only_linked(
    make_app: Callable[..., Flask], tmp_path: Path
) -> None:
    sender = Sender(make_app(build.city(), media=str(tmp_path)))
    sender.post(("media", jpeg(size=(1_200, 900))))
    prepare_all(sender.platform)
    request = sender.newest()
    document = checked(sender.client.get(f"/c/test.example/requests/{request['service_request_id']}"))
    (image,) = document.xpath("//ul[@class='photos']//img")
    assert image.get("alt")
    for address in (image.get("src"), image.getparent().get("href")):
        with sender.client.get(address) as photo:
            assert photo.mimetype == "image/jpeg"
    id = build.submit(sender.platform, media_urls=("https://pictures.example/a.jpg",)).service_request_id
    document = checked(sender.client.get(f"/c/test.example/requests/{id}"))
    assert document.xpath("//ul[@class='photos']//a/@href") == ["https://pictures.example/a.jpg"]
    assert not document.xpath("//ul[@class='photos']//img")


def test_the_page_links_to_the_same_request_as_json_and_atom(client: FlaskClient, post: Post) -> None:
    id = sent(post)
    document = checked(client.get(f"{BASE}/{id}"))
    links = dict(zip(document.xpath("//head/link/@type"), document.xpath("//head/link[@type]/@href"), strict=True))
    (read,) = client.get(links["application/json"]).json
    assert read["service_request_id"] == id
    assert "notes" in read
    assert id in client.get(links["application/atom+xml"]).text


def test_a_feed_reader_is_led_to_the_page(make_app: Callable[..., Flask]) -> None:
    app = make_app(build.city(), public_url="http://311.city.example")
    build.store(platform_of(app), service_request_id="R/1")
    feed = etree.fromstring(app.test_client().get("/open311/v2/requests.atom?start_date=2026-02-01").data)
    atom = "{http://www.w3.org/2005/Atom}"
    (entry,) = feed.findall(f"{atom}entry")
    links = [one for one in entry.findall(f"{atom}link") if one.get("rel") == "alternate"]
    assert [one.get("type") for one in links] == ["text/html", "application/json", "text/xml"]
    address = links[0].get("href")
    assert address == "http://311.city.example/c/test.example/requests/R%2F1"
    checked(app.test_client().get(str(address).removeprefix("http://311.city.example")))


def test_a_page_changes_its_etag_with_the_request(client: FlaskClient, post: Post, platform: Platform) -> None:
    id = sent(post)
    first = client.get(f"{BASE}/{id}")
    assert client.get(f"{BASE}/{id}", headers={"If-None-Match": first.headers["ETag"]}).status_code == 304
    build.change(platform, id, status="closed")
    after = client.get(f"{BASE}/{id}", headers={"If-None-Match": first.headers["ETag"]})
    assert after.status_code == 200


# --- The list


def ids(client: FlaskClient, query: str = "") -> list[str]:
    document = checked(client.get(f"{BASE}?{query}"))
    links = document.xpath("//main/ul[@class='services']//a/@href")
    return [str(link).rpartition("/")[2].partition("?")[0] for link in links]


@pytest.mark.parametrize(
    "query",
    [
        "",
        "status=open",
        "status=closed",
        "status=&service_code=&q=&area=&start_date=&end_date=&has_photo=&sort=",
        "service_code=graffiti",
        "q=lane",
        "has_photo=true",
        "sort=requested",
        "bbox=24.9,60.1,24.95,60.2",
    ],
)
def test_the_list_has_the_filters_of_the_api(
    client: FlaskClient, post: Post, platform: Platform, query: str
) -> None:
    sent(post, address_string="5 Mill Lane")
    sent(post, lat=60.18, long=24.96, media_url="https://pictures.example/a.jpg")
    closed = sent(post)
    build.change(platform, closed, status="closed")
    api = client.get(f"/open311/v2/requests.json?{query}").json
    assert ids(client, query) == [row["service_request_id"] for row in api]


def test_the_pages_of_the_list_follow_each_other_by_a_cursor(client: FlaskClient, platform: Platform) -> None:
    build.store_all(platform, [{"number": n, "at": build.NOON + timedelta(minutes=n)} for n in range(1, 8)])
    address, found = f"{BASE}?page_size=3&start_date=2026-02-01&locale=en", []
    while address:
        document = checked(client.get(address))
        found += [
            one.rpartition("/")[2].partition("?")[0]
            for one in document.xpath("//main/ul//li/a[1]/@href")
            if "/requests/R" in one
        ]
        address = next((str(one) for one in document.xpath("//a[@rel='next']/@href")), "")
        assert not address or (address.startswith(f"{BASE}?") and "cursor=" in address)
    assert found == [f"R{n}" for n in range(7, 0, -1)]


def test_the_downloads_have_the_filters_of_the_list(client: FlaskClient, post: Post, platform: Platform) -> None:
    first = sent(post, address_string="Ünder & Ö=1")
    build.change(platform, sent(post), status="closed")
    document = checked(client.get(f"{BASE}?status=open&q=&locale=es&cursor=&page_size=1"))
    links = {str(link) for link in document.xpath("//main//a/@href") if "/open311/v2/requests." in link}
    assert len(links) == 4
    for link in links:
        answer = client.get(link)
        assert answer.status_code == 200
        assert answer.text.count(first) >= 1
        assert "locale" not in link
        assert "page_size" not in link


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("status=half", "status"),
        ("start_date=yesterday", "start_date"),
        ("sort=best", "sort"),
        ("bbox=1,2", "bbox"),
        ("start_date=2026-05-01&end_date=2026-01-01", "start_date"),
        ("cursor=nonsense", "cursor"),
    ],
)
def test_a_filter_that_cannot_be_read_is_named_and_kept(client: FlaskClient, query: str, field: str) -> None:
    document = checked(client.get(f"{BASE}?{query}"), 400)
    (summary,) = document.xpath("//div[@role='alert']")
    assert field not in summary.text_content()
    if fields := document.xpath(f"//form//*[@id='{field}']"):
        assert fields[0].get("aria-invalid") == "true"
        (fault,) = document.xpath(f"//*[@id='{fields[0].get('aria-describedby')}']")
        assert fault.text_content().strip()
        assert f"#{field}" in summary.xpath(".//a/@href")
    else:
        assert "Please" in summary.text_content()


def test_the_form_keeps_the_filters_that_it_has_no_field_for(client: FlaskClient) -> None:
    document = checked(client.get(f"{BASE}?bbox=24,60,25,61&status=open&locale=es&cursor="))
    hidden = dict(
        zip(
            document.xpath("//form//input[@type='hidden']/@name"),
            document.xpath("//form//input[@type='hidden']/@value"),
            strict=True,
        )
    )
    assert hidden == {"bbox": "24,60,25,61", "locale": "es"}
    assert document.xpath("//select[@id='status']/option[@selected]/@value") == ["open"]


def test_the_list_shows_a_request_as_it_is_now(client: FlaskClient, post: Post, platform: Platform) -> None:
    first, other = sent(post, description="Deep hole"), sent(post, description="Flat tyre")
    before = text_of(checked(client.get(BASE)))
    assert before == text_of(checked(client.get(BASE)))
    build.change(platform, first, status="closed")
    after = text_of(checked(client.get(BASE)))
    assert (before.count("Closed"), after.count("Closed")) == (1, 2), "the filters have the word too"
    assert after.index(other) < after.index(first)


def test_an_entry_of_the_list_is_rendered_once_for_each_kind_of_reader(
    client: FlaskClient, post: Post, platform: Platform
) -> None:
    id = sent(post)

    def link(query: str = "", language: str = "", script: str = "") -> tuple[str, str]:
        headers = {"Accept-Language": language} if language else {}
        answer = client.get(f"{BASE}?{query}", headers=headers, environ_overrides={"SCRIPT_NAME": script})
        [entry] = checked(answer).xpath("//main/ul[@class='services']/li")
        return str(entry.xpath(".//a/@href")[0]), str(entry.xpath(".//*[contains(@class, 'badge')]/text()")[0])

    wanted = {
        ("", "", ""): (f"{BASE}/{id}", "Open"),
        ("", "es", ""): (f"{BASE}/{id}", "Abierto"),
        ("locale=es", "", ""): (f"{BASE}/{id}?locale=es", "Abierto"),
        ("", "", "/311"): (f"/311{BASE}/{id}", "Open"),
    }
    known = len(platform.process.entries)
    for _ in range(2):
        assert {one: link(*one) for one in wanted} == wanted
    assert len(platform.process.entries) == known + len(wanted)


def test_the_list_names_its_last_day_if_it_ends_before_today(client: FlaskClient) -> None:
    document = checked(client.get(f"{BASE}?start_date=2020-01-01"))
    assert "This list shows 90 days and ends on 2020-03-30." in text_of(document)
    assert "No report fits these filters." in text_of(document)


def test_a_hidden_request_is_not_in_the_list(client: FlaskClient, platform: Platform) -> None:
    build.store(platform, service_request_id="R7", visibility=Visibility.PRIVATE)
    build.store(platform, service_request_id="R8", visibility=Visibility.UNLISTED)
    assert ids(client, "start_date=2026-02-01") == []


def test_a_service_whose_requests_are_not_public_is_no_choice_in_the_filters(
    make_app: Callable[..., Flask],
) -> None:
    inner = replace(build.HOLE, code="inner", name="Inner matters", public=False)
    client = make_app(build.city(services=(build.HOLE, inner))).test_client()
    assert "Inner matters" not in client.get("/c/test.example/requests").text


# --- The map


@pytest.mark.parametrize(
    "query", ["", "lat=60.17&long=24.94&zoom=15", "lat=60.17&long=24.94&zoom=19&pin_lat=60.17&pin_long=24.94"]
)
def test_the_map_is_a_picture_of_the_boundary_and_the_areas(client: FlaskClient, query: str) -> None:
    answer = client.get(f"/c/city.example/map.svg?{query}")
    assert answer.mimetype == "image/svg+xml"
    root = etree.fromstring(answer.data)
    assert root.tag == f"{SVG}svg"
    assert root.findall(f"{SVG}path")
    assert any(str(text.text).endswith(" m") or str(text.text).endswith(" km") for text in root.iter(f"{SVG}text"))
    assert bool(root.findall(f"{SVG}g")) is ("pin" in query)
    assert "max-age" in answer.headers["Cache-Control"]


def test_a_city_without_a_boundary_has_a_map_too(make_app: Callable[..., Flask]) -> None:
    client = make_app(build.city()).test_client()
    assert etree.fromstring(client.get("/c/test.example/map.svg").data).tag == f"{SVG}svg"


@pytest.mark.parametrize("query", ["lat=95&long=1", "lat=1", "zoom=99", "zoom=x", "lat=1&long=2&pin_lat=4"])
def test_a_wrong_centre_zoom_or_pin_of_the_map_is_refused(client: FlaskClient, query: str) -> None:
    checked(client.get(f"/c/city.example/map.svg?{query}"), 400)
