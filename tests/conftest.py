"""Fixtures of all tests: a real PostGIS database, the app with it, and a client that checks every body."""

from __future__ import annotations

import gc
import json
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import hypothesis
import psycopg2
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from open311.app import create_app
from open311.clock import utc_now
from open311.embedded import Cluster, find_binaries, install_binaries
from open311.media.stores import MARKER
from open311.operations.access.api_keys import add_key
from open311.operations.federation import looking
from open311.operations.overriding.seeing import see_overrides
from open311.operations.platform import Platform, open_platform
from open311.operations.upkeep.sync_catalogues import ensure_synced
from open311.plugins import Jurisdiction
from open311.settings import Settings
from open311.storage import counts
from open311.storage.engine import Database, open_database
from open311.storage.migrations import migrate
from open311.storage.queue import Queue
from open311.storage.tables import metadata
from tests import build, world
from tests.checked_client import CheckedClient, platform_of

HOME = Path(__file__).parent.parent / "var" / "pg-test"
TEMPLATE = "template_open311"
SERVER_SETTINGS = {"shared_preload_libraries": "postgis-3", "max_connections": "300"}
"""Load PostGIS when the server starts. Otherwise each connection loads it, which takes 1/10 of the test's time.

All test processes share the server, and one test may open a hundred connections.
"""
# With few rows, DELETE is ten times faster than TRUNCATE.
SWEEP = "; ".join(
    f"DELETE FROM {name}"
    for name in (*(table.name for table in reversed(metadata.sorted_tables)), "procrastinate_jobs")
)
CATALOGUE = ("jurisdiction", "department", "service", "edition")
"""The tables in which the server stores the catalogue of a city without requests."""
COUNTED = ("service_request", "request_count", "outbox", "held_change")
ARE_COUNTED = f"SELECT {' OR '.join(f'EXISTS (SELECT FROM {name})' for name in COUNTED)}"
MOST_KEPT = 2
"""How many connections an app's database may keep for the next test: one for each driver."""
CITY = "city.example"

hypothesis.settings.register_profile(
    "tests",
    derandomize=True,
    deadline=None,
    database=None,
    # Fixtures such as `client` serve all examples of one test; each example sees the rows of the examples before.
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
)
hypothesis.settings.load_profile("tests")


def pytest_configure() -> None:
    """Restore the handler of Ctrl-C, because background jobs of a shell and their child processes ignore SIGINT."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start the long tests first. At the end, one worker would run such a test while the others have nothing to do.

    At first each worker gets an equal part of the list. So each part begins with its share of the long tests.
    """
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    long = [item for item in items if item.get_closest_marker("long")]
    short = [item for item in items if not item.get_closest_marker("long")]
    size = len(items) / workers
    dealt: list[pytest.Item] = []
    for worker in range(workers):
        own = long[worker::workers]
        rest = round(size * (worker + 1)) - len(dealt) - len(own)
        dealt += own + short[:rest]
        del short[:rest]
    items[:] = dealt


def pytest_collection_finish() -> None:
    """Let the garbage collector skip the modules and the collected tests, which stay until the end."""
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def only_loopback() -> Iterator[None]:
    """Make any connection to another machine an error."""
    connect = socket.socket.connect

    def connect_to_loopback(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX and not str(address[0]).startswith(("127.", "::1", "localhost")):
            raise AssertionError(f"a test wanted to connect to {address}")
        connect(self, address)

    socket.socket.connect = connect_to_loopback  # type: ignore[assignment,method-assign]
    yield
    socket.socket.connect = connect  # type: ignore[method-assign]


@pytest.fixture(scope="session")
def make_database(worker_id: str) -> Iterator[Callable[[str], str]]:
    """Makes a migrated database without rows and returns its URL. All these databases are dropped at the end."""
    given = os.environ.get("DATABASE_URL", "")
    if given:
        yield from _databases_on_server(given, worker_id)
    else:
        yield from _databases_in_cluster(worker_id)


def _databases_in_cluster(worker_id: str) -> Iterator[Callable[[str], str]]:
    """Databases in this clone's own cluster, copied from a template that each worker migrates once."""
    bin_dir = find_binaries() or install_binaries(print)
    made: list[str] = []
    with Cluster(HOME, durable=False, bin_dir=bin_dir, settings=SERVER_SETTINGS) as cluster:
        _drop_leftovers(cluster)
        template = f"{TEMPLATE}_{worker_id}"
        cluster.create_database(template)
        _migrate(cluster.url(template))

        def make(name: str) -> str:
            # A module whose tests come in two parts makes its database twice.
            database = f"{name}_{len(made)}_{worker_id}"
            cluster.create_database(database, template=template)
            made.append(database)
            return cluster.url(database)

        yield make
        for name in [*made, template]:
            cluster.drop_database(name)


def _drop_leftovers(cluster: Cluster) -> None:
    """Drop the databases of killed runs: their names end in the id of a process that no longer exists."""
    with closing(psycopg2.connect(cluster.dsn("postgres"))) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT datname FROM pg_database WHERE datname ~ '_[0-9]+$'")
        names = [name for (name,) in cursor.fetchall()]
    for name in names:
        if not Path(f"/proc/{name.rpartition('_')[2]}").exists() and Path("/proc/self").exists():
            cluster.drop_database(name)


def _databases_on_server(given: str, worker_id: str) -> Iterator[Callable[[str], str]]:
    """New databases on the server of DATABASE_URL; the database in DATABASE_URL is not changed."""
    url = make_url(Settings(database_url=given).sqlalchemy_url)
    admin = create_engine(url, isolation_level="AUTOCOMMIT")
    made: list[str] = []

    def make(name: str) -> str:
        database = f"{url.database}_{name}_{worker_id}"
        with admin.connect() as connection:
            connection.execute(text(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)'))
            connection.execute(text(f'CREATE DATABASE "{database}"'))
        made.append(database)
        database_url = url.set(database=database).render_as_string(hide_password=False)
        _migrate(database_url)
        return database_url

    yield make
    with admin.connect() as connection:
        for database in made:
            connection.execute(text(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)'))
    admin.dispose()


def _migrate(url: str) -> None:
    database = open_database(url)
    with database.transaction() as connection:
        migrate(connection)
    database.close()


@pytest.fixture(scope="session")
def worker_id(request: pytest.FixtureRequest) -> str:
    """A unique name for this test process, so that two runs in one clone use different databases."""
    return f"{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}_{os.getpid()}"


@pytest.fixture(scope="session")
def database_url(make_database: Callable[[str], str]) -> str:
    """The database that most tests share; `settings` empties it after each test."""
    return make_database("t")


@pytest.fixture(scope="session")
def test_settings(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of a server with only the demo city and without rate limits."""
    return Settings(
        database_url=database_url,
        jurisdictions=("demo",),
        post_rate="",
        portal_rate="",
        sign_in_rate="",
        log_level="error",
        media=str(tmp_path_factory.mktemp("media")),
    )


@pytest.fixture
def settings(test_settings: Settings, clean: None) -> Settings:
    """Settings of a server with only the demo city, without rate limits, on an empty database."""
    return test_settings


@pytest.fixture(scope="session")
def sweeper(database_url: str) -> Iterator[Database]:
    """The database object that empties the shared database."""
    database = open_database(database_url)
    yield database
    database.close()


@pytest.fixture
def clean(sweeper: Database, test_settings: Settings, request: pytest.FixtureRequest) -> Iterator[None]:
    """Empty the shared database, and check that the stored counts match its requests.

    The next test's database has another marker, so the marker in the shared media store is deleted too.
    """
    yield
    with sweeper.snapshot() as connection:
        # Most tests store no request. Without rows in these tables, all counts are 0.
        is_used = connection.exec_driver_sql(ARE_COUNTED).scalar_one()
        faults = counts.corrections(connection) if is_used else {}
    with sweeper.transaction() as connection:
        connection.exec_driver_sql(SWEEP)
    (test_settings.media_path / MARKER).unlink(missing_ok=True)
    is_counted = request.node.get_closest_marker("uncounted") is None
    assert not (is_counted and faults), "the stored counts differ from the requests by these numbers"


@pytest.fixture
def multiply(sweeper: Database, clean: None) -> Iterator[Callable[..., None]]:
    """The function `build.multiply`. TRUNCATE removes its thousands of rows after the test."""
    yield build.multiply
    with sweeper.transaction() as connection:
        connection.execute(text("TRUNCATE service_request, request_count, outbox CASCADE"))


@pytest.fixture
def neighbour(monkeypatch: pytest.MonkeyPatch) -> Iterator[world.Neighbour]:
    """A neighbour with all that our server supports.

    The neighbour's key is in the environment variable WORKS_KEY.
    """
    with world.neighbour(dialect=world.LIKE_OURS) as city:
        monkeypatch.setenv("WORKS_KEY", city.api_key)
        yield city


@pytest.fixture
def unpaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let our server call neighbours without the pause between two calls that protects them in production."""
    monkeypatch.setattr(looking, "LIMITS", replace(looking.LIMITS, rate_per_s=0))


class OpenConnections:
    """Connections to the shared database that stay open between tests: opening them takes longer than a test."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._kept: dict[tuple[int, ...], Database] = {}

    def lend(self, platform: Platform, *limits: int) -> Platform:
        """The platform, with open connections if it uses the shared database and does not report its connections.

        limits  the arguments with which the platform's database was opened
        """
        if platform.settings.database_url != self._url or platform.process.calls is not None:
            return platform
        database = self._kept.setdefault(limits, platform.database)
        return replace(platform, database=database, queue=Queue(database))

    def take_back(self, platform: Platform) -> None:
        """Close a platform's connections unless a later test can use them."""
        if platform.database not in self._kept.values() or sum(platform.database.pools()) > MOST_KEPT:
            platform.close()

    def close(self) -> None:
        """Close all connections."""
        for database in self._kept.values():
            database.close()


@pytest.fixture(scope="session")
def connections(database_url: str) -> Iterator[OpenConnections]:
    """Connections for the platforms of `make_app`."""
    with closing(OpenConnections(database_url)) as found:
        yield found


@pytest.fixture
def make_app(settings: Settings, connections: OpenConnections) -> Iterator[Callable[..., Flask]]:
    """Makes an app with the given cities and changes of the test settings: make_app(build.city(), jsonp=True)."""
    apps: list[Flask] = []

    def make(*cities: Jurisdiction, **changes: Any) -> Flask:
        changed = replace(settings, **changes)
        if cities:
            platform = connections.lend(build.platform(changed, *cities), changed.pool_size)
        else:
            limits = (changed.pool_size, changed.statement_timeout_ms, changed.prepare_statements)
            platform = connections.lend(open_platform(changed), *limits)
        app = create_app(changed, platform)
        app.test_client_class = CheckedClient
        apps.append(app)
        return app

    yield make
    for app in apps:
        connections.take_back(platform_of(app))


@pytest.fixture(scope="session")
def shared_app(test_settings: Settings) -> Iterator[Flask]:
    """The server for all tests without special settings. It is shared, because making a server is slow."""
    app = create_app(test_settings)
    app.test_client_class = CheckedClient
    yield app
    platform_of(app).close()


@pytest.fixture(scope="session")
def catalogue(shared_app: Flask, sweeper: Database) -> str:
    """Statements that store the demo city's catalogue as the server does, in a fifth of the time."""
    platform_of(shared_app).process.is_synced.clear()
    ensure_synced(platform_of(shared_app))
    with sweeper.reading() as connection:
        rows = [
            (name, connection.exec_driver_sql(f"SELECT json_agg(each) FROM {name} each").scalar_one())
            for name in CATALOGUE
        ]
    return "; ".join(
        f"INSERT INTO {name} SELECT * FROM json_populate_recordset(NULL::{name}, $rows${json.dumps(found)}$rows$)"
        for name, found in rows
    )


@pytest.fixture
def app(shared_app: Flask, catalogue: str, sweeper: Database, clean: None) -> Flask:
    """A server with only the demo city; the database contains its catalogue and no requests."""
    platform = platform_of(shared_app)
    platform.process.notices.forget()
    with sweeper.transaction() as connection:
        is_empty = connection.exec_driver_sql("SELECT NOT EXISTS (SELECT FROM jurisdiction)").scalar_one()
        if is_empty:
            connection.exec_driver_sql(catalogue)
    if is_empty:
        see_overrides(platform, is_fresh=True)
    else:  # another fixture has stored a catalogue already
        platform.process.is_synced.clear()
        ensure_synced(platform)
    return shared_app


@pytest.fixture
def platform(app: Flask) -> Platform:
    """The platform of `app`, for calls of operations."""
    return platform_of(app)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A client that checks each body against the schemas and against the other format."""
    return app.test_client()


@pytest.fixture
def key(platform: Platform) -> str:
    """An api_key for every jurisdiction."""
    return add_key(platform, label="tests", now=utc_now())[1]


@pytest.fixture
def post(client: FlaskClient, key: str) -> Callable[..., Any]:
    """Sends a request with the key: post(service_code="potholes", lat=60.17, ...) or post([(name, value), ...])."""

    def send(pairs: list[tuple[str, str]] | None = None, *, format: str = "json", **fields: Any) -> Any:
        data: dict[str, Any] = {"api_key": key}
        for name, value in [*(pairs or []), *((name, str(value)) for name, value in fields.items())]:
            data.setdefault(name, []).append(value)
        return client.post(f"/open311/v2/requests.{format}", data=data)

    return send
