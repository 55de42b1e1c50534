"""`open311 serve` as a service manager starts and stops it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from open311.cli.servers import GRACE_S
from open311.settings import Settings
from tests.waiting import until


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        free: int = taken.getsockname()[1]
        return free


def is_listening(port: int) -> bool:
    """Whether the server's socket is there, which it is before its web processes can serve."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_a_server_that_is_stopped_while_it_starts_ends_at_once(settings: Settings, port: int) -> None:
    environment = os.environ | {
        "DATABASE_URL": settings.database_url,
        "OPEN311_JURISDICTIONS": "demo",
        "OPEN311_WORKERS": "3",
        "OPEN311_LOG_LEVEL": "error",
    }
    command = [sys.executable, "-m", "open311", "serve", "--port", str(port)]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as server:
        until(lambda: is_listening(port) or server.poll() is not None, "the server's socket")
        begun = time.monotonic()
        server.send_signal(signal.SIGTERM)
        _, said = server.communicate(timeout=GRACE_S + 20)
    assert server.returncode == 0, said
    assert time.monotonic() - begun < GRACE_S / 2
    assert said == ""
