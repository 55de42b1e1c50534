"""Ports for servers that start later than their address is known, or that start again."""

from __future__ import annotations

import os
import socket
from itertools import count

FIRST, LAST = 10_000, 32_000
"""The range ends below the ports that systems give to connections: from 32768 on Linux, from 49152 elsewhere."""
_numbers = count(997 * os.getpid())
"""Each test process begins at another port, so that two of them do not choose the same port."""


def free_port() -> int:
    """A port of the loopback that is free. No connection of another test takes it before the server starts."""
    for number in _numbers:
        port = FIRST + number % (LAST - FIRST)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("count() ends")
