"""The staff API about deliveries to back offices."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask

from open311.clock import utc_now
from open311.domain.access import Role
from open311.federation.backends.open311 import Open311Config
from open311.operations.platform import Platform
from open311.operations.upkeep.sync_catalogues import ensure_synced
from open311.plugins import Destination, Secret
from open311.storage import external_ids
from tests import build, world
from tests.checked_client import platform_of
from tests.delivering import Clock, run
from tests.desk import Desk

CITY = "test.example"


@pytest.fixture
def app(make_app: Callable[..., Flask], neighbour: world.Neighbour) -> Flask:
    config = Open311Config(
        name="works", kind="open311", url=neighbour.base_url, api_key=Secret(env="WORKS_KEY"), takes_updates=True
    )
    app = make_app(build.city(backends=(config,), destinations=(Destination(backends=("works",)),)))
    ensure_synced(platform_of(app))
    return app


@pytest.fixture
def platform(app: Flask) -> Platform:
    return platform_of(app)


@pytest.fixture
def desk(app: Flask, platform: Platform) -> Desk:
    return Desk.of(app.test_client(), platform, "dora", Role.DISPATCHER, city=CITY)


def parked(platform: Platform, neighbour: world.Neighbour) -> str:
    """The id of a request whose delivery the back office has refused."""
    neighbour.retire_service("potholes")
    request_id = build.submit(platform).service_request_id
    run(platform)
    return request_id


def test_a_dispatcher_lists_and_retries_a_parked_delivery(
    desk: Desk, platform: Platform, neighbour: world.Neighbour
) -> None:
    request_id = parked(platform, neighbour)
    [listed] = desk.get("/deliveries?state=parked").json["deliveries"]
    assert (listed["service_request_id"], listed["backend"], listed["attempts"]) == (request_id, "works", 1)
    assert "it names service_code" in listed["cause"]
    neighbour.add_service("potholes")
    answer = desk.post(f"/deliveries/{listed['id']}/retry", {"reason": "They have it again."})
    assert (answer.status_code, answer.json["state"]) == (200, "waiting")
    [act] = answer.json["history"]
    assert (act["command"], act["name"], act["reason"]) == ("retry", "dora", "They have it again.")
    run(platform, Clock(utc_now() + timedelta(minutes=1)))
    assert desk.get("/deliveries").json == {"deliveries": [], "cursor": None}
    found = desk.get(f"/deliveries/{listed['id']}").json
    assert (found["state"], found["remote_id"]) == ("done", neighbour.accepted[0].service_request_id)


def test_an_uncertain_delivery_says_its_risk(desk: Desk, platform: Platform, neighbour: world.Neighbour) -> None:
    neighbour.fault(world.fault("lose_answer", on="POST requests"))
    build.submit(platform)
    run(platform)
    [listed] = desk.get("/deliveries").json["deliveries"]
    found = desk.get(f"/deliveries/{listed['id']}").json
    assert (found["state"], found["is_uncertain"]) == ("uncertain", True)
    assert found["risk"].startswith("The back office may have it already")
    assert found["commands"] == ["retry", "park", "skip"]
    spanish = desk.get(f"/deliveries/{listed['id']}", headers={"Accept-Language": "es"}).json["risk"]
    assert "duplicar" in spanish
    refused = desk.post(
        f"/deliveries/{listed['id']}/retry", {"reason": "Otra vez."}, headers={"Accept-Language": "es"}
    )
    assert (refused.status_code, spanish in refused.json["detail"]) == (409, True)
    accepted = desk.post(f"/deliveries/{listed['id']}/retry", {"reason": "Not there.", "accept_risk": True})
    assert accepted.json["state"] == "waiting"


@pytest.mark.parametrize(
    ("body", "named"),
    [({}, "reason"), ({"reason": " "}, "reason"), ({"reason": 3}, "reason"), ({"reason": "x", "why": "y"}, "why")],
)
def test_a_faulty_decision_gets_400(
    desk: Desk, platform: Platform, neighbour: world.Neighbour, body: dict[str, object], named: str
) -> None:
    parked(platform, neighbour)
    [listed] = desk.get("/deliveries").json["deliveries"]
    answer = desk.post(f"/deliveries/{listed['id']}/skip", body)
    assert answer.status_code == 400
    assert named in answer.text


@pytest.mark.parametrize("number", ["0", "999", "abc", "9" * 40, "1e3", "-1"])
def test_an_unknown_delivery_gets_404(desk: Desk, number: str) -> None:
    assert desk.get(f"/deliveries/{number}").status_code == 404
    assert desk.post(f"/deliveries/{number}/skip", {"reason": "x"}).status_code == 404


@pytest.mark.parametrize("query", ["state=lost", "cursor=nonsense", "older_than_hours=x", "cursor=WzFlMzAwXQ"])
def test_a_faulty_filter_gets_400(desk: Desk, query: str) -> None:
    assert desk.get(f"/deliveries?{query}").status_code == 400


def test_an_account_sees_only_its_city_and_departments(
    app: Flask, platform: Platform, neighbour: world.Neighbour
) -> None:
    parked(platform, neighbour)
    client = app.test_client()
    agent = Desk.of(client, platform, "ag", Role.AGENT, city=CITY)
    parks = Desk.of(client, platform, "pa", Role.DISPATCHER, "parks", city=CITY)
    streets = Desk.of(client, platform, "st", Role.DISPATCHER, "streets", city=CITY)
    assert agent.get("/deliveries").status_code == 403
    assert parks.get("/deliveries").json["deliveries"] == []
    [listed] = streets.get("/deliveries").json["deliveries"]
    assert parks.get(f"/deliveries/{listed['id']}").status_code == 403
    assert parks.post(f"/deliveries/{listed['id']}/skip", {"reason": "x"}).status_code == 403
    assert parks.get(f"/deliveries?request={listed['number']}").status_code == 403
    assert client.get("/staff/v1/deliveries").status_code == 401


def test_the_cursor_leads_through_all_pages(desk: Desk, platform: Platform, neighbour: world.Neighbour) -> None:
    neighbour.down()
    for _ in range(3):
        build.submit(platform)
    run(platform)
    first = desk.get("/deliveries?page_size=2")
    assert 'rel="next"' in first.headers["Link"]
    second = desk.get(f"/deliveries?page_size=2&cursor={first.json['cursor']}")
    ids = [one["id"] for page in (first, second) for one in page.json["deliveries"]]
    assert len(set(ids)) == 3
    assert ids == sorted(ids, reverse=True)
    assert second.json["cursor"] is None
    assert "Link" not in second.headers


def test_the_whole_request_names_its_deliveries_and_its_ids_elsewhere(
    desk: Desk, platform: Platform, neighbour: world.Neighbour
) -> None:
    request_id = build.submit(platform).service_request_id
    run(platform)
    [filed] = neighbour.accepted
    found = desk.get(f"/requests/{request_id}").json
    assert found["external_ids"] == [{"system": "works", "id": filed.service_request_id}]
    assert [(one["backend"], one["state"]) for one in found["deliveries"]] == [("works", "done")]


def test_a_request_is_found_by_its_id_elsewhere(desk: Desk, platform: Platform, neighbour: world.Neighbour) -> None:
    request_id = build.submit(platform).service_request_id
    other = build.submit(platform).service_request_id
    number = build.load(platform, service_request_id=request_id).number
    with platform.database.transaction() as connection:
        external_ids.add(connection, CITY, "key:3", "W-88/7", number=number, at=build.NOON)
    assert desk.get("/requests/W-88%2F7").json["service_request_id"] == request_id
    assert desk.ids("q=W-88/7") == [request_id]
    assert desk.ids(f"id=W-88/7,{other}") == [request_id, other]
    assert desk.ids("q=W-89") == []
