"""A small disk that a test can fill."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.waiting import until


@contextmanager
def small_disk(folder: Path, size_bytes: int) -> Iterator[None]:
    """Mount a small file system in memory at a folder. Raises PermissionError if this user may not mount one."""
    folder.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size_bytes},mode=0711", "none", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        raise PermissionError("only root can mount a file system")
    try:
        yield
    finally:
        until(lambda: _unmount(folder), f"the last file in {folder} to be closed")
        folder.rmdir()


def _unmount(folder: Path) -> bool:
    """Unmount a disk. Returns False if it is busy: a PostgreSQL that is ending may still hold its last files."""
    return subprocess.run(["umount", str(folder)], capture_output=True, check=False).returncode == 0


def fill(ballast: Path) -> None:
    """Append to a file until its disk is full."""
    for chunk in (bytes(1_000_000), bytes(4_096)):
        with suppress(OSError), ballast.open("ab", buffering=0) as file:
            while file.write(chunk) == len(chunk):
                pass
