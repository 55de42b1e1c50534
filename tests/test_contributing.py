"""The functions and files that CONTRIBUTING.md names exist."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
GUIDE = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
_JOURNEYS = GUIDE.partition("## Five journeys\n")[2].partition("\n## ")[0]
JOURNEYS = {
    name: re.findall(r"^\d+\. `([\w.]+)`: .", steps, re.MULTILINE)
    for name, steps in re.findall(r"\*\*(.+?)\*\*(.*?)(?=\n\*\*|\Z)", _JOURNEYS, re.DOTALL)
}


def test_there_are_five_journeys_with_ten_steps() -> None:
    assert {name: len(steps) for name, steps in JOURNEYS.items()} == {
        "A POST": 10,
        "A list": 10,
        "A token": 10,
        "An import": 10,
        "A delivery": 10,
    }


@pytest.mark.parametrize("step", sorted({step for steps in JOURNEYS.values() for step in steps}))
def test_every_step_of_a_journey_exists(step: str) -> None:
    module, _, name = step.rpartition(".")
    target = getattr(import_module(module), name, None)
    assert callable(getattr(target, "view", target)), "a step must be a function, or an endpoint with a view"


def test_every_file_named_in_the_guide_exists() -> None:
    folders = "open311|schemas|jurisdictions|spec|tests"
    named = set(re.findall(rf"`((?:{folders})/[\w./]*)`", GUIDE)) | {
        f"open311/{path}" for path in re.findall(r"`((?:web|storage|operations)/[\w./]*)`", GUIDE)
    }
    assert len(named) > 20
    assert sorted(path for path in named if not (REPOSITORY / path).exists()) == []
