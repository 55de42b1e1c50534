"""`make chaos` with a sixteenth of its reports: they travel between real servers, which are killed in turn."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks.chaos import CLASSES, run

REPORTS, KILLS = 62, 11


@pytest.mark.long
def test_no_report_is_lost_or_doubled_while_everything_is_killed(tmp_path: Path) -> None:
    table = run(tmp_path, reports=REPORTS, seed=16, least_kills=KILLS, say=print)
    assert table.faults == [], str(table)
    assert table.kills >= KILLS
    assert {name: row["reported"] > 0 for name, row in table.rows.items()} == dict.fromkeys(CLASSES, True)
