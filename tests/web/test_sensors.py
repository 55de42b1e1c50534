"""Observations over HTTP, in the form of SensorThings."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from open311.clock import utc_now
from open311.operations.access.api_keys import add_key
from open311.operations.platform import Platform
from schemas.values import format_instant
from tests.checked_client import platform_of

PATH, MANY = "/sensors/v1/observations", "/sensors/v1/CreateObservations"
WATER = {"@iot.id": "elm-underpass-water"}


def minutes_ago(minutes: int) -> str:
    return format_instant(utc_now() - timedelta(minutes=minutes))


def observation(result: Any = 47.5, *, minutes: int = 0, **more: Any) -> dict[str, Any]:
    return {"result": result, "phenomenonTime": minutes_ago(minutes), "Datastream": WATER} | more


def array(*rows: list[Any], **more: Any) -> dict[str, Any]:
    names = ["phenomenonTime", "result"]
    return {"Datastream": WATER, "components": names, "dataArray@iot.count": len(rows), "dataArray": rows} | more


@pytest.fixture
def sensor_key(platform: Platform) -> str:
    """A key for the gauge of the demo city."""
    return key_of(platform)


def key_of(platform: Platform) -> str:
    more: dict[str, Any] = {"jurisdiction_id": "city.example", "things": ["elm-underpass"]}
    return add_key(platform, label="gauges", now=utc_now(), **more)[1]


@pytest.fixture
def send(client: FlaskClient, sensor_key: str) -> Callable[..., TestResponse]:
    """Sends a body with the key of the gauge."""

    def call(body: Any, path: str = PATH, **more: Any) -> TestResponse:
        headers = {"X-Api-Key": sensor_key} | more.pop("headers", {})
        return client.post(path, json=body, headers=headers, **more)

    return call


Send = Callable[..., TestResponse]


def test_an_observation_gets_201_with_its_address(send: Send, client: FlaskClient, sensor_key: str) -> None:
    answer = send(observation(12, resultTime=minutes_ago(0)))
    assert answer.status_code == 201
    assert answer.headers["Location"] == answer.json["@iot.selfLink"]
    assert (answer.json["result"], answer.json["Datastream"]) == (12, WATER)
    found = client.get(urlsplit(answer.headers["Location"]).path, headers={"X-Api-Key": sensor_key})
    assert found.json["phenomenonTime"] == answer.json["phenomenonTime"]
    listed = client.get(PATH, headers={"X-Api-Key": sensor_key})
    assert [one["@iot.id"] for one in listed.json["value"]] == [answer.json["@iot.id"]]
    assert listed.json["value"][0]["parameters"]["thing"] == "elm-underpass"


def test_only_the_newest_observation_is_kept(send: Send, client: FlaskClient, sensor_key: str) -> None:
    old = send(observation(12, minutes=5))
    send(observation(13))
    answer = client.get(urlsplit(old.headers["Location"]).path, headers={"X-Api-Key": sensor_key})
    assert answer.status_code == 404


def test_the_same_observation_again_gets_the_same_answer(send: Send) -> None:
    body = observation(phenomenonTime="2026-03-01T12:00:00.250+02:00")
    first, second = send(body), send(body)
    assert first.json == second.json
    assert first.json["@iot.id"] == "elm-underpass-water@2026-03-01T10:00:00.250000Z"


def test_a_flood_makes_one_public_request(send: Send, client: FlaskClient) -> None:
    for minutes in range(10, 0, -1):
        assert send(observation(47.5, minutes=minutes)).status_code == 201
    [item] = client.get("/open311/v2/requests.json?extensions=true").json
    assert item["description"].splitlines()[0].startswith("The water in the underpass is 47.5 cm deep.")
    assert len(item["description"].splitlines()) == 6
    assert item["extended_attributes"]["channel"] == "sensor"
    assert item["service_code"] == "v1.2"


FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"result": "47.5"}, "result: is no number; send a number, true or false."),
    ({"result": None}, "result: "),
    ({"phenomenonTime": "noon"}, "phenomenonTime: 'noon' is not a date and time"),
    ({"phenomenonTime": "2026-03-02T00:00:00Z/2026-03-01T00:00:00Z"}, "phenomenonTime: "),
    ({"phenomenonTime": 17}, "phenomenonTime: is no text"),
    ({"phenomenonTime": "2999-01-01T00:00:00Z"}, "phenomenonTime: 2999-01-01T00:00:00+00:00 is in the future"),
    ({"Datastream": {"@iot.id": "other"}}, "Datastream: 'other' is no datastream of city.example."),
    ({"Datastream": "elm-underpass-water"}, "Datastream: is no link"),
    ({"Datastream": {"name": "deep insert"}}, "Datastream: is no link"),
    ({"Datastream": {"@iot.id": None}}, "Datastream: has an @iot.id that is no id"),
    ({"Result": 1}, "Result: is unknown; did you mean result?"),
]


@pytest.mark.parametrize(("change", "fault"), FAULTS)
def test_the_error_for_a_faulty_observation_names_the_field(send: Send, change: dict[str, Any], fault: str) -> None:
    answer = send(observation() | change)
    assert answer.status_code == 400, answer.json
    errors = [f"{one['field']}: {one['message']}" for one in answer.json["errors"]]
    assert any(error.startswith(fault) for error in errors), errors


def test_missing_fields_are_named_together(send: Send) -> None:
    answer = send({})
    assert {one["field"] for one in answer.json["errors"]} == {"result", "Datastream"}


@pytest.mark.parametrize("body", ["[]", "nonsense", "[[]]", '{"result": 1e999}'])
def test_bodies_that_are_no_observation_are_refused(client: FlaskClient, sensor_key: str, body: str) -> None:
    headers = {"X-Api-Key": sensor_key}
    for path in (PATH, MANY):
        answer = client.post(path, data=body, headers=headers, content_type="application/json")
        assert answer.status_code == 400 or (path == MANY and body == "[]"), answer.data
    assert client.post(PATH, data={"result": "1"}, headers=headers).status_code == 415


def test_a_warning_names_the_parts_of_the_standard_that_are_not_used(send: Send) -> None:
    answer = send(observation(FeatureOfInterest={"@iot.id": 3}, resultQuality=[]))
    assert answer.status_code == 201
    assert "resultQuality, FeatureOfInterest: not used by this server." in answer.headers["Warning"]


def test_many_observations_get_an_item_each(send: Send, client: FlaskClient) -> None:
    rows = [[minutes_ago(10 - index), 50] for index in range(8)]
    faulty: list[list[Any]] = [["noon", 50], [minutes_ago(1)], [minutes_ago(1), "x"]]
    other = array([minutes_ago(1), 1], Datastream={"@iot.id": "other"})
    answer = send([array(*rows, *faulty), other], MANY)
    assert answer.status_code == 201
    links, errors = answer.json[:8], answer.json[8:]
    assert all(
        link.startswith("http://localhost/sensors/v1/observations('elm-underpass-water%40") for link in links
    )
    assert [error.split(";")[0] for error in errors] == [
        "error: phenomenonTime: 'noon' is not a date and time",
        "error: 1 values for 2 components.",
        "error: result: is no number",
        "error: Datastream: 'other' is no datastream of city.example.",
    ]
    assert len(client.get("/open311/v2/requests.json").json) == 1


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"components": ["result", "colour"]}, "[0].components"),
        ({"components": "result"}, "[0].components"),
        ({"dataArray": [1]}, "[0].dataArray"),
        ({"Datastream": 1}, "[0].Datastream"),
        ({"data": []}, "[0].data"),
    ],
)
def test_a_faulty_data_array_is_refused_as_a_whole(send: Send, change: dict[str, Any], field: str) -> None:
    answer = send([array([minutes_ago(1), 50]) | change], MANY)
    assert answer.status_code == 400
    assert [one["field"] for one in answer.json["errors"]] == [field]


def test_too_many_observations_are_refused(send: Send) -> None:
    assert send([array(*[[minutes_ago(1), 50]] * 1_001)], MANY).status_code == 413


def test_a_key_of_sensors_opens_nothing_else(client: FlaskClient, sensor_key: str) -> None:
    form = {"service_code": "potholes", "lat": "60.1718", "long": "24.9414", "api_key": sensor_key}
    answer = client.post("/open311/v2/requests.json", data=form)
    assert answer.status_code == 403
    assert "is a key of sensors, which may only send observations" in answer.json[0]["description"]
    assert client.get("/open311/v2/subscriptions.json", headers={"X-Api-Key": sensor_key}).status_code == 403


def test_a_key_of_an_app_sends_no_observations(client: FlaskClient, key: str) -> None:
    answer = client.post(PATH, json=observation(), headers={"X-Api-Key": key})
    assert (answer.status_code, answer.json["errors"][0]["field"]) == (403, "api_key")
    assert client.post(PATH, json=observation()).status_code == 403
    assert client.get(PATH).status_code == 403


def test_one_thing_has_a_rate(make_app: Callable[..., Flask]) -> None:
    app = make_app(sensor_rate="3 per minute")
    headers = {"X-Api-Key": key_of(platform_of(app))}
    client = app.test_client()
    statuses = [
        client.post(PATH, json=observation(1, minutes=one), headers=headers).status_code for one in range(4)
    ]
    assert statuses == [201, 201, 201, 429]
    answer = client.post(MANY, json=[array([minutes_ago(0), 1])], headers=headers)
    assert answer.json[0].startswith("error: too many observations of this thing; send this one again in ")
