"""An upgrade from the former release and a downgrade to it, while clients read, post and follow the change feed.

Two web hosts and a worker run as processes. For the upgrade, first the database is migrated, then one process
after the other is exchanged. For the downgrade, the database is migrated last. The guide (spec/operating.md) says
what this test proves.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import psycopg2
import pytest

from open311.clock import utc_now
from open311.operations.access.api_keys import add_key
from open311.operations.platform import Platform
from open311.settings import Settings
from open311.storage.engine import libpq_dsn
from open311.storage.migrations import migrate, migrate_live, versions
from open311.storage.outbox import backlog
from tests import build
from tests.ports import free_port
from tests.upgrades.test_upgrade import RELEASES
from tests.upgrades.traffic import BASE, Balancer, Traffic
from tests.waiting import until

REPOSITORY = Path(__file__).parents[2]
FORMER_SERVER = Path(__file__).parent / "former_server.py"
CALLS_A_STEP = 30
"""The number of calls that must be answered before the next process is exchanged."""


def git(*words: str) -> bytes:
    return subprocess.run(["git", "-C", str(REPOSITORY), *words], capture_output=True, check=True).stdout


@pytest.fixture(scope="module")
def former(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The former release's code: the newest commit that has the schema of the newest dump."""
    names = sorted(path.name for path in Path(versions.__path__[0]).glob("[0-9]*.py"))
    following = next(name for name in names if name[:4] > RELEASES[-1].name)
    path = f"open311/storage/migrations/versions/{following}"
    try:
        added = git("log", "--diff-filter=A", "--format=%H", "--", path).decode().split()
        packed = git("archive", f"{added[-1]}~1")
    except (subprocess.CalledProcessError, IndexError, FileNotFoundError):
        pytest.skip("this clone does not have the history with the former release")
    folder = tmp_path_factory.mktemp("former")
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(folder, filter="data")
    return folder


@dataclass
class Fleet:
    """The processes of a city: two web hosts and a worker, each of the former or the new release."""

    former: Path
    environment: dict[str, str]
    key: str
    ports: tuple[int, int]
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start_host(self, port: int, release: str) -> None:
        """Start a web host, and wait until it answers."""
        command = self._open311("serve", "--port", str(port))
        if release == "former":
            command = [sys.executable, str(FORMER_SERVER), str(port)]
        self.processes[f"host {port}"] = subprocess.Popen(command, **self._place(release))
        until(lambda: ready_status(port, "healthz") == 200, f"the {release} release on port {port}")

    def start_worker(self, release: str) -> None:
        """Start the worker."""
        self.processes["worker"] = subprocess.Popen(self._open311("worker"), **self._place(release))

    def stop(self, name: str) -> None:
        """Stop a process as a service manager does. It must end by itself."""
        process = self.processes.pop(name)
        process.terminate()
        assert process.wait(40) in (0, -signal.SIGTERM), name  # the signal kills a process that still starts

    def kill(self) -> None:
        """Kill the processes that still run."""
        for process in self.processes.values():
            process.kill()
            process.wait()

    def _open311(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "open311", *words]

    def _place(self, release: str) -> dict[str, Any]:
        folder = self.former if release == "former" else REPOSITORY
        return {"cwd": folder, "env": self.environment | {"PYTHONPATH": str(folder)}}


def ready_status(port: int, path: str) -> int:
    """The status of a health check; 0 without an answer."""
    try:
        with urlopen(f"http://127.0.0.1:{port}/{path}", timeout=10) as answer:
            return int(answer.status)
    except OSError:
        return 0


@pytest.fixture
def fleet(former: Path, make_database: Callable[[str], str], tmp_path: Path) -> Iterator[Fleet]:
    """A city that runs on the former release, with an empty database."""
    url = make_database("traffic")
    platform = build.platform(Settings(database_url=url, log_level="error"))
    _, key = add_key(platform, label="traffic", now=utc_now())
    with closing(platform), platform.database.transaction() as connection:
        migrate(connection, RELEASES[-1].name)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OPEN311_")} | {
        "DATABASE_URL": url,
        "OPEN311_JURISDICTIONS": "demo",
        "OPEN311_WORKERS": "1",
        "OPEN311_POST_RATE": "",
        "OPEN311_LOG_LEVEL": "error",
        "OPEN311_DATA_DIR": str(tmp_path),
    }
    fleet = Fleet(former, environment, key, (free_port(), free_port()))
    with ExitStack() as stack:
        stack.callback(fleet.kill)
        for port in fleet.ports:
            fleet.start_host(port, "former")
        fleet.start_worker("former")
        yield fleet


@dataclass
class Operator:
    """Does the steps of the guide, one after the other, while the traffic goes on."""

    fleet: Fleet
    traffic: Traffic

    def watch(self) -> None:
        """Let the traffic go on for a while."""
        wanted = self.traffic.total() + CALLS_A_STEP
        until(lambda: self.traffic.total() >= wanted, "answers")

    def exchange_host(self, port: int, release: str) -> None:
        """Take a host out of the balancer, exchange its release, and put it in again."""
        balancer = self.traffic.balancer
        balancer.take_out(port)
        until(lambda: balancer.is_free(port), "the calls of the host to end")
        self.fleet.stop(f"host {port}")
        self.fleet.start_host(port, release)
        balancer.put_in(port)
        self.watch()


@pytest.mark.skipif(shutil.which("git") is None, reason="there is no git on this machine")
def test_an_upgrade_and_a_downgrade_under_traffic_lose_nothing(fleet: Fleet) -> None:
    platform = build.platform(Settings(database_url=fleet.environment["DATABASE_URL"], log_level="error"))
    traffic = Traffic(Balancer(fleet.ports), fleet.key)
    operator = Operator(fleet, traffic)
    with closing(platform), traffic.running():
        operator.watch()
        # A worker of release 0.1 that is still starting would refuse the new schema.
        until(lambda: any(map(partial(id_of, traffic.balancer), [*traffic.tokens.values()])), "the worker to begin")
        migrate_live(platform.database)
        operator.watch()
        fleet.stop("worker")
        fleet.start_worker("new")
        for port in fleet.ports:
            operator.exchange_host(port, "new")
        for port in fleet.ports:
            operator.exchange_host(port, "former")
        until(lambda: not waiting_changes(platform), "the new worker to dispatch all changes")
        fleet.stop("worker")
        with platform.database.transaction() as connection:
            migrate(connection, RELEASES[-1].name)  # release 0.1's worker does not start on a newer schema
        fleet.start_worker("former")
        operator.watch()
    stored = descriptions(fleet.environment["DATABASE_URL"])
    assert {status for _, status in traffic.answers} == {200}, traffic.answers
    assert sorted(stored) == sorted([*traffic.accepted, *traffic.tokens])
    ids = {until(partial(id_of, traffic.balancer, token), text) for text, token in traffic.tokens.items()}
    assert until(traffic.is_caught_up, "the end of the feed")
    assert traffic.heard == ids | set(traffic.accepted.values())


def waiting_changes(platform: Platform) -> int:
    """The number of changes that no consumer has had."""
    with platform.database.reading() as connection:
        return backlog(connection).waiting


def descriptions(url: str) -> list[str]:
    """The descriptions of all stored requests."""
    with closing(psycopg2.connect(libpq_dsn(url))) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT description FROM service_request")
        return [description for (description,) in cursor.fetchall()]


def id_of(balancer: Balancer, token: str) -> str:
    """The id of the request that a token stands for; "" while it has none."""
    (found,) = json.loads(balancer.call("GET", f"{BASE}/tokens/{token}.json").body)
    return str(found.get("service_request_id", ""))
