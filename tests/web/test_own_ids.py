"""A partner's own ids of requests: kept, found again, and shown to nobody else (decision 0030)."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from open311.domain.requests import Visibility
from open311.operations.platform import Platform
from tests import build

BASE = "/open311/v2"
FORM = {"service_code": "potholes", "lat": "60.1718", "long": "24.9414", "description": "Deep"}
Send = Callable[..., TestResponse]


@pytest.fixture
def send(client: FlaskClient, key: str) -> Send:
    def post(**changes: str) -> TestResponse:
        return client.post(f"{BASE}/requests.json", data=FORM | changes, headers={"X-Api-Key": key})

    return post


@pytest.fixture
def find(client: FlaskClient, key: str) -> Callable[..., TestResponse]:
    def get(own_id: str, format: str = "json", api_key: str = key, **more: str) -> TestResponse:
        query = {"service_request_id_ext": own_id, "api_key": api_key} | more
        return client.get(f"{BASE}/requests.{format}", query_string=query)

    return get


def stored(platform: Platform) -> int:
    with platform.database.reading() as connection:
        return int(connection.exec_driver_sql("SELECT count(*) FROM service_request").scalar_one())


@pytest.mark.parametrize("name", ["service_request_id_ext", "attribute[external_id]"])
def test_a_request_is_found_by_its_senders_own_id(send: Send, find: Send, name: str) -> None:
    receipt = send(**{name: "77/a & b"})
    assert receipt.status_code == 200
    assert "Warning" not in receipt.headers
    found = find("77/a & b")
    assert [each["service_request_id"] for each in found.json] == [receipt.json[0]["service_request_id"]]
    assert find("78").json == []


@pytest.mark.parametrize("format", ["json", "xml"])
def test_the_own_id_is_shown_to_its_sender_only(
    client: FlaskClient, platform: Platform, send: Send, find: Send, format: str
) -> None:
    request_id = send(service_request_id_ext="<77>").json[0]["service_request_id"]
    own = find("<77>", format, extensions="true")
    assert ("&lt;77&gt;" if format == "xml" else '"service_request_id_ext":"<77>"') in own.text
    assert own.headers["Cache-Control"] == "private, no-cache"
    anybody = client.get(f"{BASE}/requests/{request_id}.{format}?extensions=true")
    assert "77" not in anybody.text.replace(request_id, "")
    assert own.headers["ETag"] != anybody.headers["ETag"]


def test_a_single_request_and_a_list_have_the_own_id_too(client: FlaskClient, key: str, send: Send) -> None:
    send()
    request_id = send(service_request_id_ext="77").json[0]["service_request_id"]
    headers = {"X-Api-Key": key}
    single = client.get(f"{BASE}/requests/{request_id}.json?extensions=true", headers=headers).json
    listed = client.get(f"{BASE}/requests.json?extensions=true", headers=headers).json
    for found in (single, [each for each in listed if each["service_request_id"] == request_id]):
        assert [each["extended_attributes"].get("service_request_id_ext") for each in found] == ["77"]
    assert sum("service_request_id_ext" in each["extended_attributes"] for each in listed) == 1


def test_another_key_finds_nothing_and_no_key_gets_403(
    client: FlaskClient, platform: Platform, send: Send, find: Send, other_key: str
) -> None:
    send(service_request_id_ext="77")
    assert find("77", api_key=other_key).json == []
    assert find("77", api_key="wrong").status_code == 403
    assert client.get(f"{BASE}/requests.json?service_request_id_ext=77").status_code == 403


@pytest.fixture
def other_key(platform: Platform) -> str:
    from open311.operations.access.api_keys import add_key

    return add_key(platform, label="other", now=build.NOON)[1]


@pytest.mark.parametrize("service_code", ["potholes", "trees", "hotline"])
def test_a_report_sent_again_gets_the_first_answer(send: Send, platform: Platform, service_code: str) -> None:
    changes = {"service_code": service_code, "account_id": "acc-1", "service_request_id_ext": "77"}
    first, second = (send(**changes) for _ in range(2))
    assert first.status_code == second.status_code == 200
    assert first.data == second.data
    assert stored(platform) == 1


def test_an_own_id_that_was_used_for_another_report_gets_400(send: Send, platform: Platform) -> None:
    send(service_request_id_ext="77")
    answer = send(service_request_id_ext="77", description="Another one")
    assert answer.status_code == 400
    assert "'77' is your id of another report" in answer.json[0]["description"]
    assert stored(platform) == 1


def test_after_an_erasure_a_repeat_is_still_a_repeat(send: Send, app: Flask, platform: Platform) -> None:
    from open311.domain.events import Erasable
    from open311.operations.workflow.erase_request import erase_from_request

    first = send(service_request_id_ext="77").json[0]["service_request_id"]
    (city,) = platform.registry
    erase_from_request(platform, city, first, [Erasable.DESCRIPTION], now=build.NOON)
    with platform.database.reading() as connection:
        assert connection.exec_driver_sql("SELECT digest FROM external_id").scalars().all() == [None]
    assert send(service_request_id_ext="77").json[0]["service_request_id"] == first


def test_many_equal_calls_at_once_store_one_request(app: Flask, platform: Platform, key: str) -> None:
    data = FORM | {"service_request_id_ext": "77", "api_key": key}
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: app.test_client().post(f"{BASE}/requests.json", data=data), range(8)))
    assert {answer.status_code for answer in answers} <= {200, 503}
    assert len({answer.data for answer in answers if answer.status_code == 200}) == 1
    assert stored(platform) == 1


def test_an_own_id_that_is_too_long_gets_400_and_an_unusable_attribute_is_ignored(send: Send) -> None:
    assert send(service_request_id_ext="7" * 201).status_code == 400
    answer = send(**{"attribute[external_id]": "7" * 201})
    assert answer.status_code == 200
    assert "attribute[external_id] is ignored" in answer.headers["Warning"]


def test_a_withdrawn_request_is_not_found_and_its_repeat_still_gets_the_first_answer(
    send: Send, find: Send, platform: Platform
) -> None:
    first = send(service_request_id_ext="77").json[0]["service_request_id"]
    build.change(platform, first, visibility=Visibility.WITHDRAWN)
    assert find("77").json == []
    assert send(service_request_id_ext="77").json[0]["service_request_id"] == first
