"""Details of the pages for staff: the wanted page, sessions, the secret of a key, the history."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from open311.clock import utc_now
from open311.domain.access import SHELL, Role
from open311.errors import Problem, Unauthenticated
from open311.operations.access.api_keys import list_keys
from open311.operations.access.sessions import require_session
from open311.operations.access.staff import add_account, issue_login
from open311.operations.platform import Platform
from open311.web.portal.wording import on_error_page
from open311.web.session_cookies import form_token
from schemas.texts import tell
from tests import build
from tests.conftest import CITY
from tests.desk_pages import COOKIE, HOME, Person
from tests.pages import checked, text_of

WANTED = "open311-wanted"


def by_shell() -> dict[str, Any]:
    """The principal and the time of an act in the shell. With one fixed time, a long run would end login links."""
    return {"principal": SHELL, "now": utc_now()}


def account(platform: Platform, name: str = "ada", role: Role = Role.AGENT) -> None:
    add_account(platform, name=name, role=role, jurisdiction_id=CITY, **by_shell())


def sign_in(client: FlaskClient, platform: Platform, name: str = "ada") -> Any:
    return client.post(f"/desk/sign-in/{issue_login(platform, CITY, name, **by_shell()).secret}")


# --- Signing in


def test_signing_in_leads_to_the_page_that_was_wanted(client: FlaskClient, platform: Platform) -> None:
    account(platform)
    page = f"{HOME}?q=deep+hole%20%C3%B6%E2%98%82&state=on_hold"
    assert client.get(page).status_code == 401
    client.get(f"{HOME}requests/1/photos/x", headers={"Accept": "image/webp", "Sec-Fetch-Dest": "image"})
    client.post(f"{HOME}requests/1")
    answer = sign_in(client, platform)
    assert answer.headers["Location"] == page
    assert sign_in(client, platform).headers["Location"] == HOME, (
        "the address of the wanted page is used for one sign-in only"
    )


@pytest.mark.parametrize(
    "address",
    [
        *("https://evil.example/", "//evil.example/desk/", "/desk/sign-in?done=out", "/c/city.example/", "/desk"),
        *(
            "/desk//evil.example",
            "/desk/\\evil.example",
            "/desk/city.example/?q=ö",
            "/desk/city.example/?q=a b",
            "/desk/../c/",
            "/desk/other.example/",
            "/desk/a\nb/",
        ),
        "/desk/city.example/?q=" + "x" * 1_000,
    ],
)
def test_a_forged_address_in_the_cookie_is_ignored(client: FlaskClient, platform: Platform, address: str) -> None:
    account(platform)
    client.set_cookie(WANTED, address, path="/desk")
    assert sign_in(client, platform).headers["Location"] == HOME


def test_signing_in_again_ends_the_former_session_of_the_browser(client: FlaskClient, platform: Platform) -> None:
    account(platform)
    account(platform, "ben")
    sign_in(client, platform)
    former = client.get_cookie(COOKIE, path="/desk")
    other = client.application.test_client()
    sign_in(other, platform)
    sign_in(client, platform, "ben")
    assert former is not None
    assert require_no_session(platform, former.value)
    assert other.get(HOME).status_code == 200, "the session in another browser stays"
    assert client.get(HOME).status_code == 200


def require_no_session(platform: Platform, secret: str) -> bool:
    with pytest.raises(Unauthenticated):
        require_session(platform, secret, now=utc_now())
    return True


# --- Forms


def test_a_form_whose_address_has_its_token_is_refused(client: FlaskClient, platform: Platform) -> None:
    person = Person.of(client, platform, "ada", Role.ADMIN)
    token = form_token(person.session.secret)
    path = f"{HOME}keys?form_token={token}"
    checked(person.client.post(path, data={"label": "FixIt"}), 403)
    checked(person.client.post(path, data={"label": "FixIt", "form_token": token}), 403)
    assert not list_keys(platform, CITY)
    assert person.post("keys", label="FixIt").status_code == 303


def test_a_new_key_is_made_once_and_its_secret_is_shown_once(client: FlaskClient, platform: Platform) -> None:
    admin = Person.of(client, platform, "ada", Role.ADMIN)
    answer = admin.post("keys", label="FixIt app")
    address = answer.headers["Location"]
    first = admin.get(address)
    (secret,) = checked(first).xpath("//main//p/code/text()")
    assert secret not in address
    assert secret not in str(answer.headers)
    again = admin.get(address)
    checked(again)
    assert secret not in again.text
    assert [one.label for one in list_keys(platform, CITY)] == ["FixIt app"]


def test_the_page_of_a_key_does_not_show_the_secret_of_another_key(client: FlaskClient, platform: Platform) -> None:
    admin = Person.of(client, platform, "ada", Role.ADMIN)
    one, two = (admin.post("keys", label=label).headers["Location"] for label in ("One", "Two"))
    assert not checked(admin.get(one)).xpath("//main//p/code")
    assert checked(admin.get(two)).xpath("//main//p/code")


def test_the_error_for_an_unknown_button_speaks_of_the_form_and_not_of_a_filter() -> None:
    problem = Problem("do", tell("is unknown; use a button of the page."))
    assert "form cannot be read" in on_error_page(problem, is_form=True)
    assert "filter" in on_error_page(problem)


# --- History


def history_of(person: Person, number: int, locale: str = "en") -> str:
    document = checked(person.get(f"requests/{number}?locale={locale}"))
    return " ".join(" ".join(document.xpath("//ol[@class='history']")[-1].itertext()).split())


def test_the_history_shows_words_in_the_language_of_the_page_and_no_codes(
    client: FlaskClient, platform: Platform
) -> None:
    person = Person.of(client, platform, "ada", Role.DISPATCHER)
    number = build.store(platform, service_request_id="R/1", department="streets").number
    visit = utc_now() + timedelta(days=2)
    for command, fields in (
        ("prioritise", {"priority": "urgent"}),
        ("schedule", {"visit": visit.strftime("%Y-%m-%dT%H:%M")}),
        ("hold", {"reason": "Rain."}),
        ("hide", {"reason": "Names a person."}),
        ("transfer", {"department": "parks", "reason": "Theirs."}),
        ("close", {"outcome": "fixed"}),
    ):
        assert (
            person.order(number, command, build.load(platform, number=number).version, **fields).status_code == 303
        )
    shown = history_of(person, number)
    for text in ("Urgent", "On hold", "Nobody, because it was hidden", "Parks", "Closed: Solved"):
        assert text in shown
    for raw in ("on_hold", "withdrawn", "scheduled", "parks", visit.strftime("%Y-%m-%dT")):
        assert raw not in shown
    spanish = history_of(person, number, "es")
    for english in ("Urgent ", "On hold", "Nobody", "Closed"):
        assert english not in spanish


@pytest.mark.parametrize("locale", ["en", "es", "fr", "ar", "ht", "zh-Hans"])
def test_a_time_zone_has_the_same_name_in_all_languages(
    client: FlaskClient, platform: Platform, locale: str
) -> None:
    build.store(platform, service_request_id="R1")
    page = client.get(f"/c/{CITY}/requests/R1?locale={locale}")
    assert "EET" in text_of(checked(page))
