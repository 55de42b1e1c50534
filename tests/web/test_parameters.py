"""Wrong parameters: blank parameters, two values or two names for one parameter, and invalid bytes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, cast

import pytest
from flask import Flask
from flask.testing import FlaskClient

from open311.clock import utc_now
from open311.operations.platform import Platform
from open311.operations.reading.searches import read_search
from open311.web.parsing import MOST_REMEMBERED_BYTES
from tests import build

BASE = "/open311/v2"


@pytest.fixture
def crowd(platform: Platform) -> None:
    """Five requests, R1 to R5."""
    rows = ({"number": n, "at": utc_now() - timedelta(hours=n)} for n in range(1, 6))
    build.store_all(platform, rows)


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("per_page=&limit=3", 3),
        ("page_size=&page_size=2", 2),
        ("page_size=%20&per_page=4", 4),
        ("service_request_id=R1%01", 1),
        ("service_request_id=%01", 5),
        ("status=open%EF%BF%BE", 5),
        ("service_request_id=,&status=closed", 0),
    ],
)
def test_a_value_blank_after_cleaning_counts_as_absent(
    client: FlaskClient, crowd: None, query: str, count: int
) -> None:
    assert len(client.get(f"{BASE}/requests.json?{query}").json) == count


@pytest.mark.parametrize(
    "path",
    ["/healthz", "/readyz", "/", "/docs", "/openapi.json"],
)
@pytest.mark.parametrize("query", ["x=%ff", "&".join(f"a{n}=1" for n in range(1_100))])
def test_urls_without_parameters_ignore_all_parameters(client: FlaskClient, path: str, query: str) -> None:
    assert client.get(f"{path}?{query}").status_code == 200


def test_two_different_services_in_one_post_are_refused(post: Callable[..., object]) -> None:
    answer = post([("service_code", "potholes"), ("service_code", "graffiti")], lat=60.17, long=24.94)
    assert answer.status_code == 400  # type: ignore[attr-defined]
    assert "service_code: takes one value, but 2 were sent." in answer.text  # type: ignore[attr-defined]
    again = post([("service_code", ""), ("service_code", "potholes")], lat=60.17, long=24.94)
    assert again.status_code == 200  # type: ignore[attr-defined]


def test_a_valid_key_is_used_even_if_another_key_is_blank(client: FlaskClient, key: str) -> None:
    sent = {"service_code": "potholes", "lat": "60.17", "long": "24.94"}
    assert client.post(f"{BASE}/requests.json", data=sent | {"api_key": ["", key]}).status_code == 200


def test_the_error_for_a_multipart_part_without_a_name_asks_for_the_name(client: FlaskClient, key: str) -> None:
    body = b"--XX\r\nContent-Disposition: form-data\r\n\r\nx\r\n--XX--\r\n"
    answer = client.post(
        f"{BASE}/requests.json",
        data=body,
        content_type="multipart/form-data; boundary=XX",
        headers={"X-Api-Key": key},
    )
    assert answer.status_code == 400
    assert "has no name" in answer.text


def test_one_error_of_nearby_names_all_missing_parameters(client: FlaskClient) -> None:
    described = [one["description"].partition(":")[0] for one in client.get(f"{BASE}/requests/nearby.json").json]
    assert sorted(described) == ["lat", "long", "service_code"]


@pytest.mark.parametrize("name", ["end_date", "updated_before"])
def test_a_cursor_with_another_date_is_refused(client: FlaskClient, crowd: None, name: str) -> None:
    first = client.get(f"{BASE}/requests.json?page_size=2")
    cursor = first.headers["Link"].partition("cursor=")[2].partition(">")[0]
    answer = client.get(f"{BASE}/requests.json?page_size=2&cursor={cursor}&{name}=2026-01-01")
    assert answer.status_code == 400
    assert "belongs to another order or other dates" in answer.text


def test_long_queries_are_not_cached(app: Flask, platform: Platform) -> None:
    client = FlaskClient(app)
    calls = [f"{BASE}/requests.json?service_code={n}{'x' * MOST_REMEMBERED_BYTES}" for n in range(5)]
    kept = cast("Any", platform.process.cached(read_search)).cache_info
    before = kept().currsize
    assert [client.get(call).status_code for call in calls] == [200] * 5
    assert kept().currsize == before
    client.get(f"{BASE}/requests.json?service_code=short")
    assert kept().currsize == before + 1


def test_a_process_limits_calls_by_itself_if_the_rate_storage_is_unavailable(
    make_app: Callable[..., Flask], capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("redis")
    app = make_app(get_rate="1 per hour", rate_storage="redis://127.0.0.1:1")
    client = FlaskClient(app)
    assert [client.get(f"{BASE}/services.json").status_code for _ in range(2)] == [200, 429]
    assert "this process counts by itself" in capsys.readouterr().err
    checked = client.get("/readyz")
    assert (checked.status_code, checked.json["status"]) == (200, "degraded")
    assert checked.json["checks"]["rates"] == {
        "ok": False,
        "detail": "OPEN311_RATE_STORAGE does not answer; each process counts by itself",
    }
