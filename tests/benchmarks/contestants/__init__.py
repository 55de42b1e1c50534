"""The measured servers: how to start each server, and its workloads.

All servers read the same requests in the same PostgreSQL and have two processes. Servers that read row by row use
`rival.request`, a plain table with the indexes that such an application has. So these indexes do not slow writes to
our tables; see data.py. Each server is as fast as a server of its kind can be, and leaves out features that do not
change the figures.
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
"""This variable is not passed to servers, because the modules of an installed server are compiled."""
_PR_SET_PDEATHSIG = 1
Output = IO[bytes] | int
"""An open file, or a constant of `subprocess`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contestant:
    """A kind of server.

    command  the command line, with placeholders {python} and {port}
    needs    required modules; without them the server is not measured
    targets  the server's own URLs by workload, with {number} for a request's number; empty for the standard's URLs
    folder   the working directory

    extra_workloads  workloads that the server can answer although their `who` does not have its name
    """

    name: str
    title: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    probe: str = PROBE
    targets: Mapping[str, str] = field(default_factory=dict)
    extra_workloads: tuple[str, ...] = ()
    folder: Path = ROOT

    @property
    def is_installed(self) -> bool:
        """Whether all required modules are installed."""
        return all(importlib.util.find_spec(name) for name in self.needs)


@dataclass(frozen=True, slots=True)
class Server:
    """A running contestant."""

    contestant: Contestant
    port: int
    pid: int

    @property
    def name(self) -> str:
        return self.contestant.name


def _granian(module: str) -> tuple[str, ...]:
    """Processes and threads as `open311 serve` has them."""
    options = "--interface wsgi --host 127.0.0.1 --port {port} --workers 2 --blocking-threads 2 --backpressure 64"
    target = f"tests.benchmarks.contestants.{module}:application"
    return ("{python}", "-m", "granian", *options.split(), "--no-ws", "--log-level", "warning", target)


OURS = Contestant(
    name="ours",
    title="open311 (stored renditions)",
    command=("{python}", "-m", "open311", "serve", "--port", "{port}", "--workers", str(WORKERS)),
    # The server writes log lines and counts rates, as by default. Only the limit is raised.
    environment={"OPEN311_POST_RATE": "100000000 per minute"},
)
NAIVE = Contestant(
    name="naive",
    title="flask-smorest + ORM + marshmallow (granian)",
    command=_granian("naive"),
)
NAIVE_ROWS = Contestant(
    name="naive-rows",
    title="the same ORM, writing the same rows as ours (granian)",
    command=_granian("naive_rows"),
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
ALL = (OURS, NAIVE, NAIVE_ROWS, FASTAPI, RAW, BARE)


def checkout(folder: Path, workloads: Sequence[str]) -> Contestant:
    """Our server from another checkout of this repository, with its own .venv if there is one."""
    python = folder / ".venv" / "bin" / "python"
    words = (str(python), *OURS.command[1:]) if python.exists() else OURS.command
    title, extra = commit(folder), tuple(workloads)
    return replace(OURS, name="other", title=title, command=words, extra_workloads=extra, folder=folder)


def commit(folder: Path) -> str:
    """The commit of a checkout, and whether it has changes."""
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False, cwd=folder
    )
    return done.stdout.strip() or "unknown"


@contextmanager
def running(contestant: Contestant, environment: Mapping[str, str], log: Path) -> Iterator[Server]:
    """Start a contestant and wait for its first answer; always stop it at the end of the block."""
    port = _free_port()
    words = [word.format(python=sys.executable, port=port) for word in contestant.command]
    variables = {**environment, **_resolve_variables(contestant.environment, environment)}
    with (
        log.open("ab") as output,
        started(words, variables, stdout=output, stderr=output, folder=contestant.folder) as process,
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
    """Start a process; always stop it and its child processes at the end of the block.

    longest_s  seconds after which the process is killed, even if the block still waits for it; None for never
    """
    own_variables = {name: value for name, value in os.environ.items() if name != NO_BYTECODE}
    process = subprocess.Popen(
        words,
        cwd=folder,
        env={**own_variables, **environment},
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        start_new_session=True,  # Ctrl-C goes only to us; we stop the process properly
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
    """Repeat the probe until its answer is 200."""
    request = call("GET", contestant.probe)
    give_up_at = time.monotonic() + START_S
    while time.monotonic() < give_up_at:
        with suppress(OSError, Refused):
            if ask(port, request, timeout_s=5.0).status == 200:
                return
        if ended() is not None:
            break
        time.sleep(0.005)  # there is no event when a port begins to listen
    raise Refused(f"{contestant.name} does not answer {contestant.probe}; see {log}")


def _resolve_variables(own: Mapping[str, str], common: Mapping[str, str]) -> dict[str, str]:
    """The environment variables of a contestant; `$NAME` refers to a variable that all contestants get."""
    return {name: common[value[1:]] if value.startswith("$") else value for name, value in own.items()}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _end_with_parent() -> Callable[[], None]:
    """Let the kernel end the child if this process is killed and cannot stop it."""
    prctl = ctypes.CDLL(None).prctl
    return lambda: prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Stop the process; if it does not end, kill its process group."""
    with suppress(ProcessLookupError):
        process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(STOP_S)
    with suppress(ProcessLookupError):
        os.killpg(
            process.pid, signal.SIGKILL
        )  # the process has its own session, so its group contains no other process of ours
    process.wait()
