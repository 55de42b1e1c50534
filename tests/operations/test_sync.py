"""A changed catalogue gets a higher changeset, and requests show new names. Retired services keep their names."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, fields, replace
from datetime import timedelta
from hashlib import sha256
from typing import Any

import orjson
import pytest
from flask import Flask
from flask.testing import FlaskClient

from open311.domain.requests import Status
from open311.domain.services import Department, Service, ServiceTranslation, Translation
from open311.jobs.dispatching import dispatch_all
from open311.operations.reading.read_changesets import read_changesets
from open311.operations.upkeep.republish import republish
from open311.operations.upkeep.sync_catalogues import find_orphans, find_orphans_of_areas, sync_catalogues
from open311.plugins import Jurisdiction
from open311.storage.catalogue import catalogue_digest
from open311.storage.queue import Task
from tests import build
from tests.checked_client import platform_of

BASE = "/open311/v2"
CITY = build.city()
MakeApp = Callable[..., Flask]


def changeset(app: Flask) -> str:
    return str(app.test_client().get("/open311/discovery.json").json["endpoints"][0]["changeset"])


def shown(app: Flask, request_id: str) -> dict[str, Any]:
    (item,) = app.test_client().get(f"{BASE}/requests/{request_id}.json").json
    return dict(item)


def codes(client: FlaskClient) -> list[str]:
    return [item["service_code"] for item in client.get(f"{BASE}/services.json").json]


def with_changed_service(city: Jurisdiction, **changes: Any) -> Jurisdiction:
    """The city, with a changed first service."""
    first, *others = city.services
    return replace(city, services=(replace(first, **changes), *others))


CHANGES = {
    "name": with_changed_service(CITY, name="Hole in the road"),
    "description": with_changed_service(CITY, description="Deep ones."),
    "notice": with_changed_service(CITY, notice="Next week."),
    "keywords": with_changed_service(CITY, keywords=("road",)),
    "group": with_changed_service(CITY, group="Streets"),
    "retired": replace(CITY, services=CITY.services[1:]),
    "new": replace(CITY, services=(*CITY.services, Service(code="new", name="New"))),
    "department": replace(CITY, departments=(*CITY.departments, Department("port", "Port"))),
    "alias": replace(CITY, aliases={"old": "potholes"}),
    "translation": replace(
        CITY, translations={"es": Translation(services={"potholes": ServiceTranslation(name="Bache")})}
    ),
}


@pytest.mark.requirement("C013")
@pytest.mark.parametrize("changed", CHANGES.values(), ids=list(CHANGES))
def test_a_changed_catalogue_raises_the_changeset(make_app: MakeApp, changed: Jurisdiction) -> None:
    before = changeset(make_app(CITY))
    after = changeset(make_app(changed))
    assert after > before, "the changesets are compared as strings"
    assert changeset(make_app(changed)) == after
    assert changeset(make_app(CITY)) > after, (
        "the changeset also grows if the catalogue changes back within a second"
    )


@pytest.mark.requirement("C014")
def test_an_unchanged_catalogue_keeps_the_changeset(make_app: MakeApp) -> None:
    assert len({changeset(make_app(build.city())) for _ in range(3)}) == 1


def test_a_changed_city_does_not_raise_other_cities_changesets(make_app: MakeApp) -> None:
    other = build.city(id="b.example", name="B")
    platform = platform_of(make_app(CITY, other))
    before = read_changesets(platform)
    changed = platform_of(make_app(CHANGES["name"], other))
    assert read_changesets(changed)["b.example"] == before["b.example"]
    assert read_changesets(changed)["test.example"] > before["test.example"]


def test_processes_that_start_at_the_same_time_use_one_changeset(make_app: MakeApp) -> None:
    platform = platform_of(make_app(CITY))
    with ThreadPoolExecutor(4) as pool:
        changed = list(
            pool.map(lambda hours: sync_catalogues(platform, build.NOON + timedelta(hours=hours)), range(8))
        )
    assert changed == [[]] * 8


@pytest.mark.requirement("C235")
@pytest.mark.requirement("C066")
def test_requests_of_a_retired_service_keep_code_and_name(make_app: MakeApp) -> None:
    request_id = build.submit(platform_of(make_app(CITY))).service_request_id
    app = make_app(CHANGES["retired"])
    client = app.test_client()
    assert "potholes" not in codes(client)
    assert client.get(f"{BASE}/services/potholes.json").status_code == 404
    assert shown(app, request_id)["service_code"] == "potholes"
    assert republish(platform_of(app), CITY.id, build.NOON) == 1
    assert shown(app, request_id)["service_code"] == "potholes"
    assert shown(app, request_id)["service_name"] == "Pothole"
    assert client.get(f"{BASE}/requests.json?service_code=potholes&start_date=2026-03-01").json


def test_a_job_gives_requests_of_a_renamed_service_the_new_name(make_app: MakeApp) -> None:
    first = make_app(CITY)
    request_id = build.submit(platform_of(first)).service_request_id
    before = shown(first, request_id)
    app = make_app(CHANGES["name"])
    platform = platform_of(app)
    assert [job["args"] for job in build.jobs(platform, Task.REPUBLISH)] == [{"jurisdiction_id": CITY.id}]
    assert republish(platform, CITY.id, build.NOON) == 1
    assert shown(app, request_id) == before | {"service_name": "Hole in the road"}


def test_a_catalogue_that_changes_twice_makes_one_job(make_app: MakeApp) -> None:
    build.submit(platform_of(make_app(CITY)))
    make_app(CHANGES["name"])
    platform = platform_of(make_app(CHANGES["group"]))
    assert len(build.jobs(platform, Task.REPUBLISH)) == 1


def test_a_city_without_requests_needs_no_job(make_app: MakeApp) -> None:
    make_app(CITY)
    assert build.jobs(platform_of(make_app(CHANGES["name"])), Task.REPUBLISH) == []


def test_republishing_renders_all_batches_and_keeps_private_requests_hidden(
    make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("open311.operations.upkeep.republish.ROWS_PER_TRANSACTION", 2)
    platform = platform_of(make_app(CITY))
    records = [build.store(platform) for _ in range(4)]
    build.store(platform, visibility="private")
    build.store(platform, service_request_id="")
    app = make_app(CHANGES["name"])
    assert republish(platform_of(app), CITY.id, build.NOON) == 6
    assert all(shown(app, item.service_request_id)["service_name"] == "Hole in the road" for item in records)
    assert len(app.test_client().get(f"{BASE}/requests.json?start_date=2026-03-01").json) == 4


def test_open_requests_of_a_removed_department_and_area_are_reported(
    make_app: MakeApp, capsys: pytest.CaptureFixture[str]
) -> None:
    platform = platform_of(make_app(CITY))
    build.store(platform, department="bridges", areas=("Old Town",))
    build.store(platform, department="bridges", status=Status.CLOSED)
    build.store(platform, department=CITY.departments[0].code)
    dispatch_all(platform)
    (department,), (area,) = find_orphans(platform), find_orphans_of_areas(platform)
    assert str(department).startswith("test.example: department 'bridges' is gone and has 1 open requests; add it")
    assert str(area).startswith(
        "test.example: area 'Old Town' is gone and has 1 open requests; add it again, or run"
    )
    assert capsys.readouterr().err == ""
    make_app(CITY)
    assert "bridges" in capsys.readouterr().err, "a server that starts warns of it, too"


def test_republishing_a_removed_city_does_nothing(make_app: MakeApp) -> None:
    assert republish(platform_of(make_app(CITY)), "gone.example", build.NOON) == 0


def test_an_alias_gives_the_current_definition(make_app: MakeApp) -> None:
    client = make_app(CHANGES["alias"]).test_client()
    assert client.get(f"{BASE}/services/old.json").json["service_code"] == "potholes"
    assert "old" not in codes(client)


def test_the_digest_equals_the_digest_of_the_full_json_without_unused_new_fields() -> None:
    old = {field.name for field in fields(Service)} - {field.name for field in fields(Service) if field.metadata}
    parts = {
        "services": [{name: asdict(service)[name] for name in old} for service in CITY.services],
        "name": CITY.name,
    }
    written = orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)
    assert catalogue_digest({"services": CITY.services, "name": CITY.name}) == sha256(written).hexdigest()
