"""`open311 run` with real processes: no accepted request is lost if one of the processes is killed."""

from __future__ import annotations

import itertools
import json
import os
import queue
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import pytest

from open311.cli import ports
from open311.cli.ports import claimed_port
from open311.settings import Settings
from tests.ports import free_port
from tests.processes import children, is_listening
from tests.waiting import DEADLINE_S, until

CITY = "city.example"
Field = tuple[str, str]


def _pass_on(stream: IO[str], lines: queue.Queue[str]) -> None:
    """Put the lines of a stream into a queue, and an empty line at its end."""
    for line in itertools.chain(stream, [""]):
        lines.put(line)


class Running:
    """A running `open311 run` with its own folder, and an HTTP client for it."""

    def __init__(self, folder: Path) -> None:
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("OPEN311", "DATABASE"))
        }
        environment |= {
            "OPEN311_DATA_DIR": str(folder),
            "OPEN311_JURISDICTIONS": "demo",
            "OPEN311_LOG_LEVEL": "error",
            "OPEN311_POST_RATE": "",
            "PYTHONUNBUFFERED": "1",
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "open311", "run", "--examples", "5"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.printed = self._read_until("Ctrl-C")
        self.address = re.search(r"Look around +(http://\S+)/", self.printed)[1]
        self.key = re.search(r"Demo api_key +(\S+)", self.printed)[1]
        assert f"{self.address}/desk/sign-in/staff_" in self.printed

    def _read_until(self, words: str) -> str:
        """Read the output up to a line with these words. A thread reads the rest, so the pipe never fills up."""
        assert self.process.stdout is not None
        lines: queue.Queue[str] = queue.Queue()
        stream = self.process.stdout
        threading.Thread(target=_pass_on, args=(stream, lines), daemon=True).start()
        read, deadline = "", time.monotonic() + DEADLINE_S
        while words not in read:
            line = lines.get(timeout=max(0.1, deadline - time.monotonic()))
            assert line, f"open311 run ended:\n{read}"
            read += line
        return read

    def get(self, path: str) -> tuple[int, Any]:
        """Status and parsed body; status 0 if there is no answer."""
        return self._call(urllib.request.Request(self.address + path))

    def post(self, service_code: str, description: str) -> tuple[int, Any]:
        fields = {
            "api_key": self.key,
            "jurisdiction_id": CITY,
            "service_code": service_code,
            "lat": "60.17",
            "long": "24.94",
            "description": description,
        }
        data = urllib.parse.urlencode(fields).encode()
        return self._call(urllib.request.Request(f"{self.address}/open311/v2/requests.json", data))

    def _call(self, request: urllib.request.Request) -> tuple[int, Any]:
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)
        except (OSError, ValueError):
            return 0, None

    def child(self, command: str) -> int:
        """The process id of a child; waits until the child exists."""
        pattern = f"open311 {command}"
        return until(lambda: children(self.process.pid, pattern), f"a child {command}")[0]

    def stop(self) -> int:
        """Stop the program with SIGTERM, as a service manager does; returns the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=DEADLINE_S)
        return self.process.returncode


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a space in its name. The operating system's user of the database can reach the folder."""
    with tempfile.TemporaryDirectory(prefix="open311 run ") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def started(folder: Path) -> Iterator[Callable[[], Running]]:
    """Starts `open311 run`. Programs that still run at the end of the test are stopped."""
    runs: list[Running] = []

    def start() -> Running:
        runs.append(Running(folder))
        return runs[-1]

    yield start
    for run in runs:
        run.stop()


def test_accepted_requests_survive_kill_9_of_every_process(started: Callable[[], Running], folder: Path) -> None:
    run = started()
    accepted = []

    def send(service_code: str, text: str) -> dict[str, str]:
        """The receipt of one request. The client repeats the call until the server accepts it."""
        _, body = until(
            lambda: answer if (answer := run.post(service_code, text))[0] == 200 else None, f"a POST of {text}"
        )
        receipt: dict[str, str] = body[0]
        return receipt

    def accept(text: str) -> None:
        accepted.append(send("potholes", text)["service_request_id"])

    accept("before")
    os.kill(run.child("serve"), signal.SIGKILL)
    accept("after the server's death")
    os.kill(run.child("worker"), signal.SIGKILL)
    token = send("trees", "while no worker is there")["token"]
    os.kill(postmaster(folder), signal.SIGKILL)
    accept("after the database's death")
    resolved = until(
        lambda: (run.get(f"/open311/v2/tokens/{token}.json")[1] or [{}])[0].get("service_request_id"), "the token"
    )
    run.process.kill()
    run.process.communicate(timeout=DEADLINE_S)

    again = started()
    for service_request_id in [*accepted, resolved]:
        assert again.get(f"/open311/v2/requests/{service_request_id}.json")[0] == 200
    assert again.key == run.key
    assert again.stop() == 0


def postmaster(folder: Path) -> int:
    """The process id of the private database."""
    elsewhere = folder / "pg" / "elsewhere"
    home = Path(elsewhere.read_text().strip()) if elsewhere.is_file() else folder / "pg"
    return int((home / "data" / "postmaster.pid").read_text().split()[0])


def test_calls_in_progress_finish_after_sigterm(started: Callable[[], Running]) -> None:
    run = started()
    host, port = run.address.removeprefix("http://").split(":")
    body = urllib.parse.urlencode(
        {"api_key": run.key, "service_code": "potholes", "lat": "60.17", "long": "24.94"}
    ).encode()
    with socket.create_connection((host, int(port)), timeout=20) as call:
        head = f"POST /open311/v2/requests.json HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n"
        head += f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n"
        call.sendall(f"{head}Expect: 100-continue\r\n\r\n".encode())
        assert call.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"  # the server waits for the body
        run.process.send_signal(signal.SIGTERM)
        until(lambda: not is_listening(int(port)), "a server that takes no calls any more")
        call.sendall(body)
        answer = b"".join(iter(lambda: call.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 200"), answer
    assert run.stop() == 0


def test_two_runs_that_start_at_the_same_time_get_different_ports(settings: Settings) -> None:
    with claimed_port(settings) as first, claimed_port(settings) as second:
        assert first != second
    with claimed_port(settings) as again:
        assert again <= first


def test_a_run_without_a_free_port_names_all_ports_that_it_tried(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    port = free_port()
    here = replace(settings, port=port)
    for tried, told in {2: f"ports {port} to {port + 1} are taken", 1: f"port {port} is taken"}.items():
        monkeypatch.setattr(ports, "PORTS_TO_TRY", tried)
        with ExitStack() as held:
            claims = (held.enter_context(claimed_port(here)) for _ in range(tried + 1))
            with pytest.raises(SystemExit):
                list(claims)
        assert told in capsys.readouterr().err
