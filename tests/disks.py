"""A small disk that a test can fill."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


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
        subprocess.run(["umount", str(folder)], check=True)
        folder.rmdir()


def fill(ballast: Path) -> None:
    """Append to a file until its disk is full."""
    for chunk in (bytes(1_000_000), bytes(4_096)):
        with suppress(OSError), ballast.open("ab", buffering=0) as file:
            while file.write(chunk) == len(chunk):
                pass
