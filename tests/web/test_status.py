from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from flask import Flask
from flask.testing import FlaskClient

from open311.clock import utc_now
from open311.jobs.dispatching import dispatch_all
from open311.operations.media.files import CHECK_EVERY_S
from open311.operations.platform import Platform
from open311.operations.upkeep.readiness import check_readiness
from tests import build
from tests.checked_client import platform_of
from tests.storage.schema import at_revision


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


def test_readyz_is_degraded_while_a_job_fails_again_and_again(client: FlaskClient, platform: Platform) -> None:
    build.submit(platform, service_code="trees")
    dispatch_all(platform)
    assert client.get("/readyz").json["status"] == "ready"
    with platform.database.transaction() as connection:
        connection.exec_driver_sql(
            "UPDATE procrastinate_jobs SET attempts = 8, scheduled_at = now() + interval '9 minutes'"
        )
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json["status"]) == (200, "degraded")
    assert "1 failing; " in answer.json["checks"]["jobs"]["detail"]
    cause = r"resolve of request \d+ in city\.example fails again and again, see the worker's log"
    assert re.search(cause, answer.json["checks"]["jobs"]["detail"])


def test_readyz_is_degraded_while_a_job_is_kept_by_a_dead_worker(client: FlaskClient, platform: Platform) -> None:
    build.submit(platform, service_code="trees")
    dispatch_all(platform)
    with platform.database.transaction() as connection:
        connection.exec_driver_sql(
            "UPDATE procrastinate_jobs SET status = 'doing', scheduled_at = now() - interval '6 minutes'"
        )
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json["status"]) == (200, "degraded")
    assert "1 stuck" in answer.json["checks"]["jobs"]["detail"]


def test_readyz_stays_200_on_the_schema_of_a_newer_release(client: FlaskClient, platform: Platform) -> None:
    for revision, status in (("9999", 200), ("0001", 503), ("af31c", 503)):
        with at_revision(platform.database, revision):
            answer = client.get("/readyz")
        assert answer.status_code == status
        assert answer.json["checks"]["schema"]["ok"] is (status == 200)
        assert revision in answer.json["checks"]["schema"]["detail"]


def test_readyz_reports_stuck_jobs_and_stays_200(client: FlaskClient, platform: Platform) -> None:
    build.submit(platform, service_code="trees")
    dispatch_all(platform)
    assert client.get("/readyz").json["checks"]["jobs"]["ok"]
    with platform.database.transaction() as connection:
        connection.exec_driver_sql("UPDATE procrastinate_jobs SET scheduled_at = now() - interval '6 minutes'")
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json["status"] == "degraded"
    assert not answer.json["checks"]["jobs"]["ok"]
    assert "is `open311 worker` running?" in answer.json["checks"]["jobs"]["detail"]
    assert "1 stuck" in answer.json["checks"]["jobs"]["detail"]


def test_readyz_reports_undispatched_changes_and_stays_200(client: FlaskClient, platform: Platform) -> None:
    build.submit(platform)
    found = client.get("/readyz").json["checks"]["jobs"]
    assert found["ok"]
    assert "1 changes to dispatch (0 to try again), the oldest for 0 s" in found["detail"]
    with platform.database.transaction() as connection:
        connection.exec_driver_sql("UPDATE outbox SET written_at = written_at - interval '6 minutes'")
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert not answer.json["checks"]["jobs"]["ok"]
    assert "the oldest for 36" in answer.json["checks"]["jobs"]["detail"]


def test_readyz_stops_counting_at_ten_thousand(client: FlaskClient, platform: Platform) -> None:
    with platform.database.transaction() as connection:
        connection.exec_driver_sql(
            "INSERT INTO outbox (jurisdiction_id, request_id, version, written_at)"
            " SELECT 'city.example', number, 1, now() - interval '3 hours' * (number = 1)::int"
            " FROM generate_series(1, 10100) AS number;"
            "INSERT INTO procrastinate_jobs (queue_name, task_name, args)"
            " SELECT 'default', 'resolve', '{}' FROM generate_series(1, 10100)"
        )
    detail = client.get("/readyz").json["checks"]["jobs"]["detail"]
    assert "at least 10000 todo" in detail
    assert "at least 10000 changes to dispatch (0 to try again), the oldest for 108" in detail


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
    assert "jurisdiction.toml: name is missing; write name" in answer.json["checks"]["plugins"]["detail"]
    assert answer.json["status"] == "degraded"
    assert client.get("/open311/v2/services.json").status_code == 200


def test_readyz_is_degraded_while_photos_cannot_be_stored(make_app: Callable[..., Flask], tmp_path: Path) -> None:
    folder = tmp_path / "media"
    folder.write_text("This file is in the way.")
    app = make_app(media=str(folder))
    answer = app.test_client().get("/readyz")
    assert (answer.status_code, answer.json["status"]) == (200, "degraded")
    check = answer.json["checks"]["media"]
    assert not check["ok"]
    assert "OPEN311_MEDIA" in check["detail"]
    assert str(folder) not in answer.text
    folder.unlink()
    later = utc_now() + timedelta(seconds=2 * CHECK_EVERY_S)
    assert all(check.is_ok for check in check_readiness(platform_of(app), later))
    assert list(folder.iterdir()) == [], "the check leaves no file"
