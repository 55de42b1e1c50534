"""A real Redis on the loopback."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.processes import is_listening
from tests.waiting import until

REDIS = shutil.which("redis-server")
needs_redis = pytest.mark.skipif(REDIS is None, reason="there is no redis-server on this machine")


@contextmanager
def redis_running(port: int, folder: Path) -> Iterator[None]:
    """Run Redis on a port during the block. It stores nothing on the disk."""
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    with subprocess.Popen([str(REDIS), *options], stdout=subprocess.DEVNULL) as process:
        try:
            until(lambda: is_listening(port), "Redis to listen")
            yield
        finally:
            process.terminate()
