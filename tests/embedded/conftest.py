"""Folders for clusters.

Not `tmp_path`, which is closed to other users: when the tests run as root, the server's user could not reach a
cluster in it, and its data would go elsewhere. The name has a blank, as the folder of a clone may have.
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
    """A folder that every user can pass through, removed at the end."""
    path = Path(tempfile.mkdtemp(prefix="open311 test "))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def folder() -> Iterator[Path]:
    with open_folder() as path:
        yield path
