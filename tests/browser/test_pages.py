"""The pages for citizens in a real browser: with a keyboard, with axe, on a phone, and without JavaScript."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask
from werkzeug.serving import make_server

from open311.domain.places import Place
from open311.jobs.dispatching import dispatch_all
from open311.operations.platform import Platform
from tests import build
from tests.photos import jpeg, prepare_all

sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed; run `make browser`")
axe = pytest.importorskip(
    "axe_playwright_python.sync_playwright", reason="axe is not installed; run `make browser`"
)
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed; run `make browser` as root")

CITY = "/c/city.example/"
PHONE, DESKTOP, NARROW = (
    {"width": 390, "height": 844},
    {"width": 1280, "height": 900},
    {"width": 320, "height": 640},
)
"""NARROW is a window of 1280 pixels at a zoom of 400 %."""
QUIET = (
    *("--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
POINT = {"latitude": 60.1718, "longitude": 24.9414}
Open = Callable[..., Any]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A browser of this machine; nothing is downloaded."""
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture
def address(app: Flask) -> Iterator[str]:
    """The address of a server with the demo city."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def opened(chromium: Any, address: str) -> Iterator[Open]:
    """Opens a page: opened(path, viewport, ...). At the end, no page has asked another host for anything."""
    contexts: list[Any] = []
    asked: list[str] = []

    def open_page(path: str = CITY, viewport: dict[str, int] | None = None, **options: Any) -> Any:
        context = chromium.new_context(base_url=address, viewport=viewport or PHONE, **options)
        context.on("request", lambda request: asked.append(request.url))
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.goto(path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert asked
    own = {urlsplit(one).netloc for one in asked if not one.startswith(("data:", "blob:"))}
    assert own == {urlsplit(address).netloc}


def press(page: Any, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()
    page.wait_for_load_state()


def reported(page: Any, photo: Path | None = None) -> str:
    """Report a pothole by the map. Returns the number of the report."""
    page.get_by_role("link", name="Pothole", exact=True).click()
    page.get_by_label("Description").fill("Deep hole before the school")
    press(page, "Continue: the place")
    page.locator("input[type=image]").click(position={"x": 150, "y": 120})
    page.locator("input[type=image]").click(position={"x": 140, "y": 150})
    press(page, "Continue: check and send")
    if photo is not None:
        page.get_by_label("Photos").set_input_files(str(photo))
    page.get_by_label("E-mail address").fill("maria@mail.example")
    press(page, "Send the report")
    return str(page.locator("main strong").first.inner_text())


def test_a_report_with_a_photo_goes_through_without_javascript(
    opened: Open, platform: Platform, tmp_path: Path
) -> None:
    photo = tmp_path / "hole.jpg"
    photo.write_bytes(jpeg(size=(1_600, 1_200)))
    page = opened(java_script_enabled=False)
    number = reported(page, photo)
    prepare_all(platform)
    page.get_by_role("link", name="The public page of the report").click()
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
    press(page, "Use my position")
    page.wait_for_url("**/report")
    sync_api.expect(page.get_by_label("Latitude")).to_have_value("60.171800")
    sync_api.expect(page.get_by_label("Longitude")).to_have_value("24.941400")


def test_a_device_without_a_position_says_so(opened: Open) -> None:
    page = opened(f"{CITY}report?service_code=potholes")
    press(page, "Continue: the place")
    press(page, "Use my position")
    sync_api.expect(page.locator("#located")).to_contain_text("Use the map or the address")


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
    page.keyboard.press("Enter")  # goes on, and does not click into the map
    page.get_by_label("First name").focus()
    page.keyboard.press("Enter")
    page.get_by_text("Its number is").wait_for()


def test_the_map_shows_the_tiles_and_a_point_leads_to_its_report(opened: Open, platform: Platform) -> None:
    build.store(platform, service_request_id="R/1", place=Place(lat=60.175, long=24.95))  # the middle of the city
    dispatch_all(platform)
    page = opened("/map/city.example?locale=es")
    shown = page.locator("#map[data-state=shown]")
    shown.wait_for()
    for _ in range(3):
        page.get_by_role("button", name="Zoom in").click()
        shown.wait_for()
    page.locator("canvas").click()
    link = page.locator(".maplibregl-popup a")
    assert link.inner_text() == "Bache (abierto)"
    link.click()
    assert "R/1" in page.locator("main").inner_text()


def visited(page: Any) -> Iterator[str]:
    """Goes to every page of the city. Yields a name for each."""
    yield "start"
    page.goto("/widget/city.example")
    yield "widget"
    page.goto("/map/city.example")
    page.locator("#map[data-state=shown]").wait_for()
    yield "map"
    for name in ("numbers", "requests", "requests?status=wrong", "data", "privacy", "nothing"):
        page.goto(CITY + name)
        yield name
    page.goto(f"{CITY}report?service_code=graffiti")
    yield "details"
    page.get_by_label("Description").fill("It is on fire")
    press(page, "Continue: the place")
    yield "details with faults"
    page.get_by_label("Brick").check()
    press(page, "Continue: the place")
    page.locator("input[type=image]").click(position={"x": 150, "y": 120})
    yield "place"
    press(page, "Continue: check and send")
    yield "check"
    press(page, "Send the report")
    yield "thanks"
    names = {"own page": "Your own page of the report", "request": "The public page of the report"}
    links = {name: page.get_by_role("link", name=text).get_attribute("href") for name, text in names.items()}
    for name, link in links.items():
        page.goto(link)
        yield name


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_any_page(opened: Open, platform: Platform, scheme: str) -> None:
    page = opened(color_scheme=scheme)
    for name in visited(page):
        found = axe.Axe().run(page)
        assert not found.response["violations"], f"{name}: {found.generate_report()}"


def test_no_page_needs_scrolling_sideways_at_400_percent(opened: Open, platform: Platform) -> None:
    page = opened(viewport=NARROW)
    for name in visited(page):
        assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"], name


def test_every_target_is_large_enough(opened: Open, platform: Platform) -> None:
    """WCAG 2.2, 2.5.8: 24 pixels, except for links within a sentence."""
    page = opened(viewport=DESKTOP)
    small = """[...document.querySelectorAll("button, input:not([type=hidden]), select, nav a, .services a")]
        .filter(one => !one.closest(".trap") && !one.classList.contains("trap") && one.offsetParent)
        .map(one => [one.getBoundingClientRect(), one.outerHTML.slice(0, 80)])
        .filter(([box]) => box.height < 24 || box.width < 24).map(([, html]) => html)"""
    for name in visited(page):
        assert page.evaluate(small) == [], name
