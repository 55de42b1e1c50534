"""`open311 serve` starts and stops in the way that a service manager needs."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest

from open311.cli.signals import GRACE_S
from open311.plugins.registry import GROUP
from open311.settings import Settings
from open311.storage.migrations import head
from tests.ports import free_port
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
forks = []
def wait():
    if len(forks) == 1 and (here / "second").exists():
        (here / "second").read_bytes()
os.register_at_fork(after_in_child=wait, after_in_parent=lambda: forks.append(1))
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
"""The mark of tests that need Linux."""
Started = Callable[..., AbstractContextManager["subprocess.Popen[str]"]]


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def city(tmp_path: Path) -> Path:
    """An installed city that records the processes that load it.

    Loading waits for the pipe `gate` if it exists, and the second web process for the pipe `second`.
    """
    info, package = tmp_path / "kit-1.0.dist-info", tmp_path / "kit"
    info.mkdir()
    package.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: kit\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{GROUP}]\nkit = kit:jurisdiction\n")
    (package / "__init__.py").write_text(CITY)
    return package


@pytest.fixture
def started(settings: Settings, port: int, city: Path) -> Started:
    """Starts `open311 serve` for the city, or with other settings, and stops it at the end of the block."""

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


LISTENING = "0A"
"""The code of a listening socket in /proc/net/tcp."""


def answers(port: int) -> bool:
    """Whether the server lists the city's services."""
    try:
        with urlopen(f"http://127.0.0.1:{port}/open311/v2/services.json", timeout=20) as answer:
            return b"Other" in answer.read()
    except (URLError, OSError):
        return False


def others(pid: int, known: set[int]) -> set[int]:
    """Children of a process that are not known yet."""
    return {*children(pid)} - known


@contextmanager
def caller(port: int, said: bytes) -> Iterator[socket.socket]:
    """A client that has sent these bytes. Its kernel buffer for received data is very small."""
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        connection.settimeout(60)
        connection.connect(("127.0.0.1", port))
        connection.sendall(said)
        yield connection


def received(connection: socket.socket) -> bytes:
    """All bytes that a client receives until the server closes the connection."""
    return b"".join(iter(lambda: connection.recv(65_536), b""))


def connections(pid: int) -> list[str]:
    """The connected sockets of a process."""
    links = [os.readlink(entry) for entry in Path(f"/proc/{pid}/fd").iterdir()]
    lines = [
        line for kind in ("tcp", "tcp6", "unix") for line in Path(f"/proc/net/{kind}").read_text().splitlines()
    ]
    known = [word for line in lines if line.split()[3] != LISTENING for word in line.split()]
    return [link for link in links if link.startswith("socket:[") and link[8:-1] in known]


DRIP = b"POST /open311/v2/requests.json HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nse"
UNREAD = b"GET /openapi.json HTTP/1.1\r\nHost: a\r\n\r\n" * 100
SILENT = b""
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
    assert "open311" in loaded
    assert not {"procrastinate", "alembic", "pyarrow"} & loaded


def test_a_server_stopped_during_its_start_ends_immediately(started: Started, port: int) -> None:
    with started(OPEN311_JURISDICTIONS="demo", OPEN311_WORKERS="3") as server:
        # The socket listens before all web processes can serve.
        until(lambda: is_listening(port) or server.poll() is not None, "the server's socket")
        server.send_signal(signal.SIGTERM)
        _, said = server.communicate(timeout=GRACE_S / 2)  # after GRACE_S, a web process would be killed
    assert server.returncode == 0, said
    assert said == ""


def test_a_server_logs_its_address_cities_and_database_in_one_json_line(
    started: Started, port: int, settings: Settings
) -> None:
    with started(OPEN311_LOG_LEVEL="info", OPEN311_JURISDICTIONS="demo") as server:
        assert server.stderr is not None
        lines = map(json.loads, server.stderr)
        said = next(line for line in lines if line["event"] == "serving")
        server.send_signal(signal.SIGTERM)
        rest = server.stderr.read()  # `communicate` would miss text that is already in the buffer
    assert said["listens"] == f"127.0.0.1:{port}"
    assert said["cities"] == ["city.example"]
    assert said["database"].startswith(urlsplit(settings.database_url).path.removeprefix("/"))
    assert (said["schema"], said["processes"]) == (head(), 2)
    assert all(json.loads(line)["event"] for line in rest.splitlines())


ABUSE = """
from dataclasses import replace
from open311.domain.abuse import AbuseRules
jurisdiction = replace(jurisdiction, abuse=AbuseRules(per_device="20 per hour"))
"""


@pytest.mark.parametrize(
    ("others", "is_warned"),
    [({}, True), ({"OPEN311_WORKERS": "1"}, False), ({"OPEN311_RATE_STORAGE": "redis://127.0.0.1:1"}, False)],
)
def test_a_server_warns_if_each_process_counts_the_reports_of_a_city_for_itself(
    started: Started, port: int, city: Path, others: dict[str, str], is_warned: bool
) -> None:
    (city / "__init__.py").write_text(CITY + ABUSE)
    with started(OPEN311_LOG_LEVEL="info", **others) as server:
        assert server.stderr is not None
        begun = []
        for line in server.stderr:
            begun.append(line)
            if '"serving"' in line:
                break
        server.send_signal(signal.SIGTERM)
        said = "".join(begun) + server.stderr.read()
    assert ("each of the 2 web processes counts for itself" in said) == is_warned
    assert ("OPEN311_RATE_STORAGE" in said) == is_warned


def test_the_error_for_a_port_in_use_says_that_the_address_is_in_use(started: Started, port: int) -> None:
    with socket.create_server(("127.0.0.1", port)), started() as server:
        _, said = server.communicate(timeout=60)
    assert server.returncode == 1
    assert f"cannot listen on 127.0.0.1, port {port}: Address already in use" in json.loads(said)["event"]


def web_processes(server: subprocess.Popen[str], count: int, killed: Iterable[int] = ()) -> list[int]:
    """The web processes, once there are `count` of them. The loader has ended then."""

    def found() -> list[int] | None:
        found = sorted({*children(server.pid)} - {*killed})
        return found if len(found) == count else None

    return until(found, f"{count} web processes")


@forked
def test_web_processes_share_one_load_of_the_city_and_replacements_share_another(
    started: Started, port: int, city: Path
) -> None:
    with started() as server:
        until(lambda: answers(port), "the first answer")
        first = web_processes(server, 2)
        for pid in first:
            os.kill(pid, signal.SIGKILL)
        until(lambda: answers(port), "the answer of the replacements")
        second = web_processes(server, 2, first)
        loaders = (city / "loaded").read_text().split()
        assert not {*first} & {*second}
        # If the first process is found dead before the second is killed, the city is loaded for each replacement.
        assert len(loaders) in (2, 3)
        assert str(server.pid) not in loaders


@forked
def test_the_process_that_starts_the_others_stays_without_the_application(started: Started, port: int) -> None:
    with started() as server:
        until(lambda: answers(port), "the first answer")
        processes = web_processes(server, 2)
        loaded = "libgeos"
        assert loaded not in Path(f"/proc/{server.pid}/maps").read_text()
        assert all(loaded in Path(f"/proc/{pid}/maps").read_text() for pid in processes)


@forked
def test_web_processes_end_if_the_process_that_started_them_is_killed(started: Started, port: int) -> None:
    with started() as server:
        until(lambda: answers(port), "the first answer")
        processes = web_processes(server, 2)
        server.kill()
        until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in processes), "the end of both")


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_server_that_cannot_load_its_cities_ends_with_one_sentence(
    started: Started, tmp_path: Path, workers: str
) -> None:
    with started(OPEN311_MAPS_DIR=str(tmp_path / "absent"), OPEN311_WORKERS=workers) as server:
        _, said = server.communicate(timeout=60)
    assert server.returncode == 1
    (line,) = said.splitlines()
    assert json.loads(line)["event"].startswith("OPEN311_MAPS_DIR: there is no folder")


@forked
def test_a_web_process_that_dies_repeatedly_does_not_end_the_others(started: Started, port: int) -> None:
    with started() as server:
        until(lambda: answers(port), "the first answer")
        healthy, dying = web_processes(server, 2)
        for _ in range(2):
            before = {healthy, dying}
            os.kill(dying, signal.SIGKILL)
            (dying,) = until(partial(others, server.pid, before), "a replacement")
        assert healthy in children(server.pid)
        assert server.poll() is None


def test_slow_clients_do_not_stop_the_server_from_serving_others(started: Started, port: int) -> None:
    with started(OPEN311_BODY_TIMEOUT_S="2", OPEN311_HEADER_TIMEOUT_S="2") as server, ExitStack() as stack:
        until(lambda: answers(port), "the first answer")
        unread, silent, dripping = (
            [stack.enter_context(caller(port, said)) for _ in range(8)] for said in (UNREAD, SILENT, DRIP)
        )
        assert answers(port)
        assert all(one.recv(100).startswith(b"HTTP/1.1 200 OK") for one in unread)
        said = [received(one) for one in dripping]
        assert {one.partition(b"\r\n")[0] for one in said} == {b"HTTP/1.1 408 REQUEST TIMEOUT"}
        assert all(b'"code":408' in one for one in said)
        assert [received(one) for one in silent] == [b""] * 8
        assert answers(port)
        assert server.poll() is None


@forked
def test_web_processes_share_no_connection(started: Started, port: int) -> None:
    with started() as server:
        until(lambda: answers(port), "the first answer")
        first, second = web_processes(server, 2)
        assert connections(server.pid) == []
        assert not {*connections(first)} & {*connections(second)}


@forked
def test_a_server_stopped_while_it_loads_cities_ends_with_status_0(started: Started, city: Path) -> None:
    os.mkfifo(city / "gate")
    with started() as server:
        until((city / "loaded").exists, "the city")
        server.send_signal(signal.SIGTERM)
        _, said = server.communicate(timeout=GRACE_S / 2)
    assert server.returncode == 0, said
    assert said == ""


# --- Restarts behind a load balancer

CLOSES = b"connection: close"


def test_a_server_that_drains_serves_and_says_that_it_is_not_ready(started: Started, port: int) -> None:
    get = b"GET /%s HTTP/1.1\r\nHost: a\r\n\r\n"
    with started(OPEN311_DRAIN_S="600") as server:
        until(lambda: answers(port), "the first answer")
        with caller(port, get % b"healthz") as kept:
            assert CLOSES not in kept.recv(65_536).lower()
            server.send_signal(signal.SIGTERM)
            until(lambda: b" 503 " in asked(port, get % b"readyz").partition(b"\r\n")[0], "a server that drains")
            assert b'"ending":{' in asked(port, get % b"readyz")
            assert answers(port), "new connections are served"
            kept.sendall(get % b"healthz")
            said = received(kept)
        assert said.startswith(b"HTTP/1.1 200 OK")
        assert CLOSES in said.lower()
        server.send_signal(signal.SIGTERM)  # a second signal ends the wait
        assert server.wait(GRACE_S) == 0
    assert not is_listening(port)


@forked
def test_a_server_that_is_stopped_while_it_starts_drains(started: Started, port: int, city: Path) -> None:
    os.mkfifo(city / "second")
    with started(OPEN311_DRAIN_S="600") as server:
        until(lambda: answers(port), "the first web process")
        server.send_signal(signal.SIGTERM)
        until(lambda: b" 503 " in asked(port, READY).partition(b"\r\n")[0], "the first web process to drain")
        (city / "second").write_bytes(b"")
        until(lambda: len(children(server.pid)) == 2, "the second web process to be the server's child")
        assert answers(port)
        server.send_signal(signal.SIGTERM)
        assert server.wait(GRACE_S) == 0
    assert not is_listening(port)


@forked
def test_a_server_that_is_killed_while_it_drains_stops_listening(started: Started, port: int) -> None:
    with started(OPEN311_DRAIN_S="600") as server:
        until(lambda: answers(port), "the first answer")
        server.send_signal(signal.SIGTERM)
        until(lambda: b" 503 " in asked(port, READY).partition(b"\r\n")[0], "a server that drains")
        server.kill()
        until(lambda: not is_listening(port), "the end of the web processes")


READY = b"GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n"


def asked(port: int, call: bytes) -> bytes:
    """The answer to a call on a connection that the server closes."""
    with caller(port, call) as connection:
        return received(connection)


@pytest.mark.parametrize("drain_s", ["0", "5"])
def test_only_a_server_behind_a_load_balancer_refuses_connections_while_it_loads(
    started: Started, port: int, city: Path, drain_s: str
) -> None:
    os.mkfifo(city / "gate")
    with started(OPEN311_DRAIN_S=drain_s):
        until((city / "loaded").exists, "the city")
        assert is_listening(port) == (drain_s == "0")
        with (city / "gate").open("w"):  # opens as soon as the loading process reads it
            pass
        (city / "gate").unlink()
        until(lambda: answers(port), "the first answer")
