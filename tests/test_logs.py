"""The lines of the log, in a process of their own, because a logger keeps the level of its first use."""

from __future__ import annotations

import json
import re
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


def test_all_times_in_the_log_are_rfc_3339_in_utc() -> None:
    program = (
        "from datetime import UTC, datetime\n"
        "from open311.observe import configure_logs, end_call, logger\n"
        "configure_logs('info')\n"
        "at = datetime(2026, 3, 1, 10, tzinfo=UTC)\n"
        "for file in ('c.csv', 'c\\udcff.csv'):\n"
        "    logger('test').error('x', at=at, file=file)\n"
        "    end_call('GET', '/' + file, 200, 0.1, is_quiet=False)\n"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    lines = [json.loads(line) for line in found.stderr.splitlines()]
    assert [line["at"] for line in lines if "at" in line] == ["2026-03-01T10:00:00Z"] * 2
    times = [line["timestamp"] for line in lines]
    assert len(times) == 4
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", time) for time in times), times
