"""The servers that are measured: how each is started, and what it can be asked.

All read the same requests in the same PostgreSQL and have two processes. Those that go row by row read
`rival.request`, a plain table with the indexes such an application would have, so that nothing of theirs weighs on
our tables; see data.py. Each is as good as its kind gets, and leaves out what would not change the figure.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

from tests.benchmarks.load import HOST, Refused, ask, call

ROOT = Path(__file__).parents[3]
WORKERS = 2
START_S = 60.0
STOP_S = 15.0
PROBE = "/open311/v2/services.json?jurisdiction_id=nyc.gov"
NO_BYTECODE = "PYTHONDONTWRITEBYTECODE"
"""Not for servers: one that is installed has its modules compiled, and only the first start does that here."""
_PR_SET_PDEATHSIG = 1
Output = IO[bytes] | int
"""An open file, or one of subprocess's words for where output goes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contestant:
    """A kind of server.

    command  its words, with {python} and {port} where those go
    needs    modules without which it is left out
    targets  its own addresses by workload, with {number} for a request's; empty: the standard's
    asked    workloads that it can answer beside those that name it
    folder   where it is started
    """

    name: str
    title: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    probe: str = PROBE
    targets: Mapping[str, str] = field(default_factory=dict)
    asked: tuple[str, ...] = ()
    folder: Path = ROOT

    @property
    def is_here(self) -> bool:
        """Whether everything it needs is installed."""
        return all(importlib.util.find_spec(name) for name in self.needs)


@dataclass(frozen=True, slots=True)
class Server:
    """A contestant that runs."""

    contestant: Contestant
    port: int
    pid: int

    @property
    def name(self) -> str:
        return self.contestant.name


def _granian(module: str) -> tuple[str, ...]:
    """The same server and the same settings as `open311 serve`."""
    options = "--interface wsgi --host 127.0.0.1 --port {port} --workers 2 --blocking-threads 2 --backpressure 64"
    target = f"tests.benchmarks.contestants.{module}:application"
    return ("{python}", "-m", "granian", *options.split(), "--no-ws", "--log-level", "warning", target)


OURS = Contestant(
    name="ours",
    title="open311 (stored renditions, granian)",
    command=("{python}", "-m", "open311", "serve", "--port", "{port}", "--workers", str(WORKERS)),
    # As shipped, log lines and rate counting included; only the rate itself is out of the way.
    environment={"OPEN311_POST_RATE": "100000000 per minute"},
)
NAIVE = Contestant(
    name="naive",
    title="flask-smorest + ORM + marshmallow (granian)",
    command=_granian("naive"),
)
FASTAPI = Contestant(
    name="fastapi",
    title="FastAPI + asyncpg + orjson (uvicorn, uvloop)",
    command=(
        *("{python}", "-m", "uvicorn", "tests.benchmarks.contestants.fast:application"),
        *("--host", HOST, "--port", "{port}", "--workers", str(WORKERS), "--loop", "uvloop"),
        *("--http", "httptools", "--no-access-log", "--log-level", "warning"),
    ),
    needs=("fastapi", "uvicorn", "asyncpg", "uvloop", "httptools"),
)
RAW = Contestant(
    name="raw",
    title="raw WSGI joining the same renditions (granian)",
    command=_granian("raw"),
)
BARE = Contestant(
    name="bare",
    title="bare Flask view, bytes from memory (granian)",
    command=_granian("bare"),
)
ALL = (OURS, NAIVE, FASTAPI, RAW, BARE)


def checkout(folder: Path, asked: Sequence[str]) -> Contestant:
    """Our server as another checkout of this repository has it, run by its .venv, or else by ours."""
    python = folder / ".venv" / "bin" / "python"
    words = (str(python), *OURS.command[1:]) if python.exists() else OURS.command
    return replace(OURS, name="other", title=commit(folder), command=words, asked=tuple(asked), folder=folder)


def commit(folder: Path) -> str:
    """The commit that is checked out there, and whether it was changed."""
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False, cwd=folder
    )
    return done.stdout.strip() or "unknown"


@contextmanager
def running(contestant: Contestant, environment: Mapping[str, str], log: Path) -> Iterator[Server]:
    """Start a contestant, wait for its first answer, stop it at the end of the block, whatever the end."""
    port = _free_port()
    words = [word.format(python=sys.executable, port=port) for word in contestant.command]
    everything = {**environment, **_resolved(contestant.environment, environment)}
    with (
        log.open("ab") as output,
        started(words, everything, stdout=output, stderr=output, folder=contestant.folder) as process,
    ):
        wait_for_answer(contestant, port, process.poll, log)
        yield Server(contestant, port, process.pid)


@contextmanager
def started(
    words: Sequence[str],
    environment: Mapping[str, str],
    *,
    stdout: Output,
    stderr: Output,
    longest_s: float | None = None,
    folder: Path = ROOT,
) -> Iterator[subprocess.Popen[bytes]]:
    """A process and all that it starts, stopped at the end of the block, whatever the end.

    longest_s  when it is killed even if the block still waits for it; None for never
    """
    kept = {name: value for name, value in os.environ.items() if name != NO_BYTECODE}
    process = subprocess.Popen(
        words,
        cwd=folder,
        env={**kept, **environment},
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        start_new_session=True,  # Ctrl-C comes to us alone; we stop it in order
        preexec_fn=_end_with_parent(),
    )
    watchdog = threading.Timer(longest_s, process.kill) if longest_s else None
    try:
        if watchdog:
            watchdog.start()
        yield process
    finally:
        if watchdog:
            watchdog.cancel()
        _stop(process)


def wait_for_answer(contestant: Contestant, port: int, ended: Callable[[], int | None], log: Path) -> None:
    """Ask until the probe is answered with 200."""
    request = call("GET", contestant.probe)
    give_up_at = time.monotonic() + START_S
    while time.monotonic() < give_up_at:
        with suppress(OSError, Refused):
            if ask(port, request, timeout_s=5.0).status == 200:
                return
        if ended() is not None:
            break
        time.sleep(0.005)  # a port that begins to listen tells nobody
    raise Refused(f"{contestant.name} does not answer {contestant.probe}; see {log}")


def _resolved(own: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """A contestant's own variables; `$NAME` stands for one that all are given."""
    return {name: given[value[1:]] if value.startswith("$") else value for name, value in own.items()}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _end_with_parent() -> Callable[[], None]:
    """Has the kernel end the child when we are killed in a way that leaves no time to do it."""
    prctl = ctypes.CDLL(None).prctl
    return lambda: prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """The process and, should that not be enough, the group that it leads."""
    with suppress(ProcessLookupError):
        process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(STOP_S)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # its own session: nobody else is in it
    process.wait()
