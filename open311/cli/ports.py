"""The port of `open311 run`."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from open311.cli.output import fail
from open311.settings import Settings

PORTS_TO_TRY = 20


@contextmanager
def claimed_port(settings: Settings) -> Iterator[int]:
    """Claim a free port during the block: OPEN311_PORT if set, else the first free port from the default upwards.

    It is not enough to test whether the port is free, because the server binds it later. So each run also claims a
    name for its port.
    """
    if os.environ.get("OPEN311_PORT"):
        candidates = [settings.port]
    else:
        candidates = list(range(settings.port, settings.port + PORTS_TO_TRY))
    for port in candidates:
        with socket.socket(socket.AF_UNIX) as name:
            if _claim(name, port) and _is_free(settings.host, port):
                yield port
                return
    taken = f"port {candidates[0]} is" if len(candidates) == 1 else f"ports {candidates[0]} to {candidates[-1]} are"
    fail(f"{taken} taken; set OPEN311_PORT to a free one.")


def _claim(name: socket.socket, port: int) -> bool:
    """Bind a port's name until the socket closes. Returns False if another process has bound the name.

    Only Linux has names for sockets that need no file. On other systems this does nothing and returns True.
    """
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
