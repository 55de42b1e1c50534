"""Requests near a point, and the link from a new request to the request that it may duplicate."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from lxml import etree

from open311.clock import utc_now
from open311.domain.places import Place
from open311.domain.requests import Status, Visibility
from open311.domain.services import Service, Vicinity
from open311.jobs.dispatching import dispatch_all
from open311.operations.intake.resolve_token import resolve_token
from open311.operations.platform import Platform
from open311.storage.queue import Task
from tests import build
from tests.checked_client import platform_of

BASE = "/open311/v2"
HERE = Place(lat=60.1718, long=24.9414)
QUERY = "lat=60.1718&long=24.9414&service_code=potholes"
DAY = timedelta(days=1)

both_formats = pytest.mark.parametrize("format", ["json", "xml"])


def north(metres: float) -> Place:
    return Place(lat=60.1718 + metres / 111_400, long=24.9414)


def found(client: FlaskClient, query: str = QUERY, format: str = "json") -> list[tuple[str, float]]:
    """The ids and distances of requests near a point, in the order of the answer."""
    answer = client.get(f"{BASE}/requests/nearby.{format}?{query}")
    assert answer.status_code == 200, answer.text
    if format == "json":
        return [(item["service_request_id"], item["distance"]) for item in answer.json or ()]
    return [
        (item.findtext("service_request_id") or "", float(item.findtext("distance") or ""))
        for item in etree.fromstring(answer.data)
    ]


def names(client: FlaskClient, query: str = QUERY) -> set[str]:
    return {name for name, _ in found(client, query)}


@both_formats
def test_the_nearest_requests_are_first_and_have_their_distance(
    client: FlaskClient, platform: Platform, format: str
) -> None:
    for name, metres in (("far", 40), ("here", 0), ("near", 10), ("beyond", 60)):
        build.store(platform, service_request_id=name, place=north(metres), at=utc_now())
    assert found(client, format=format) == [
        ("here", 0.0),
        ("near", pytest.approx(10, abs=0.2)),
        ("far", pytest.approx(40, abs=0.2)),
    ]
    assert len(found(client, f"{QUERY}&radius=61", format)) == 4


def test_nearby_shows_new_and_recently_closed_requests_of_the_same_service(
    client: FlaskClient, platform: Platform
) -> None:
    now = utc_now()
    closed: dict[str, Any] = {"status": Status.CLOSED}
    records: dict[str, dict[str, Any]] = {
        "open": {"at": now - 6 * DAY},
        "recently closed": closed | {"at": now - 30 * DAY, "updated_at": now - 6 * DAY},
        "long open": {"at": now - 8 * DAY},
        "long closed": closed | {"at": now - 30 * DAY, "updated_at": now - 8 * DAY},
        "other": {"at": now, "service_code": "graffiti"},
        "test": {"at": now, "visibility": Visibility.UNLISTED},
        "hidden": {"at": now, "visibility": Visibility.PRIVATE},
        "nowhere": {"at": now, "place": Place(address="5 Mill Lane")},
    }
    for name, changes in records.items():
        build.store(platform, **{"service_request_id": name, "place": HERE} | changes)
    assert names(client) == {"open", "recently closed"}
    assert names(client, f"{QUERY}&days=9") == {"open", "recently closed", "long open", "long closed"}
    assert names(client, QUERY.replace("potholes", "graffiti")) == {"other"}
    assert names(client, QUERY.replace("potholes", "pothole")) == {"open", "recently closed"}, (
        "the alias of a service finds the same requests"
    )


def test_at_most_twenty_requests_are_shown(client: FlaskClient, platform: Platform) -> None:
    build.store_all(platform, ({"number": number, "place": HERE, "at": utc_now()} for number in range(1, 30)))
    assert len(found(client)) == 20


def test_nearby_searches_across_the_dateline(client: FlaskClient, platform: Platform) -> None:
    build.store(platform, service_request_id="W", place=Place(lat=0.0, long=-179.9999), at=utc_now())
    assert names(client, "lat=0&long=179.9999&service_code=potholes") == {"W"}


def test_a_service_can_have_its_own_radius(client: FlaskClient, platform: Platform) -> None:
    code = "Street:Lights %26 Poles"
    at = utc_now() - 20 * DAY
    for metres in (5, 20):
        build.store(
            platform,
            service_request_id=str(metres),
            service_code="Street:Lights & Poles",
            place=north(metres),
            at=at,
        )
    assert names(client, f"lat=60.1718&long=24.9414&service_code={code}") == {"5"}


@both_formats
def test_items_equal_the_lists_items_and_can_have_extensions(
    client: FlaskClient, platform: Platform, format: str
) -> None:
    build.store(platform, service_request_id="A", place=HERE, at=utc_now())
    for query in ("", "&extensions=notes"):
        near = client.get(f"{BASE}/requests/nearby.{format}?{QUERY}{query}").text
        listed = client.get(f"{BASE}/requests.{format}?{query}").text
        assert near.replace(',"distance":0.0', "").replace("<distance>0.0</distance>", "") == listed


@both_formats
@pytest.mark.parametrize(
    ("query", "status", "named"),
    [
        ("lat=60&long=24", 400, "service_code: "),
        ("lat=60&long=24&service_code=nope", 404, "service_code: "),
        ("service_code=potholes", 400, "lat: "),
        ("service_code=potholes&lat=60", 400, "long: "),
        ("service_code=potholes&lat=60&long=x", 400, "long: "),
        (f"{QUERY}&radius=1001", 400, "radius: "),
        (f"{QUERY}&radius=x", 400, "radius: "),
        (f"{QUERY}&days=0", 400, "days: "),
        (f"{QUERY}&days=366", 400, "days: "),
        (f"{QUERY}&extensions=x", 400, "extensions: "),
    ],
)
def test_an_unreadable_parameter_is_named(
    client: FlaskClient, format: str, query: str, status: int, named: str
) -> None:
    answer = client.get(f"{BASE}/requests/nearby.{format}?{query}")
    assert answer.status_code == status
    assert named in answer.text


def test_a_request_with_the_id_nearby_can_still_be_read(client: FlaskClient, platform: Platform) -> None:
    build.store(platform, service_request_id="nearby", at=utc_now())
    accept = {"Accept": "application/json"}
    assert client.get(f"{BASE}/requests/nearby", headers=accept).json[0]["service_request_id"] == "nearby"
    assert len(client.get(f"{BASE}/requests.json?service_request_id=nearby").json) == 1
    assert client.get(f"{BASE}/requests/nearby.json").status_code == 400
    assert client.get(f"{BASE}/requests/nearby.json.json").status_code == 404


# --- The link that a POST makes


def linked(platform: Platform, service_request_id: str) -> str:
    return build.load(platform, service_request_id=service_request_id).possible_duplicate_of


@pytest.fixture
def send(platform: Platform) -> Callable[..., str]:
    """Sends a request made now; returns its id."""

    def post(**fields: Any) -> str:
        return build.submit(platform, now=utc_now(), **fields).service_request_id

    return post


def test_a_new_request_links_to_the_earliest_open_one_nearby(client: FlaskClient, send: Callable[..., str]) -> None:
    first = send()
    second, third = send(lat="60.17185"), send(lat="60.1719")
    shown = {
        item["service_request_id"]: item["extended_attributes"]["possible_duplicate_of"]
        for item in client.get(f"{BASE}/requests.json?extensions=true").json
    }
    assert shown == {first: None, second: first, third: first}
    assert "possible_duplicate_of" not in client.get(f"{BASE}/requests.json").text
    assert f"<possible_duplicate_of>{first}<" in client.get(f"{BASE}/requests/{third}.xml?extensions=true").text


def test_closed_hidden_old_far_and_other_requests_are_not_linked(
    platform: Platform, send: Callable[..., str]
) -> None:
    now = utc_now()
    for changes in (
        {"status": Status.CLOSED},
        {"visibility": Visibility.PRIVATE},
        {"visibility": Visibility.UNLISTED},
        {"requested_at": now - 8 * DAY},
        {"place": north(51)},
        {"service_code": "graffiti"},
    ):
        build.store(platform, **{"at": now, "place": HERE} | changes)
    assert linked(platform, send()) == ""


def test_requests_with_a_test_key_are_not_linked_in_either_direction(
    platform: Platform, send: Callable[..., str]
) -> None:
    tester = build.api_key(platform, is_test=True)
    trial = send(key=tester)
    real = send()
    assert linked(platform, send(key=tester)) == linked(platform, trial) == linked(platform, real) == ""


def test_a_batch_request_still_has_its_link_when_it_gets_its_id(make_app: Callable[..., Flask]) -> None:
    platform = platform_of(make_app(build.city()))
    first = build.store(platform, service_code="trees", at=build.NOON, place=HERE)
    token = build.submit(platform, service_code="trees").token
    dispatch_all(platform)
    (job,) = build.jobs(platform, Task.RESOLVE)
    resolve_token(platform, "test.example", job["args"]["number"], token, build.NOON)
    resolved = build.load(platform, number=job["args"]["number"])
    assert resolved.possible_duplicate_of == first.service_request_id
    assert resolved.service_request_id


@pytest.mark.parametrize(
    "switch",
    [
        {"duplicates": Vicinity(radius_m=0)},
        {"services": (Service(code="potholes", name="Pothole", duplicates=Vicinity(radius_m=0)),)},
    ],
)
def test_a_city_or_a_service_can_switch_links_off(make_app: Callable[..., Flask], switch: dict[str, Any]) -> None:
    app = make_app(build.city(**switch))
    platform = platform_of(app)
    build.submit(platform, now=utc_now())
    again = build.submit(platform, now=utc_now()).service_request_id
    assert linked(platform, again) == ""
    client = app.test_client()
    assert found(client) == []
    assert len(found(client, f"{QUERY}&radius=50")) == 2, (
        "a call with its own radius is answered even if links are off"
    )
