"""The supervisor of `open311 run`: keeps server, worker and private database running, and stops them together."""

from __future__ import annotations

import http.client
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from types import FrameType

from open311.cli.output import fail, say
from open311.cli.parent import PARENT_VARIABLE
from open311.cli.signals import GRACE_S
from open311.embedded import Cluster
from open311.errors import Misconfigured
from open311.settings import Settings

FIRST_ANSWER_S = 60.0
SPARE_S = 5.0
"""A child that has not ended within the sum of `drain_s`, `GRACE_S` and this time is killed."""


class Supervisor:
    """Runs `open311 serve` and `open311 worker` as child processes until a signal stops it.

    cluster  the private database, which this process keeps running; None if DATABASE_URL names a database
    """

    COMMANDS = ("serve", "worker")
    """Children are started and stopped in this order. So the worker still runs during the server's last calls."""

    def __init__(self, environment: dict[str, str], settings: Settings, cluster: Cluster | None) -> None:
        self._environment = environment | {PARENT_VARIABLE: "stdin"}
        self._settings = settings
        self._cluster = cluster
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._is_stopping = threading.Event()

    def run(self, greet: Callable[[str], None]) -> None:
        """Start the children, and restart any that die, until SIGINT, SIGTERM or SIGHUP arrives.

        greet  called with the server's address once the server answers
        """
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._stop)
        try:
            for command in self.COMMANDS:
                self._start(command)
            if self._answers():
                greet(f"http://{self._settings.host}:{self._settings.port}")
            while not self._is_stopping.wait(0.5):
                self._restart_dead()
        finally:
            self._end_children()

    def _stop(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        self._is_stopping.set()

    def _start(self, command: str) -> None:
        self._children[command] = subprocess.Popen(  # noqa: S603  # our own program
            [sys.executable, "-m", "open311", command],
            env=self._environment,
            stdin=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C must reach only this process, which ends the children in order
        )

    def _answers(self) -> bool:
        """Wait for the server's first answer. Returns False if a signal to stop comes first."""
        deadline = time.monotonic() + FIRST_ANSWER_S
        while not self._is_stopping.wait(0.1):
            if self._children["serve"].poll() is not None:
                fail("the server ended while starting; its last lines say why.")
            if is_answering(self._settings.host, self._settings.port):
                return True
            if time.monotonic() > deadline:
                fail(f"the server did not answer within {FIRST_ANSWER_S:.0f} seconds.")
        return False

    def _restart_dead(self) -> None:
        """Restart what has died. The database comes first, because the children need it."""
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
        kill_after_s = GRACE_S + self._settings.drain_s + SPARE_S
        for command in self.COMMANDS:
            child = self._children.get(command)
            if child is None:
                continue
            if child.poll() is None:
                child.terminate()
            try:
                child.wait(kill_after_s)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def is_answering(host: str, port: int) -> bool:
    """Whether a server answers /healthz."""
    try:
        with closing(http.client.HTTPConnection(host, port, timeout=2)) as connection:
            connection.request("GET", "/healthz")
            return connection.getresponse().status == 200
    except OSError:
        return False
