"""Signing in to the pages for staff by OpenID Connect, against a real provider."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask

from open311.clock import utc_now
from open311.domain.access import SHELL, Role
from open311.operations.access.staff import add_account
from tests.checked_client import platform_of
from tests.conftest import CITY
from tests.desk_pages import HOME
from tests.pages import checked
from tests.signing_in.providers import TestProvider, begun, led_back, running_provider

BY_SHELL: dict[str, Any] = {"principal": SHELL, "now": utc_now()}
EMAIL = "ada@city.example"


@pytest.fixture(scope="module")
def provider() -> Iterator[TestProvider]:
    """The city's provider."""
    with running_provider() as found:
        found.knows(email=EMAIL, email_verified=True)
        yield found


@pytest.fixture
def make_server(make_app: Callable[..., Flask], provider: TestProvider) -> Callable[..., Flask]:
    """Makes a server whose staff sign in at the provider."""

    def make(**changes: Any) -> Flask:
        own = {"oidc_issuer": provider.address, "oidc_client_id": "open311", "oidc_client_secret": "s3cret"}
        return make_app(**own | changes)

    return make


@pytest.fixture
def server(make_server: Callable[..., Flask]) -> Flask:
    """A server with an account for the person whom the provider knows."""
    app = make_server()
    add_account(platform_of(app), name=EMAIL, role=Role.AGENT, jurisdiction_id=CITY, **BY_SHELL)
    return app


def test_a_person_signs_in_at_the_provider_and_reads_the_queue(server: Flask, provider: TestProvider) -> None:
    client = server.test_client()
    [link] = checked(client.get("/desk/sign-in")).xpath("//main//ul//a/@href")
    assert link == f"/desk/sign-in/with/{CITY}"
    answer = led_back(client, provider.answer(begun(client)))
    assert (answer.status_code, answer.headers["Location"]) == (303, HOME)
    assert EMAIL in checked(client.get(HOME)).text_content()
