"""The pages for staff in a real browser: with the keyboard, with axe, on a phone, and without JavaScript."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from open311.clock import utc_now
from open311.domain.access import SHELL, Role
from open311.domain.places import Place
from open311.domain.requests import Reporter, Status
from open311.operations.access.staff import add_account, issue_login
from open311.operations.desk.photos import add_photo
from open311.operations.platform import Platform
from tests import build
from tests.browser.browsing import (
    CHROMIUM,
    DESKTOP,
    NARROW,
    PHONE,
    POINT,
    Open,
    address,
    axe,
    chromium,
    follow,
    opened,
    press,
    reported,
    sync_api,
)
from tests.conftest import CITY
from tests.desk_pages import HOME
from tests.photos import jpeg, prepare_all

__all__ = ["address", "chromium", "opened"]  # fixtures
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed; run `make browser` as root")
SignIn = Callable[..., Any]


@pytest.fixture
def signed_in(opened: Open, platform: Platform) -> SignIn:
    """Opens a browser in which somebody has signed in by a login link."""

    def sign_in(name: str = "ada", role: Role = Role.DISPATCHER, **options: Any) -> Any:
        by_shell: dict[str, Any] = {"principal": SHELL, "now": utc_now()}
        add_account(platform, name=name, role=role, jurisdiction_id=CITY, **by_shell)
        page = opened(f"/desk/sign-in/{issue_login(platform, CITY, name, **by_shell).secret}", **options)
        press(page, "Sign in")
        page.wait_for_url(f"**{HOME}")
        return page

    return sign_in


def filled(platform: Platform) -> int:
    """Store a few requests, one of them with a photo and a history. Returns the number of this request."""
    now = utc_now()
    number = build.store(
        platform,
        service_request_id="R/1",
        department="streets",
        description="Deep hole before the school. Call 617-555-0143.",
        place=Place(lat=60.1718, long=24.9414, address="5 Mill Lane"),
        expected_at=now - timedelta(days=2),
    ).number
    build.store(platform, service_request_id="R/2", department="parks", expected_at=now + timedelta(hours=3))
    build.store(platform, service_request_id="R/3", department="streets", expected_at=now + timedelta(days=9))
    build.change(platform, "R/1", note="We have seen it.", now=now)
    (city,) = platform.registry
    picture = jpeg(size=(1_200, 900))
    options: dict[str, Any] = {"is_public": True, "own_address": "http://localhost", "principal": SHELL, "now": now}
    add_photo(platform, city, number, picture, **options)
    prepare_all(platform)
    return number


def filled_for_admins(platform: Platform) -> int:
    """Like `filled`, in a city that allows overrides, and with a report of a person."""
    (city,) = platform.registry
    platform.registry.renew(replace(city, overrides=True))
    build.submit(platform, reporter=Reporter(email="jane@mail.example"))
    return filled(platform)


def test_a_report_is_closed_with_a_photo_on_a_phone_and_the_citizen_sees_it(
    signed_in: SignIn, opened: Open, platform: Platform, tmp_path: Path
) -> None:
    number = filled(platform)
    citizen = opened(f"/c/{CITY}/requests/R%2F1")
    assert citizen.locator(".badge").inner_text() == "Open"
    picture = tmp_path / "done.jpg"
    picture.write_bytes(jpeg("green", size=(1_600, 1_200)))
    crew = signed_in("crew", Role.AGENT, geolocation=POINT, permissions=["geolocation"])
    follow(crew.get_by_role("link", name="My work"))
    press(crew, "Near me")
    crew.wait_for_url(re.compile("lat=60.171800"))
    follow(crew.locator(".card", has_text="R/1").get_by_role("link", name="Close it"))
    crew.get_by_label("Photo of the work").set_input_files(str(picture))
    crew.get_by_label("Everybody who may see the request may see the photo").check()
    press(crew, "Close the request")
    crew.get_by_text("Done: Close.").wait_for()
    assert build.load(platform, number=number).status is Status.CLOSED
    prepare_all(platform)
    citizen.reload()
    assert citizen.locator(".badge").inner_text() == "Closed"
    assert citizen.get_by_role("img", name="Photo 2 of the report").count() == 1


def test_a_pothole_is_reported_with_a_photo_and_followed_until_staff_close_it(
    signed_in: SignIn, opened: Open, platform: Platform, tmp_path: Path
) -> None:
    picture = tmp_path / "hole.jpg"
    picture.write_bytes(jpeg(size=(1_600, 1_200)))
    citizen = opened()
    request_id = reported(citizen, picture)
    prepare_all(platform)
    follow(citizen.get_by_role("link", name="The public page of the report"))
    assert citizen.locator(".badge").inner_text() == "Open"
    assert citizen.get_by_role("img", name="Photo 1 of the report").count() == 1
    staff = signed_in(viewport=DESKTOP)
    follow(staff.get_by_role("link", name=f"Pothole {request_id}"))
    staff.locator("#do-close summary").click()
    staff.locator("#close-outcome").select_option("fixed")
    staff.locator("#close-note").fill("The hole is filled.")
    press(staff, "Close")
    staff.get_by_text("Done: Close.").wait_for()
    citizen.reload()
    assert citizen.locator(".badge").inner_text() == "Closed"
    assert "The hole is filled." in citizen.locator("main").inner_text()


def test_without_javascript_a_command_goes_through(signed_in: SignIn, platform: Platform) -> None:
    number = filled(platform)
    page = signed_in(java_script_enabled=False)
    follow(page.get_by_role("link", name="Pothole R/1"))
    page.locator("#do-note summary").click()
    page.locator("#note-text").fill("The owner was there.")
    press(page, "Write a note")
    assert "Done: Write a note." in page.locator("main").inner_text()
    assert "The owner was there." in page.locator("main").inner_text()
    assert build.history(platform, build.load(platform, number=number))[-1].kind == "internal_note"


def test_the_queue_can_be_used_with_the_keyboard_alone(signed_in: SignIn, platform: Platform) -> None:
    number = filled(platform)
    page = signed_in(viewport=DESKTOP)
    for key in ("j", "j", "k"):
        page.keyboard.press(key)
    assert page.evaluate("document.activeElement.textContent") == "Pothole R/1"
    page.keyboard.press("x")
    assert page.locator("input[name=pick]").first.is_checked()
    page.keyboard.press("/")
    page.keyboard.type("jjR/2")
    assert page.locator("#find").input_value() == "jjR/2"
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("?")
    assert page.get_by_text("show these keys").is_visible()
    page.goto(HOME)
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/requests/{number}")
    page.keyboard.press("q")
    page.wait_for_url(f"**{HOME}")


def test_a_question_can_be_changed_with_the_keyboard_and_without_javascript(
    signed_in: SignIn, opened: Open, platform: Platform
) -> None:
    filled_for_admins(platform)
    page = signed_in(role=Role.ADMIN, java_script_enabled=False)
    page.get_by_role("link", name="Texts and questions").press("Enter")
    page.get_by_role("link", name="Questions: Graffiti", exact=True).press("Enter")
    page.get_by_label("Question").first.focus()
    page.keyboard.press("Control+a")
    page.keyboard.type("On what is it?")
    page.get_by_role("button", name="Save").press("Enter")
    page.get_by_text("Saved.").wait_for()
    citizen = opened(f"/c/{CITY}/report?service_code=graffiti&lat=60.1718&long=24.9414")
    assert "On what is it?" in citizen.content()
    page.get_by_role("button", name="Let the files count again").press("Enter")
    page.get_by_text("files count again.").wait_for()


def test_the_key_j_goes_to_the_buttons_of_a_list_without_links(signed_in: SignIn) -> None:
    page = signed_in(role=Role.ADMIN, viewport=NARROW)
    errors: list[Any] = []
    page.on("pageerror", lambda error: errors.append(error))
    follow(page.get_by_role("link", name="Blocked senders"))
    page.get_by_label("Address, id or number").fill("spam@mail.example")
    page.get_by_label("Reason").fill("Spam")
    press(page, "Block the sender")
    page.get_by_text("The sender is blocked.").wait_for()
    page.keyboard.press("j")
    assert page.evaluate("document.activeElement.textContent") == "Remove"
    assert not errors
    ends = page.locator("td[data-label]").last
    assert ends.evaluate("one => getComputedStyle(one, '::before').content") == '"Ends: "'


def test_the_first_faulty_field_has_the_focus(signed_in: SignIn) -> None:
    page = signed_in(viewport=NARROW)
    follow(page.get_by_role("link", name="Notices of the city"))
    page.get_by_label("Headline, English").fill("Water is off")
    press(page, "Add the notice")
    until = page.get_by_label("Until")
    sync_api.expect(until).to_be_focused()
    sync_api.expect(until).to_be_in_viewport()


def test_the_keyboard_shortcuts_can_be_switched_off(signed_in: SignIn, platform: Platform) -> None:
    filled(platform)
    page = signed_in(viewport=DESKTOP)
    page.keyboard.press("?")
    page.get_by_label("Single keys work on these pages").uncheck()
    page.goto(HOME)
    page.keyboard.press("j")
    assert page.evaluate("document.activeElement.tagName") == "BODY"


def test_parts_of_a_photo_are_drawn_and_blackened(signed_in: SignIn, platform: Platform) -> None:
    filled(platform)
    page = signed_in(viewport=DESKTOP)
    follow(page.get_by_role("link", name="Pothole R/1"))
    follow(page.locator(".photos a"))
    box = page.locator("#drawing").bounding_box()
    left, top = box["x"] + box["width"] * 0.1, box["y"] + box["height"] * 0.2
    page.mouse.move(left, top)
    page.mouse.down()
    page.mouse.move(left + box["width"] * 0.4, top + box["height"] * 0.4)
    page.mouse.up()
    drawn = [float(side) for side in page.locator("#boxes").input_value().split()]
    assert drawn == pytest.approx([10, 20, 50, 60], abs=1)
    page.locator("#blacken-reason").fill("A licence plate.")
    press(page, "Blacken these parts")
    assert "are black now" in page.locator("main").inner_text()


def visited(page: Any, number: int) -> Iterator[str]:
    """Goes to the pages for staff, except those of notices. Yields a name for each."""
    yield "queue"
    for path in (
        *("?state=wrong&overdue=true", "?id=nothing", "photos", "deliveries", "deliveries?state=wrong"),
        *("work?lat=60.1718&long=24.9414", "work?lat=x&long=24", "find?id=nothing"),
        *(f"requests/{number}", f"requests/{number}/finish", "/desk/account", "/desk/sign-in"),
        *("texts", "neighbours", "keys"),
    ):
        page.goto(path if path.startswith("/") else HOME + path)
        yield path
    press(page, "Make the key")
    yield "keys with a fault"
    page.get_by_label("Who is it for").fill("FixIt app")
    press(page, "Make the key")
    yield "new key"
    follow(page.get_by_role("link", name="The page of this key"))
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    yield "key with all forms"
    page.goto(f"{HOME}requests/{number}")
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    yield "request with all forms"
    page.locator("#do-close button").click()
    page.wait_for_load_state()
    yield "request with faults"
    follow(page.locator(".photos a"))
    page.wait_for_load_state()
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    yield "photo"
    page.goto(HOME)
    page.locator("input[name=pick]").first.check()
    page.locator("#bulk-do").select_option("prioritise")
    press(page, "Continue")
    yield "bulk"
    page.get_by_label("Priority").select_option("high")
    press(page, "Try it: what would change?")
    yield "bulk, tried"
    yield from visited_by_admins(page)


def visited_by_admins(page: Any) -> Iterator[str]:
    """Goes to the pages that only admins see. Yields a name for each."""
    for item in ("form:graffiti", "service:es:graffiti", "group:es:Streets", "text:en:fixed:"):
        page.goto(f"{HOME}catalogue/item?item={item}")
        yield item
    page.get_by_label("Text").fill("Dear {name}")
    press(page, "Save")
    yield "item with a fault"
    page.get_by_label("Text").fill("It is mended.")
    press(page, "Save")
    page.get_by_text("Saved.").wait_for()
    yield "catalogue"
    page.goto(f"{HOME}texts")
    yield "texts"
    page.goto(f"{HOME}blocks")
    yield "blocks"
    press(page, "Block the sender")
    yield "blocks with faults"
    page.get_by_label("Address, id or number").fill("spam@mail.example")
    page.get_by_label("Reason").fill("Insults.")
    press(page, "Block the sender")
    page.get_by_text("The sender is blocked.").wait_for()
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    yield "blocks with one"
    page.goto(f"{HOME}people")
    yield "people"
    press(page, "Find")
    yield "people with faults"
    page.get_by_label("E-mail address").fill("jane@mail.example")
    page.get_by_label("Why, without the name of the person").fill("Letter of 1 March.")
    press(page, "Find")
    page.get_by_text("What the city has").wait_for()
    yield "data of a person"
    press(page, "Show what would be erased")
    page.get_by_text("What would be erased").first.wait_for()
    yield "what would be erased"
    press(page, "Erase for ever")
    page.get_by_text("Please type the word").wait_for()
    yield "an erasure without the word"
    page.get_by_label("It cannot be undone").fill("erase")
    press(page, "Erase for ever")
    page.get_by_role("heading", name="Proof of an erasure").wait_for()
    yield "proof"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_any_page(signed_in: SignIn, platform: Platform, scheme: str) -> None:
    number = filled_for_admins(platform)
    page = signed_in(role=Role.ADMIN, color_scheme=scheme, viewport=DESKTOP if scheme == "dark" else PHONE)
    for name in visited(page, number):
        found = axe.Axe().run(page)
        assert not found.response["violations"], f"{name}: {found.generate_report()}"


def test_no_page_needs_scrolling_sideways_at_400_percent_and_every_target_is_large_enough(
    signed_in: SignIn, platform: Platform
) -> None:
    small = """[...document.querySelectorAll("button, input:not([type=hidden]), select, summary, nav a, li > a")]
        .filter(one => one.offsetParent && !one.closest(".alarm"))
        .map(one => [one.getBoundingClientRect(), one.outerHTML.slice(0, 80)])
        .filter(([box]) => box.height < 24 || box.width < 24).map(([, html]) => html)"""
    number = filled_for_admins(platform)
    page = signed_in(role=Role.ADMIN, viewport=NARROW)
    for name in visited(page, number):
        assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"], name
        assert page.evaluate(small) == [], name


def test_a_signed_out_browser_shows_nothing_by_its_back_button(signed_in: SignIn, platform: Platform) -> None:
    filled(platform)
    page = signed_in()
    follow(page.get_by_role("link", name="Pothole R/1"))
    press(page, "Sign out")
    page.go_back()
    page.wait_for_load_state()
    assert "Deep hole" not in page.content()
