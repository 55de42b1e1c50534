"""Functions that run small programs, and that look at other processes."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path


def output_of(*command: str) -> str:
    """The output of a small program, stripped; "" if it is missing, fails or takes more than 20 seconds."""
    try:
        done = subprocess.run(  # noqa: S603 (no word of the command comes from outside)
            command, capture_output=True, text=True, errors="replace", check=False, timeout=20
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def command_line(pid: int) -> list[bytes]:
    """The arguments of a process. On a system without /proc, only the data folder of a PostgreSQL.

    If the process is dead or a zombie, the result has no argument with text.
    """
    if Path("/proc/self/cmdline").exists():
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError):
            return []
    line = os.fsencode(output_of("ps", "-ww", "-o", "command=", "-p", str(pid)))
    # `ps` does not show where an argument ends. The data folder is between -D and the first -c.
    return [line.partition(b" -D ")[2].partition(b" -c ")[0]]


def wait_until(condition: Callable[[], bool], *, within_s: float) -> bool:
    """Call `condition` until it returns True. Returns False if it is still false after `within_s` seconds."""
    give_up_at = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > give_up_at:
            return False
        time.sleep(0.02)
    return True
