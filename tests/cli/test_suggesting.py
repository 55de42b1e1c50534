"""Commands about suggestions."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from open311.cli import main
from open311.operations.platform import Platform
from open311.operations.suggesting.models import model_path
from open311.storage import suggestions
from open311.storage.engine import Database
from tests import build


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["suggest", *arguments], prog_name="open311")


def test_the_search_is_compared_with_bm25_on_the_sentences_of_a_file(shell: None) -> None:
    Path("sentences.csv").write_text(
        "jurisdiction_id,codes,text\ncity.example,potholes,a crater in the road\nother.example,x,hole\n"
    )
    result = run("evaluate", "sentences.csv")
    assert result.exit_code == 0, result.output
    rows = [line.split() for line in result.output.splitlines()]
    assert rows[0][0] == "ranking"
    assert [row[0] for row in rows if row and row[0] in ("BM25", "search")] == ["BM25", "search"]
    assert next(row for row in rows if row[0] == "search")[1:] == ["1", "1", "(100%)", "1", "(100%)"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("text\nhole\n", "the first line must name the columns"),
        ("jurisdiction_id,codes,text\ncity.example,zzz,hole\n", "line 2: codes has zzz"),
        ("jurisdiction_id,codes,text\n", "no line is for city.example"),
    ],
)
def test_a_file_with_a_fault_is_refused(shell: None, content: str, message: str) -> None:
    Path("sentences.csv").write_text(content)
    result = run("evaluate", "sentences.csv")
    assert result.exit_code == 1
    assert message in result.output
    assert "cannot be read" in run("evaluate", "missing.csv").output


def test_a_city_without_descriptions_gets_no_model(shell: None) -> None:
    result = run("train", "--jurisdiction", "city.example")
    assert result.exit_code == 1
    assert "city.example has 0 public descriptions" in result.output


def test_a_model_that_does_not_help_is_stored_only_with_the_option_even_if_worse(
    shell: None, platform: Platform
) -> None:
    city = platform.registry.find("city.example")
    known = {"potholes": "a pothole", "graffiti": "graffiti on a wall"}
    build.store_all(
        platform,
        [
            {"number": number, "service_code": code, "description": known[code]}
            for number, code in enumerate((*known,) * 150, start=1)
        ],
    )
    result = run("train")
    assert result.exit_code == 1
    assert "finds no more than the search" in result.output
    assert not list(Path().rglob("*.npz"))
    result = run("train", "--even-if-worse")
    assert result.exit_code == 0, result.output
    assert "300 requests, 2 services" in result.output
    [file] = Path().rglob("*.npz")
    assert file.name == model_path(platform, city).name


def test_the_counts_of_a_city_are_shown_as_a_table(shell: None, sweeper: Database) -> None:
    with sweeper.transaction() as connection:
        outcomes = [suggestions.Outcome("trees", 1, False), suggestions.Outcome("potholes", 2, True)]
        suggestions.add(connection, "city.example", outcomes)
    rows = [line.split() for line in run("counts").output.splitlines() if line]
    assert rows[0] == ["service", "rank", "suggested", "chosen"]
    assert {tuple(row) for row in rows} >= {("potholes", "2", "1", "1"), ("trees", "1", "1", "0")}
