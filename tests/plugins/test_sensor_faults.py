"""Faults in a city's sensors and their rules, each with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from open311.errors import Misconfigured
from open311.plugins import declared
from open311.plugins.testing import find_faults

CITY = """\
id = "test.example"
name = "Testville"
time_zone = "UTC"
triage = "streets"
[[departments]]
code = "streets"
name = "Streets"
[[services]]
code = "flooding"
name = "Flooding"
[[services.attributes]]
code = "KIND"
description = "Which?"
datatype = "singlevaluelist"
required = true
values = ["water", "mud"]
"""
RULE = """\
[[sensor_rules]]
code = "flooded"
service = "flooding"
description = "{result} {unit}"
above = 30
attributes = { KIND = ["water"] }
"""
GAUGE = """\
[[sensors]]
datastream = "gauge-1"
thing = "underpass"
lat = 60.17
long = 24.94
rules = ["flooded"]
"""


def load(folder: Path, text: str) -> list[str]:
    (folder / "jurisdiction.toml").write_text(text)
    return find_faults(declared.load(folder))


def test_a_sound_rule_has_no_faults(tmp_path: Path) -> None:
    assert load(tmp_path, CITY + RULE + GAUGE) == []


@pytest.mark.parametrize(
    ("old", "new", "line", "fault"),
    [
        ("above = 30\n", "", 17, "has none of above, below and silent_minutes; give exactly one of them"),
        ("above = 30", "above = 30\nbelow = 3", 17, "has above and below; give exactly one of them"),
        (
            "above = 30",
            "silent_minutes = 9\nhysteresis = 2",
            22,
            "has hysteresis, which a rule about silence does not",
        ),
        ('service = "flooding"', 'service = "floods"', 19, "names an unknown service 'floods'"),
        ('KIND = ["water"]', "", 17, "has no answer to 'KIND', which service 'flooding' requires"),
        ('["water"] }', '["oil"] }', 22, "answers KIND = 'oil', which is not a key"),
        ('["water"] }', '["water"], X = ["1"] }', 22, "answers attribute 'X', which the service does not have"),
        ('"gauge-1"', '"gauge 1"', 24, "has an id that is empty, too long, or has other characters"),
        ('thing = "underpass"', 'thing = ""', 25, "needs a thing; write the thing's id on one line without"),
        ('["flooded"]', '["flood"]', 28, "names sensor rule 'flood', which is not declared"),
    ],
)
def test_each_fault_is_found_with_its_line(tmp_path: Path, old: str, new: str, line: int, fault: str) -> None:
    text = CITY + (RULE + GAUGE).replace(old, new, 1)
    [found] = load(tmp_path, text)
    assert fault in found
    assert found.startswith(f"{tmp_path.name}/jurisdiction.toml:{line}: ")


def test_rules_and_sensors_that_are_declared_twice_are_found(tmp_path: Path) -> None:
    found = load(tmp_path, CITY + RULE + RULE + GAUGE + GAUGE + GAUGE.replace("gauge-1", "gauge-2"))
    assert [fault.partition(": ")[2] for fault in found] == [
        "sensor rule 'flooded' is declared twice",
        "sensor 'gauge-1' is declared twice",
        *(
            f"sensor '{name}' has rule 'flooded', which another sensor of thing 'underpass' has too; declare a rule"
            " for each"
            for name in ("gauge-1", "gauge-2")
        ),
    ]


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("{result} {unit}", "{result.real}", "holds {result.real}; use some of"),
        (
            "{result} {unit}",
            "{level}",
            "holds {level}; use some of {result}, {unit}, {thing}, {address}, {minutes}.",
        ),
        ("above = 30", 'above = "30"', "above must be a number, not '30'."),
        ("above = 30", "above = nan", "above must be -1e+15 to 1e+15, not nan."),
        ("lat = 60.17", "lat = 160.17", "lat must be -90 to 90, not 160.17."),
        ("above = 30", "above = 30\ncool_down_minutes = 0", "cool_down_minutes must be 1 to 525600, not 0."),
    ],
)
def test_values_are_checked_when_the_file_is_read(tmp_path: Path, old: str, new: str, fault: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        load(tmp_path, CITY + (RULE + GAUGE).replace(old, new, 1))
    assert fault in str(caught.value)
