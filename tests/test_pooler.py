"""The server behind a real PgBouncer in transaction mode, with the file of the operator's guide."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from click.testing import CliRunner, Result
from flask.testing import FlaskClient

from open311.app import create_app
from open311.cli import main
from open311.cli.greeting import remark_about_pooler
from open311.clock import exact_now, utc_now
from open311.errors import Misconfigured, Unavailable
from open311.operations.access.api_keys import add_key
from open311.operations.examining.examine import examine
from open311.operations.examining.findings import Finding, Level
from open311.operations.platform import Platform, open_platform
from open311.settings import Settings, variable
from open311.storage import overrides
from open311.storage.engine import libpq_dsn, open_database
from open311.storage.failures import why_down
from open311.storage.pooling import POOLED, UNPREPARED
from tests.checked_client import CheckedClient, plain_client, platform_of
from tests.desk import Desk
from tests.pgbouncer import Pooler, pooling
from tests.ports import free_port
from tests.tiles import fetch, tile_at
from tests.waiting import until
from tests.working import work

BASE = "/open311/v2"
BULK = "/open311/bulk/v1/requests"
CONNECTIONS = 2


@pytest.fixture(scope="module")
def pooler(database_url: str) -> Iterator[Pooler]:
    """A pooler with so few connections that clients have to share them."""
    with pooling(database_url, default_pool_size=str(CONNECTIONS)) as found:
        yield found


@pytest.fixture
def pooled(settings: Settings, pooler: Pooler) -> Settings:
    """The settings of the guide: web processes use the pooler, all others do not."""
    return behind(settings, pooler)


def behind(settings: Settings, pooler: Pooler) -> Settings:
    return replace(
        settings, database_url=pooler.url, direct_database_url=settings.database_url, prepare_statements=False
    )


@pytest.fixture
def serve() -> Iterator[Callable[[Settings], FlaskClient]]:
    """Makes a web application with the given settings, and returns a client of it."""
    platforms: list[Platform] = []

    def make(settings: Settings) -> FlaskClient:
        app = create_app(settings)
        app.test_client_class = CheckedClient
        platforms.append(platform_of(app))
        return app.test_client()

    yield make
    for platform in platforms:
        platform.close()


@pytest.fixture
def client(serve: Callable[[Settings], FlaskClient], pooled: Settings) -> FlaskClient:
    return serve(pooled)


@pytest.fixture
def direct(pooled: Settings) -> Iterator[Platform]:
    """The platform that the worker and the commands use."""
    with closing(open_platform(pooled.past_pooler)) as platform:
        yield platform


@pytest.fixture
def key(direct: Platform) -> str:
    return add_key(direct, label="tests", now=utc_now())[1]


def post(client: FlaskClient, key: str, suffix: str = "json", **more: Any) -> Any:
    data = {"api_key": key, "service_code": "potholes", "lat": "60.17", "long": "24.94"} | more
    return client.post(f"{BASE}/requests.{suffix}", data=data)


# --- Calls


def test_reports_lists_and_pages_work_behind_the_pooler(client: FlaskClient, key: str) -> None:
    [sent] = post(client, key, description="A hole").json
    assert post(client, key, "xml").status_code == 200
    one = client.get(f"{BASE}/requests/{sent['service_request_id']}.json")
    assert one.json[0]["description"] == "A hole"
    for query in ("", "?page_size=1", "?q=hole", "?lat=60.17&long=24.94&radius=100", "?status=open"):
        assert client.get(f"{BASE}/requests.json{query}").json, query
    assert client.get(f"{BASE}/requests.xml?extensions=true").status_code == 200
    assert client.get(f"{BASE}/stats.json").status_code == 200
    assert fetch(client, tile_at(24.94, 60.17, 14))
    assert client.get("/c/city.example/requests").status_code == 200
    assert "ready" in client.get("/readyz").text or "degraded" in client.get("/readyz").text


def test_a_batch_request_gets_its_id_from_a_worker_past_the_pooler(
    client: FlaskClient, key: str, direct: Platform
) -> None:
    [sent] = post(client, key, service_code="trees", lat="60.1718", long="24.9414").json
    work(direct)
    [token] = client.get(f"{BASE}/tokens/{sent['token']}.json").json
    assert client.get(f"{BASE}/requests/{token['service_request_id']}.json").status_code == 200


def test_commands_of_staff_work_behind_the_pooler(client: FlaskClient, key: str, direct: Platform) -> None:
    [sent] = post(client, key).json
    number = sent["service_request_id"]
    desk = Desk.of(client, direct)
    assert desk.ids() == [number]
    assert desk.post(f"/requests/{number}/start").status_code == 200
    closed = desk.post(f"/requests/{number}/close", {"outcome": "fixed", "note": "Filled."})
    assert closed.status_code == 200, closed.text
    assert client.get(f"{BASE}/requests/{number}.json").json[0]["status"] == "closed"


@pytest.mark.parametrize("suffix", ["csv", "json", "xml"])
def test_exports_leave_the_settings_of_the_shared_sessions_unchanged(
    client: FlaskClient, key: str, pooled: Settings, suffix: str
) -> None:
    before = settings_of_sessions(pooled)
    for _ in range(3):
        post(client, key)
    for _ in range(2):
        answer = client.get(f"{BULK}.{suffix}")
        assert answer.status_code == 200
        assert answer.data.count(b"2026-") >= 3
    assert settings_of_sessions(pooled) == before


def settings_of_sessions(pooled: Settings) -> list[dict[str, str]]:
    """All settings of each of the pooler's connections."""
    dsn = libpq_dsn(pooled.sqlalchemy_url)
    found = []
    clients = [psycopg2.connect(dsn) for _ in range(CONNECTIONS)]
    for each in clients:  # each keeps its transaction open, so each has another connection
        cursor = each.cursor()
        cursor.execute("SELECT pg_backend_pid(), name, setting FROM pg_settings WHERE name !~ '^transaction_'")
        rows = cursor.fetchall()
        found.append({"pid": str(rows[0][0])} | {name: setting for _, name, setting in rows})
    for each in clients:
        each.close()
    assert len({one.pop("pid") for one in found}) == CONNECTIONS
    for one in found:
        one.pop("application_name")
    return found


def test_many_clients_at_the_same_time_share_the_connections(client: FlaskClient, key: str) -> None:
    application = client.application

    def send(number: int) -> list[str]:
        # The usual client compares both formats, and other threads change requests between its two calls.
        own = FlaskClient(application, application.response_class)
        ids = []
        for turn in range(5):
            answer = post(own, key, description=f"hole {number} {turn}")
            assert answer.status_code == 200, answer.text
            ids.append(answer.json[0]["service_request_id"])
            [found] = own.get(f"{BASE}/requests/{ids[-1]}.json").json
            assert found["description"] == f"hole {number} {turn}"
            assert len(own.get(f"{BASE}/requests.json?page_size=2&total=true").json) <= 2
        return ids

    with ThreadPoolExecutor(8) as pool:
        ids = [one for found in pool.map(send, range(8)) for one in found]
    assert len(set(ids)) == 40
    listed = client.get(f"{BASE}/requests.json?page_size=100").json
    assert {one["service_request_id"] for one in listed} == set(ids)


# --- The worker and commands


def environment(settings: Settings) -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith(("OPEN311_", "DATABASE_"))}
    return own | {
        "DATABASE_URL": settings.database_url,
        "OPEN311_DIRECT_DATABASE_URL": settings.direct_database_url,
        "OPEN311_PREPARE_STATEMENTS": str(settings.prepare_statements).lower(),
        "OPEN311_JURISDICTIONS": "demo",
        "OPEN311_LOG_LEVEL": "error",
    }


def test_a_worker_listens_past_the_pooler(
    client: FlaskClient, key: str, pooled: Settings, direct: Platform
) -> None:
    command = [sys.executable, "-m", "open311", "worker"]
    with subprocess.Popen(command, env=environment(pooled)) as worker:
        try:
            until(partial(count, direct, f"{LISTENING} AND query ~ '^LISTEN'"), "a worker that listens")
            [sent] = post(client, key, service_code="trees", lat="60.1718", long="24.9414").json
            token = f"{BASE}/tokens/{sent['token']}.json"
            plain = plain_client(client)
            until(lambda: "service_request_id" in plain.get(token).json[0], "an id")
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(60) == 0
        finally:
            worker.kill()


LISTENING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"


def count(platform: Platform, sql: str) -> int:
    with platform.database.reading() as connection:
        return int(connection.exec_driver_sql(sql).scalar_one())


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Result]:
    """Runs a command with the settings of a server."""
    monkeypatch.chdir(tmp_path)

    def command(settings: Settings, *words: str) -> Result:
        cleared: dict[str, str | None] = {variable(row): None for row in fields(Settings)}
        return CliRunner().invoke(main, words, env=cleared | environment(settings))

    return command


def test_commands_work_past_the_pooler(
    run: Callable[..., Result], client: FlaskClient, key: str, pooled: Settings, tmp_path: Path
) -> None:
    post(client, key)
    for words in (("db", "migrate"), ("db", "status"), ("keys", "list"), ("recount",)):
        done = run(pooled, *words)
        assert done.exit_code == 0, (words, done.output)
    (tmp_path / "more.csv").write_text(
        "service_request_id,service_code,status,requested_datetime,lat,long\n"
        "A-1,potholes,open,2026-02-03T14:10:00Z,60.17,24.94\n"
    )
    assert "1 new" in run(pooled, "import", "more.csv").output
    done = run(pooled, "export", "--output", "all.csv")
    assert done.exit_code == 0, done.output
    assert (tmp_path / "all.csv").read_text().count("potholes") >= 1


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, "DATABASE_URL names a pooler. Set OPEN311_DIRECT_DATABASE_URL"),
        ({"ignore_startup_parameters": "options"}, POOLED),
    ],
)
@pytest.mark.parametrize("words", [("worker", "--once"), ("db", "migrate"), ("keys", "list")])
def test_worker_and_commands_refuse_a_pooler(
    run: Callable[..., Result], settings: Settings, changes: dict[str, str], why: str, words: tuple[str, ...]
) -> None:
    with pooling(settings.database_url, **changes) as found:
        done = run(replace(settings, database_url=found.url), *words)
        wrong = replace(settings, direct_database_url=found.url, database_url=f"{found.url}?connect_timeout=9")
        also_direct = run(wrong, *words)
    for one in (done, also_direct):
        assert one.exit_code == 1
        assert why in " ".join(one.output.split())
        assert "Traceback" not in one.output


# --- Failures


def test_calls_get_503_while_the_pooler_is_down(
    serve: Callable[[Settings], FlaskClient], settings: Settings
) -> None:
    port = str(free_port())
    with pooling(settings.database_url, listen_port=port) as found:
        client = serve(behind(settings, found))
        assert client.get(f"{BASE}/requests.json").status_code == 200
    assert client.get(f"{BASE}/requests.json").status_code == 503
    with pooling(settings.database_url, listen_port=port):
        assert client.get(f"{BASE}/requests.json").status_code == 200
        assert client.get("/c/city.example/requests").status_code == 200


def test_a_call_that_gets_no_connection_in_time_gets_503(
    serve: Callable[[Settings], FlaskClient], settings: Settings
) -> None:
    with pooling(settings.database_url, default_pool_size="1", query_wait_timeout="1") as found:
        client = serve(behind(settings, found))
        assert client.get(f"{BASE}/requests.json").status_code == 200
        with closing(psycopg2.connect(libpq_dsn(found.url))) as holder:
            holder.cursor().execute("SELECT 1")
            assert client.get(f"{BASE}/requests.json").status_code == 503
            assert client.get("/c/city.example/requests").status_code == 503
        assert client.get(f"{BASE}/requests.json").status_code == 200


def test_the_error_of_a_prepared_statement_behind_a_pooler_names_the_setting(
    settings: Settings, pooler: Pooler
) -> None:
    database = open_database(replace(settings, database_url=pooler.url).sqlalchemy_url, is_pooled=True)
    with closing(database), closing(psycopg2.connect(libpq_dsn(pooler.url))) as other:
        overrides.read_versions(database.hot)
        other.cursor().execute("SELECT 1")  # keeps the connection that has the statement
        with pytest.raises(Unavailable) as caught:
            overrides.read_versions(database.hot)
    assert "Set OPEN311_PREPARE_STATEMENTS=false" in why_down(caught.value)


# --- The doctor, and what the server says when it starts


def found_by_doctor(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> list[Finding]:
    """What the doctor says about the pooler."""
    for row in fields(Settings):
        monkeypatch.delenv(variable(row), raising=False)
    for name, value in environment(settings).items():
        monkeypatch.setenv(name, value)
    return [one for one in examine(os.environ, exact_now) if one.subject in ("pooler", "database")]


def test_the_doctor_finds_no_fault_with_the_file_of_the_guide(
    monkeypatch: pytest.MonkeyPatch, pooled: Settings
) -> None:
    before = settings_of_sessions(pooled)
    found = found_by_doctor(monkeypatch, pooled)
    assert [(one.level, one.subject) for one in found] == [(Level.OK, "database"), (Level.OK, "pooler")]
    assert settings_of_sessions(pooled) == before, "the doctor sets nothing for others"
    with closing(open_platform(pooled)) as platform:
        assert remark_about_pooler(platform) == ""


def test_the_doctor_finds_settings_that_sessions_lack(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    with pooling(settings.database_url, connect_query="SET timezone=''Asia/Tokyo''") as found:
        findings = found_by_doctor(monkeypatch, behind(settings, found))[1:]
    said = {one.what.partition(" is ")[0]: one for one in findings}
    assert said.keys() >= {"statement_timeout", "lock_timeout", "random_page_cost", "timezone"}
    assert said["timezone"].level is Level.FAULT
    assert said["timezone"].what == "timezone is Asia/Tokyo behind the pooler, but must be UTC"
    assert "SET statement_timeout=15000 in connect_query" in said["statement_timeout"].cure


def test_the_doctor_finds_prepared_statements(monkeypatch: pytest.MonkeyPatch, pooled: Settings) -> None:
    wrong = replace(pooled, prepare_statements=True)
    [_, one] = found_by_doctor(monkeypatch, wrong)
    assert (one.level, one.cure) == (Level.FAULT, "export OPEN311_PREPARE_STATEMENTS=false")
    with closing(open_platform(wrong)) as platform:
        assert remark_about_pooler(platform) == UNPREPARED


def test_the_doctor_finds_another_database(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, make_database: Callable[[str], str], pooler: Pooler
) -> None:
    other = replace(settings, database_url=make_database("other"))
    [_, one] = found_by_doctor(monkeypatch, behind(other, pooler))
    assert one.what == "DATABASE_URL and OPEN311_DIRECT_DATABASE_URL lead to different databases"


def test_the_doctor_finds_a_pooler_that_is_gone(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    gone = Pooler(f"postgresql://nobody:s3cret-word@127.0.0.1:{free_port()}/none", 0)
    [_, one] = found_by_doctor(monkeypatch, behind(settings, gone))
    assert one.level is Level.FAULT
    assert "through the pooler" in one.what
    assert "s3cret-word" not in str(one)


def test_the_doctor_finds_a_missing_pooler(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    same = f"{settings.database_url}&connect_timeout=9"
    wrong = replace(settings, direct_database_url=same, prepare_statements=False)
    findings = found_by_doctor(monkeypatch, wrong)
    assert "no pooler answers at DATABASE_URL" in findings[1].what


def test_doctor_and_server_find_a_pooler_that_no_setting_names(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    with pooling(settings.database_url, ignore_startup_parameters="options", connect_query="") as found:
        unnamed = replace(settings, database_url=found.url)
        [one] = found_by_doctor(monkeypatch, unnamed)
        with closing(psycopg2.connect(libpq_dsn(found.url))) as connection, connection.cursor() as cursor:
            cursor.execute("SHOW default_transaction_read_only")
            assert cursor.fetchone() == ("off",), "the doctor sets nothing for others"
        with closing(open_platform(unnamed)) as platform:
            assert remark_about_pooler(platform) == POOLED
    assert (one.subject, one.level) == ("pooler", Level.FAULT)
    assert one.what == POOLED.removesuffix(".")


# --- Settings


@pytest.mark.parametrize(
    ("pooled", "direct", "words"),
    [
        ("", "postgresql://u:geheim@h/d", "DATABASE_URL: must be set, because OPEN311_DIRECT_DATABASE_URL is set"),
        ("postgresql://u:geheim@p/d", "mysql://u:geheim@h/d", "OPEN311_DIRECT_DATABASE_URL: must look like"),
        ("postgresql://u:geheim@p/d", "postgresql://u:geheim@p/d", "OPEN311_DIRECT_DATABASE_URL: is the same"),
    ],
)
def test_the_error_for_wrong_addresses_has_no_password(
    monkeypatch: pytest.MonkeyPatch, pooled: str, direct: str, words: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", pooled)
    monkeypatch.setenv("OPEN311_DIRECT_DATABASE_URL", direct)
    with pytest.raises(Misconfigured, match=words) as caught:
        Settings.from_environ()
    assert "geheim" not in str(caught.value)
