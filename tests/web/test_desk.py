"""Signing in to the pages for staff, sessions, and the protection of their forms."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from open311.clock import utc_now
from open311.domain.access import ALL_JURISDICTIONS, SHELL, Role
from open311.errors import Unauthenticated
from open311.operations.access import sessions
from open311.operations.access.staff import (
    add_account,
    change_account,
    issue_login,
    restore_account,
    revoke_account,
    rotate_token,
)
from open311.operations.platform import Platform
from open311.operations.upkeep.clean_up import clean_up
from open311.operations.workflow.read_request import read_request
from open311.storage import audit
from tests import build
from tests.checked_client import platform_of
from tests.conftest import CITY
from tests.desk_pages import COOKIE, HOME, Person, signed_in
from tests.pages import checked, text_of

BY_SHELL: dict[str, Any] = {"principal": SHELL}


def link_of(platform: Platform, name: str = "ada", role: Role = Role.AGENT, city: str = CITY) -> str:
    """The path of a login link of a new account."""
    add_account(platform, name=name, role=role, jurisdiction_id=city, now=utc_now(), **BY_SHELL)
    return f"/desk/sign-in/{issue_login(platform, city, name, now=utc_now(), **BY_SHELL).secret}"


# --- Signing in


@pytest.mark.parametrize(("asked", "language"), [("es", "es"), ("ar", "en"), ("zh-Hans", "en")])
def test_pages_for_staff_are_only_in_languages_that_have_all_their_texts(
    client: FlaskClient, platform: Platform, asked: str, language: str
) -> None:
    document = checked(client.get(link_of(platform), headers={"Accept-Language": asked}))
    assert document.get("lang") == language
    assert document.xpath("//footer//a/@hreflang") == ["en", "es"]


def test_a_login_link_signs_in_once_and_only_by_its_button(client: FlaskClient, platform: Platform) -> None:
    link = link_of(platform)
    for _ in range(2):  # a program that looks for viruses opens links too
        assert checked(client.get(link)).xpath("//main//button/text()") == ["Sign in"]
    answer = client.post(link)
    assert (answer.status_code, answer.headers["Location"]) == (303, HOME)
    checked(client.get(HOME))
    again = client.post(link)
    assert "used or too old" in text_of(checked(again, 401))
    assert "Set-Cookie" not in again.headers


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(client: FlaskClient, platform: Platform) -> None:
    cookie = client.post(link_of(platform)).headers["Set-Cookie"]
    assert cookie.startswith(f"{COOKIE}=staff_")
    parts = set(cookie.split("; ")[1:])
    assert parts == {"HttpOnly", "Path=/desk", "SameSite=Lax"}
    secure = client.post(link_of(platform, "bo"), base_url="https://localhost").headers["Set-Cookie"]
    assert secure.startswith(f"__Secure-{COOKIE}=")
    assert "Secure" in secure.split("; ")


def test_the_database_has_only_a_digest_of_the_secret(platform: Platform) -> None:
    secret = signed_in(platform, "ada", Role.AGENT).secret
    with platform.database.reading() as connection:
        [row] = connection.exec_driver_sql("SELECT * FROM staff_session").mappings()
    assert secret not in str(dict(row))


@pytest.mark.parametrize("secret", ["staff_wrong", "x" * 5_000, "ümläut", "a/b.json", "%00"])
def test_a_wrong_login_link_is_refused(client: FlaskClient, secret: str) -> None:
    answer = client.post(f"/desk/sign-in/{secret}")
    checked(answer, 400 if secret == "%00" else 401)


def test_a_form_of_another_site_does_not_sign_in(client: FlaskClient, platform: Platform) -> None:
    link = link_of(platform)
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}):
        checked(client.post(link, headers=headers), 403)
    assert client.post(link, headers={"Origin": "http://localhost"}).status_code == 303


def test_plain_http_is_refused_or_redirected_where_the_address_is_https(make_app: Callable[..., Flask]) -> None:
    client = make_app(public_url="https://311.city.example").test_client()
    assert client.get("/desk/").headers["Location"] == "https://311.city.example/desk/"
    assert "Open it over https" in text_of(checked(client.post("/desk/sign-in/staff_x"), 400))


def test_wrong_login_links_have_a_rate_and_a_right_one_still_works(make_app: Callable[..., Flask]) -> None:
    app = make_app(sign_in_rate="2 per hour")
    client = app.test_client()
    answers = [client.post("/desk/sign-in/staff_wrong") for _ in range(3)]
    assert [one.status_code for one in answers] == [401, 401, 429]
    assert int(answers[2].headers["Retry-After"]) > 0
    assert client.post(link_of(platform_of(app))).status_code == 303


def test_the_secret_of_a_link_is_in_no_log_line(
    make_app: Callable[..., Flask], capsys: pytest.CaptureFixture[str]
) -> None:
    app = make_app(log_level="info")
    link = link_of(platform_of(app))
    app.test_client().get(link)
    app.test_client().post(link)
    logged = capsys.readouterr().err
    assert "/desk/sign-in/..." in logged
    assert link.rpartition("/")[2] not in logged


# --- Sessions


def test_pages_need_a_session(client: FlaskClient) -> None:
    for path in ("/desk/", HOME, f"{HOME}requests/1", "/desk/account"):
        assert "How to sign in" in text_of(checked(client.get(path), 401))
    assert client.post("/desk/sign-out").status_code == 401
    client.set_cookie(COOKIE, "staff_wrong", path="/desk")
    assert client.get(HOME).status_code == 401


def test_a_token_of_the_api_opens_no_page_and_the_api_refuses_the_secret_of_a_session(
    client: FlaskClient, platform: Platform
) -> None:
    issued = add_account(
        platform, name="bo", role=Role.AGENT, jurisdiction_id=CITY, now=utc_now(), **BY_SHELL
    ).secret
    secret = signed_in(platform, "ada", Role.AGENT).secret
    client.set_cookie(COOKIE, issued, path="/desk")
    assert client.get(HOME, headers={"Authorization": f"Bearer {issued}"}).status_code == 401
    assert client.get("/staff/v1/me", headers={"Authorization": f"Bearer {secret}"}).status_code == 401


def test_no_cache_and_no_other_site_gets_a_page(client: FlaskClient, platform: Platform) -> None:
    person = Person.of(client, platform)
    headers = person.get().headers
    assert headers["Cache-Control"] == "no-store"
    assert "ETag" not in headers
    assert "Access-Control-Allow-Origin" not in headers
    assert headers["Referrer-Policy"] == "same-origin"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert "script-src 'self'" in headers["Content-Security-Policy"]


def test_a_session_ends_by_signing_out(client: FlaskClient, platform: Platform) -> None:
    person = Person.of(client, platform)
    answer = person.post("/desk/sign-out")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/desk/sign-in?done=out")
    assert f"{COOKIE}=;" in answer.headers["Set-Cookie"]
    person.client.set_cookie(COOKIE, person.session.secret, path="/desk")
    assert person.get().status_code == 401


def test_a_session_ends_after_two_hours_without_use_and_in_any_case_after_twelve(platform: Platform) -> None:
    secret = signed_in(platform, "ada", Role.AGENT).secret
    begun = utc_now()

    def is_valid(*, hours: float) -> bool:
        try:
            sessions.require_session(platform, secret, now=begun + timedelta(hours=hours))
        except Unauthenticated:
            return False
        return True

    assert [is_valid(hours=hours) for hours in (1.9, 3.8, 5.7, 7.6, 9.5, 11.4)] == [True] * 6
    assert not is_valid(hours=12.1)
    assert not is_valid(hours=13.5)
    other = signed_in(platform, "bo", Role.AGENT).secret
    with pytest.raises(Unauthenticated):
        sessions.require_session(platform, other, now=utc_now() + timedelta(hours=2.1))


@pytest.mark.parametrize(
    "act",
    [
        lambda platform: revoke_account(platform, CITY, "ada", now=utc_now(), **BY_SHELL),
        lambda platform: change_account(platform, CITY, "ada", role=Role.READER, now=utc_now(), **BY_SHELL),
        lambda platform: change_account(platform, CITY, "ada", departments=["parks"], now=utc_now(), **BY_SHELL),
        lambda platform: rotate_token(platform, CITY, "ada", is_at_once=True, now=utc_now(), **BY_SHELL),
    ],
    ids=["revoked", "other role", "other departments", "rotated now"],
)
def test_all_sessions_of_an_account_end_with_its_rights(
    client: FlaskClient, platform: Platform, act: Callable[[Platform], object]
) -> None:
    person, other = Person.of(client, platform), Person.of(client, platform, "bo")
    act(platform)
    assert person.get().status_code == 401
    assert other.get().status_code == 200


def test_a_restored_account_does_not_get_its_sessions_back(client: FlaskClient, platform: Platform) -> None:
    person = Person.of(client, platform)
    revoke_account(platform, CITY, "ada", now=utc_now(), **BY_SHELL)
    restore_account(platform, CITY, "ada", now=utc_now(), **BY_SHELL)
    assert person.get().status_code == 401


def test_all_sessions_end_at_once_after_a_phone_was_lost(client: FlaskClient, platform: Platform) -> None:
    phone = Person.of(client, platform)
    secret = issue_login(platform, CITY, "ada", now=utc_now(), **BY_SHELL).secret
    laptop = Person(client.application.test_client(), sessions.sign_in(platform, secret, now=utc_now()))
    laptop.client.set_cookie(COOKIE, laptop.session.secret, path="/desk")
    assert "End all sessions" in text_of(checked(laptop.get("/desk/account")))
    assert laptop.post("/desk/account").status_code == 303
    assert (phone.get().status_code, laptop.get().status_code) == (401, 401)


def test_the_audit_trail_has_the_beginning_and_the_end_of_sessions(client: FlaskClient, platform: Platform) -> None:
    person = Person.of(client, platform)
    person.post("/desk/sign-out")
    with platform.database.reading() as connection:
        entries = audit.list_entries(connection, CITY)
    acts = [(one.act, one.actor) for one in entries if one.act.startswith(("login", "session"))]
    own = str(person.principal)
    assert acts == [("login.add", "shell"), ("login.use", own), ("session.end", own)]
    assert person.session.secret not in str(entries)


def test_sessions_that_have_ended_are_deleted(platform: Platform) -> None:
    signed_in(platform, "ada", Role.AGENT)
    assert clean_up(platform, utc_now())["sessions"] == 0
    assert clean_up(platform, utc_now() + timedelta(hours=3))["sessions"] == 1


# --- Forms


def test_a_form_without_the_token_of_its_session_is_refused(client: FlaskClient, platform: Platform) -> None:
    number = build.store(platform, service_request_id="R/1").number
    person, other = Person.of(client, platform), Person.of(client, platform, "bo")
    fields = {"do": "note", "text": "x", "version": "1"}
    path = f"{HOME}requests/{number}"
    for token in ({}, {"form_token": "wrong"}, {"form_token": "ü"}):
        assert "earlier session" in text_of(checked(person.client.post(path, data=fields | token), 403))
    foreign = other.client.get(path).text.partition('name="form_token" value="')[2].partition('"')[0]
    checked(person.client.post(path, data=fields | {"form_token": foreign}), 403)
    own = person.client.get(path).text.partition('name="form_token" value="')[2].partition('"')[0]
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "null"}):
        checked(person.client.post(path, data=fields | {"form_token": own}, headers=headers), 403)
    assert build.load(platform, number=number).version == 1
    assert person.client.post(path, data=fields | {"form_token": own}).status_code == 303


# --- Cities


def test_another_city_and_its_requests_are_not_found(make_app: Callable[..., Flask]) -> None:
    app = make_app(build.city(id="first.example"), build.city(id=CITY))
    platform = platform_of(app)
    name = build.submit(platform, now=utc_now()).service_request_id
    first = next(iter(platform.registry))
    number = read_request(platform, first, name).record.number
    person = Person.of(app.test_client(), platform)
    paths = ("", "photos", "deliveries", "work", f"requests/{number}", f"requests/{number}/finish", "find?id=1")
    for path in paths:
        checked(person.get(f"/desk/{first.id}/{path}"), 404)
    for path in (f"requests/{number}", f"find?id={name}"):
        checked(person.get(path), 404)
    checked(person.post(f"/desk/{first.id}/requests/{number}", do="note", text="x", version="1"), 404)


def test_an_account_of_all_cities_chooses_one(make_app: Callable[..., Flask]) -> None:
    app = make_app(build.city(id=CITY), build.city(id="other.example"))
    person = Person.of(app.test_client(), platform_of(app), city=ALL_JURISDICTIONS)
    links = checked(person.get("/desk/")).xpath("//main//a/@href")
    assert links == [HOME, "/desk/other.example/"]
    for link in links:
        checked(person.get(link))
    checked(person.get("/desk/nowhere.example/"), 404)


def test_a_page_says_that_the_database_is_down(make_app: Callable[..., Flask]) -> None:
    client = make_app(database_url="postgresql://nobody@127.0.0.1:1/none").test_client()
    client.set_cookie(COOKIE, "staff_x", path="/desk")
    assert "Try again in a moment" in text_of(checked(client.get(HOME), 503))
    checked(client.post("/desk/sign-in/staff_x"), 503)
