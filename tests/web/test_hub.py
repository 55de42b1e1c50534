"""A hub finds the city of a call by its point (decision 0032)."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from shapely.geometry import box

from open311.operations.access.api_keys import add_key
from tests import build
from tests.checked_client import platform_of

BASE = "/open311/v2"
EAST = build.city(id="east.example", name="East", boundary=box(1, 0, 3, 2))
WEST = build.city(id="west.example", name="West", boundary=box(0, 0, 1.5, 2))
OPEN = build.city(id="open.example", name="Open")

MakeApp = Callable[..., Flask]


@pytest.fixture
def hub(make_app: MakeApp) -> FlaskClient:
    return make_app(EAST, WEST, OPEN, hub=True).test_client()


def post(client: FlaskClient, lat: str, long: str, **more: str) -> tuple[int, str, str]:
    _, key = add_key(platform_of(client.application), label="app", now=build.NOON)
    data = {"service_code": "potholes", "lat": lat, "long": long, "api_key": key} | more
    answer = client.post(f"{BASE}/requests.json", data=data)
    return answer.status_code, answer.headers.get("X-Jurisdiction-Id", ""), answer.text


@pytest.mark.parametrize("name", ["long", "lng"])
def test_a_request_goes_to_the_city_of_its_point(hub: FlaskClient, name: str) -> None:
    _, key = add_key(platform_of(hub.application), label="app", now=build.NOON)
    data = {"service_code": "potholes", "lat": "1", name: "2.5", "api_key": key}
    answer = hub.post(f"{BASE}/requests.json", data=data)
    assert (answer.status_code, answer.headers["X-Jurisdiction-Id"]) == (200, "east.example")
    listed = hub.get(f"{BASE}/requests.json?lat=1&long=2.5&radius=500").json
    assert [each["service_request_id"] for each in listed] == [answer.json[0]["service_request_id"]]
    assert hub.get(f"{BASE}/requests.json?jurisdiction_id=west.example").json == []


def test_the_services_of_the_city_at_the_point_are_listed(hub: FlaskClient) -> None:
    assert len(hub.get(f"{BASE}/services.json?lat=1&long=0.5").json) == 3
    assert len(hub.get(f"{BASE}/services.xml?lat=1&long=0.5").data) > 100


@pytest.mark.parametrize("path", ["services", "requests"])
def test_an_ambiguous_point_names_the_candidates(hub: FlaskClient, path: str) -> None:
    answer = hub.get(f"{BASE}/{path}.json?lat=1&long=1.2&radius=5")
    assert answer.status_code == 400
    assert "send one of east.example, west.example." in answer.json[0]["description"]
    assert post(hub, "1", "1.2")[0] == 400


def test_a_point_of_no_city_and_a_call_without_a_point_get_400(hub: FlaskClient) -> None:
    status, _, text = post(hub, "50", "50")
    assert status == 400
    assert "no city here has this point" in text
    for query in ("", "?lat=1", "?lat=x&long=y", "?lat=nan&long=1", "?lat=95&long=1"):
        answer = hub.get(f"{BASE}/services.json{query}")
        assert answer.status_code == 400
        assert answer.json[0]["description"].startswith("jurisdiction_id: is missing; send one of")


def test_a_named_city_decides_and_the_point_does_not(hub: FlaskClient) -> None:
    assert post(hub, "1", "1.2", jurisdiction_id="west.example")[1] == "west.example"


def test_without_the_setting_a_call_must_name_the_city(make_app: MakeApp) -> None:
    client = make_app(EAST, WEST).test_client()
    answer = client.get(f"{BASE}/services.json?lat=1&long=2.5")
    assert answer.status_code == 400
    assert "east.example, west.example" in answer.json[0]["description"]
    assert post(client, "1", "2.5", jurisdiction_id="east.example")[:2] == (200, "")


def test_a_key_of_another_city_gets_403(hub: FlaskClient) -> None:
    _, key = add_key(platform_of(hub.application), label="west", jurisdiction_id="west.example", now=build.NOON)
    data = {"service_code": "potholes", "lat": "1", "long": "2.5", "api_key": key}
    assert hub.post(f"{BASE}/requests.json", data=data).status_code == 403
