"""`open311 sensors` and keys of sensors in the shell."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from open311.cli import main
from open311.domain.sensors import Observation
from open311.operations.platform import Platform
from open311.storage import sensors
from tests import build

pytestmark = pytest.mark.usefixtures("shell")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def test_sensors_are_listed_with_their_last_observation(platform: Platform) -> None:
    assert "elm-underpass-water" in run("sensors", "list").output
    seen = Observation(datastream="elm-underpass-water", at=build.NOON, result=47.5)
    with platform.database.transaction() as connection:
        sensors.take_reading(connection, "city.example", "elm-underpass", seen, key=7, now=build.NOON)
    output = run("sensors", "list", "--jurisdiction", "city.example").output
    assert "47.5 cm" in output
    assert "2026-03-01T12:00:00Z" in output
    assert "flooded: calm" in output


def test_a_key_of_sensors_is_listed_with_its_things(platform: Platform) -> None:
    add = ("keys", "add", "--label", "Gauges", "--thing", "elm-underpass")
    assert run(*add, "--jurisdiction", "city.example").exit_code == 0
    assert "things: elm-underpass" in run("keys", "list").output
    assert "jurisdiction: is missing; a key of sensors is for one city." in run(*add).output
    other = run("keys", "add", "--label", "x", "--thing", "oak", "--jurisdiction", "city.example")
    assert "things: 'oak' is no thing of city.example" in other.output
    mixed = run(*add, "--jurisdiction", "city.example", "--updates")
    assert "things: cannot be combined with other rights" in mixed.output


def test_the_bridge_checks_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "bridge.toml"
    path.write_text(
        '[server]\nurl = "https://x.example/sensors/v1"\n[broker]\nhost = "b.example"\n'
        '[[topics]]\ntopic = "t"\ndatastream = "d"\n'
    )
    refused = run("sensors", "bridge", str(path), "--check")
    assert "the environment variable SENSOR_KEY of key_env is not set." in refused.output
    monkeypatch.setenv("SENSOR_KEY", "k")
    sound = run("sensors", "bridge", str(path), "--check")
    assert sound.output == "The file is sound: 1 topics of b.example:1883 go to https://x.example/sensors/v1.\n"
