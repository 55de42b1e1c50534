"""`open311 notices`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from flask.testing import FlaskClient

from open311.cli import main
from open311.clock import utc_now

Run = Callable[..., Result]
UNTIL = ("--until", "2090-01-01")


@pytest.fixture
def run(shell: None, client: FlaskClient) -> Run:
    """Runs commands with the tests' database and only the demo city."""
    return lambda *arguments: CliRunner().invoke(main, ["notices", *arguments], prog_name="open311")


def soon(days: int = 2) -> tuple[str, str]:
    return ("--until", (utc_now() + timedelta(days=days)).isoformat())


def test_a_notice_is_added_shown_and_ended(run: Run, client: FlaskClient) -> None:
    added = run("add", "Water is off", "--text", "A pipe.", "--in", "es", "No hay agua", "", *soon())
    assert added.exit_code == 0, added.output
    number = re.findall(r"Notice (\d+) is shown from", added.output)[0]
    (shown,) = client.get("/open311/v2/notices.json?locale=es").json
    assert (shown["notice_id"], shown["headline"]) == (number, "No hay agua")
    listed = run("list").output
    assert "Water is off" in listed
    assert "the whole city" in listed
    assert run("end", number, "--reason", "It runs.").exit_code == 0
    again = run("end", number)
    assert (again.exit_code, "is over" in again.output) == (1, True)
    assert "past" in run("list").output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("Water", *UNTIL), "--until: is more than 366 days after the beginning"),
        (("Water", "--until", "soon"), "--until: "),
        (("Water", *UNTIL, "--area", "Nowhere"), "--area: 'Nowhere' is no area of the city"),
        (("Water", *UNTIL, "--service", "bridges"), "--service: 'bridges' is no service"),
        (("", *UNTIL), "texts: need one line as headline in en"),
    ],
)
def test_the_error_for_a_faulty_notice_names_the_option(run: Run, arguments: tuple[str, ...], message: str) -> None:
    refused = run("add", *arguments)
    assert refused.exit_code == 1
    assert message in " ".join(refused.output.split())


def test_the_polygon_of_a_notice_is_read_from_a_file(run: Run, client: FlaskClient, tmp_path: Path) -> None:
    shape = tmp_path / "shape.geojson"
    ring = [[24.9, 60.1], [25.0, 60.1], [25.0, 60.2], [24.9, 60.2], [24.9, 60.1]]
    shape.write_text(json.dumps({"type": "Polygon", "coordinates": [ring]}), encoding="utf-8")
    assert run("add", "Water", "--polygon", str(shape), *soon()).exit_code == 0
    assert client.get("/open311/v2/notices.json").json[0]["boundary"]["type"] == "Polygon"
    shape.write_text("{", encoding="utf-8")
    refused = run("add", "Water", "--polygon", str(shape), *soon())
    assert "--polygon: has no JSON" in refused.output


def test_a_headline_cannot_control_the_terminal(run: Run) -> None:
    assert run("add", "Water \u202e off", *soon()).exit_code == 0
    assert "\u202e" not in run("list").output
