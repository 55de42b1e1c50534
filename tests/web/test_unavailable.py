"""Without a database, calls that need it get 503 in the format of the URL, and all other calls are answered."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from lxml import etree
from sqlalchemy.engine import make_url

from open311.clock import utc_now
from open311.domain.access import SHELL, Role
from open311.embedded import Cluster
from open311.operations.access.api_keys import add_key
from open311.operations.access.staff import add_account
from open311.storage.engine import Database, open_database
from open311.storage.migrations import migrate
from tests import build
from tests.checked_client import platform_of
from tests.disks import fill, small_disk

BASE = "/open311/v2"
FORM = {"service_code": "potholes", "lat": "60.1718", "long": "24.9414"}

MakeApp = Callable[..., Flask]
every_suffix = pytest.mark.parametrize("suffix", [".json", ".xml", ""])


@pytest.fixture
def client(make_app: MakeApp, tmp_path: Path) -> FlaskClient:
    """A client of a server that was started without its database."""
    return make_app(database_url=f"postgresql+psycopg2://nobody@/none?host={tmp_path}").test_client()


def assert_unavailable(answer: Any, suffix: str) -> None:
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.headers["Cache-Control"] == "no-store"
    if suffix == ".json":
        assert answer.json[0]["code"] == 503
    else:
        assert etree.fromstring(answer.data).findtext("error/code") == "503"
    for word in ("psycopg2", "socket", "nobody", "none", "/tmp", "SELECT"):
        assert word not in answer.text


@contextmanager
def skipping_without_root() -> Iterator[None]:
    """Skip the test if this user may not mount a file system."""
    try:
        yield
    except PermissionError as error:
        pytest.skip(str(error))


def cut_connections(database: Database) -> None:
    """End every other connection to the same database."""
    with database.transaction() as connection:
        connection.exec_driver_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


@every_suffix
@pytest.mark.parametrize(
    "path",
    [
        "discovery",
        "requests",
        "requests/1",
        "requests/1,2",
        "tokens/1",
        "requests?service_request_id=1",
        "requests?q=x",
    ],
)
def test_a_call_that_needs_the_database_gets_503_with_retry_after(
    client: FlaskClient, path: str, suffix: str
) -> None:
    path, question, query = path.partition("?")
    assert_unavailable(client.get(f"{BASE}/{path}{suffix}{question}{query}"), suffix)


@every_suffix
def test_a_post_gets_503_with_a_key_and_403_without_a_key(client: FlaskClient, suffix: str) -> None:
    assert_unavailable(client.post(f"{BASE}/requests{suffix}", data=FORM | {"api_key": "any"}), suffix)
    assert client.post(f"{BASE}/requests{suffix}", data=FORM).status_code == 403


@every_suffix
@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("services", 200),
        ("services/graffiti", 200),
        ("services?locale=es", 200),
        ("services/nope", 404),
        ("nothing", 404),
        ("requests?status=bogus", 400),
        ("requests?jurisdiction_id=nope", 404),
    ],
)
def test_a_call_that_needs_no_database_is_answered(
    client: FlaskClient, path: str, status: int, suffix: str
) -> None:
    path, question, query = path.partition("?")
    assert client.get(f"{BASE}/{path}{suffix}{question}{query}").status_code == status


def test_the_pages_and_openapi_need_no_database(client: FlaskClient) -> None:
    for path in ("/", "/docs", "/openapi.json", "/healthz"):
        assert client.get(path).status_code == 200


def test_readyz_names_the_missing_database(client: FlaskClient) -> None:
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json["status"] == "not ready"
    assert answer.json["checks"]["database"] == {"ok": False, "detail": "does not answer"}
    assert answer.json["checks"]["plugins"]["ok"]


UNMIGRATED = "The database is not ready for this release of the server; its operator has to migrate it."


def test_a_database_without_tables_counts_as_unavailable(
    make_app: MakeApp, make_database: Callable[[str], str]
) -> None:
    url = make_database("empty")
    database = open_database(url)
    with database.transaction() as connection:
        connection.exec_driver_sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    client = make_app(database_url=url).test_client()
    listed = client.get(f"{BASE}/requests.json")
    assert_unavailable(listed, ".json")
    assert listed.json[0]["description"] == UNMIGRATED
    assert_unavailable(client.get(f"{BASE}/discovery.xml"), ".xml")
    assert client.get("/readyz").json["checks"]["schema"]["ok"] is False
    database.close()


def test_a_database_that_has_to_be_migrated_counts_as_unavailable(
    make_app: MakeApp, make_database: Callable[[str], str]
) -> None:
    url = make_database("behind")
    app = make_app(database_url=url)
    _, key = add_key(platform_of(app), label="tests", now=build.NOON)
    with platform_of(app).database.transaction() as connection:
        migrate(connection, "0002")
    answer = app.test_client().post(f"{BASE}/requests.json", data=FORM | {"api_key": key})
    assert_unavailable(answer, ".json")
    assert answer.json[0]["description"] == UNMIGRATED


def test_a_full_disk_stops_only_writes_and_readyz_names_it(make_app: MakeApp) -> None:
    folder = Path(tempfile.mkdtemp(prefix="open311-disk-", dir="/tmp"))  # PostgreSQL's user can reach this folder
    with skipping_without_root(), small_disk(folder, 256_000_000), Cluster(folder, durable=False) as cluster:
        cluster.create_database("full")
        app = make_app(database_url=cluster.url("full"))
        with platform_of(app).database.transaction() as connection:
            migrate(connection)
        _, key = add_key(platform_of(app), label="tests", now=build.NOON)
        client, ballast = app.test_client(), folder / "ballast"
        assert client.get("/readyz").json["status"] == "ready"
        fill(ballast)
        answer = client.post(f"{BASE}/requests.json", data=FORM | {"api_key": key})
        assert_unavailable(answer, ".json")
        assert answer.json[0]["description"].startswith("The database cannot store anything just now; ")
        ready = client.get("/readyz")
        assert (ready.status_code, ready.json["status"]) == (200, "degraded")
        assert ready.json["checks"]["writes"]["detail"] == "the disk of the database is full; free space on it"
        assert client.get(f"{BASE}/requests.json").json == []
        ballast.unlink()
        assert client.post(f"{BASE}/requests.json", data=FORM | {"api_key": key}).status_code == 200
        assert client.get("/readyz").json["status"] == "ready"
        platform_of(app).close()


def test_a_server_reconnects_after_it_lost_its_connections(make_app: MakeApp) -> None:
    app = make_app()
    platform = platform_of(app)
    _, key = add_key(platform, label="tests", now=build.NOON)
    client = app.test_client()
    for _ in range(2):
        assert client.get(f"{BASE}/requests.json").status_code == 200
        assert client.post(f"{BASE}/requests.json", data=FORM | {"api_key": key}).status_code == 200
        assert client.get("/readyz").status_code == 200
        killer = open_database(platform.settings.database_url)
        cut_connections(killer)
        killer.close()


def test_a_statement_that_takes_too_long_gives_503(make_app: MakeApp) -> None:
    app = make_app(statement_timeout_ms=1_000)
    client = app.test_client()
    with platform_of(app).database.engine.connect() as other, other.begin():
        other.exec_driver_sql("LOCK TABLE publication IN ACCESS EXCLUSIVE MODE")
        assert_unavailable(client.get(f"{BASE}/requests.json"), ".json")
    assert client.get(f"{BASE}/requests.json").status_code == 200


def test_writes_get_503_while_the_database_is_read_only(
    make_app: MakeApp, make_database: Callable[[str], str]
) -> None:
    url = make_database("readonly")
    app = make_app(database_url=url)
    _, key = add_key(platform_of(app), label="tests", now=build.NOON)
    client = app.test_client()
    account: dict[str, Any] = {"name": "ada", "role": Role.READER, "jurisdiction_id": "city.example"}
    staff = add_account(platform_of(app), **account, principal=SHELL, now=utc_now())
    form = FORM | {"api_key": key}
    forms = [form, form | {"client_request_id": "once"}, form | {"service_code": "trees"}]
    admin = open_database(url)

    def alter(change: str) -> None:
        with admin.transaction() as connection:
            connection.exec_driver_sql("SET TRANSACTION READ WRITE")
            connection.exec_driver_sql(f"ALTER DATABASE {make_url(url).database} {change}")

    alter("SET default_transaction_read_only = on")
    cut_connections(admin)
    for sent in forms:
        assert_unavailable(client.post(f"{BASE}/requests.json", data=sent), ".json")
    assert client.get(f"{BASE}/requests.json").status_code == 200
    assert client.get("/readyz").json["checks"]["writes"]["ok"] is False
    headers = {"Authorization": f"Bearer {staff.secret}"}
    assert (
        client.get("/staff/v1/requests", headers=headers).status_code == 200
    )  # the time of the token's last use cannot be stored
    alter("RESET default_transaction_read_only")  # open connections stay read-only
    for sent in forms:
        assert client.post(f"{BASE}/requests.json", data=sent).status_code == 200
    assert client.get("/readyz").json["checks"]["writes"]["ok"] is True
    admin.close()


def test_a_server_without_any_city_serves_no_requests_and_is_not_ready(make_app: MakeApp) -> None:
    client = make_app(jurisdictions=("no-such-city",)).test_client()
    assert client.get("/").status_code == 200
    assert client.get("/readyz").status_code == 503
    detail = client.get("/readyz").json["checks"]["plugins"]["detail"]
    assert "not served: no-such-city: no plugin or folder is called 'no-such-city'" in detail
    for path in ("services", "requests", "discovery", "requests/1", "tokens/1", "services/1"):
        for suffix in (".json", ".xml"):
            assert client.get(f"{BASE}/{path}{suffix}").status_code in (400, 503), path
