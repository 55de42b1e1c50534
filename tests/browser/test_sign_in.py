"""Signing in at a provider of another site, in a real browser.

Only a browser applies our rules for cookies (SameSite) and our content security policy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask

from open311.clock import utc_now
from open311.domain.access import SHELL, Role
from open311.operations.access.staff import add_account
from tests.browser.browsing import CHROMIUM, PHONE, chromium, follow, press, serving
from tests.checked_client import platform_of
from tests.conftest import CITY
from tests.desk_pages import HOME
from tests.signing_in.providers import SUBJECT, TestProvider, running_provider

__all__ = ["chromium"]  # a fixture
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed; run `make browser` as root")
EMAIL = "ada@city.example"


@pytest.fixture
def provider() -> Iterator[TestProvider]:
    """A provider at `localhost`. For browsers, this is another site than 127.0.0.1."""
    with running_provider() as found:
        found.knows(email=EMAIL, email_verified=True)
        yield TestProvider(found.address.replace("127.0.0.1", "localhost"))


@pytest.fixture
def address(make_app: Callable[..., Flask], provider: TestProvider) -> Iterator[str]:
    """The address of a server whose staff sign in at the provider."""
    app = make_app(oidc_issuer=provider.address, oidc_client_id="open311", oidc_client_secret="s3cret")
    by_shell: dict[str, Any] = {"principal": SHELL, "now": utc_now()}
    add_account(platform_of(app), name=EMAIL, role=Role.AGENT, jurisdiction_id=CITY, **by_shell)
    with serving(app) as found:
        yield found


def test_a_person_signs_in_at_another_site_and_out_again(
    chromium: Any, address: str, provider: TestProvider
) -> None:
    context = chromium.new_context(base_url=address, viewport=PHONE)
    page = context.new_page()
    page.set_default_timeout(20_000)
    page.goto("/desk/sign-in")
    follow(page.get_by_role("link", name="Demoville"))
    page.wait_for_url(f"{provider.address}/**")
    page.locator("input[name=sub]").fill(SUBJECT)
    press(page, "Authorize")
    page.wait_for_url(f"**{HOME}")
    assert [one["name"] for one in context.cookies(f"{address}/desk/")] == ["open311-desk"]
    assert context.cookies(f"{address}/c/{CITY}/") == []
    press(page, "Sign out")
    page.wait_for_url("**/desk/sign-in?done=out")
    follow(page.get_by_role("link", name="Sign out of the sign-in service"))
    page.wait_for_url(f"{provider.address}/**")
    page.goto(HOME)
    assert "You are not signed in" in page.locator("main").inner_text()
    context.close()
