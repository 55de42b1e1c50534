"""People say "me too" about a request."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from open311.clock import utc_now
from open311.domain import commands
from open311.domain.access import SHELL
from open311.domain.commands import Command
from open311.domain.people import Person
from open311.domain.retention import Retention
from open311.domain.workflow import Outcome
from open311.operations.access.api_keys import add_key, require_key
from open311.operations.people.erase_person import erase_person
from open311.operations.people.expiring import REPORTERS, expire
from open311.operations.people.export_person import export_person
from open311.operations.platform import Platform
from open311.operations.workflow.act import act
from tests import build, stored
from tests.checked_client import platform_of

BASE = "/open311/v2/requests"


@pytest.fixture
def say(client: FlaskClient, key: str) -> Callable[..., TestResponse]:
    """Send a "me too" with a key: say(id, account_id="17"), or say(id, "/remove", …)."""

    def send(id: str, path: str = "", *, format: str = "json", **fields: str) -> TestResponse:
        return client.post(f"{BASE}/{id}/support{path}.{format}", data={"api_key": key} | fields)

    return send


def supporters(client: FlaskClient, id: str) -> int:
    """The number that everybody reads; the list and the XML have the same."""
    (item,) = client.get(f"{BASE}/{id}.json?extensions=true").json
    count = item["extended_attributes"].get("supporters", 0)
    xml = client.get(f"{BASE}/{id}.xml?extensions=true").text
    assert (f"<supporters>{count}</supporters>" in xml) == bool(count)
    (listed,) = client.get(f"{BASE}.json?service_request_id={id}&extensions=true").json
    assert listed == item
    return int(count)


def give(platform: Platform, name: str, *orders: Command) -> None:
    act(platform, next(iter(platform.registry)), name, orders, principal=SHELL, now=build.NOON)


def report(platform: Platform, **fields: Any) -> str:
    return build.submit(platform, **fields).service_request_id


def test_a_person_counts_as_one_supporter_of_a_request(
    client: FlaskClient, platform: Platform, say: Callable[..., TestResponse]
) -> None:
    id = report(platform)
    assert supporters(client, id) == 0
    for _ in range(2):
        answer = say(id, account_id="17")
        assert answer.status_code == 200
        assert answer.json == [{"service_request_id": id, "supporters": 1, "supported": True}]
    assert say(id, account_id="18").json[0]["supporters"] == 2
    assert supporters(client, id) == 2


def test_a_person_can_take_a_me_too_back(
    client: FlaskClient, platform: Platform, say: Callable[..., TestResponse]
) -> None:
    id = report(platform)
    say(id, account_id="17")
    say(id, device_id="17")
    for _ in range(2):
        answer = say(id, "/remove", account_id="17")
        assert answer.json == [{"service_request_id": id, "supporters": 1, "supported": False}]
    assert supporters(client, id) == 1
    say(id, "/remove", device_id="17")
    assert "supporters" not in client.get(f"{BASE}/{id}.json?extensions=true").json[0]["extended_attributes"]


def test_both_formats_say_the_same(platform: Platform, say: Callable[..., TestResponse]) -> None:
    answer = say(report(platform), format="xml", account_id="17")
    assert answer.mimetype == "text/xml"
    assert "<supports><support><service_request_id>" in answer.text
    assert "<supporters>1</supporters><supported>true</supported></support></supports>" in answer.text


def test_the_same_id_in_two_apps_is_two_people(
    client: FlaskClient, platform: Platform, say: Callable[..., TestResponse]
) -> None:
    id, other = report(platform), add_key(platform, label="another app", now=build.NOON)[1]
    say(id, account_id="17")
    assert say(id, account_id="17", api_key=other).json[0]["supporters"] == 2
    assert say(id, "/remove", account_id="17", api_key=other).json[0]["supporters"] == 1


def test_fifty_calls_at_once_of_forty_people_count_forty(app: Flask, platform: Platform, key: str) -> None:
    id = report(platform)

    def one(number: int) -> int:
        data = {"api_key": key, "account_id": str(number % 40)}
        return app.test_client().post(f"{BASE}/{id}/support.json", data=data).status_code

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(one, range(50))) == {200}
    assert supporters(app.test_client(), id) == 40


def test_a_me_too_changes_neither_version_nor_history_nor_times(
    client: FlaskClient, platform: Platform, say: Callable[..., TestResponse]
) -> None:
    id = report(platform)
    (before,) = client.get(f"{BASE}/{id}.json?extensions=true").json
    tag = client.get(f"{BASE}/{id}.json?extensions=true").headers["ETag"]
    cursor = client.get("/open311/v2/changes.json").headers["X-Cursor"]
    say(id, account_id="17")
    after = client.get(f"{BASE}/{id}.json?extensions=true", headers={"If-None-Match": tag})
    assert after.status_code == 200
    assert after.json[0] == before | {"extended_attributes": before["extended_attributes"] | {"supporters": 1}}
    feed = client.get(f"/open311/v2/changes.json?cursor={cursor}&extensions=true")
    assert [item["extended_attributes"]["supporters"] for item in feed.json] == [1]
    cursor = feed.headers["X-Cursor"]
    say(id, account_id="17")
    assert client.get(f"/open311/v2/changes.json?cursor={cursor}").json == []
    assert build.load(platform, service_request_id=id).version == 1


def test_a_closed_request_gets_no_more_supporters_but_can_lose_some(
    client: FlaskClient, platform: Platform, say: Callable[..., TestResponse]
) -> None:
    id = report(platform)
    say(id, account_id="17")
    give(platform, id, commands.Transfer(department="streets"), commands.Close(outcome=Outcome.FIXED))
    answer = say(id, account_id="18")
    assert answer.status_code == 409
    assert "is closed" in answer.json[0]["description"]
    assert supporters(client, id) == 1
    assert say(id, "/remove", account_id="17").json[0]["supporters"] == 0
    assert supporters(client, id) == 0


def test_a_merged_request_counts_for_its_parent(
    client: FlaskClient, platform: Platform, say: Callable[..., TestResponse]
) -> None:
    parent, child = report(platform), report(platform)
    for id, people in ((parent, ("1", "2")), (child, ("2", "3"))):
        for one in people:
            say(id, account_id=one)
    give(platform, child, commands.Merge(into=parent))
    assert (supporters(client, parent), supporters(client, child)) == (3, 2)
    answer = say(child, account_id="4")
    assert answer.json == [{"service_request_id": parent, "supporters": 4, "supported": True}]
    assert say(child, account_id="3").json[0]["supporters"] == 4
    assert say(child, "/remove", account_id="2").json[0]["supporters"] == 3
    assert (supporters(client, parent), supporters(client, child)) == (3, 1)
    give(platform, child, commands.Unmerge())
    assert (supporters(client, parent), supporters(client, child)) == (3, 1), "the support of the parent stays"


def test_a_request_merged_into_a_hidden_one_gets_409(platform: Platform, say: Callable[..., TestResponse]) -> None:
    parent, child = report(platform), report(platform)
    give(platform, child, commands.Merge(into=parent))
    give(platform, parent, commands.Hide(reason="a name"))
    answer = say(child, account_id="17")
    assert answer.status_code == 409
    assert parent not in answer.text


@pytest.mark.parametrize("path", ["", "/remove"])
def test_a_hidden_or_unknown_request_gets_404(
    platform: Platform, say: Callable[..., TestResponse], path: str
) -> None:
    id = report(platform)
    say(id, account_id="17")
    give(platform, id, commands.Hide(reason="a name"))
    for name in (id, "no-such-request"):
        assert say(name, path, account_id="17").status_code == 404


def test_a_request_that_is_hidden_keeps_its_supporters(
    client: FlaskClient, platform: Platform, say: Callable[..., TestResponse]
) -> None:
    id = report(platform)
    say(id, account_id="17")
    give(platform, id, commands.Hide(reason="a name"))
    give(platform, id, commands.Show(reason="no name"))
    assert supporters(client, id) == 1


def test_a_request_is_supported_only_in_its_own_city(make_app: Callable[..., Flask]) -> None:
    app = make_app(build.city(), build.city(id="other.example"))
    platform: Platform = app.extensions["open311"]
    id = build.submit(platform).service_request_id
    client, key = app.test_client(), add_key(platform, label="app", now=build.NOON)[1]
    data = {"api_key": key, "account_id": "17"}
    here, there = ({"jurisdiction_id": one} for one in ("test.example", "other.example"))
    assert client.post(f"{BASE}/{id}/support.json", data=data | there).status_code == 404
    assert client.post(f"{BASE}/{id}/support.json", data=data | here).status_code == 200


@pytest.mark.parametrize(
    ("fields", "status", "field"),
    [
        ({}, 400, "account_id"),
        ({"account_id": "  "}, 400, "account_id"),
        ({"account_id": "x" * 10_000}, 400, "account_id"),
        ({"device_id": "x" * 10_000}, 400, "device_id"),
        ({"email": "\x00"}, 400, "email"),
        ({"email": "ann"}, 400, "email: is not an email address"),
        ({"email": "ann@mail"}, 400, "email: is not an email address"),
        ({"email": "ann@mail.example, ben@mail.example"}, 400, "email: is not an email address"),
        ({"email": "ann", "account_id": "17"}, 400, "email: is not an email address"),
        ({"account_id": "17", "api_key": "wrong"}, 403, ""),
        ({"account_id": "17", "api_key": ""}, 403, ""),
    ],
)
def test_the_error_for_a_wrong_field_names_it(
    platform: Platform, say: Callable[..., TestResponse], fields: dict[str, str], status: int, field: str
) -> None:
    answer = say(report(platform), **fields)
    assert answer.status_code == status
    assert field in answer.json[0]["description"]


@pytest.mark.parametrize("value", ["'; DROP TABLE supporter; --", "\ud83d\ude00 ünï", "%00", "a\nb", "😀" * 50])
def test_an_account_id_may_be_any_text(platform: Platform, say: Callable[..., TestResponse], value: str) -> None:
    sent = value.encode("utf-8", "replace").decode()
    id = report(platform)
    assert [say(id, account_id=sent).json[0]["supporters"] for _ in range(2)] == [1, 1]


def test_a_get_changes_nothing(client: FlaskClient, platform: Platform, key: str) -> None:
    id = report(platform)
    for method in ("GET", "HEAD", "PUT", "DELETE"):
        answer = client.open(f"{BASE}/{id}/support.json?api_key={key}&account_id=17", method=method)
        assert answer.status_code in (404, 405)
    assert supporters(client, id) == 0


def test_a_test_key_supports_only_requests_of_test_keys(
    platform: Platform, say: Callable[..., TestResponse]
) -> None:
    test_key = add_key(platform, label="a test", now=build.NOON, is_test=True)[1]
    test_only = require_key(platform, test_key)
    mine = build.submit(platform, key=test_only).service_request_id
    assert say(report(platform), account_id="17", api_key=test_key).status_code == 403
    assert say(mine, account_id="17", api_key=test_key).json[0]["supporters"] == 1


def test_only_a_digest_is_stored(platform: Platform, say: Callable[..., TestResponse]) -> None:
    id = report(platform)
    say(id, account_id="user-of-the-app")
    say(id, email="Ann@Mail.example")
    assert say(id, email="ann@mail.example").json[0]["supporters"] == 2
    held = stored.dump(platform)
    assert "user-of-the-app" not in held
    assert "mail.example" not in held.casefold()


def erase(platform: Platform, who: Person) -> Counter[str]:
    city, rows = next(iter(platform.registry)), Counter[str]()
    for part in erase_person(platform, city, who, reason="a letter", principal=SHELL, now=utc_now()):
        rows += part.rows
    return rows


def exported(platform: Platform, who: Person) -> list[dict[str, Any]]:
    city = next(iter(platform.registry))
    pages = export_person(platform, city, who, reason="a letter", principal=SHELL, now=utc_now())
    return [item for page in pages for item in page.requests]


@pytest.mark.parametrize(
    "values", [{"account_id": "ann-17"}, {"device_id": "phone-17"}, {"email": "Ann@Mail.example"}]
)
def test_a_person_can_export_and_erase_a_me_too(
    client: FlaskClient, platform: Platform, say: Callable[..., TestResponse], values: dict[str, str]
) -> None:
    id, other = report(platform), report(platform)
    sent = {name: value.lower() for name, value in values.items()}
    say(id, **sent)
    say(id, account_id="somebody")
    say(other, account_id="somebody")
    [item] = exported(platform, Person(**values))
    assert (item["service_request_id"], item["report"], item["mail"]) == (id, None, None)
    assert item["supported_datetime"] is not None
    assert erase(platform, Person(**values))["supporter"] == 1
    assert exported(platform, Person(**values)) == []
    assert erase(platform, Person(**values))["supporter"] == 0
    assert (supporters(client, id), supporters(client, other)) == (2, 1), "the number stays"
    assert say(id, "/remove", **sent).json[0]["supporters"] == 2, "nobody knows any more who this supporter was"
    assert [one["service_request_id"] for one in exported(platform, Person(account_id="somebody"))] == [id, other]


def test_the_retention_deletes_who_supported_a_request_and_keeps_the_number(make_app: Callable[..., Flask]) -> None:
    app = make_app(build.city(retention=Retention(reporter_days=30)))
    platform, client = platform_of(app), app.test_client()
    id, still_open = report(platform), report(platform)
    key = add_key(platform, label="app", now=build.NOON)[1]
    for name in (id, still_open):
        for one in ("1", "2"):
            data = {"api_key": key, "account_id": one}
            assert client.post(f"{BASE}/{name}/support.json", data=data).status_code == 200
    give(platform, id, commands.Transfer(department="streets"), commands.Close(outcome=Outcome.FIXED))
    city = next(iter(platform.registry))
    for days, known in ((29, 2), (31, 1)):
        for _ in expire(platform, city, REPORTERS, now=build.NOON + timedelta(days=days)):
            continue
        assert len(exported(platform, Person(account_id="1"))) == known
    assert (supporters(client, id), supporters(client, still_open)) == (2, 2)
    assert "supporter" not in str(build.history(platform, build.load(platform, service_request_id=id)))
