"""Hostile files: each becomes a clean photo, or is refused with a reason. Nothing else happens."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

FILES = 30


def test_no_hostile_file_harms_the_server() -> None:
    """Runs in a process of its own, because it measures the memory of its children."""
    command = (sys.executable, "-m", "tests.media.hostile", "--files", str(FILES))
    run = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stdout + run.stderr
    found = json.loads(run.stdout)
    assert found["faults"] == []
    assert found["files"] == FILES
    assert found["children_left"] == 0
    assert "Traceback" not in run.stderr
    assert found["peak_mb"] <= found["limit_mb"]
    assert {"prepared", "not_an_image", "too_many_pixels", "too_much_memory", "broken"} <= found["outcomes"].keys()
