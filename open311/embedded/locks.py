"""File locks between processes.

The kernel releases a lock when its process ends, even after kill -9. A counter in a file would be wrong after that.
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
    """A block that only one process or thread can run at a time. Raises Misconfigured after `within_s` seconds."""
    fd = _open(path)
    try:
        if not wait_until(lambda: _lock(fd), within_s=within_s):
            raise Misconfigured(f"Another process has kept {path.parent} busy for {within_s:.0f} s; end it.")
        yield
    finally:
        os.close(fd)


class Hold:
    """A shared lock that makes this process a holder of the cluster."""

    def __init__(self, path: Path) -> None:
        self._fd = _open(path)
        self._pid = os.getpid()
        fcntl.flock(self._fd, fcntl.LOCK_SH)

    def is_ours(self) -> bool:
        """Whether this process took the lock; False in a fork."""
        return self._pid == os.getpid()

    def is_last(self) -> bool:
        """Whether there is no other holder. If so, the lock becomes exclusive."""
        return _lock(self._fd)

    def end(self) -> None:
        """Release the lock explicitly, because a fork may still have the file open after we close it."""
        fcntl.flock(self._fd, fcntl.LOCK_UN)
        os.close(self._fd)


def _open(path: Path) -> int:
    """Open a lock file. Python sets O_CLOEXEC, so that child programs do not inherit the lock."""
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)


def _lock(fd: int) -> bool:
    """Try to take the lock exclusively. Returns whether it was taken."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
