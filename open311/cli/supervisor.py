"""Keeping a server, a worker and the private database up, and taking them down together."""

from __future__ import annotations

import http.client
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from rich.progress import track

from open311.cli.shell import console, fail, say
from open311.clock import utc_now
from open311.embedded import Cluster
from open311.errors import Misconfigured
from open311.operations.access.api_keys import add_key, is_key
from open311.operations.platform import Platform
from open311.operations.upkeep.examples import add_examples
from open311.settings import Settings

PARENT_VARIABLE = "OPEN311_PARENT_PIPE"
PORTS_TO_TRY = 20
FIRST_ANSWER_S = 60.0
GRACE_S = 35.0


def hold_parent() -> None:
    """In a child of `open311 run`: end when the parent does, however it ends. Elsewhere: nothing."""
    if os.environ.pop(PARENT_VARIABLE, "") != "stdin":
        return

    def wait() -> None:
        os.read(0, 1)  # blocks until the parent's end of the pipe closes
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, daemon=True, name="parent watch").start()


class Supervisor:
    """Runs `open311 serve` and `open311 worker` as children until it is told to stop."""

    COMMANDS = ("serve", "worker")

    def __init__(self, environment: dict[str, str], settings: Settings, cluster: Cluster | None) -> None:
        self._environment = environment | {PARENT_VARIABLE: "stdin"}
        self._settings = settings
        self._cluster = cluster
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._is_stopping = threading.Event()

    def run(self, greet: Callable[[str], None]) -> None:
        """Start the children, greet once the server answers, start again what dies, stop on SIGINT or SIGTERM."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._stop)
        try:
            for command in self.COMMANDS:
                self._start(command)
            if self._answers():
                greet(f"http://{self._settings.host}:{self._settings.port}")
            while not self._is_stopping.wait(0.5):
                self._mend()
        finally:
            self._end_children()

    def _stop(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        self._is_stopping.set()

    def _start(self, command: str) -> None:
        self._children[command] = subprocess.Popen(  # noqa: S603  # our own program
            [sys.executable, "-m", "open311", command],
            env=self._environment,
            stdin=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C comes to us alone; we end the children in order
        )

    def _answers(self) -> bool:
        """Wait for the server's first answer; False if it was stopped meanwhile."""
        deadline = time.monotonic() + FIRST_ANSWER_S
        while not self._is_stopping.wait(0.1):
            if self._children["serve"].poll() is not None:
                fail("the server ended while starting; its last lines say why.")
            if is_answering(self._settings.host, self._settings.port):
                return True
            if time.monotonic() > deadline:
                fail(f"the server did not answer within {FIRST_ANSWER_S:.0f} seconds.")
        return False

    def _mend(self) -> None:
        if self._cluster is not None:
            try:
                self._cluster.ensure_running()
            except Misconfigured as error:
                say(f"The database does not start: {error}")
        for command, child in self._children.items():
            if child.poll() is not None:
                say(f"{command} ended with status {child.returncode}; starting it again.")
                self._start(command)
                self._is_stopping.wait(1)

    def _end_children(self) -> None:
        """The server first, so that its last calls find everything in place."""
        for command in self.COMMANDS:
            child = self._children.get(command)
            if child is None:
                continue
            if child.poll() is None:
                child.terminate()
            try:
                child.wait(GRACE_S)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def is_answering(host: str, port: int) -> bool:
    """Whether a server answers /healthz."""
    try:
        connection = http.client.HTTPConnection(host, port, timeout=2)
        connection.request("GET", "/healthz")
        status = connection.getresponse().status
        connection.close()
    except OSError:
        return False
    return status == 200


@contextmanager
def chosen_port(settings: Settings) -> Iterator[int]:
    """The port to serve on: the one that was set, else the first free one from the default up; ours for the block.

    Nobody listens on it before the server does, and granian shares a port with another granian without a word.
    So two runs that start at once agree by a name beside the port.
    """
    if os.environ.get("OPEN311_PORT"):
        candidates = [settings.port]
    else:
        candidates = list(range(settings.port, settings.port + PORTS_TO_TRY))
    for port in candidates:
        with socket.socket(socket.AF_UNIX) as name:
            if _is_ours(name, port) and _is_free(settings.host, port):
                yield port
                return
    fail(f"port {candidates[0]} is taken; set OPEN311_PORT to a free one.")


def _is_ours(name: socket.socket, port: int) -> bool:
    """Take a port's name, which nobody else can as long as we live. Only Linux has names without a file."""
    if sys.platform != "linux":
        return True
    try:
        name.bind(f"\0open311-port-{port}")
    except OSError:
        return False
    return True


def _is_free(host: str, port: int) -> bool:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def fill_with_examples(platform: Platform, count: int) -> None:
    """Give each empty city made-up requests, the first time."""
    cities = list(platform.registry)
    progress = track(cities, "Making up example requests", console=console, transient=True)
    added = sum(add_examples(platform, city, count=count, now=utc_now()) for city in progress)
    if added:
        say(f"Made up {added} example requests in {len(cities)} cities.")


def add_demo_key(platform: Platform) -> str:
    """The key that `open311 run` shows, the same every time; kept in a file of its own beside the database."""
    file = platform.settings.data_path / "demo-key"
    secret = file.read_text(encoding="utf-8").strip() if file.is_file() else ""
    if not secret:
        secret = f"demo-{secrets.token_urlsafe(18)}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)
        file.write_text(secret + "\n", encoding="utf-8")
    if not is_key(platform, secret):
        add_key(platform, label="demo", now=utc_now(), secret=secret)
    return secret
