"""Public reads from a replica, with two real PostgreSQL servers."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests
from flask import Flask
from flask.testing import FlaskClient

from open311.app import create_app
from open311.clock import utc_now
from open311.domain.page_paths import request_path
from open311.operations.access.api_keys import add_key
from open311.operations.access.sealing import seal
from open311.operations.examining.replica import check_replica
from open311.operations.platform import Platform, open_platform
from open311.operations.reading.follow_changes import Position, mark_changes, read_position, write_position
from open311.operations.replica import Replica
from open311.operations.upkeep.sync_catalogues import ensure_synced
from open311.settings import Settings
from open311.web.streams import lanes_of
from tests.checked_client import CheckedClient, platform_of
from tests.ports import free_port
from tests.replicated import Pair, replicated
from tests.waiting import until

CITY = "city.example"
LIST = "/open311/v2/requests.json"
CHANGES = "/open311/v2/changes.json"
READ_PATHS = (
    "/open311/discovery.json",
    "/open311/v2/services.json",
    "/open311/v2/services/potholes.json",
    "/open311/v2/requests.json?q=hole&extensions=true",
    "/open311/v2/requests.geojson",
    "/open311/v2/requests/nearby.json?lat=60.17&long=24.94&service_code=potholes",
    "/open311/v2/servicerequestupdates.json",
    "/open311/v2/changes.json",
    "/open311/v2/outbox?page=true",
    "/open311/v2/tiles/12/2331/1185.mvt",
    "/open311/v2/stats.json",
    "/open311/v2/notices.json?past=true",
    "/open311/bulk/v1/requests.csv",
    "/c/{city}/",
    "/c/{city}/requests",
    "/c/{city}/numbers",
    "/c/{city}/outlook",
    "/c/{city}/report?service_code=potholes",
    "/c/{city}/report?service_code=potholes&kept={kept}",
    "/map/{city}",
    "/widget/{city}",
)
POTHOLE = {"service_code": "potholes", "lat": "60.17", "long": "24.94", "description": "A hole."}


@pytest.fixture(scope="module")
def shared_pair() -> Iterator[Pair]:
    """A primary and a replica, shared by all tests that stop neither server."""
    with replicated() as servers:
        yield servers


@pytest.fixture
def pair(shared_pair: Pair) -> Iterator[Pair]:
    """Both servers. The replica shows all that the primary has."""
    shared_pair.catch_up()
    yield shared_pair
    shared_pair.replica.resume()


def settings_for(pair: Pair, **changes: Any) -> Settings:
    """The settings of a server with both addresses. The replica may be an hour behind."""
    usual: dict[str, Any] = {"jurisdictions": ("demo",), "post_rate": "", "portal_rate": "", "log_level": "error"}
    both = {"database_url": pair.url, "replica_url": pair.replica.url, "replica_lag_s": 3_600}
    return Settings(**usual | both | changes)


@pytest.fixture
def make_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Flask]]:
    """Makes a server on both databases."""
    apps: list[Flask] = []

    def make(pair: Pair, most_lag_s: float | None = None, *, waits: bool = True, **changes: Any) -> Flask:
        media = str(tmp_path_factory.mktemp("media"))
        settings = settings_for(pair, media=media, **changes)
        platform = open_platform(settings)
        if most_lag_s is not None and platform.replica is not None:
            platform = replace(
                platform, replica=Replica(platform.database, platform.replica.database, most_lag_s=most_lag_s)
            )
        app = create_app(settings, platform)
        app.test_client_class = CheckedClient
        apps.append(app)
        ensure_synced(platform)
        if waits:
            pair.catch_up()
        look(app)
        return app

    yield make
    for app in apps:
        platform_of(app).close()


def look(app: Flask) -> Any:
    """Look at both servers now, as the thread does every second."""
    replica = platform_of(app).replica
    assert replica is not None
    assert replica.view.at > 0
    return replica.look()


def told(app: Flask) -> tuple[str, str, list[str]]:
    """What /metrics, the check of /readyz and the doctor say about the replica."""
    client = FlaskClient(app)
    metrics = client.get("/metrics", headers={"Authorization": "Bearer a"}).text
    (answers,) = re.findall("^open311_replica_answers (.*)$", metrics, re.MULTILINE)
    is_ok = client.get("/readyz").json["checks"]["replica"]["ok"]
    found = check_replica(platform_of(app).replica)
    return answers, "ready" if is_ok else "degraded", [one.level.value for one in found]


def key_of(platform: Platform) -> str:
    """One new key, which is valid in all cities."""
    return add_key(platform, label="tests", now=utc_now())[1]


def sent(client: FlaskClient, key: str, **changes: str) -> dict[str, Any]:
    """Send a request, and return the answer."""
    answer = client.post(LIST, data=POTHOLE | {"api_key": key} | changes)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json[0]
    return found


def listed(client: FlaskClient) -> list[str]:
    """The ids of all requests in the list."""
    return [one["service_request_id"] for one in client.get(LIST).json]


def test_lists_come_from_the_replica_and_a_fresh_request_from_the_primary(pair: Pair, make_app: Any) -> None:
    app = make_app(pair)
    client, key = app.test_client(), key_of(platform_of(app))
    pair.catch_up()
    pair.replica.pause()
    id = sent(client, key)["service_request_id"]
    assert id not in listed(client)
    assert client.get(f"/open311/v2/requests/{id}.json").json[0]["status"] == "open"
    assert client.get(request_path(CITY, id)).status_code == 200
    pair.replica.resume()
    pair.catch_up()
    assert id in listed(client)


def test_each_web_process_of_serve_looks_at_the_replica(pair: Pair, make_app: Any, tmp_path: Path) -> None:
    make_app(pair)  # stores the catalogue
    port = free_port()
    environment = os.environ | {
        "DATABASE_URL": pair.url,
        "OPEN311_REPLICA_URL": pair.replica.url,
        "OPEN311_REPLICA_LAG_S": "3600",
        "OPEN311_JURISDICTIONS": "demo",
        "OPEN311_PORT": str(port),
        "OPEN311_WORKERS": "1",
        "OPEN311_DATA_DIR": str(tmp_path),
        "OPEN311_LOG_LEVEL": "error",
    }
    with subprocess.Popen([sys.executable, "-m", "open311", "serve"], env=environment) as server:
        try:
            ready = until(partial(_readiness, port), "the web process")
        finally:
            server.terminate()
    assert ready["checks"]["replica"]["ok"], ready["checks"]["replica"]["detail"]


def _readiness(port: int) -> Any:
    """What /readyz of a server says; None without an answer."""
    try:
        return requests.get(f"http://127.0.0.1:{port}/readyz", timeout=20).json()
    except requests.ConnectionError:
        return None


def test_a_replica_that_is_too_far_behind_answers_nothing(pair: Pair, make_app: Any, tmp_path: Path) -> None:
    app = make_app(pair, most_lag_s=0, metrics_token="a", data_dir=str(tmp_path))
    client, key = app.test_client(), key_of(platform_of(app))
    pair.catch_up()
    assert look(app).may_answer
    assert told(app) == ("1.0", "ready", ["ok"])
    pair.replica.pause()
    id = sent(client, key)["service_request_id"]
    assert "behind; 0 s are allowed" in look(app).fault
    assert look(app).lag_bytes > 0
    assert id in listed(client)
    assert told(app) == ("0.0", "degraded", ["fault"])
    pair.replica.resume()
    pair.catch_up()
    assert look(app).may_answer


def test_a_client_with_a_newer_answer_never_gets_an_older_one(pair: Pair, make_app: Any) -> None:
    app = make_app(pair)
    client, key = FlaskClient(app), key_of(platform_of(app))
    pair.catch_up()
    old = client.get(LIST)
    pair.replica.pause()
    id = sent(client, key)["service_request_id"]
    new = client.get(LIST, headers={"If-None-Match": '"another"'})
    assert id in new.text
    assert id not in client.get(LIST).text
    assert client.get(LIST, headers={"If-None-Match": new.headers["ETag"]}).status_code == 304
    assert client.get(LIST, headers={"If-None-Match": old.headers["ETag"]}).status_code == 304


def test_a_token_has_its_newest_state(pair: Pair, make_app: Any) -> None:
    app = make_app(pair)
    client, key = app.test_client(), key_of(platform_of(app))
    pair.catch_up()
    pair.replica.pause()
    token = sent(client, key, service_code="trees")["token"]
    answer = client.get(f"/open311/v2/tokens/{token}.json")
    assert (answer.status_code, answer.json[0]["token"]) == (200, token)


def test_a_call_that_the_replica_would_refuse_is_answered_by_the_primary(pair: Pair, make_app: Any) -> None:
    app = make_app(pair)
    client = app.test_client()
    pair.catch_up()
    pair.replica.pause()
    key = key_of(platform_of(app))
    answer = client.get(f"{LIST}?own_ids=true", headers={"X-Api-Key": key})
    assert answer.status_code == 200


def test_a_cursor_that_is_ahead_of_the_replica_gets_no_older_changes_and_no_410(pair: Pair, make_app: Any) -> None:
    app = make_app(pair)
    client, key = app.test_client(), key_of(platform_of(app))
    pair.catch_up()
    pair.replica.pause()
    ids = [sent(client, key)["service_request_id"] for _ in range(2)]
    ahead = client.get(CHANGES, headers={"If-None-Match": '"another"'})  # the primary answers
    assert all(id in ahead.text for id in ids)
    again = client.get(f"{CHANGES}?cursor={ahead.headers['X-Cursor']}")
    assert (again.status_code, again.json) == (200, [])
    assert again.headers["X-Cursor"] == ahead.headers["X-Cursor"]
    behind = client.get(CHANGES)
    assert not any(id in behind.text for id in ids)
    pair.replica.resume()
    pair.catch_up()
    later = client.get(f"{CHANGES}?cursor={behind.headers['X-Cursor']}")
    assert [one["service_request_id"] for one in later.json] == ids


def test_the_feed_of_a_replica_waits_for_older_transactions(pair: Pair, make_app: Any) -> None:
    app = make_app(pair)
    client, key = app.test_client(), key_of(platform_of(app))
    with platform_of(app).database.transaction() as older:
        older.exec_driver_sql("SELECT pg_current_xact_id()")
        id = sent(client, key)["service_request_id"]
        pair.catch_up()
        held = client.get(CHANGES)
        assert id not in held.text
        assert held.headers["X-Caught-Up"] == "false"
        assert id in client.get(LIST).text
    pair.catch_up()
    found = client.get(f"{CHANGES}?cursor={held.headers['X-Cursor']}")
    assert [one["service_request_id"] for one in found.json] == [id]


def test_a_search_by_ids_comes_from_the_primary(pair: Pair, make_app: Any) -> None:
    app = make_app(pair)
    client, key = app.test_client(), key_of(platform_of(app))
    pair.catch_up()
    pair.replica.pause()
    id = sent(client, key, service_request_id_ext="mine")["service_request_id"]
    assert id not in listed(client)
    own = f"service_request_id_ext=mine&api_key={key}"
    for query in (f"service_request_id={id}", f"service_request_id[]={id}", own):
        assert [one["service_request_id"] for one in client.get(f"{LIST}?{query}").json] == [id]


def test_a_download_without_a_free_lane_is_no_fault_of_the_replica(pair: Pair, make_app: Any) -> None:
    app = make_app(pair, bulk_streams=1)
    client, replica = app.test_client(), platform_of(app).replica
    assert replica is not None
    leave = lanes_of(platform_of(app)).enter()
    assert client.get("/open311/bulk/v1/requests.csv").status_code == 503
    assert replica.view.may_answer
    leave()


def test_a_fault_never_replaces_a_newer_result(pair: Pair, make_app: Any) -> None:
    app = make_app(pair)
    replica = platform_of(app).replica
    assert replica is not None
    with closing(Replica(platform_of(app).database, replica.database, most_lag_s=3_600)) as own:
        old, new = own.look(), own.look()
        own.fail(old)
        assert own.look(after=old) is new
        own.fail(new)
        assert own.look(after=old).fault == "it could not answer a call"
        assert own.look().may_answer


def test_an_address_of_another_database_is_never_read(pair: Pair, make_app: Any, settings: Settings) -> None:
    app = make_app(pair, replica_url=settings.database_url)
    assert look(app).fault == "it is no replica of the database in DATABASE_URL"
    assert app.test_client().get(LIST).status_code == 200


def test_reads_go_on_while_the_primary_is_down_and_writes_after_the_promotion(make_app: Any) -> None:
    with replicated(is_synchronous=True) as pair:
        app = make_app(pair)
        client, key = app.test_client(), key_of(platform_of(app))
        ids = [sent(client, key)["service_request_id"] for _ in range(3)]
        pair.catch_up()
        mark_changes(platform_of(app), utc_now())
        cursor = client.get(CHANGES).headers["X-Cursor"]
        kept = seal(platform_of(app), {"description": ["A hole."]})
        pair.catch_up()
        look(app)
        pair.primary.kill()
        assert client.get(f"/open311/v2/requests/{ids[0]}.json").status_code == 200
        until(lambda: look(app).answers_alone, "the last connection of the primary to end")
        for path in READ_PATHS:
            assert FlaskClient(app).get(path.format(city=CITY, kept=kept)).status_code == 200, path
        assert set(ids) <= set(listed(client))
        assert client.get(f"{LIST}?service_request_id={ids[0]}").status_code == 200
        assert client.get(LIST, headers={"If-None-Match": '"another"'}).status_code == 200
        unknown = client.get("/open311/v2/requests/unknown.json")
        refused = client.post(LIST, data=POTHOLE | {"api_key": key})
        future = FlaskClient(app).get(f"{CHANGES}?cursor={write_position(CITY, Position(2**40, 1))}")
        no_such = client.get(f"{LIST}?service_request_id=unknown")
        new_key = client.get(f"{LIST}?service_request_id_ext=mine", headers={"X-Api-Key": "unknown"})
        for answer in (unknown, refused, future, no_such, new_key):
            assert (answer.status_code, "Retry-After" in answer.headers) == (503, True)
        ready = client.get("/readyz")
        assert (ready.status_code, ready.json["status"]) == (200, "degraded")

        pair.replica.promote()
        look(app)
        new = sent(client, key)["service_request_id"]
        assert look(app).may_answer
        assert sorted(listed(client)) == sorted([*ids, new])
        after = client.get(f"{CHANGES}?cursor={cursor}")
        assert [one["service_request_id"] for one in after.json] == [new]
        assert read_position(after.headers["X-Cursor"], CITY).timeline == 2


def test_a_replica_that_was_too_far_behind_does_not_answer_after_the_primary_has_died(make_app: Any) -> None:
    with replicated() as pair:
        app = make_app(pair, most_lag_s=0)
        client, key = app.test_client(), key_of(platform_of(app))
        pair.catch_up()
        assert look(app).may_answer
        pair.replica.pause()
        sent(client, key)
        look(app)
        pair.primary.kill()
        until(lambda: look(app).is_primary_down, "the last connection of the primary to end")
        view = look(app)
        assert (view.is_primary_down, view.answers_alone) == (True, False)
        assert "behind when the primary answered last; 0 s are allowed" in view.fault
        assert client.get(LIST).status_code == 503
        replica = platform_of(app).replica
        assert replica is not None
        begun_later = Replica(platform_of(app).database, replica.database, most_lag_s=3_600)
        assert not begun_later.look().answers_alone
        begun_later.close()


def test_a_cursor_after_lost_changes_gets_410_and_an_older_cursor_misses_nothing(make_app: Any) -> None:
    with replicated() as pair:
        app = make_app(pair)
        platform = platform_of(app)
        client, key = app.test_client(), key_of(platform)
        kept = sent(client, key)["service_request_id"]
        mark_changes(platform, utc_now())
        pair.catch_up()
        old = client.get(CHANGES).headers["X-Cursor"]
        pair.replica.stop()
        other = make_app(pair, waits=False).test_client()
        assert look(app).fault == "it does not answer"
        lost = [sent(one, key)["service_request_id"] for one in (other, client)]
        ahead = client.get(CHANGES)
        assert [one["service_request_id"] for one in ahead.json] == [kept, *lost]
        gone = ahead.headers["X-Cursor"]

        pair.primary.kill()
        pair.replica.start()
        pair.replica.promote()
        look(app)
        new = [sent(one, key)["service_request_id"] for one in (client, client, other, client, other, other)]
        newest = pair.replica.run("SELECT max(written_by::text::bigint) FROM publication")
        assert newest > read_position(gone, CITY).written_by, "the ids of the lost transactions are used again"
        assert client.get(f"{CHANGES}?cursor={gone}").status_code == 410
        after = client.get(f"{CHANGES}?cursor={old}")
        assert [one["service_request_id"] for one in after.json] == new
        assert sorted(listed(client)) == sorted([kept, *new])
