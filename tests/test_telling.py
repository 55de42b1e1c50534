"""A hundredth of `python -m tests.benchmarks.telling`: the worker is killed while receivers misbehave."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks.telling import run


@pytest.mark.long
def test_each_subscriber_holds_what_is_public_after_kills_and_lost_answers(tmp_path: Path) -> None:
    found = run(tmp_path, changes=500, kills=3, seed=19, say=print)
    assert found.faults == [], str(found)
    assert found.kills == 3
    assert found.withdrawn > 0
