"""Repeated POSTs: Idempotency-Key and client_request_id (A15)."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from open311.operations.intake.repeating import STILL_RUNNING
from open311.operations.platform import Platform
from tests.waiting import until

BASE = "/open311/v2"
FORM = {"service_code": "potholes", "lat": "60.1718", "long": "24.9414", "description": "Deep"}

Send = Callable[..., TestResponse]
both_formats = pytest.mark.parametrize("format", ["json", "xml"])


@pytest.fixture
def send(client: FlaskClient, key: str) -> Send:
    """Posts a pothole request with the given changes."""

    def post(format: str = "json", idempotency_key: str = "", **changes: str) -> TestResponse:
        headers = {"X-Api-Key": key} | ({"Idempotency-Key": idempotency_key} if idempotency_key else {})
        return client.post(f"{BASE}/requests.{format}", data=FORM | changes, headers=headers)

    return post


def test_the_text_of_the_statement_that_stores_a_request_has_no_data_of_a_citizen(
    app: Flask, platform: Platform, key: str
) -> None:
    """PostgreSQL logs the texts of failed statements, with the values in these texts."""
    headers = {"X-Api-Key": key, "Idempotency-Key": "key-1"}
    sent = FORM | {"email": "jane@mail.example", "description": "Jane was here"}
    blocked = "SELECT query FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    transaction, reading = platform.database.transaction(), platform.database.reading()
    with transaction as connection, reading as other, ThreadPoolExecutor(1) as pool:
        connection.exec_driver_sql("LOCK TABLE service_request IN ACCESS EXCLUSIVE MODE")
        post = pool.submit(app.test_client().post, f"{BASE}/requests.json", data=sent, headers=headers)
        (query,) = until(lambda: other.exec_driver_sql(blocked).scalars().all(), "the POST to wait")
        connection.rollback()
        assert post.result().status_code == 200
    assert "INSERT INTO service_request" in query
    assert [word for word in ("jane", "Jane", "Deep", "60.17") if word in query] == []


def stored(platform: Platform) -> int:
    with platform.database.reading() as connection:
        return int(connection.exec_driver_sql("SELECT count(*) FROM service_request").scalar_one())


@both_formats
@pytest.mark.requirement("C165")
@pytest.mark.parametrize("service_code", ["potholes", "trees", "hotline"])
def test_a_repeat_gets_the_first_answer_byte_for_byte(
    send: Send, platform: Platform, format: str, service_code: str
) -> None:
    changes = {"service_code": service_code, "account_id": "acc-1"}
    first, second = (send(format, "key-1", **changes) for _ in range(2))
    assert first.status_code == second.status_code == 200
    assert first.data == second.data
    assert stored(platform) == 1


def test_a_repeat_may_use_the_other_format_and_the_other_name_of_the_parameter(
    send: Send, platform: Platform
) -> None:
    first = send("json", "key-1")
    assert first.json[0]["service_request_id"] in send("xml", "key-1").text
    assert send("json", client_request_id="key-1").json == first.json
    assert stored(platform) == 1


@both_formats
def test_the_same_key_with_another_body_gets_400(send: Send, platform: Platform, format: str) -> None:
    assert send(format, "key-1").status_code == 200
    for changes in ({"description": "Deeper"}, {"lat": "60.1719"}, {"email": "a@b.example"}, {"attribute[X]": "1"}):
        refused = send(format, "key-1", **changes)
        assert refused.status_code == 400
        assert "Idempotency-Key: was used for another request" in refused.text
    named = send(format, "", client_request_id="key-1", description="Deeper")
    assert "client_request_id: was used for another request" in named.text
    assert stored(platform) == 1


def test_another_key_or_no_key_makes_a_new_request(send: Send, platform: Platform) -> None:
    ids = {send(idempotency_key=key).json[0]["service_request_id"] for key in ("key-1", "key-2", "", "")}
    assert len(ids) == stored(platform) == 4


@both_formats
def test_a_key_that_is_too_long_is_refused(send: Send, format: str) -> None:
    refused = send(format, "x" * 501)
    assert refused.status_code == 400
    assert "Idempotency-Key: has 501 characters" in refused.text


def test_a_refused_call_can_be_corrected_and_sent_with_the_same_key(send: Send) -> None:
    assert send(idempotency_key="key-1", lat="x").status_code == 400
    assert send(idempotency_key="key-1").status_code == 200


def test_concurrent_repeats_make_one_request(app: Flask, platform: Platform, key: str) -> None:
    def post(_: int) -> str:
        headers = {"X-Api-Key": key, "Idempotency-Key": "key-1"}
        answer = app.test_client().post(f"{BASE}/requests.json", data=FORM, headers=headers)
        assert answer.status_code == 200, answer.text
        return str(answer.json[0]["service_request_id"])

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(post, range(12)))) == 1
    assert stored(platform) == 1


def test_repeats_of_a_call_that_hangs_get_503_while_it_hangs(app: Flask, platform: Platform, key: str) -> None:
    def post() -> TestResponse:
        headers = {"X-Api-Key": key, "Idempotency-Key": "key-1"}
        return app.test_client().post(f"{BASE}/requests.json", data=FORM, headers=headers)

    blocked = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    transaction, reading = platform.database.transaction(), platform.database.reading()
    with transaction as connection, reading as other, ThreadPoolExecutor(11) as pool:
        connection.exec_driver_sql("LOCK TABLE service_request IN ACCESS EXCLUSIVE MODE")
        first = pool.submit(post)
        until(lambda: other.exec_driver_sql(blocked).scalars().all(), "the first call to wait")
        repeats = [one.result() for one in [pool.submit(post) for _ in range(10)]]
        assert not first.done()
        connection.rollback()
        assert {(one.status_code, one.headers["Retry-After"]) for one in repeats} == {(503, "5")}
        assert STILL_RUNNING in repeats[0].text
        assert first.result().json == post().json
