"""Signing in to the pages for staff by OpenID Connect, against a real provider."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from flask import Flask
from werkzeug.test import TestResponse

from open311.clock import utc_now
from open311.domain.access import ALL_JURISDICTIONS, SHELL, Role
from open311.errors import Unauthenticated
from open311.observe import configure_logs, logger
from open311.operations.access import openid
from open311.operations.access.staff import add_account, revoke_account
from open311.storage import audit
from tests import build
from tests.checked_client import platform_of
from tests.conftest import CITY
from tests.desk_pages import COOKIE, HOME
from tests.pages import checked, text_of
from tests.ports import free_port
from tests.signing_in.providers import (
    SUBJECT,
    TestProvider,
    begun,
    led_back,
    parameters,
    running_provider,
)

EMAIL = "ada@city.example"
TICKET = "open311-sign-in"
BACK = "http://localhost/desk/sign-in/back"


def by_shell() -> dict[str, Any]:
    """An act of the shell now: a login link made at import would expire during a long run."""
    return {"principal": SHELL, "now": utc_now()}


@pytest.fixture(scope="module")
def provider() -> Iterator[TestProvider]:
    """The city's provider."""
    with running_provider() as found:
        yield found


@pytest.fixture(autouse=True)
def own_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """A logger that has the level of this test. Loggers keep the level that they had when they were first used."""
    monkeypatch.setattr(openid, "log", logger(openid.__name__))


@pytest.fixture(autouse=True)
def known(provider: TestProvider) -> None:
    """The provider has verified the address of the person."""
    provider.knows(email=EMAIL, email_verified=True)


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
    add_account(platform_of(app), name=EMAIL, role=Role.AGENT, jurisdiction_id=CITY, **by_shell())
    return app


def test_a_person_signs_in_at_the_provider_and_reads_the_queue(server: Flask, provider: TestProvider) -> None:
    client = server.test_client()
    [link] = checked(client.get("/desk/sign-in")).xpath("//main//ul//a/@href")
    assert link == f"/desk/sign-in/with/{CITY}"
    answer = led_back(client, provider.answer(begun(client)))
    assert (answer.status_code, answer.headers["Location"]) == (303, HOME)
    assert EMAIL in checked(client.get(HOME)).text_content()


def account(app: Flask, name: str = EMAIL, city: str = CITY) -> None:
    add_account(platform_of(app), name=name, role=Role.AGENT, jurisdiction_id=city, **by_shell())


def signed_in(app: Flask, provider: TestProvider, city: str = CITY) -> TestResponse:
    """Where a person arrives who signs in at the provider."""
    client = app.test_client()
    return led_back(client, provider.answer(begun(client, city)))


def test_the_provider_gets_a_challenge_a_state_and_a_nonce_but_no_secret(server: Flask) -> None:
    client = server.test_client()
    answer = client.get(f"/desk/sign-in/with/{CITY}?locale=es")
    ticket = client.get_cookie(TICKET, path="/desk/sign-in").value
    sent = parameters(answer.headers["Location"])
    secrets = openid.secrets_of(ticket)
    assert sent == {
        "response_type": "code",
        "client_id": "open311",
        "redirect_uri": BACK,
        "scope": "openid email",
        "state": secrets.state,
        "nonce": secrets.nonce,
        "code_challenge": create_s256_code_challenge(secrets.verifier),
        "code_challenge_method": "S256",
        "ui_locales": "es",
    }
    assert len({secrets.state, secrets.nonce, secrets.verifier, ticket}) == 4
    assert "prompt=login" in begun(client, query="?again=1")


def test_scripts_cannot_read_the_ticket_and_it_is_removed_at_the_end(server: Flask, provider: TestProvider) -> None:
    client = server.test_client()
    cookie = client.get(f"/desk/sign-in/with/{CITY}").headers["Set-Cookie"]
    assert {"HttpOnly", "Path=/desk/sign-in", "SameSite=Lax", "Max-Age=600"} <= set(cookie.split("; "))
    secure = client.get(f"/desk/sign-in/with/{CITY}", base_url="https://localhost").headers["Set-Cookie"]
    assert secure.startswith(f"__Secure-{TICKET}=")
    assert "Secure" in secure.split("; ")
    answer = led_back(client, provider.answer(begun(client)))
    session, wanted, spent = answer.headers.getlist("Set-Cookie")
    assert session.startswith(f"{COOKIE}=staff_")
    assert wanted.startswith("open311-wanted=;")
    assert spent.startswith(f"{TICKET}=;")


def test_an_answer_of_the_provider_is_used_once(server: Flask, provider: TestProvider) -> None:
    client = server.test_client()
    address = begun(client)
    ticket = client.get_cookie(TICKET, path="/desk/sign-in").value
    back = provider.answer(address)
    assert led_back(client, back).status_code == 303
    assert "used already" in text_of(checked(led_back(client, back), 401))
    client.set_cookie(TICKET, ticket, path="/desk/sign-in")  # somebody has copied everything that the browser had
    again = led_back(client, back)
    assert "did not confirm" in text_of(checked(again, 401))
    assert COOKIE not in again.headers["Set-Cookie"]


def test_an_answer_in_another_browser_or_with_another_state_is_refused(
    server: Flask, provider: TestProvider
) -> None:
    client, other = server.test_client(), server.test_client()
    back = provider.answer(begun(client))
    begun(other)
    for browser, address in (
        (server.test_client(), back),
        (other, back),
        (client, back.replace("state=", "state=0")),
        (client, f"{BACK}?code=x"),
        (client, f"{BACK}?state=%00"),
        (client, BACK),
    ):
        answer = led_back(browser, address)
        assert answer.status_code in (400, 401)
        assert COOKIE not in str(answer.headers.getlist("Set-Cookie"))


@pytest.mark.parametrize(
    "ticket", ["", "x", "a.b.c", "a.99999999999999999999.c", "a.1.city.example", "ü", "x" * 3_000]
)
def test_a_ticket_that_is_not_ours_is_refused(server: Flask, ticket: str) -> None:
    client = server.test_client()
    client.set_cookie(TICKET, ticket, path="/desk/sign-in")
    state = openid.secrets_of(ticket).state
    checked(client.get(f"/desk/sign-in/back?code=x&state={state}"), 401)


def test_a_sign_in_that_took_too_long_is_refused(server: Flask, provider: TestProvider) -> None:
    platform, now = platform_of(server), utc_now()
    begin = openid.begin_sign_in(platform, CITY, back=BACK, language="en", asks_again=False, now=now)
    answer = parameters(provider.answer(begin.address))
    for later_s in (601, -61):
        with pytest.raises(Unauthenticated, match="too old"):
            openid.finish_sign_in(platform, begin.ticket, answer, back=BACK, now=now + timedelta(seconds=later_s))
    openid.finish_sign_in(platform, begin.ticket, answer, back=BACK, now=now + timedelta(seconds=599))


def test_a_person_who_cancels_gets_a_page_with_a_link_to_try_again(server: Flask, provider: TestProvider) -> None:
    client = server.test_client()
    document = checked(led_back(client, provider.answer(begun(client), action="deny")), 401)
    assert "The sign-in was cancelled" in text_of(document)
    assert f"/desk/sign-in/with/{CITY}" in document.xpath("//main//a/@href")


@pytest.mark.parametrize(
    ("error", "status", "told"),
    [
        ("access_denied", 401, "The sign-in was cancelled"),
        ("temporarily_unavailable", 503, "does not answer now"),
        ("server_error", 503, "does not answer now"),
        ("invalid_scope", 503, "do not fit together"),
        ("<script>", 503, "do not fit together"),
    ],
)
def test_each_error_of_the_provider_has_a_page(server: Flask, error: str, status: int, told: str) -> None:
    answer = server.test_client().get("/desk/sign-in/back", query_string={"error": error})
    assert told in text_of(checked(answer, status))
    assert "<script>" not in answer.text


def test_every_reason_not_to_open_a_session_has_the_same_page(
    make_server: Callable[..., Flask], provider: TestProvider
) -> None:
    app = make_server()
    pages = {signed_in(app, provider).text}
    account(app)
    revoke_account(platform_of(app), CITY, EMAIL, **by_shell())
    pages.add(signed_in(app, provider).text)
    account(app, "bo@city.example")
    for claims in (
        {"email": "bo@city.example"},
        {"email": "bo@city.example", "email_verified": False},
        {"email": ["bo@city.example"], "email_verified": True},
        {"email": "bo@city.example\0", "email_verified": True},
        {"email": "", "email_verified": True},
        {"email_verified": True},
    ):
        provider.knows(**claims)
        answer = signed_in(app, provider)
        pages.add(answer.text)
        assert "Ask the people who run this server" in text_of(checked(answer, 401))
    assert len(pages) == 1
    assert "another account" in pages.pop()


def test_an_address_may_have_capitals_but_no_letter_that_only_looks_the_same(
    make_server: Callable[..., Flask], provider: TestProvider
) -> None:
    app = make_server()
    account(app, "grasse@city.example")
    account(app, "Kim@city.example")
    for email, status in (
        ("GRASSE@City.Example", 303),
        ("graße@city.example", 401),
        ("\u212aim@city.example", 401),  # the sign of Kelvin, which is a k in lower case
        ("kim@city.example", 303),
    ):
        provider.knows(email=email, email_verified=True)
        assert signed_in(app, provider).status_code == status, email


def test_another_claim_can_name_the_account_and_then_its_case_counts(
    make_server: Callable[..., Flask], provider: TestProvider
) -> None:
    app = make_server(oidc_claim="preferred_username", oidc_scope="openid profile")
    account(app, "Ada")
    for name, status in (("Ada", 303), ("ada", 401)):
        provider.knows(preferred_username=name)
        assert signed_in(app, provider).status_code == status
    by_subject = make_server(oidc_claim="sub", oidc_scope="openid")
    account(by_subject, SUBJECT)
    assert signed_in(by_subject, provider).status_code == 303


def test_each_city_has_a_link_and_opens_only_its_own_accounts(
    make_app: Callable[..., Flask], provider: TestProvider
) -> None:
    cities = (build.city(id=CITY), build.city(id="other.example"))
    own = {"oidc_issuer": provider.address, "oidc_client_id": "open311", "oidc_client_secret": "s3cret"}
    app = make_app(*cities, **own, oidc_name="City Login")
    document = checked(app.test_client().get("/desk/sign-in"))
    assert "Sign in with City Login" in text_of(document)
    assert len(document.xpath("//main//ul//a")) == 2
    account(app)
    assert signed_in(app, provider).headers["Location"] == HOME
    assert signed_in(app, provider, "other.example").status_code == 401
    checked(app.test_client().get("/desk/sign-in/with/nowhere.example"), 404)
    provider.knows(email="chief@city.example", email_verified=True)
    account(app, "chief@city.example", ALL_JURISDICTIONS)
    assert signed_in(app, provider, "other.example").headers["Location"] == "/desk/"


def test_a_page_says_that_the_provider_is_down_or_names_another_issuer(
    make_server: Callable[..., Flask], provider: TestProvider, capsys: pytest.CaptureFixture[str]
) -> None:
    client = make_server(oidc_issuer=f"http://127.0.0.1:{free_port()}").test_client()
    configure_logs("info")
    answer = client.get(f"/desk/sign-in/with/{CITY}")
    assert "does not answer now" in text_of(checked(answer, 503))
    assert int(answer.headers["Retry-After"]) > 0
    assert "connection is refused" in capsys.readouterr().err
    client = make_server(oidc_issuer=f"{provider.address}/").test_client()
    configure_logs("info")
    assert "do not fit together" in text_of(checked(client.get(f"/desk/sign-in/with/{CITY}"), 503))
    assert "names another issuer" in capsys.readouterr().err


def test_an_answer_in_the_name_of_another_issuer_is_refused(server: Flask, provider: TestProvider) -> None:
    client = server.test_client()
    back = provider.answer(begun(client))
    assert "did not confirm" in text_of(checked(led_back(client, f"{back}&iss=https://evil.example"), 401))


def test_no_parameter_of_the_sign_in_leads_to_another_site(server: Flask, provider: TestProvider) -> None:
    client = server.test_client()
    evil = "&".join(f"{name}=https://evil.example/" for name in ("next", "redirect_uri", "back", "done"))
    assert "evil" not in begun(client, query=f"?{evil}")
    back = provider.answer(begun(client))
    assert led_back(client, f"{back}&{evil}").headers["Location"] == HOME


def test_failed_sign_ins_are_limited_and_a_successful_one_still_works(
    make_server: Callable[..., Flask], provider: TestProvider
) -> None:
    app = make_server(sign_in_rate="2 per hour")
    account(app)
    answers = [app.test_client().get("/desk/sign-in/back?code=x&state=x").status_code for _ in range(3)]
    assert answers == [401, 401, 429]
    assert signed_in(app, provider).status_code == 303


def test_after_signing_out_the_page_leads_to_the_sign_out_of_the_provider(
    server: Flask, provider: TestProvider
) -> None:
    client = server.test_client()
    led_back(client, provider.answer(begun(client)))
    token = checked(client.get(HOME)).xpath("//input[@name='form_token']/@value")[0]
    answer = client.post("/desk/sign-out", data={"form_token": token})
    assert answer.headers["Location"] == "/desk/sign-in?done=out"
    document = checked(client.get(answer.headers["Location"]))
    assert "You are signed out here." in text_of(document)
    [leave] = document.xpath("//main//a[contains(@href, 'end_session')]/@href")
    assert leave.startswith(f"{provider.address}/oauth2/end_session?")
    assert parameters(leave) == {
        "client_id": "open311",
        "post_logout_redirect_uri": "http://localhost/desk/sign-in",
    }
    checked(client.get(HOME), 401)


def test_without_a_provider_nothing_is_offered(make_app: Callable[..., Flask]) -> None:
    client = make_app().test_client()
    document = checked(client.get("/desk/sign-in?done=out"))
    assert not document.xpath("//main//a")
    checked(client.get(f"/desk/sign-in/with/{CITY}"), 404)
    checked(client.get("/desk/sign-in/back?code=x&state=x"), 404)


def test_the_audit_trail_says_how_somebody_signed_in_and_the_log_names_nobody(
    make_server: Callable[..., Flask], provider: TestProvider, capsys: pytest.CaptureFixture[str]
) -> None:
    app = make_server()
    configure_logs("info")
    refused = signed_in(app, provider)
    account(app)
    client = app.test_client()
    back = provider.answer(begun(client))
    led_back(client, back)
    with platform_of(app).database.reading() as connection:
        acts = [one.act for one in audit.list_entries(connection, CITY)]
    assert acts == ["account.add", "login.provider"]
    logged = capsys.readouterr().err
    assert "without an account" in logged
    hidden = (EMAIL, parameters(back)["code"], parameters(back)["state"], "s3cret", SUBJECT)
    assert not [text for text in hidden if text in logged]
    assert refused.status_code == 401
