"""File locks between processes.

The kernel releases a lock when its process ends, however it ends. So a holder that is killed with -9 leaves no
count that somebody would have to repair.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from open311.embedded.processes import wait_until
from open311.errors import Misconfigured


@contextmanager
def only_one(path: Path, *, within_s: float) -> Iterator[None]:
    """A block that one process or thread at a time is in; Misconfigured when another stays in it for too long."""
    fd = _open(path)
    try:
        if not wait_until(lambda: _lock(fd), within_s=within_s):
            raise Misconfigured(f"Another process has kept {path.parent} busy for {within_s:.0f} s; end it.")
        yield
    finally:
        os.close(fd)


class Hold:
    """A shared lock: one process is among the holders of a cluster."""

    def __init__(self, path: Path) -> None:
        self._fd = _open(path)
        self._pid = os.getpid()
        fcntl.flock(self._fd, fcntl.LOCK_SH)

    def is_ours(self) -> bool:
        """Whether this process took the lock; False in a fork of it."""
        return self._pid == os.getpid()

    def is_last(self) -> bool:
        """Whether there is no other holder. If so, the lock is exclusive from now on."""
        return _lock(self._fd)

    def end(self) -> None:
        """Release the lock. Closing alone would not do: a fork may have the descriptor open and keep the lock."""
        fcntl.flock(self._fd, fcntl.LOCK_UN)
        os.close(self._fd)


def _open(path: Path) -> int:
    """A descriptor for a lock. Python opens with O_CLOEXEC: a child that inherited it would keep the lock."""
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)


def _lock(fd: int) -> bool:
    """Take the lock exclusively, unless another process has it; whether it was taken."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
