"""The worker as in production: real jobs and real processes, some of which are killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from click.testing import CliRunner
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from open311.cli import main
from open311.clock import utc_now
from open311.domain.requests import Reporter
from open311.domain.retention import Retention
from open311.errors import Unavailable
from open311.jobs.dispatching import dispatch_all
from open311.jobs.repeating import repeating
from open311.operations.access.api_keys import add_key
from open311.operations.platform import Platform
from open311.operations.statistics.forecasting import find_forecasts
from open311.operations.upkeep.clean_up import clean_up
from open311.operations.upkeep.sync_catalogues import sync_catalogues
from open311.plugins import Accepted, Draft, Jurisdiction
from open311.settings import Settings
from open311.storage.engine import libpq_dsn
from open311.storage.queue import Task
from tests import build
from tests.checked_client import platform_of
from tests.stored import dump
from tests.waiting import until
from tests.working import work

BASE = "/open311/v2"
NOTHING = dict.fromkeys(
    (
        *("repeats", "staff_repeats", "notices", "deliveries", "updates", "blocks"),
        *("sessions", "followers", "mails", "bounces", "sms"),
    ),
    0,
)
MakeApp = Callable[..., Flask]
Post = Callable[..., Any]


def sql(platform: Platform, statement: str) -> None:
    with platform.database.transaction() as connection:
        connection.execute(text(statement))


def statuses(platform: Platform, task: Task = Task.RESOLVE) -> list[str]:
    return [job["status"] for job in build.jobs(platform, task)]


def _has_statuses(platform: Platform, wanted: list[str]) -> bool:
    return statuses(platform) == wanted


def post_to(app: Flask, service_code: str = "trees", **headers: str) -> Any:
    secret = add_key(platform_of(app), label="tests", now=utc_now())[1]
    data = {"api_key": secret, "service_code": service_code, "lat": "60.1718", "long": "24.9414"}
    return app.test_client().post(f"{BASE}/requests.json", data=data, headers=headers)


# --- Tokens


@pytest.mark.parametrize("format", ["json", "xml"])
def test_a_worker_resolves_a_token_to_a_readable_id(
    client: FlaskClient, post: Post, settings: Settings, format: str
) -> None:
    token = post(service_code="trees", lat=60.1718, long=24.9414).json[0]["token"]
    assert client.get(f"{BASE}/tokens/{token}.json").json == [{"token": token}]
    assert run_worker(settings).returncode == 0
    (item,) = client.get(f"{BASE}/tokens/{token}.json").json
    assert item["token"] == token
    read = client.get(f"{BASE}/requests/{item['service_request_id']}.{format}")
    assert read.status_code == 200
    assert client.get(f"{BASE}/requests.json").json[0]["service_request_id"] == item["service_request_id"]


def run_worker(settings: Settings, *options: str) -> subprocess.CompletedProcess[str]:
    """Run `open311 worker --once` as a separate process."""
    command = [*WORKER, "--once", *options]
    return subprocess.run(
        command, env=environment(settings), capture_output=True, text=True, timeout=60, check=False
    )


WORKER = [sys.executable, "-m", "open311", "worker"]


def environment(settings: Settings) -> dict[str, str]:
    return os.environ | {
        "DATABASE_URL": settings.database_url,
        "OPEN311_JURISDICTIONS": ",".join(settings.jurisdictions),
        "OPEN311_LOG_LEVEL": "error",
    }


def test_a_worker_dispatches_changes_and_runs_jobs_until_it_is_stopped(
    client: FlaskClient, platform: Platform, post: Post, settings: Settings
) -> None:
    with subprocess.Popen(WORKER, env=environment(settings)) as worker:
        try:
            for done in (["succeeded"], ["succeeded"] * 2):
                token = post(service_code="trees", lat=60.1718, long=24.9414).json[0]["token"]
                until(partial(_has_statuses, platform, done), "an id")
                assert "service_request_id" in client.get(f"{BASE}/tokens/{token}.json").json[0]
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(60) == 0
        finally:
            worker.kill()


def test_a_worker_continues_after_its_connections_were_cut_and_logs_only_json(
    client: FlaskClient, platform: Platform, post: Post, settings: Settings
) -> None:
    cut = (
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
        " WHERE datname = current_database() AND query ~ '^LISTEN'"
    )
    with subprocess.Popen(WORKER, env=environment(settings), stderr=subprocess.PIPE, text=True) as worker:
        try:
            until(partial(_count, platform, cut), "a worker that listens")
            post(service_code="trees", lat=60.1718, long=24.9414)
            until(partial(_has_statuses, platform, ["succeeded"]), "an id")
            worker.send_signal(signal.SIGTERM)
            _, said = worker.communicate(timeout=60)
        finally:
            worker.kill()
    assert worker.returncode == 0
    assert all(json.loads(line)["event"] for line in said.splitlines())


def _count(platform: Platform, query: str) -> int:
    with platform.database.reading() as connection:
        return int(connection.exec_driver_sql(query).scalar_one())


def test_the_check_of_a_worker_fails_when_a_job_is_late(
    platform: Platform, post: Post, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment(settings).items():
        monkeypatch.setenv(name, value)
    post(service_code="trees", lat=60.1718, long=24.9414)
    dispatch_all(platform)
    done = CliRunner().invoke(main, ["worker", "--check"])
    assert (done.exit_code, done.stdout[:12]) == (0, "jobs: 1 todo")
    sql(platform, "UPDATE procrastinate_jobs SET scheduled_at = now() - interval '6 minutes'")
    done = CliRunner().invoke(main, ["worker", "--check"])
    assert done.exit_code == 1
    assert "1 stuck" in done.stderr


GONE = """
import sys
from open311.jobs.worker import make_worker, run_worker
from open311.observe import all_lines_logged, configure_logs
from open311.settings import Settings
from tests import build

configure_logs("info")
platform = build.platform(Settings(database_url="postgresql://nobody@127.0.0.1:1/none"), build.city())
with all_lines_logged():
    is_told = run_worker(platform, make_worker(platform, sys.argv[1]), listen_notify=False)
sys.exit(0 if is_told else 1)
"""


def test_a_worker_logs_what_it_works_for_when_it_starts(settings: Settings) -> None:
    ended = subprocess.run(
        [*WORKER, "--once", "--queues", "photos,bulk"],
        env=environment(settings) | {"OPEN311_LOG_LEVEL": "info"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    line = next(line for line in map(json.loads, ended.stderr.splitlines()) if line["event"] == "working")
    assert (line["queues"], line["cities"]) == (["photos", "bulk"], ["city.example"])


def test_a_worker_whose_database_is_gone_ends_with_status_1(settings: Settings) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", GONE, libpq_dsn(settings.sqlalchemy_url)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 1
    assert "the database is gone; this worker ends" in [
        json.loads(line)["event"] for line in ended.stderr.splitlines()
    ]


class FailsOnce(Jurisdiction):
    """A back office that fails on the first call."""

    def resolve(self, token: str, draft: Draft) -> Accepted:
        if token not in resolved_tokens:
            resolved_tokens.add(token)
            raise ConnectionError("the back office is down")
        return Accepted()


resolved_tokens: set[str] = set()


def test_a_job_is_retried_after_the_back_office_was_down(make_app: MakeApp) -> None:
    app = make_app(build.city(FailsOnce))
    platform = platform_of(app)
    token = post_to(app).json[0]["token"]
    work(platform)
    (job,) = build.jobs(platform, Task.RESOLVE)
    assert job["status"] == "todo"
    assert job["scheduled_at"] > utc_now()
    assert app.test_client().get(f"{BASE}/tokens/{token}.json").json == [{"token": token}]
    sql(platform, "UPDATE procrastinate_jobs SET scheduled_at = now() WHERE task_name = 'resolve'")
    work(platform)
    assert statuses(platform) == ["succeeded"]
    assert "service_request_id" in app.test_client().get(f"{BASE}/tokens/{token}.json").json[0]


# --- Transactions


def test_a_post_that_fails_at_commit_stores_no_request_no_token_and_no_job(make_app: MakeApp) -> None:
    app = make_app(build.city())
    platform = platform_of(app)
    sql(
        platform,
        """
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;
        CREATE CONSTRAINT TRIGGER refusal AFTER INSERT ON request_token
            DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse();
        """,
    )
    try:
        assert post_to(app).status_code == 500
    finally:
        sql(platform, "DROP TRIGGER refusal ON request_token; DROP FUNCTION refuse()")
    dispatch_all(platform)
    assert build.jobs(platform, Task.RESOLVE) == []
    with platform.database.reading() as connection:
        for table in ("service_request", "request_token", "request_event", "outbox"):
            assert connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one() == 0, table
    assert post_to(app).status_code == 200
    dispatch_all(platform)
    assert statuses(platform) == ["todo"]


# --- Killed workers

KILLED_WORKER = """
import os, signal
from dataclasses import replace
from open311.jobs.worker import make_worker
from open311.plugins import Jurisdiction
from open311.settings import Settings
from open311.storage.engine import libpq_dsn
from open311.storage.queue import Task
from tests import build

class Dying(Jurisdiction):
    def resolve(self, token, draft):
        os.kill(os.getpid(), signal.SIGKILL)

settings = Settings.from_environ()
platform = build.platform(settings, build.city(Dying))
make_worker(platform, libpq_dsn(settings.sqlalchemy_url)).run_worker(wait=False)
"""


def test_the_job_of_a_killed_worker_is_done_by_another(make_app: MakeApp, settings: Settings) -> None:
    app = make_app(build.city())
    platform = platform_of(app)
    token = post_to(app).json[0]["token"]
    dispatch_all(platform)
    killed = subprocess.run(
        [sys.executable, "-c", KILLED_WORKER],
        env=os.environ | {"DATABASE_URL": settings.database_url, "PYTHONPATH": os.pathsep.join(sys.path)},
        timeout=60,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    assert statuses(platform) == ["doing"]

    # Make the last heartbeat a minute old, then run the task that finds the jobs of dead workers.
    sql(platform, "UPDATE procrastinate_workers SET last_heartbeat = last_heartbeat - interval '1 minute'")
    with platform.database.transaction() as connection:
        platform.queue.defer(connection, Task.RETRY_STALLED, timestamp=0)
    work(platform)

    assert statuses(platform) == ["succeeded"]
    (item,) = app.test_client().get(f"{BASE}/tokens/{token}.json").json
    assert len(app.test_client().get(f"{BASE}/requests/{item['service_request_id']}.json").json) == 1


def test_a_statement_that_takes_too_long_does_not_end_the_worker(make_app: MakeApp) -> None:
    platform = platform_of(make_app(build.city()))
    failed: list[bool] = []

    def step() -> bool:
        try:
            with platform.database.transaction() as connection:
                connection.exec_driver_sql("SET LOCAL statement_timeout = 1")
                connection.exec_driver_sql("SELECT pg_sleep(60)")
        except Unavailable:
            failed.append(True)
            raise
        return False

    with repeating("slow", step, poll_s=0.0):
        until(lambda: bool(failed), "a failure")


def test_the_job_of_a_running_worker_is_not_given_to_another(make_app: MakeApp) -> None:
    app = make_app(build.city())
    platform = platform_of(app)
    post_to(app)
    dispatch_all(platform)
    sql(
        platform,
        "WITH worker AS (INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now()) RETURNING id)"
        " UPDATE procrastinate_jobs SET status = 'doing', worker_id = (SELECT id FROM worker)",
    )
    with platform.database.transaction() as connection:
        platform.queue.defer(connection, Task.RETRY_STALLED, timestamp=0)
    work(platform)
    assert statuses(platform) == ["doing"]
    sql(platform, "DELETE FROM procrastinate_workers")


def test_a_stalled_job_whose_successor_waits_does_not_keep_others_from_being_tried_again(make_app: MakeApp) -> None:
    platform = platform_of(make_app(build.city()))
    defer_deletion(platform)
    post_to(make_app(build.city()))
    dispatch_all(platform)
    sql(
        platform,
        "WITH worker AS (INSERT INTO procrastinate_workers (last_heartbeat)"
        " VALUES (now() - interval '1 minute') RETURNING id)"
        " UPDATE procrastinate_jobs SET status = 'doing', worker_id = (SELECT id FROM worker)",
    )
    defer_deletion(platform)
    with platform.database.transaction() as connection:
        platform.queue.defer(connection, Task.RETRY_STALLED, timestamp=0)
    work(platform)
    assert statuses(platform) == ["succeeded"]
    assert statuses(platform, Task.DELETE_PHOTOS) == ["succeeded"], "the successor does the work of both"
    assert statuses(platform, Task.RETRY_STALLED) == ["succeeded"]


def defer_deletion(platform: Platform) -> None:
    with platform.database.transaction() as connection:
        assert platform.queue.defer_once(connection, Task.DELETE_PHOTOS, "deletion", jurisdiction_id="city.example")
        connection.execute(
            text("UPDATE procrastinate_jobs SET lock = queueing_lock WHERE queueing_lock = 'deletion'")
        )


# --- Republishing


def test_a_request_of_a_renamed_service_shows_the_new_name_in_both_formats(make_app: MakeApp) -> None:
    old = build.city()
    request_id = post_to(make_app(old), "potholes").json[0]["service_request_id"]
    new = replace(old, services=(replace(build.HOLE, name="Hole & <crater>"), *old.services[1:]))
    app = make_app(new)
    sync_catalogues(platform_of(app), utc_now())
    work(platform_of(app))
    client = app.test_client()
    assert client.get(f"{BASE}/requests/{request_id}.json").json[0]["service_name"] == "Hole & <crater>"
    xml = client.get(f"{BASE}/requests.xml").text
    assert "<service_name>Hole &amp; &lt;crater&gt;</service_name>" in xml


def test_a_request_of_a_renamed_department_shows_the_new_name(make_app: MakeApp) -> None:
    old = build.city()
    request_id = post_to(make_app(old), "potholes").json[0]["service_request_id"]
    streets, *others = old.departments
    app = make_app(replace(old, departments=(replace(streets, name="Roads"), *others)))
    work(platform_of(app))
    assert app.test_client().get(f"{BASE}/requests/{request_id}.json").json[0]["agency_responsible"] == "Roads"


# --- Housekeeping


def test_idempotency_keys_are_deleted_after_a_day(make_app: MakeApp) -> None:
    platform = platform_of(make_app(build.city()))
    key = build.api_key(platform)
    first = build.submit(platform, key=key, client_request_id="once")
    assert clean_up(platform, build.NOON + timedelta(hours=24)) == NOTHING
    assert build.submit(platform, key=key, client_request_id="once") == first
    assert clean_up(platform, build.NOON + timedelta(hours=24, seconds=1)) == NOTHING | {"repeats": 1}
    assert build.submit(platform, key=key, client_request_id="once") != first


def test_the_hourly_job_deletes_old_rows(make_app: MakeApp) -> None:
    platform = platform_of(make_app(build.city()))
    build.submit(platform, client_request_id="long ago")
    with platform.database.transaction() as connection:
        platform.queue.defer(connection, Task.CLEAN_UP, timestamp=0)
    work(platform)
    assert "succeeded" in statuses(platform, Task.CLEAN_UP)
    with platform.database.reading() as connection:
        assert connection.execute(text("SELECT count(*) FROM repeatable_post")).scalar_one() == 0


def test_the_hourly_job_makes_the_forecasts_of_a_day(make_app: MakeApp) -> None:
    platform = platform_of(make_app(build.city()))
    build.submit(platform)
    with platform.database.transaction() as connection:
        platform.queue.defer(connection, Task.MAKE_FORECASTS, timestamp=0)
    work(platform)
    assert statuses(platform, Task.MAKE_FORECASTS) == ["succeeded"]
    (city,) = platform.registry
    assert find_forecasts(platform, city) is not None


def test_the_daily_job_makes_reporters_anonymous(make_app: MakeApp) -> None:
    platform = platform_of(make_app(build.city(retention=Retention(reporter_days=30))))
    name = build.submit(platform, reporter=Reporter(email="jane@mail.example")).service_request_id
    build.change(platform, name, status="closed", note="Filled.")
    assert "jane@mail.example" in dump(platform)
    with platform.database.transaction() as connection:
        platform.queue.defer(connection, Task.RETENTION, timestamp=0)
    work(platform)
    assert statuses(platform, Task.RETENTION) == ["succeeded"]
    assert "jane@mail.example" not in dump(platform)
