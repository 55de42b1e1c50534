"""The state of processes that a test has started, as the system reports it."""

from __future__ import annotations

import socket
import subprocess


def children(parent: int, pattern: str = ".") -> list[int]:
    """The ids of a process's children whose command lines match a pattern."""
    process = subprocess.run(
        ["pgrep", "-P", str(parent), "-f", pattern], capture_output=True, text=True, check=False
    )
    return [int(line) for line in process.stdout.split()]


def is_listening(port: int) -> bool:
    """Whether a process accepts connections to this port of this machine."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
