"""The link with which reporters read their own request, without a login (spec/extensions.md, V1 to V6)."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from open311.clock import utc_now
from open311.domain import commands
from open311.domain.access import SHELL
from open311.domain.events import Erasable
from open311.observe import configure_logs
from open311.operations.access.api_keys import add_key
from open311.operations.access.status_links import renew_link, revoke_links
from open311.operations.platform import Platform
from open311.operations.workflow.act import act
from open311.operations.workflow.erase_request import erase_from_request
from tests import build
from tests.checked_client import platform_of

BASE = "/open311/v2"
FORM = {"service_code": "potholes", "lat": "60.1718", "long": "24.9414", "extensions": "true"}
PERSON = {"first_name": "Zaphod", "email": "zaphod@heart.example", "phone": "+1 555 0142", "account_id": "acct-47"}
Post = Callable[..., Any]
both_formats = pytest.mark.parametrize("format", ["json", "xml"])


def link_of(answer: Any) -> str:
    """The path and query of the link in the answer to a POST."""
    assert answer.status_code == 200, answer.text
    parts = urlsplit(answer.json[0]["extended_attributes"]["status_url"])
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def test_a_plain_post_has_no_link(post: Post, platform: Platform) -> None:
    fields = {name: value for name, value in FORM.items() if name != "extensions"}
    assert set(post(**fields).json[0]) == {"service_request_id", "service_notice", "account_id"}
    assert set(post(**fields, extensions="notes").json[0]) == {"service_request_id", "service_notice", "account_id"}
    assert count_of(platform) == 0


@both_formats
def test_the_link_shows_the_request_of_the_answer(post: Post, client: FlaskClient, format: str) -> None:
    answer = post(**FORM, description="Deep hole", **PERSON)
    shown = client.get(link_of(answer).replace(".json", f".{format}"))
    assert shown.status_code == 200
    assert "Deep hole" in shown.text
    assert answer.json[0]["service_request_id"] in shown.text
    assert shown.headers["Referrer-Policy"] == "no-referrer"
    assert shown.headers["Cache-Control"] == "private, no-store"
    for planted in PERSON.values():
        assert planted not in shown.text


def test_the_format_of_the_answer_is_that_of_the_link(post: Post) -> None:
    assert "/status/" in post(**FORM, format="xml").text
    assert ".xml</status_url>" in post(**FORM, format="xml").text


def test_the_link_shows_what_the_public_list_shows(post: Post, client: FlaskClient) -> None:
    answer = post(**FORM)
    name = answer.json[0]["service_request_id"]
    for query in ("", "?extensions=true"):
        public = client.get(f"{BASE}/requests/{name}.json{query}")
        assert client.get(link_of(answer) + query).json == public.json


@pytest.mark.parametrize("command", [commands.Hide(reason="Names a person.")])
def test_a_hidden_request_can_still_be_read_by_its_link(
    post: Post, client: FlaskClient, platform: Platform, command: commands.Command
) -> None:
    answer = post(**FORM)
    name, (city,) = answer.json[0]["service_request_id"], platform.registry
    act(platform, city, name, [command], principal=SHELL, now=utc_now())
    assert client.get(f"{BASE}/requests/{name}.json").status_code == 404
    shown = client.get(link_of(answer))
    assert shown.json[0]["service_request_id"] == name
    assert "Names a person" not in shown.text


@both_formats
def test_a_request_that_has_only_a_token_can_be_read(post: Post, client: FlaskClient, format: str) -> None:
    answer = post(**FORM | {"service_code": "trees"}, description="A branch")
    assert answer.json[0]["token"]
    shown = client.get(link_of(answer).replace(".json", f".{format}"))
    assert shown.status_code == 200
    assert "A branch" in shown.text
    assert answer.json[0]["token"] in shown.text


def test_a_request_of_a_blackbox_service_can_be_read(make_app: Callable[..., Flask]) -> None:
    app = make_app(build.city())
    _, key = add_key(platform_of(app), label="tests", now=utc_now())
    client = app.test_client()
    answer = client.post(f"{BASE}/requests.json", data=FORM | {"service_code": "hotline", "api_key": key})
    assert client.get(link_of(answer)).status_code == 200


def test_a_private_request_can_be_read_by_its_link_alone(make_app: Callable[..., Flask]) -> None:
    app = make_app(build.city(services=(replace(build.HOLE, public=False),)))
    _, key = add_key(platform_of(app), label="tests", now=utc_now())
    client = app.test_client()
    answer = client.post(f"{BASE}/requests.json", data=FORM | {"api_key": key, "description": "My secret"})
    assert client.get(f"{BASE}/requests.json").json == []
    assert client.get(link_of(answer)).json[0]["description"] == "My secret"


@pytest.mark.parametrize("wrong", ["x", "A" * 32, "A" * 5_000, "%00", "..%2f", "é", "' OR 1=1 --", "a.json"])
@both_formats
def test_a_wrong_link_gets_404_or_400_that_does_not_repeat_it(
    post: Post, client: FlaskClient, format: str, wrong: str
) -> None:
    post(**FORM)
    answer = client.get(f"{BASE}/status/{wrong}.{format}")
    assert answer.status_code in (400, 404)
    assert len(wrong) < 10 or wrong not in answer.text
    assert len(wrong) < 10 or wrong not in str(answer.headers)
    if answer.status_code == 404:
        assert answer.headers["Referrer-Policy"] == "no-referrer"


def test_the_log_has_no_link(post: Post, client: FlaskClient, capsys: pytest.CaptureFixture[str]) -> None:
    link = link_of(post(**FORM))
    configure_logs("info")
    client.get(link)
    client.get(link.replace("/status/", "//status//"))
    client.get(link.replace(".json", ".csv"))
    client.post(link)
    logged = capsys.readouterr().err
    configure_logs("error")
    assert "/status/..." in logged
    assert secret_in(link) not in logged


def test_the_database_has_only_a_digest(post: Post, platform: Platform) -> None:
    secret = secret_in(link_of(post(**FORM)))
    with platform.database.transaction() as connection:
        rows = connection.execute(text("SELECT status_link::text FROM status_link")).scalars().all()
    assert len(rows) == 1
    assert secret not in rows[0]
    assert secret.encode().hex() not in rows[0]


def test_no_list_or_feed_has_a_link(post: Post, client: FlaskClient) -> None:
    secret = secret_in(link_of(post(**FORM)))
    for path in (
        "requests.json",
        "requests.xml",
        "changes.json",
        "requests.csv",
        "requests.geojson",
        "requests.atom",
    ):
        answer = client.get(f"{BASE}/{path}", query_string={"extensions": "true"})
        assert secret not in answer.text
        assert "status_url" not in answer.text


def test_a_repeated_call_gets_a_link_too(post: Post, client: FlaskClient) -> None:
    first, second = (post(**FORM, client_request_id="7", description="Twice") for _ in range(2))
    assert first.json[0]["service_request_id"] == second.json[0]["service_request_id"]
    assert link_of(first) != link_of(second)
    for answer in (first, second):
        assert client.get(link_of(answer)).json[0]["description"] == "Twice"


def test_a_request_keeps_its_newest_links(post: Post, client: FlaskClient, platform: Platform) -> None:
    links = [link_of(post(**FORM, client_request_id="7")) for _ in range(8)]
    assert count_of(platform) == 5
    assert [client.get(link).status_code for link in links] == [404] * 3 + [200] * 5


def test_a_call_that_repeats_an_own_id_gets_no_link(post: Post) -> None:
    post(**FORM, service_request_id_ext="4711")
    again = post(**FORM, service_request_id_ext="4711")
    assert again.status_code == 200
    assert "extended_attributes" not in again.json[0]
    assert "only the first answer has status_url" in again.headers["Warning"]


def test_many_calls_at_once_get_links_of_their_own(app: Flask, key: str) -> None:
    def send(number: int) -> str:
        data = FORM | {"api_key": key, "description": f"report {number}"}
        return link_of(FlaskClient(app).post(f"{BASE}/requests.json", data=data))

    with ThreadPoolExecutor(8) as pool:
        links = list(pool.map(send, range(24)))
    shown = [FlaskClient(app).get(link).json[0]["description"] for link in links]
    assert shown == [f"report {number}" for number in range(24)]


def test_staff_can_revoke_all_links_of_a_request(post: Post, client: FlaskClient, platform: Platform) -> None:
    answer = post(**FORM)
    name, (city,) = answer.json[0]["service_request_id"], platform.registry
    assert revoke_links(platform, city, name, principal=SHELL, now=utc_now(), reason="Lost.") == 1
    assert revoke_links(platform, city, name, principal=SHELL, now=utc_now(), reason="Lost.") == 0
    assert client.get(link_of(answer)).status_code == 404


def test_staff_can_replace_the_links_of_a_request(post: Post, client: FlaskClient, platform: Platform) -> None:
    answer = post(**FORM)
    name, (city,) = answer.json[0]["service_request_id"], platform.registry
    secret = renew_link(platform, city, name, principal=SHELL, now=utc_now(), reason="Lost.")
    assert client.get(link_of(answer)).status_code == 404
    assert client.get(f"{BASE}/status/{secret}.json").json[0]["service_request_id"] == name


def test_an_erased_text_is_not_in_the_view(post: Post, client: FlaskClient, platform: Platform) -> None:
    answer = post(**FORM, description="I am Zaphod")
    name, (city,) = answer.json[0]["service_request_id"], platform.registry
    erase_from_request(platform, city, name, [Erasable.DESCRIPTION], now=utc_now())
    assert "Zaphod" not in client.get(link_of(answer)).text


def test_a_link_is_for_one_city(make_app: Callable[..., Flask]) -> None:
    app = make_app(build.city(id="one.example"), build.city(id="two.example"))
    _, key = add_key(platform_of(app), label="tests", now=utc_now())
    client = app.test_client()
    link = link_of(
        client.post(f"{BASE}/requests.json", data=FORM | {"api_key": key, "jurisdiction_id": "one.example"})
    )
    assert client.get(link).status_code == 200
    assert client.get(link.replace("one.example", "two.example")).status_code == 404


def secret_in(link: str) -> str:
    return link.split("/status/")[1].split(".")[0]


def count_of(platform: Platform) -> int:
    with platform.database.transaction() as connection:
        number: int = connection.execute(text("SELECT count(*) FROM status_link")).scalar_one()
    return number


@pytest.mark.parametrize("name", ["requests.json", "requests.xml", "requests.csv", "requests.geojson"])
def test_a_list_by_account_is_refused_with_the_cure(client: FlaskClient, key: str, name: str) -> None:
    for query in ("account_id=acct-1", f"account_id=acct-1&api_key={key}", "account_id=%27%20OR%201=1"):
        refused = client.get(f"{BASE}/{name}?{query}")
        assert refused.status_code == 400
        assert "status_url of the answer" in refused.text
        assert "acct-1" not in refused.text
    assert client.get(f"{BASE}/{name}?account_id=").status_code == 200
