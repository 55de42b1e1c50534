"""A migrated database of an earlier release: clients get the same answers as before and can continue."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from csv import DictReader
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from importlib import import_module
from io import StringIO
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from flask import Flask
from sqlalchemy import text

from open311.app import create_app
from open311.clock import utc_now
from open311.domain.requests import Status
from open311.operations.access.api_keys import require_key
from open311.operations.intake.submit_request import submit_request
from open311.operations.platform import Platform
from open311.operations.reading.follow_changes import Position, read_position, write_position
from open311.operations.upkeep.republish import republish
from open311.operations.workflow.read_request import read_history
from open311.settings import Settings
from open311.storage.engine import libpq_dsn, open_database
from open311.storage.migrations import current, head, migrate, versions
from open311.storage.migrations.procrastinate_files import apply_files
from open311.storage.queue import Task
from tests import build
from tests.storage.schema import described
from tests.upgrades.answers import BASE, feed_steps, recorded
from tests.upgrades.cities import HAMLET, OLDTOWN
from tests.upgrades.make import KEYS, TREES, WALL
from tests.waiting import settle
from tests.working import work

RELEASES = sorted(path for path in Path(__file__).parent.iterdir() if path.name[:1].isdigit())
UNREACHED_TRANSACTION = 10**15
"""A number of transactions that this test's server never reaches."""
PAGE_LINK = re.compile(r'<link rel="alternate" type="text/html"[^>]*/>')
"""The link of an Atom entry to the page of its request. Release 0.1 had no such pages."""
TYPE_OF_JSON = ' type="application/json"'
"""The attribute that the other links of an entry do not have in release 0.1."""
LATER_COLUMNS = tuple(f"extended_attributes.{name}" for name in ("origin", "via", "supporters"))


@dataclass(frozen=True)
class Upgraded:
    """A server with a migrated database, and the answers of the earlier release."""

    app: Flask
    platform: Platform
    before: dict[str, Any]


@pytest.fixture(scope="module", params=RELEASES, ids=lambda path: path.name)
def release(request: pytest.FixtureRequest) -> Path:
    """The folder of an earlier release."""
    found: Path = request.param
    return found


Upgrade = Callable[[str, Callable[[str], None]], Upgraded]


@pytest.fixture(scope="module")
def upgrade(make_database: Callable[[str], str], release: Path) -> Iterator[Upgrade]:
    """Restores the dump into a database of a given name, migrates it, and starts a server with it.

    A function given by the test can change the database between restore and migration; it gets the URL.
    """
    started: list[Platform] = []

    def start(name: str, prepare: Callable[[str], None]) -> Upgraded:
        url = make_database(f"upgrade_{release.name}_{name}")
        _restore(url, release)
        prepare(url)
        _migrate(url, release)
        settings = Settings(database_url=url, post_rate="", log_level="error")
        platform = build.platform(settings, OLDTOWN, HAMLET)
        started.append(platform)
        app = create_app(settings, platform)
        return Upgraded(app, platform, json.loads((release / "answers.json").read_bytes()))

    yield start
    for platform in started:
        platform.close()


def _restore(url: str, release: Path) -> None:
    """Run the dump. It does not contain procrastinate's tables, which the migrations make."""
    database = open_database(url)
    with closing(database), database.transaction() as connection:
        migrate(connection, "base")
        connection.execute(text("DROP TABLE alembic_version"))
        for path in sorted(Path(versions.__path__[0]).glob("[0-9]*.py")):
            migration = import_module(f"{versions.__name__}.{path.stem}")
            if migration.revision <= release.name and hasattr(migration, "PROCRASTINATE_FILES"):
                apply_files(connection, migration.PROCRASTINATE_FILES, getattr(migration, "EDITS", {}))
    run(url, (release / "database.sql").read_text(encoding="utf-8"))


def _migrate(url: str, release: Path) -> None:
    database = open_database(url)
    with closing(database), database.transaction() as connection:
        assert current(connection) == release.name
        migrate(connection)
        assert current(connection) == head()


def run(url: str, statements: str) -> None:
    """Run SQL on a separate connection, because a dump changes settings of its session."""
    with closing(psycopg2.connect(libpq_dsn(url))) as connection, connection, connection.cursor() as cursor:
        cursor.execute(statements)


def catch_up(url: str) -> None:
    """Raise this server's transaction ids to those of the dump's server."""
    with closing(psycopg2.connect(libpq_dsn(url))) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute("SELECT max(written_by)::text::bigint FROM publication")
        (last,) = cursor.fetchone()
        now = 0
        while now <= last:
            cursor.execute("SELECT pg_current_xact_id()::text::bigint")
            (now,) = cursor.fetchone()


def fall_behind(url: str) -> None:
    """Raise the transaction ids in the dump far above those of this server."""
    run(
        url,
        f"UPDATE publication SET written_by = (written_by::text::bigint + {UNREACHED_TRANSACTION})::text::xid8;"
        f"UPDATE change_mark SET horizon = (horizon::text::bigint + {UNREACHED_TRANSACTION})::text::xid8",
    )


# --- On the same database server, or on one with higher transaction ids. These tests only read.


@pytest.fixture(scope="module")
def upgraded(upgrade: Upgrade) -> Upgraded:
    """A server for tests that only read."""
    return upgrade("read", catch_up)


@pytest.fixture(scope="module")
def after(upgraded: Upgraded) -> dict[str, Any]:
    """The answers of the server after the migration."""
    return recorded(upgraded.app, upgraded.platform)


def test_a_migrated_database_has_the_tables_of_a_new_one(upgraded: Upgraded, settings: Settings) -> None:
    new = open_database(settings.sqlalchemy_url)
    with closing(new), new.reading() as theirs, upgraded.platform.database.reading() as ours:
        assert described(ours) == described(theirs)


def comparable(calls: dict[str, Any]) -> dict[str, Any]:
    """The answers by path, without the members and columns that later releases have added."""
    return {path: answer | {"body": _without_additions(path, answer["body"])} for path, answer in calls.items()}


def _without_additions(path: str, body: str) -> Any:
    if ".geojson?" in path:
        return json.loads(body)["features"]
    if path == f"{BASE}/jurisdictions.json":
        return [{key: value for key, value in item.items() if key != "federation_id"} for item in json.loads(body)]
    if ".csv?" in path:
        return [
            {key: value for key, value in row.items() if key not in LATER_COLUMNS}
            for row in DictReader(StringIO(body))
        ]
    return PAGE_LINK.sub("", body).replace(TYPE_OF_JSON, "") if ".atom?" in path else body


def test_every_call_has_the_same_answer_as_before(upgraded: Upgraded, after: dict[str, Any]) -> None:
    before, now = comparable(upgraded.before["calls"]), comparable(after["calls"])
    assert now.keys() == before.keys()
    for path, answer in before.items():
        assert now[path] == answer, path


def test_readers_of_the_change_feed_can_continue_from_their_cursors(
    upgraded: Upgraded, after: dict[str, Any]
) -> None:
    assert after["steps"] == upgraded.before["steps"]
    assert after["since"] == upgraded.before["since"]
    client = upgraded.app.test_client()
    for city, steps in upgraded.before["steps"].items():
        for number, step in enumerate(steps):
            assert feed_steps(client, city, step["cursor"])[:-1] == (steps[number:-1] or [step])


def test_staff_see_the_same_records_with_the_same_histories(upgraded: Upgraded, after: dict[str, Any]) -> None:
    assert after["records"] == upgraded.before["records"]


def test_reporters_and_keys_are_unchanged(upgraded: Upgraded, after: dict[str, Any]) -> None:
    assert after["reporters"] == upgraded.before["reporters"]
    assert after["keys"] == upgraded.before["keys"]


# --- On another database server, which has lower transaction ids


def test_another_server_republishes_everything_and_gives_the_same_answers(upgrade: Upgrade) -> None:
    found = upgrade("elsewhere", fall_behind)
    cities = {city.id for city in found.platform.registry}
    assert {job["args"]["jurisdiction_id"] for job in build.jobs(found.platform, Task.REPUBLISH)} == cities
    for city in cities:
        republish(found.platform, city, utc_now())
    after = recorded(found.app, found.platform)
    assert comparable(after["calls"]) == comparable(found.before["calls"])
    for part in ("records", "reporters", "keys"):
        assert after[part] == found.before[part], part
    for city, steps in found.before["steps"].items():
        assert changes(after["steps"][city]) == changes(steps), "the feed has each change once, in another order"
    for at, ids in found.before["since"].items():
        assert set(after["since"][at]) >= set(ids)


def test_another_server_refuses_cursors_above_its_transaction_ids(upgrade: Upgrade) -> None:
    """After this error, a reader has to start again from the beginning."""
    found = upgrade("future", fall_behind)
    for city, steps in found.before["steps"].items():
        position = read_position(steps[-1]["cursor"], city)
        there = write_position(city, Position(position.written_by + UNREACHED_TRANSACTION, position.number))
        answer = found.app.test_client().get(f"{BASE}/changes.json?jurisdiction_id={city}&cursor={there}")
        assert answer.status_code == 410
        assert "start again without it" in answer.text


def changes(steps: list[dict[str, Any]]) -> list[str]:
    """The items of the change feed, sorted, because the order of changes differs."""
    return sorted(json.dumps(item, sort_keys=True) for step in steps for item in step["items"])


# --- Writing after the migration


@pytest.fixture(scope="module")
def writable_server(upgrade: Upgrade) -> Upgraded:
    """A server for tests that write. No test changes rows that another test reads."""
    return upgrade("live", catch_up)


def test_a_call_repeated_within_a_day_gets_the_first_answer(writable_server: Upgraded) -> None:
    key = require_key(writable_server.platform, KEYS["app"]["secret"])
    last = max(
        datetime.fromisoformat(item["record"]["requested_at"])
        for item in writable_server.before["records"].values()
    )
    for name, sent in {"wall": WALL, **TREES}.items():
        receipt = submit_request(
            writable_server.platform, sent, jurisdiction=OLDTOWN, principal=key, now=last + timedelta(hours=1)
        )
        before = writable_server.before["receipts"][name]
        assert {member: asdict(receipt)[member] for member in before} == before, name


@pytest.mark.parametrize(("name", "status"), [("app", 200), ("test", 200), ("hamlet", 403), ("gone", 403)])
def test_keys_have_the_same_access_as_before(writable_server: Upgraded, name: str, status: int) -> None:
    client = writable_server.app.test_client()
    sent = {"service_code": "potholes", "lat": "60.1718", "long": "24.9414", "jurisdiction_id": OLDTOWN.id}
    answer = client.post(f"{BASE}/requests.json", data=sent | {"api_key": KEYS[name]["secret"]})
    assert answer.status_code == status
    if status == 200:
        found = answer.json[0]["service_request_id"]
        assert client.get(f"{BASE}/requests/{found}.json?jurisdiction_id={OLDTOWN.id}").status_code == 200
        listed = client.get(f"{BASE}/requests.json?jurisdiction_id={OLDTOWN.id}").json
        assert (found in {item["service_request_id"] for item in listed}) == (name == "app")


def test_jobs_that_waited_before_the_migration_are_done(writable_server: Upgraded) -> None:
    client = writable_server.app.test_client()

    def exchange(name: str) -> Any:
        token = writable_server.before["receipts"][name]["token"]
        return client.get(f"{BASE}/tokens/{token}.json?jurisdiction_id={OLDTOWN.id}").json[0]

    before = {name: exchange(name) for name in TREES}
    work(writable_server.platform)
    assert {
        job["status"]
        for task in (Task.RESOLVE, Task.REPUBLISH)
        for job in build.jobs(writable_server.platform, task)
    } <= {
        "succeeded",
        "todo",
    }
    for name in ("accepted", "pending", "rejected"):
        assert exchange(name) == before[name]
    found = exchange("waiting")["service_request_id"]
    assert client.get(f"{BASE}/requests/{found}.json?jurisdiction_id={OLDTOWN.id}").status_code == 200


def test_an_update_of_an_old_request_is_in_its_history_and_the_feed(writable_server: Upgraded) -> None:
    hole = writable_server.before["receipts"]["hole"]["service_request_id"]
    _, before = read_history(writable_server.platform, OLDTOWN, hole)
    build.change(
        writable_server.platform, hole, status=Status.OPEN, note="It is back.", now=utc_now(), city=OLDTOWN
    )
    _, after = read_history(writable_server.platform, OLDTOWN, hole)
    assert after[: len(before)] == before
    assert [event.kind for event in after[len(before) :]] == ["status", "note"]
    settle(writable_server.platform)
    cursor = writable_server.before["steps"][OLDTOWN.id][-1]["cursor"]
    heard = feed_steps(writable_server.app.test_client(), OLDTOWN.id, cursor)
    assert hole in {item["service_request_id"] for step in heard for item in step["items"]}
