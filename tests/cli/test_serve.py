"""`open311 serve`, started and stopped as by a service manager."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from open311.cli.signals import GRACE_S
from open311.plugins.registry import GROUP
from open311.settings import Settings
from tests.processes import children, is_listening
from tests.waiting import until

CITY = """
import os
from pathlib import Path
from open311.plugins import Department, Jurisdiction, Service

here = Path(__file__).parent
with (here / "loaded").open("a") as loaded:
    loaded.write(f"{os.getpid()} ")
if (here / "gate").exists():
    (here / "gate").read_bytes()
jurisdiction = Jurisdiction(
    id="city.example",
    name="City",
    time_zone="UTC",
    triage="desk",
    departments=(Department("desk", "Desk"),),
    services=(Service(code="other", name="Other"),),
)
"""
forked = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere each web process loads its own application")
"""For tests of what is so on Linux only."""
Started = Callable[..., AbstractContextManager["subprocess.Popen[str]"]]


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        free: int = taken.getsockname()[1]
        return free


@pytest.fixture
def city(tmp_path: Path) -> Path:
    """An installed city that records the processes that load it. Loading waits for the pipe `gate` if it exists."""
    info, package = tmp_path / "kit-1.0.dist-info", tmp_path / "kit"
    info.mkdir()
    package.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: kit\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{GROUP}]\nkit = kit:jurisdiction\n")
    (package / "__init__.py").write_text(CITY)
    return package


@pytest.fixture
def started(settings: Settings, port: int, city: Path) -> Started:
    """Starts `open311 serve` for that city, or with other settings, and stops it at the end of the block."""

    @contextmanager
    def start(**others: str) -> Iterator[subprocess.Popen[str]]:
        environment = os.environ | {
            "PYTHONPATH": str(city.parent),
            "DATABASE_URL": settings.database_url,
            "OPEN311_JURISDICTIONS": "kit",
            "OPEN311_WORKERS": "2",
            "OPEN311_LOG_LEVEL": "error",
        }
        command = [sys.executable, "-m", "open311", "serve", "--port", str(port)]
        with subprocess.Popen(command, env=environment | others, stderr=subprocess.PIPE, text=True) as server:
            try:
                yield server
            finally:
                server.terminate()

    return start


def answers(port: int) -> bool:
    """Whether the server lists the city's services."""
    try:
        with urlopen(f"http://127.0.0.1:{port}/open311/v2/services.json", timeout=20) as answer:
            return b"Other" in answer.read()
    except (URLError, OSError):
        return False


def connections(pid: int) -> list[str]:
    """The connected sockets of a process. The kernel's tables do not list a socket that is only bound."""
    links = [os.readlink(entry) for entry in Path(f"/proc/{pid}/fd").iterdir()]
    known = [word for kind in ("tcp", "tcp6", "unix") for word in Path(f"/proc/net/{kind}").read_text().split()]
    return [link for link in links if link.startswith("socket:[") and link[8:-1] in known]


LOADED = """
import sys
import click
from open311.cli import main
main.get_command(click.Context(main), "serve")
print(*{name.partition(".")[0] for name in sys.modules})
"""


def test_serve_does_not_import_modules_of_the_worker_or_migrations() -> None:
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert {"granian", "open311"} <= loaded
    assert not {"procrastinate", "alembic", "pyarrow"} & loaded


def test_a_server_stopped_during_its_start_ends_at_once(started: Started, port: int) -> None:
    with started(OPEN311_JURISDICTIONS="demo", OPEN311_WORKERS="3") as server:
        # The socket listens before all web processes can serve.
        until(lambda: is_listening(port) or server.poll() is not None, "the server's socket")
        server.send_signal(signal.SIGTERM)
        _, said = server.communicate(timeout=GRACE_S / 2)  # After GRACE_S, a web process would be killed.
    assert server.returncode == 0, said
    assert said == ""


@forked
def test_a_city_is_loaded_once_for_all_web_processes_and_replacements(
    started: Started, port: int, city: Path
) -> None:
    with started() as server:
        until(lambda: answers(port), "the first answer")
        first = until(lambda: found if len(found := children(server.pid)) == 2 else None, "two web processes")
        for pid in first:
            os.kill(pid, signal.SIGKILL)
        until(lambda: len({*children(server.pid)} - {*first}) == 2, "two replacements")
        until(lambda: answers(port), "their answer")
        assert (city / "loaded").read_text().split() == [str(server.pid)]


@forked
def test_web_processes_inherit_no_database_connection(started: Started, port: int) -> None:
    with started() as server:
        until(lambda: answers(port), "the first answer")
        assert connections(server.pid) == []


def test_a_server_stopped_while_it_loads_cities_ends_with_status_0(started: Started, city: Path) -> None:
    os.mkfifo(city / "gate")
    with started() as server:
        until((city / "loaded").exists, "the city")
        server.send_signal(signal.SIGTERM)
        (city / "gate").write_bytes(b"")
        _, said = server.communicate(timeout=GRACE_S + 20)
    assert server.returncode == 0, said
    assert said == ""
