"""Signing in to the pages for staff, sessions, and the protection of their forms."""

from __future__ import annotations

from flask.testing import FlaskClient

from open311.clock import utc_now
from open311.domain.access import SHELL, Role
from open311.operations.access.staff import add_account, issue_login
from open311.operations.platform import Platform
from tests import build
from tests.conftest import CITY
from tests.desk_pages import HOME, Person
from tests.pages import checked, text_of


def link_of(platform: Platform, name: str = "ada", role: Role = Role.AGENT, city: str = CITY) -> str:
    """The path of a login link of a new account."""
    options = {"principal": SHELL, "now": utc_now()}
    add_account(platform, name=name, role=role, jurisdiction_id=city, **options)
    return f"/desk/sign-in/{issue_login(platform, city, name, **options).secret}"


def test_a_login_link_signs_in_once_and_only_by_its_button(client: FlaskClient, platform: Platform) -> None:
    link = link_of(platform)
    for _ in range(2):  # such as a program that looks for viruses
        assert checked(client.get(link)).xpath("//main//button/text()") == ["Sign in"]
    answer = client.post(link)
    assert (answer.status_code, answer.headers["Location"]) == (303, HOME)
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "Path=/desk" in cookie
    assert "SameSite=Lax" in cookie
    checked(client.get(HOME))
    again = client.post(link)
    assert "used or too old" in text_of(checked(again, 401))


def test_pages_need_a_session(client: FlaskClient) -> None:
    for path in ("/desk/", HOME, f"{HOME}requests/1", "/desk/account"):
        assert "How to sign in" in text_of(checked(client.get(path), 401))
    assert client.post("/desk/sign-out").status_code == 401


def test_the_queue_and_a_request_are_shown(client: FlaskClient, platform: Platform) -> None:
    receipt = build.submit(platform, description="Deep hole")
    person = Person.of(client, platform)
    document = checked(person.get())
    link = document.xpath("//tr[@data-row]//a/@href")[0]
    page = checked(person.get(link))
    assert "Deep hole" in text_of(page)
    assert receipt.service_request_id in text_of(page)
