"""Folders for clusters.

Not `tmp_path`, which other users cannot enter. If the tests run as root, the server's user could not reach a
cluster in it, and the data would be put elsewhere. The name has a space, as the folder of a clone may have.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def open_folder() -> Iterator[Path]:
    """A folder that every user can enter; removed at the end."""
    path = Path(tempfile.mkdtemp(prefix="open311 test "))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def folder() -> Iterator[Path]:
    with open_folder() as path:
        yield path
