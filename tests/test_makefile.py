"""What `make` passes on to the programs that it starts."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]


def test_programs_that_make_starts_keep_their_compiled_modules() -> None:
    shown = subprocess.run(
        ["make", "--silent", "--eval=shown: ; @env", "shown"],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "PYTHONUNBUFFERED=1" in shown.splitlines()
    assert "PYTHONDONTWRITEBYTECODE" not in shown
