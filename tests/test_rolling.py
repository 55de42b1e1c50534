"""A rolling restart of web hosts and workers behind real load balancers loses no call and no report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.benchmarks.balancers import installed
from tests.benchmarks.rolling import run


@pytest.mark.long
@pytest.mark.skipif(not installed(), reason="there is neither nginx nor haproxy on this machine")
def test_a_rolling_restart_under_load_loses_nothing(make_database: Callable[[str], str], tmp_path: Path) -> None:
    rolled = run(tmp_path, make_database("rolling"), reads=8, writes=2)
    assert not rolled.faults, rolled
    assert rolled.restarts == 4
    assert rolled.acknowledged > 20
