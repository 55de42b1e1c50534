"""The lines of the log, in a process of their own, because a logger keeps the level of its first use."""

from __future__ import annotations

import json
import subprocess
import sys


def test_a_text_that_utf_8_cannot_write_is_logged_with_escapes() -> None:
    program = (
        "from open311.observe import configure_logs, logger\n"
        "configure_logs('info')\n"
        "logger('test').error('a file cannot be read', file='c\\udcff.csv')\n"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (found.returncode, found.stdout) == (0, "")
    assert json.loads(found.stderr)["file"] == "c\udcff.csv"
