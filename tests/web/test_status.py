from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from flask import Flask
from flask.testing import FlaskClient

from open311.jobs.dispatching import dispatch_all
from open311.operations.platform import Platform
from tests import build


def test_healthz_gets_200(client: FlaskClient) -> None:
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json) == (200, {"status": "ok"})
    assert answer.headers["Cache-Control"] == "no-store"


def test_readyz_gets_200_and_has_all_checks(client: FlaskClient) -> None:
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json["status"] == "ready"
    assert {"database", "schema", "plugins", "jobs"} <= set(answer.json["checks"])
    assert all(check["ok"] for check in answer.json["checks"].values())


def test_readyz_reports_stuck_jobs_and_stays_200(client: FlaskClient, platform: Platform) -> None:
    build.submit(platform, service_code="trees")
    dispatch_all(platform)
    assert client.get("/readyz").json["checks"]["jobs"]["ok"]
    with platform.database.transaction() as connection:
        connection.exec_driver_sql("UPDATE procrastinate_jobs SET scheduled_at = now() - interval '11 minutes'")
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert not answer.json["checks"]["jobs"]["ok"]
    assert "1 stuck" in answer.json["checks"]["jobs"]["detail"]


def test_readyz_reports_undispatched_changes_and_stays_200(client: FlaskClient, platform: Platform) -> None:
    build.submit(platform)
    found = client.get("/readyz").json["checks"]["jobs"]
    assert found["ok"]
    assert "1 changes to dispatch (0 to try again), the oldest for 0 s" in found["detail"]
    with platform.database.transaction() as connection:
        connection.exec_driver_sql("UPDATE outbox SET written_at = written_at - interval '11 minutes'")
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert not answer.json["checks"]["jobs"]["ok"]
    assert "the oldest for 66" in answer.json["checks"]["jobs"]["detail"]


def test_readyz_reports_a_broken_plugin_and_the_others_are_served(
    make_app: Callable[..., Flask], tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "jurisdiction.toml").write_text('id = "x.example"')
    client = make_app(jurisdictions=("demo", str(broken))).test_client()
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert not answer.json["checks"]["plugins"]["ok"]
    assert client.get("/open311/v2/services.json").status_code == 200
