"""Folders for clusters.

These fixtures do not use `tmp_path`, because other users cannot enter it. If the tests run as root, the server's
user could not enter a cluster in it, and the cluster would use another folder for its data. The names of these
folders contain a space, because people may clone the repository into a folder with a space in its name.
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
    """A folder that every user can enter. It is removed at the end of the block."""
    path = Path(tempfile.mkdtemp(prefix="open311 test "))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def folder() -> Iterator[Path]:
    with open_folder() as path:
        yield path
