"""Files that commands write."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from open311.errors import Misconfigured


@contextmanager
def new_private_file(path: Path, option: str) -> Iterator[IO[bytes]]:
    """A new file that only its owner can read. Raises Misconfigured if it exists or cannot be made.

    option  the option or argument that names the file, for the error
    """
    try:
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise Misconfigured(f"{option}: {path} cannot be made: {error.strerror}.") from None
    with os.fdopen(number, "wb") as file:
        yield file
