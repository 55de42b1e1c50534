"""The pages for citizens in a real browser: with a keyboard, with axe, on a phone, and without JavaScript."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image
from werkzeug.wrappers import Response

from open311.clock import utc_now
from open311.domain.places import Place
from open311.domain.requests import Status
from open311.jobs.dispatching import dispatch_all
from open311.operations.platform import Platform
from open311.operations.statistics.forecasting import make_forecasts
from tests import build
from tests.browser.browsing import (
    CHROMIUM,
    CITY,
    DESKTOP,
    NARROW,
    NEAR_MAP,
    PHONE,
    POINT,
    Open,
    address,
    axe,
    chromium,
    follow,
    number_on,
    opened,
    press,
    reported,
    serving,
    sync_api,
)
from tests.forecasting.towns import TODAY, fill, history
from tests.mailing.towns import page_of, town
from tests.photos import jpeg, prepare_all

__all__ = ["address", "chromium", "opened"]  # fixtures
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed; run `make browser` as root")


def test_a_report_with_a_photo_can_be_sent_without_javascript(
    opened: Open, platform: Platform, tmp_path: Path
) -> None:
    photo = tmp_path / "hole.jpg"
    photo.write_bytes(jpeg(size=(1_600, 1_200)))
    page = opened(java_script_enabled=False)
    number = reported(page, photo)
    prepare_all(platform)
    follow(page.get_by_role("link", name="The public page of the report"))
    assert number in page.locator("main").inner_text()
    assert page.locator(".badge").inner_text() == "Open"
    image = page.get_by_role("img", name="Photo 1 of the report")
    assert image.bounding_box()["width"] > 200
    assert "maria" not in page.content()
    build.change(platform, number, status="closed", note="Filled with asphalt.")
    page.reload()
    assert page.locator(".badge").inner_text() == "Closed"
    assert "Filled with asphalt." in page.locator("main").inner_text()


def test_the_position_of_the_device_fills_in_the_point(opened: Open) -> None:
    page = opened(f"{CITY}report?service_code=potholes", geolocation=POINT, permissions=["geolocation"])
    press(page, "Continue: the place")
    press(page, "I am there: use my position")
    sync_api.expect(page.locator("#chosen")).to_contain_text("60.171800, 24.941400")
    press(page, "Continue: check and send")
    sync_api.expect(page.locator("main")).to_contain_text("60.171800, 24.941400")


def test_the_form_says_that_the_device_has_no_position(opened: Open) -> None:
    page = opened(f"{CITY}report?service_code=potholes")
    press(page, "Continue: the place")
    press(page, "I am there: use my position")
    sync_api.expect(page.locator("#located")).to_contain_text("Please use the address or the map")


def test_the_form_can_be_filled_in_with_the_keyboard_alone(opened: Open, platform: Platform) -> None:
    page = opened()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.goto(f"{CITY}report?service_code=potholes")
    page.get_by_label("Description").focus()
    page.keyboard.type("Deep hole")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_label("Address, or words that tell where it is").focus()
    page.keyboard.type("5 Mill Lane")
    page.keyboard.press("Enter")  # goes to the next step and does not click into the map
    page.get_by_label("First name").focus()
    page.keyboard.press("Enter")
    page.get_by_text("Its number is").wait_for()


def test_the_pin_can_be_moved_with_the_keyboard(opened: Open) -> None:
    page = opened(f"{CITY}report?service_code=potholes")
    press(page, "Continue: the place")
    page.locator("#map").focus()
    for key in ("Enter", "+", "+", "ArrowRight", "ArrowUp"):
        page.keyboard.press(key)
    lat, long = (float(page.locator(f"#{name}").input_value()) for name in ("lat", "long"))
    assert 60.175 < lat < 60.3
    assert 24.95 < long < 25.1
    assert page.evaluate("document.activeElement.id") == "map"
    sync_api.expect(page.locator("#chosen")).to_contain_text("The pin marks the place.")


def test_a_click_into_the_map_does_not_move_the_page(opened: Open) -> None:
    page = opened(f"{CITY}report?service_code=potholes")
    press(page, "Continue: the place")
    page.locator("#map").scroll_into_view_if_needed()
    before = page.evaluate("window.scrollY"), page.url
    page.locator("#map").click()
    sync_api.expect(page.locator("#chosen")).to_contain_text("The pin marks the place.")
    assert (page.evaluate("window.scrollY"), page.url) == before


def test_the_error_for_a_missing_place_goes_away_when_a_place_is_chosen(opened: Open) -> None:
    page = opened(f"{CITY}report?service_code=potholes")
    press(page, "Continue: the place")
    press(page, "Continue: check and send")
    assert page.locator("#summary").count() == 1
    page.locator("#map").click()
    sync_api.expect(page.locator("#summary, .fault:not(:empty), [aria-invalid]")).to_have_count(0)
    press(page, "Continue: check and send")
    assert "Step 3 of 3" in page.locator("main").inner_text()


def test_without_javascript_the_map_is_still_in_view_after_a_click(opened: Open) -> None:
    page = opened(f"{CITY}report?service_code=potholes", java_script_enabled=False)
    press(page, "Continue: the place")
    page.locator("#map").click()
    sync_api.expect(page.locator("#chosen")).to_contain_text("The pin marks the place.")
    assert 0 <= page.locator("#where").bounding_box()["y"] < PHONE["height"]
    press(page, "Use the middle")
    press(page, "Continue: check and send")
    assert "Step 3 of 3" in page.locator("main").inner_text()


@pytest.mark.parametrize("has_script", [True, False])
def test_back_and_reload_are_harmless_at_each_step(opened: Open, client: FlaskClient, has_script: bool) -> None:
    page = opened(f"{CITY}report?service_code=graffiti", java_script_enabled=has_script)
    methods: list[str] = []
    page.on("request", lambda request: methods.append(request.method))

    def at(text: str) -> None:
        sync_api.expect(page.locator("main")).to_contain_text(text)
        methods.clear()
        page.reload()
        sync_api.expect(page.locator("main")).to_contain_text(text)
        assert set(methods) == {"GET"}

    page.get_by_label("Description").fill("Ugly words")
    press(page, "Continue: the place")
    at("Please answer")
    sync_api.expect(page.get_by_label("Description")).to_have_value("Ugly words")
    page.get_by_label("Brick").check()
    press(page, "Continue: the place")
    at("Step 2 of 3")
    page.get_by_label("Address, or words").fill("5 Mill Lane")
    press(page, "Continue: check and send")
    at("Step 3 of 3")
    for text in ("Step 2 of 3", "Step 1 of 3"):
        page.go_back()
        sync_api.expect(page.locator("main")).to_contain_text(text)
    page.go_forward()
    page.go_forward()
    page.get_by_label("First name").fill("Maria")
    press(page, "Send the report")
    number, address = number_on(page), page.url
    at("Your report is sent")
    assert (number_on(page), page.url) == (number, address)
    page.go_back()
    sync_api.expect(page.locator("main")).to_contain_text("Ugly words")
    page.go_forward()
    at("Your report is sent")
    assert len(client.get("/open311/v2/requests.json").json) == 1


def test_going_back_after_sending_and_sending_again_makes_no_second_report(
    opened: Open, client: FlaskClient
) -> None:
    page = opened()
    number = reported(page)
    page.go_back()
    press(page, "Send the report")
    assert number_on(page) == number
    assert len(client.get("/open311/v2/requests.json").json) == 1


def test_wrong_files_and_addresses_are_reported_before_sending(opened: Open, tmp_path: Path) -> None:
    files = [tmp_path / f"{number}.jpg" for number in range(6)]
    for file in files:
        file.write_bytes(jpeg())
    (wrong := tmp_path / "notes.txt").write_text("no photo")
    page = opened(f"{CITY}report?service_code=potholes&address_string=5+Mill+Lane&step=check")
    field, told = page.get_by_label("Photos"), page.locator("#media-told")
    for chosen, text in ((files, "at most 5 photos"), ([wrong], "This file is not a photo: notes.txt")):
        field.set_input_files([str(file) for file in chosen])
        sync_api.expect(told).to_contain_text(text)
        page.get_by_role("button", name="Send the report", exact=True).click()
        assert page.evaluate("document.activeElement.id") == "media"
    page.get_by_label("E-mail address").fill("maria")
    field.set_input_files([str(files[0])])
    page.get_by_role("button", name="Send the report", exact=True).click()
    sync_api.expect(page.locator("#email-told")).to_contain_text("Please write an e-mail address")
    page.get_by_label("E-mail address").fill("")
    sync_api.expect(told).to_be_empty()
    press(page, "Send the report")
    assert "1 photo is being prepared." in page.locator("main").inner_text()


def test_the_language_can_be_changed_in_the_form_and_keeps_what_was_typed(opened: Open) -> None:
    page = opened(f"{CITY}report?service_code=potholes")
    page.get_by_label("Description").fill("Hoyo profundo")
    press(page, "Español")
    sync_api.expect(page.get_by_label("Descripción")).to_have_value("Hoyo profundo")


def test_a_printed_page_has_a_qr_code_and_no_menu(opened: Open, platform: Platform) -> None:
    build.store(platform, service_request_id="R1")
    page = opened(f"{CITY}requests/R1")
    code, menu = page.locator("figure.qr svg"), page.locator("header nav")
    assert (code.is_visible(), menu.is_visible()) == (False, True)
    page.emulate_media(media="print")
    assert (code.is_visible(), menu.is_visible()) == (True, False)


def test_the_pages_of_a_report_are_small(opened: Open, platform: Platform) -> None:
    loaded = """["navigation", "resource"].flatMap(kind => performance.getEntriesByType(kind))
        .reduce((sum, one) => sum + one.encodedBodySize, 0)"""
    page = opened("/widget/city.example")
    for path in ("", "report?service_code=graffiti", "report?service_code=graffiti&step=place", "requests"):
        page.goto(CITY + path)
        page.wait_for_load_state("networkidle")
        assert 1_000 < page.evaluate(loaded) < 100_000, path


@pytest.fixture
def some_reports(platform: Platform) -> None:
    """Open and closed reports of two services over some months, in the middle of the city."""
    now = utc_now()
    rows = [
        {
            "number": 100_000 + number,
            "service_code": "potholes" if number % 3 else "graffiti",
            "at": now - timedelta(days=9 * number, hours=1),
            "updated_at": now - timedelta(days=8 * number),
            "status": Status.CLOSED if number % 2 else Status.OPEN,
            "areas": ("Harbour",),
            "expected_at": now - timedelta(days=7 * number),
            "place": Place(lat=60.175 + number / 10_000, long=24.95),
        }
        for number in range(1, 25)
    ]
    build.store_all(platform, rows)
    dispatch_all(platform)


def shown_map(page: Any) -> Any:
    """Waits until the map and its list show the same."""
    page.locator("#map[data-state=shown]").wait_for()
    return page.locator("#found li")


def test_the_map_shows_the_points_and_a_click_leads_to_the_report(opened: Open, platform: Platform) -> None:
    for number in ("R/1", "R/2"):  # both in the middle of the city
        build.store(platform, service_request_id=number, place=Place(lat=60.175, long=24.95))
    dispatch_all(platform)
    page = opened("/map/city.example?locale=es")
    shown_map(page)
    page.get_by_role("button", name="Ir a donde hay más avisos").click()
    page.wait_for_url(re.compile("#at=12/"))
    assert shown_map(page).count() == 2
    page.goto("about:blank")
    page.goto("/map/city.example?locale=es#at=15/60.175/24.95")
    shown_map(page)
    page.locator("canvas").click()
    popup = page.locator(".maplibregl-popup li")
    assert [" ".join(text.split()[:2]) for text in popup.all_inner_texts()] == ["Bache Abierto"] * 2
    popup.first.get_by_role("link").click()
    assert "R/" in page.locator("main").inner_text()


def test_the_map_can_be_used_with_the_keyboard_alone(opened: Open, some_reports: None) -> None:
    page = opened(NEAR_MAP, viewport=DESKTOP)
    rows = shown_map(page)
    assert rows.count() == 24
    assert "Reports in this part of the map: 24" in page.locator("#told").inner_text()
    button = rows.first.get_by_role("button", name="Show on the map")
    button.focus()
    page.keyboard.press("Enter")
    link = page.locator(".maplibregl-popup a")
    sync_api.expect(link).to_be_focused()
    shown_map(page)
    page.keyboard.press("Escape")
    sync_api.expect(link).to_have_count(0)
    sync_api.expect(button).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    page.wait_for_url("**/requests/*")
    page.go_back()
    shown_map(page)
    assert "#at=15" in page.url


def test_the_list_follows_the_map_and_the_arrow_keys_move_it(opened: Open, some_reports: None) -> None:
    page = opened(NEAR_MAP)
    shown_map(page)
    page.locator("canvas").focus()

    def moved(key: str, count: int) -> bool:
        page.keyboard.press(key)
        return bool(shown_map(page).count() == count)

    assert any(moved("ArrowDown", 0) for _ in range(20))
    assert page.locator("#told").inner_text() == "No report is in this part of the map."
    assert any(moved("ArrowUp", 24) for _ in range(20))


def test_the_filters_are_in_the_address_and_the_map_stays_where_it_is(opened: Open, some_reports: None) -> None:
    page = opened(NEAR_MAP)
    shown_map(page)
    page.locator("summary", has_text="Filters").click()
    page.get_by_label("Status").select_option("Open")
    page.get_by_label("Kind of report").select_option("Graffiti")
    press(page, "Show")
    rows = shown_map(page)
    assert "status=open" in page.url
    assert "#at=15" in page.url
    assert rows.count() == 4
    assert page.locator("summary").first.inner_text() == "Filters: Graffiti · Open"
    assert not page.get_by_label("Status").is_visible()
    page.goto("/map/city.example?q=nothing")
    sync_api.expect(page.locator("#told")).to_contain_text("only from nearby")


@pytest.mark.parametrize("script", ["", "HTMLCanvasElement.prototype.getContext = () => null"])
def test_without_script_or_webgl_the_page_has_a_picture_and_a_list(
    opened: Open, some_reports: None, script: str
) -> None:
    page = opened("/map/city.example", script=script, java_script_enabled=bool(script))
    if script:
        sync_api.expect(page.locator("#told")).to_contain_text("Your browser cannot show this map")
    assert page.get_by_role("img", name="Map of the city with the numbers of the list").is_visible()
    assert not page.locator("#map").is_visible()
    assert page.locator("#found li").count() == 9  # those of the last 90 days
    follow(page.locator("#found a").first)
    page.get_by_text("Who acts next").wait_for()


def test_a_page_is_small_if_the_library_of_the_map_is_not_counted(opened: Open, some_reports: None) -> None:
    page = opened()
    answers: list[Any] = []
    page.on("response", lambda answer: answers.append(answer))
    for path in (NEAR_MAP, f"{CITY}numbers", f"{CITY}requests", CITY, f"{CITY}data"):
        answers.clear()
        page.goto(path, wait_until="networkidle")
        bodies = [one.body() for one in answers if one.ok and "maplibre" not in one.url and "blob:" not in one.url]
        assert 0 < sum(map(len, bodies)) < 100_000, path


def test_the_page_of_numbers_has_the_total_of_the_api_and_a_chart_that_cuts_no_text(
    opened: Open, some_reports: None
) -> None:
    page = opened(f"{CITY}numbers?start_date=2020-01-01", viewport=DESKTOP)
    [total] = page.request.get("/open311/v2/stats.json?start_date=2020-01-01").json()["rows"]
    assert f"Reported in the period\n{total['opened']}" in page.locator("dl").inner_text()
    chart = page.get_by_role("img", name="Reported and closed reports over time")
    assert chart.bounding_box()["height"] > 200
    assert chart.locator("circle").count() > 10
    inside = chart.bounding_box()
    for text in chart.locator("text").all():
        box = text.bounding_box()
        assert inside["x"] - 1 <= box["x"]
        assert box["x"] + box["width"] <= inside["x"] + inside["width"] + 1


@pytest.fixture
def elsewhere() -> Iterator[Callable[..., str]]:
    """Starts another origin: elsewhere(application) returns its address."""
    with ExitStack() as running:
        yield lambda application: running.enter_context(serving(application))


def test_other_sites_can_show_the_widget_and_nothing_else(
    chromium: Any, address: str, elsewhere: Callable[..., str], some_reports: None
) -> None:
    frames = (
        f'<iframe id=a src="{address}/widget/city.example"></iframe><iframe id=b src="{address}{CITY}"></iframe>'
    )
    site = elsewhere(Response(f"<!doctype html><title>Site</title>{frames}", mimetype="text/html"))
    with closing(chromium.new_context()) as context:
        page = context.new_page()
        page.goto(site)
        widget = page.frame_locator("#a")
        widget.get_by_role("heading", name="Newest reports").wait_for()
        assert widget.locator(".services li").count() == 5
        assert page.frame_locator("#b").get_by_role("link", name="Demoville").count() == 0
        with context.expect_page() as opening:
            widget.get_by_role("link", name="Report a problem").click()
        opening.value.wait_for_url(f"**{CITY}")
        assert context.cookies() == []


def test_a_background_by_setting_is_loaded_and_its_attribution_is_no_html(
    chromium: Any, make_app: Callable[..., Flask], elsewhere: Callable[..., str]
) -> None:
    image = BytesIO()
    Image.new("RGB", (256, 256), "green").save(image, "PNG")
    headers = {"Access-Control-Allow-Origin": "*"}
    tiles = elsewhere(Response(image.getvalue(), mimetype="image/png", headers=headers))
    app = make_app(map_background=f"{tiles}/{{z}}/{{x}}/{{y}}.png", map_attribution="© <i>Green</i> maps")
    with closing(chromium.new_context()) as context:
        page = context.new_page()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.goto(f"{elsewhere(app)}{NEAR_MAP}")
        shown_map(page)
        assert [one for one in asked if one.startswith(f"{tiles}/16/")]
        assert page.get_by_text("© <i>Green</i> maps").is_visible()
        assert not [text for text in said if "Content Security Policy" in text]


def visited(page: Any) -> Iterator[str]:
    """Goes to the pages of the city, except those of notices, of mail and of "me too". Yields a name for each."""
    yield "start"
    page.goto("/widget/city.example")
    yield "widget"
    page.goto("/map/city.example")
    page.locator("#map[data-state=shown]").wait_for()
    yield "map"
    page.goto(NEAR_MAP)
    page.get_by_role("button", name="Show on the map").first.click()
    yield "map with a popup"
    for name in (
        "numbers",
        "numbers?group_by=week",
        "outlook",
        "requests",
        "requests?status=wrong",
        "data",
        "privacy",
        "nothing",
        "?q=lamp",
        "?number=R9",
        "answers",
        "answers?q=bin",
        "answers/bin-size",
        "answers/harbour-library",
        "answers/bin-not-emptied?locale=ar",
        "collection?zone=Harbour",
    ):
        page.goto(CITY + name)
        yield name
    page.goto(f"{CITY}report?service_code=graffiti")
    yield "details"
    page.get_by_label("Description").fill("It is on fire")
    press(page, "Continue: the place")
    yield "details with faults"
    page.get_by_label("Brick").check()
    press(page, "Continue: the place")
    yield "place"
    press(page, "Continue: check and send")
    yield "place with faults"
    page.locator("input[type=image]").click()
    sync_api.expect(page.locator("#chosen")).to_contain_text("The pin marks the place.")
    press(page, "Continue: check and send")
    yield "check"
    page.get_by_label("E-mail address").fill("nobody")
    press(page, "Send the report")
    yield "check with faults"
    page.get_by_label("E-mail address").fill("")
    press(page, "Send the report")
    yield "thanks"
    names = {"own page": "Your private page of the report", "request": "The public page of the report"}
    links = {name: page.get_by_role("link", name=text).get_attribute("href") for name, text in names.items()}
    for name, link in links.items():
        page.goto(link)
        yield name


@pytest.mark.parametrize(("scheme", "locale"), [("light", "en"), ("dark", "ar")])
def test_the_outlook_has_a_chart_and_a_table_in_which_axe_finds_nothing(
    opened: Open, platform: Platform, scheme: str, locale: str
) -> None:
    fill(platform, [replace(row, jurisdiction_id="city.example") for row in history(level=400)])
    make_forecasts(platform, platform.registry.find("city.example"), datetime.combine(TODAY, time(12), UTC))
    page = opened(f"{CITY}outlook?locale={locale}", color_scheme=scheme, viewport=NARROW)
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
    chart = page.locator("svg.trend")
    inside = chart.bounding_box()
    assert inside["height"] > 200
    assert (
        chart.locator("g.expected circle").count()
        == page.locator("[role=region] tbody").first.locator("tr").count()
    )
    for text in chart.locator("text").all():
        box = text.bounding_box()
        assert inside["x"] - 1 <= box["x"]
        assert box["x"] + box["width"] <= inside["x"] + inside["width"] + 1
    for query in ("", "&service_code=trees", "&area=Hill", "&area=Nowhere"):
        page.goto(f"{CITY}outlook?locale={locale}{query}")
        found = axe.Axe().run(page)
        assert not found.response["violations"], f"{query}: {found.generate_report()}"


def test_people_find_answers_and_collection_days_without_javascript(opened: Open) -> None:
    page = opened(java_script_enabled=False)
    page.get_by_label("What is the problem?").fill("my matress")
    press(page, "Search")
    box = page.locator("section.box")
    assert "Maybe this answers it" in box.inner_text()
    follow(box.get_by_role("link", name="Furniture and other bulky items"))
    assert page.locator("h1").inner_text() == "Furniture and other bulky items"
    follow(page.get_by_role("link", name="Answers", exact=True).first)
    follow(page.get_by_role("link", name="Collection days"))
    page.get_by_label("Where do you live?").select_option("Harbour")
    press(page, "Show the days")
    assert page.locator("tbody tr").count() > 5
    assert ".ics?" in page.get_by_role("link", name="Add the days to your calendar").get_attribute("href")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_any_page(opened: Open, some_reports: None, scheme: str) -> None:
    page = opened(color_scheme=scheme)
    for name in visited(page):
        found = axe.Axe().run(page)
        assert not found.response["violations"], f"{name}: {found.generate_report()}"


def test_no_page_needs_scrolling_sideways_at_400_percent(opened: Open, some_reports: None) -> None:
    page = opened(viewport=NARROW)
    for name in visited(page):
        assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"], name


def test_every_target_is_large_enough(opened: Open, some_reports: None) -> None:
    """WCAG 2.2, 2.5.8: 24 pixels, except for links within a sentence."""
    page = opened(viewport=DESKTOP)
    small = """[...document.querySelectorAll("button, input:not([type=hidden]), select, nav a, .services a")]
        .filter(one => !one.closest(".trap") && !one.classList.contains("trap") && one.offsetParent)
        .map(one => [one.getBoundingClientRect(), one.outerHTML.slice(0, 80)])
        .filter(([box]) => box.height < 24 || box.width < 24).map(([, html]) => html)"""
    for name in visited(page):
        assert page.evaluate(small) == [], name


def test_people_subscribe_by_mail_from_the_list_without_javascript_and_axe_finds_nothing(
    chromium: Any, make_app: Callable[..., Flask]
) -> None:
    with town(make_app) as here, serving(here.app) as address:
        name = here.report(email="")
        with closing(chromium.new_context(base_url=address, viewport=NARROW, java_script_enabled=False)) as context:
            page = context.new_page()
            page.goto("/c/test.example/requests?status=open")
            page.get_by_label("Your email address").fill("bob@mail.example")
            page.get_by_label("How often").select_option("hourly")
            page.get_by_role("button", name="Get mail").click()
            sync_api.expect(page.get_by_role("heading", level=1)).to_have_text("Look into your mailbox")
            [mail] = here.send()
            page.goto(page_of(mail))
            page.get_by_role("button", name="Yes, send me mail").click()
            sync_api.expect(page.get_by_role("status")).to_contain_text("for a year")
        with closing(chromium.new_context(base_url=address, viewport=NARROW)) as context:
            page = context.new_page()
            listed, mapped = "/c/test.example/requests", "/map/test.example"
            for path in (listed, mapped, f"{listed}/{name}", page_of(mail)):
                page.goto(path)
                found = axe.Axe().run(page)
                assert not found.response["violations"], f"{path}: {found.generate_report()}"
                assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"], path


def test_a_report_is_supported_from_its_page_and_from_the_form_without_javascript(
    chromium: Any, make_app: Callable[..., Flask]
) -> None:
    with town(make_app) as here, serving(here.app) as address:
        name = here.report(email="")
        with closing(chromium.new_context(base_url=address, viewport=NARROW, java_script_enabled=False)) as context:
            page = context.new_page()
            for _ in range(2):
                page.goto(f"/c/test.example/requests/{name}")
                page.get_by_role("button", name="This is my problem too").click()
                sync_api.expect(page.get_by_role("heading", level=1)).to_have_text("Thank you")
                assert page.get_by_text("1 person has said: this is my problem too.").is_visible()
            assert [one["name"] for one in context.cookies()] == ["open311-supporter"]
            page.get_by_role("button", name="Take it back").click()
            sync_api.expect(page.get_by_role("heading", level=1)).to_have_text("You are not counted any more.")
            page.goto("/c/test.example/report?service_code=potholes&lat=60.1718&long=24.9414&step=check")
            page.get_by_role("button", name="This is my problem too").click()
            page.get_by_label("Get mail when something happens to this report").fill("bob@mail.example")
            page.get_by_role("button", name="Follow by mail").click()
            sync_api.expect(page.get_by_role("heading", level=1)).to_have_text("Look into your mailbox")
            [mail] = here.send()
            assert mail["To"] == "bob@mail.example"
        with closing(chromium.new_context(base_url=address, viewport=NARROW)) as context:
            page = context.new_page()
            page.goto(f"/c/test.example/requests/{name}")
            for _ in range(2):
                found = axe.Axe().run(page)
                assert not found.response["violations"], found.generate_report()
                assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
                if page.get_by_role("button", name="This is my problem too").count():
                    page.get_by_role("button", name="This is my problem too").click()
