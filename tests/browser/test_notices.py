"""Notices of a city in a real browser: the desk writes one, and citizens read it. Also without scripts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from open311.clock import utc_now
from open311.domain.access import SHELL, Role
from open311.operations.access.staff import add_account, issue_login
from open311.operations.platform import Platform
from tests.browser.browsing import (
    CHROMIUM,
    CITY,
    NARROW,
    PHONE,
    Open,
    address,
    axe,
    chromium,
    follow,
    opened,
    press,
)
from tests.conftest import CITY as CITY_ID
from tests.desk_pages import HOME

__all__ = ["address", "chromium", "opened"]  # fixtures
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed; run `make browser` as root")


@pytest.fixture
def signed_in(opened: Open, platform: Platform) -> Callable[..., Any]:
    """Opens a browser in which a dispatcher has signed in."""

    def sign_in(**options: Any) -> Any:
        by_shell: dict[str, Any] = {"principal": SHELL, "now": utc_now()}
        add_account(platform, name="ada", role=Role.DISPATCHER, jurisdiction_id=CITY_ID, **by_shell)
        page = opened(f"/desk/sign-in/{issue_login(platform, CITY_ID, 'ada', **by_shell).secret}", **options)
        press(page, "Sign in")
        page.wait_for_url(f"**{HOME}")
        return page

    return sign_in


def written(page: Any) -> None:
    """Write a notice with the form of the desk."""
    follow(page.get_by_role("link", name="Notices of the city"))
    page.get_by_label("Headline, English").fill("Water is off")
    page.get_by_label("More, English").fill("A pipe has burst.")
    page.get_by_text("The same in other languages").click()
    page.get_by_label("Headline, Español").fill("No hay agua")
    page.get_by_label("Until").fill((utc_now() + timedelta(days=2)).strftime("%Y-%m-%dT%H:%M"))
    page.get_by_label("How bad it is").select_option("Severe")
    press(page, "Add the notice")
    page.get_by_text("The notice was added.").wait_for()


def faults(page: Any) -> str:
    """What axe finds wrong with a page."""
    found = axe.Axe().run(page)
    return "" if not found.violations_count else str(found.generate_report())


@pytest.mark.parametrize("options", [{}, {"java_script_enabled": False}, {"viewport": NARROW}])
def test_the_desk_writes_a_notice_and_ends_it(signed_in: Callable[..., Any], options: dict[str, Any]) -> None:
    page = signed_in(**options)
    written(page)
    assert "Water is off" in page.inner_text("table")
    follow(page.get_by_role("link", name="Water is off"))
    page.get_by_label("More, English").fill("A pipe has burst. It is repaired by noon.")
    press(page, "Save the changes")
    page.get_by_text("The notice was changed.").wait_for()
    page.locator("summary", has_text="End it now").click()
    page.locator("button", has_text="End it now").click()
    page.get_by_text("The notice has ended.").wait_for()


def test_axe_finds_nothing_on_the_pages_with_a_notice(signed_in: Callable[..., Any], opened: Open) -> None:
    desk = signed_in()
    follow(desk.get_by_role("link", name="Notices of the city"))
    assert faults(desk) == ""
    written(desk)
    assert faults(desk) == ""
    follow(desk.get_by_role("link", name="Water is off"))
    assert faults(desk) == ""
    for path in (CITY, f"{CITY}notices", f"{CITY}report?service_code=potholes", f"{CITY}?locale=ar"):
        page = opened(path, viewport=PHONE)
        assert page.locator("article").count() == 1
        assert faults(page) == ""


def test_a_reader_gets_the_notice_in_the_language_of_the_page(signed_in: Callable[..., Any], opened: Open) -> None:
    written(signed_in())
    page = opened(f"{CITY}?locale=es")
    assert page.inner_text("article h3") == "No hay agua"
    assert page.get_attribute("article .said", "lang") == "en"
