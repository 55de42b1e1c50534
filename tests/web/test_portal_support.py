"""The button "me too" on the pages for citizens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from open311.clock import utc_now
from open311.domain import commands
from open311.domain.abuse import BlockKind
from open311.domain.access import SHELL
from open311.domain.commands import Command
from open311.domain.workflow import Outcome
from open311.operations.access.blocks import BlockOrder, add_block
from open311.operations.platform import Platform
from open311.operations.workflow.act import act
from tests import build
from tests.checked_client import platform_of
from tests.pages import checked, text_of

CITY = "/c/city.example/"
COOKIE = "open311-supporter"


def path_of(id: str) -> str:
    return f"{CITY}requests/{id}/support"


def report(platform: Platform, **fields: Any) -> str:
    return build.submit(platform, **fields).service_request_id


def give(platform: Platform, name: str, *orders: Command) -> None:
    act(platform, next(iter(platform.registry)), name, orders, principal=SHELL, now=build.NOON)


def supporters(client: FlaskClient, id: str) -> int:
    (item,) = client.get(f"/open311/v2/requests/{id}.json?extensions=true").json
    return int(item["extended_attributes"].get("supporters", 0))


def press(client: FlaskClient, id: str) -> TestResponse:
    """Press the button of the page of a request."""
    [form] = checked(client.get(f"{CITY}requests/{id}")).xpath("//form[contains(@action, '/support')]")
    return client.post(form.get("action"), data=dict(form.form_values()))


def test_a_browser_counts_once_and_can_take_a_me_too_back(client: FlaskClient, platform: Platform) -> None:
    id = report(platform)
    for _ in range(3):
        document = checked(press(client, id))
        assert "1 person has said: this is my problem too." in text_of(document)
    assert supporters(client, id) == 1
    assert "1 person has said" in text_of(checked(client.get(f"{CITY}requests/{id}")))
    [form] = document.xpath("//form[contains(@action, '/remove')]")
    for _ in range(2):
        assert "You are not counted any more" in text_of(checked(client.post(form.get("action"))))
        assert supporters(client, id) == 0


def test_another_browser_counts_too_and_cannot_take_back_for_others(app: Flask, platform: Platform) -> None:
    id = report(platform)
    ann, bob, eve = (app.test_client() for _ in range(3))
    press(ann, id)
    assert "2 people have said" in text_of(checked(press(bob, id)))
    checked(eve.post(f"{path_of(id)}/remove"))
    assert supporters(ann, id) == 2


def test_the_cookie_goes_only_to_pages_of_requests(client: FlaskClient, platform: Platform) -> None:
    answer = press(client, report(platform))
    name, *parts = answer.headers["Set-Cookie"].split("; ")
    assert name.startswith(f"{COOKIE}=")
    assert set(parts) >= {"HttpOnly", "Path=/c/city.example/requests", "SameSite=Lax"}
    secure = client.post(path_of(report(platform)), base_url="https://localhost").headers["Set-Cookie"]
    assert secure.startswith(f"__Secure-{COOKIE}=")
    assert "Secure" in secure.split("; ")


@pytest.mark.parametrize("cookie", ["x", "a" * 4_000, "' OR 1=1 --", "ä" * 22])
def test_a_made_up_cookie_is_replaced(client: FlaskClient, platform: Platform, cookie: str) -> None:
    id = report(platform)
    answer = client.post(path_of(id), headers={"Cookie": f"{COOKIE}={cookie}".encode().decode("latin-1")})
    checked(answer)
    assert f"={cookie};" not in answer.headers["Set-Cookie"]
    assert supporters(client, id) == 1


def test_a_get_changes_nothing_and_sets_no_cookie(client: FlaskClient, platform: Platform) -> None:
    id = report(platform)
    for path in (path_of(id), f"{path_of(id)}/remove", f"{CITY}requests/{id}"):
        for method in ("GET", "HEAD"):
            assert "Set-Cookie" not in client.open(path, method=method).headers
    assert supporters(client, id) == 0


def test_a_form_of_another_site_and_a_filled_honeypot_count_nobody(client: FlaskClient, platform: Platform) -> None:
    id = report(platform)
    assert client.post(path_of(id), headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert client.post(f"{path_of(id)}/remove", headers={"Origin": "https://evil.example"}).status_code == 403
    checked(client.post(path_of(id), data={"website": "https://spam.example"}))
    assert supporters(client, id) == 0


def test_a_blocked_address_is_answered_and_not_counted(make_app: Callable[..., Flask]) -> None:
    app = make_app(build.city(id="city.example"))
    client, platform = app.test_client(), platform_of(app)
    id = report(platform)
    order = BlockOrder(kind=BlockKind.ADDRESS, value="127.0.0.1", reason="spam", days=0)
    add_block(platform, order, principal=SHELL, now=build.NOON)
    assert press(client, id).status_code == 200
    assert supporters(client, id) == 0


def test_one_address_counts_for_at_most_twenty_people(make_app: Callable[..., Flask]) -> None:
    app = make_app(build.city(id="city.example"), portal_rate="1000 per hour")
    id = report(platform_of(app))
    statuses = [app.test_client().post(path_of(id)).status_code for _ in range(21)]
    assert statuses == [200] * 20 + [429]
    assert supporters(app.test_client(), id) == 20


def test_a_page_says_that_a_request_is_closed_hidden_or_unknown(client: FlaskClient, platform: Platform) -> None:
    id, other = report(platform), report(platform)
    give(platform, id, commands.Transfer(department="streets"), commands.Close(outcome=Outcome.FIXED))
    give(platform, other, commands.Hide(reason="a name"))
    assert "/support" not in client.get(f"{CITY}requests/{id}").text
    closed = client.post(path_of(id))
    checked(closed, 409)
    assert "please send a new report" in closed.text
    for name in (other, "nothing", "%2F", "x" * 3_000):
        checked(client.post(path_of(name)), 404)


def test_a_merged_request_leads_to_the_other_one(client: FlaskClient, platform: Platform) -> None:
    parent, child = report(platform), report(platform)
    give(platform, child, commands.Merge(into=parent))
    document = checked(press(client, child))
    assert f"Report {parent}" in text_of(document)
    assert (supporters(client, parent), supporters(client, child)) == (1, 0)
    assert document.xpath(f"//form[@action='{path_of(parent)}/remove']")


def test_the_form_offers_me_too_for_reports_nearby(client: FlaskClient, platform: Platform) -> None:
    id = report(platform, description="A hole", now=utc_now())
    query = {"service_code": "potholes", "lat": "60.1718", "long": "24.9414", "step": "check"}
    document = checked(client.get(f"{CITY}report", query_string=query))
    [button] = document.xpath("//main//button[@form='support-1']")
    assert button.text_content() == "This is my problem too"
    [form] = document.xpath("//form[@id='support-1']")
    assert not form.xpath("ancestor::form")
    assert "1 person" in text_of(checked(client.post(form.get("action"), data=dict(form.form_values()))))
    assert "1 person" in text_of(checked(client.get(f"{CITY}report", query_string=query)))
    assert supporters(client, id) == 1


@pytest.mark.parametrize("language", ["en", "es", "fr", "zh-Hans", "ht", "ar"])
def test_me_too_is_shown_in_each_of_six_languages(client: FlaskClient, platform: Platform, language: str) -> None:
    id = report(platform)
    english = checked(client.get(f"{CITY}requests/{id}")).xpath(
        "//form[contains(@action,'/support')]//button/text()"
    )
    page = checked(client.get(f"{CITY}requests/{id}?locale={language}"))
    [form] = page.xpath("//form[contains(@action,'/support')]")
    assert f"locale={language}" in form.get("action")
    told = checked(client.post(form.get("action")))
    assert told.get("lang") == language
    assert (form.xpath(".//button/text()") == english) == (language == "en")
    assert ("Take it back" in text_of(told)) == (language == "en")
    assert not told.xpath("//main//span[@lang='en']"), "a text is not translated"
