"""The pages for citizens in other languages in a real browser: a report in Arabic, axe, and the direction."""

# ruff: noqa: F811  # a test's parameter has the name of its fixture

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from open311.domain.places import Place
from open311.jobs.dispatching import dispatch_all
from open311.operations.platform import Platform
from open311.translations import translations_in
from tests import build
from tests.browser.browsing import (
    CHROMIUM,
    CITY,
    NARROW,
    Open,
    address,  # noqa: F401  # fixtures
    axe,
    chromium,  # noqa: F401
    follow,
    opened,  # noqa: F401
)

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed; run `make browser` as root")

Say = Callable[[str], str]


def words_of(language: str) -> Say:
    """A function that translates an English text of the pages into a language."""
    return translations_in(language).gettext


def press(page: Any, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()
    page.wait_for_load_state()


def steps(page: Any, language: str) -> Iterator[str]:
    """Goes through the form to the end. Yields a name for each step."""
    say = words_of(language)
    page.goto(f"{CITY}report?service_code=potholes&locale={language}")
    page.get_by_label(say("Description"), exact=True).fill("حفرة عميقة أمام المدرسة، حريق")
    yield "details"
    press(page, say("Continue: the place"))
    yield "place"
    press(page, say("Continue: check and send"))
    yield "place with a fault"
    page.locator("input[type=image]").click(position={"x": 150, "y": 120})
    press(page, say("Continue: check and send"))
    yield "check"
    press(page, say("Send the report"))
    yield "thanks"
    names = ("Your private page of the report", "The public page of the report")
    links = [page.get_by_role("link", name=say(name)).get_attribute("href") for name in names]
    for name, link in zip(names, links, strict=True):
        page.goto(link)
        yield name


def visited(page: Any, language: str) -> Iterator[str]:
    """Goes to most kinds of pages in a language, and to one that does not exist. Yields a name for each."""
    for name in ("", "numbers", "requests?status=wrong", "data", "privacy", "nothing"):
        page.goto(f"{CITY}{name}{'&' if '?' in name else '?'}locale={language}")
        yield name
    page.goto(f"/map/city.example?locale={language}")
    page.locator("#map[data-state=shown]").wait_for()
    yield "map"
    page.goto(f"/widget/city.example?locale={language}")
    yield "widget"
    yield from steps(page, language)


def test_a_report_in_arabic_goes_through_on_a_phone(opened: Open, platform: Platform) -> None:
    say = words_of("ar")
    page = opened(f"{CITY}?locale=ar")
    follow(page.get_by_role("link", name="حفرة في الطريق", exact=True))
    page.get_by_label(say("Description"), exact=True).fill("حفرة عميقة أمام المدرسة")
    press(page, say("Continue: the place"))
    page.locator("input[type=image]").click(position={"x": 150, "y": 120})
    press(page, say("Continue: check and send"))
    press(page, say("Send the report"))
    number = page.locator("main strong").first.inner_text()
    follow(page.get_by_role("link", name=say("The public page of the report")))
    assert page.locator("html").get_attribute("dir") == "rtl"
    assert page.locator(".badge").inner_text() == "مفتوح"
    assert number in page.locator("main").inner_text()
    build.change(platform, number, status="closed", note="تم ردم الحفرة.")
    page.reload()
    assert page.locator(".badge").inner_text() == "مغلق"
    assert "تم ردم الحفرة." in page.locator("main").inner_text()


@pytest.mark.parametrize("language", ["ar", "zh-Hans"])
def test_axe_finds_no_fault_in_pages_in_arabic_and_chinese(opened: Open, platform: Platform, language: str) -> None:
    page = opened(viewport=NARROW)
    for name in visited(page, language):
        found = axe.Axe().run(page)
        assert not found.response["violations"], f"{name}: {found.generate_report()}"
        assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"], name
        assert page.locator("html").get_attribute("lang") == language, name


def test_a_page_from_right_to_left_begins_at_the_right(opened: Open) -> None:
    page = opened(f"{CITY}?locale=ar")
    heading, first = page.locator("h1"), page.locator("nav li").first
    width = page.evaluate("innerWidth")
    box = first.bounding_box()
    assert page.evaluate("getComputedStyle(document.querySelector('h1')).textAlign") in ("start", "right")
    assert box["x"] + box["width"] > width * 0.9
    assert heading.is_visible()


def test_the_controls_of_the_map_are_in_the_language(opened: Open, platform: Platform) -> None:
    build.store(platform, place=Place(lat=60.175, long=24.95))
    dispatch_all(platform)
    page = opened("/map/city.example?locale=ar")
    page.locator("#map[data-state=shown]").wait_for()
    say = words_of("ar")
    for name in ("Zoom in", "Zoom out", "Find my place"):
        assert page.get_by_role("button", name=say(name)).count() == 1
    assert page.get_by_role("button", name="Zoom in").count() == 0
