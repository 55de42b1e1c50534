"""The output and the files of `open311 export` and `open311 dump`."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet
import pytest
from click.testing import CliRunner, Result

from open311.cli import exporting, main
from open311.domain.requests import Status
from open311.operations.platform import Platform
from open311.settings import Settings
from tests import build
from tests.formats.test_feeds import unescaped

Run = Callable[..., Result]
CITY = ("--jurisdiction", "city.example")


@pytest.fixture
def run(settings: Settings, platform: Platform, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Runs `open311 …` in an empty folder; the database has four public requests and a private one."""
    monkeypatch.setenv("DATABASE_URL", settings.database_url)
    monkeypatch.setenv("OPEN311_JURISDICTIONS", "demo")
    monkeypatch.setenv("OPEN311_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    build.store_all(
        platform,
        [
            {"number": 1, "service_request_id": "open", "description": "=cmd()"},
            {"number": 2, "service_request_id": "closed", "status": Status.CLOSED},
            {"number": 3, "service_request_id": "tree", "service_code": "trees"},
            {"number": 4, "service_request_id": "old", "at": build.NOON.replace(year=2020)},
            {"number": 5, "service_request_id": "private", "visibility": "private"},
        ],
    )
    return lambda *words: CliRunner().invoke(main, list(words))


def ids(text: str) -> list[str]:
    return [row["service_request_id"] for row in csv.DictReader(io.StringIO(text, newline=""))]


def test_help_names_formats_output_example_and_exit_status(run: Run) -> None:
    shown = run("export", "--help").output
    for words in ("--format", "geoparquet", "--output", "open311 export --output requests.csv", "Exit status"):
        assert words in shown


def test_an_export_has_all_public_requests_oldest_first(run: Run) -> None:
    result = run("export", *CITY)
    assert (result.exit_code, result.stderr) == (0, "")
    assert ids(result.stdout) == ["old", "open", "closed", "tree"]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("--status", "closed"), ["closed"]),
        (("--service-code", "trees"), ["tree"]),
        (("--service-code", "trees", "--service-code", "potholes", "--status", "open"), ["old", "open", "tree"]),
        (("--end", "2020-12-31"), ["old"]),
        (("--start", "2021-01-01"), ["open", "closed", "tree"]),
        (("--start", "2019-01-01", "--end", "2026-12-31"), ["old", "open", "closed", "tree"]),
        (("--updated-after", "2025-01-01"), ["open", "closed", "tree"]),
    ],
)
def test_export_applies_filters(run: Run, words: tuple[str, ...], found: list[str]) -> None:
    assert ids(run("export", *CITY, *words).stdout) == found


def test_each_format_has_the_same_requests(run: Run, tmp_path: Path) -> None:
    for name in ("a.csv", "a.ndjson", "a.geojson", "a.parquet", "b.csv.gz"):
        result = run("export", *CITY, "--output", name)
        assert result.output == f"{name}: 4 requests of city.example\n"
    run("export", *CITY, "--format", "bulk-csv", "--output", "bulk")
    lines = [json.loads(line) for line in (tmp_path / "a.ndjson").read_text().splitlines()]
    texts = [line["description"] for line in lines]
    assert texts == [None, "=cmd()", None, None]
    with (tmp_path / "a.csv").open(newline="") as file:
        cells = [row["description"] for row in csv.DictReader(file)]
    assert cells == ["", "'=cmd()", "", ""]
    assert [unescaped(cell) or None for cell in cells] == texts
    with (tmp_path / "bulk").open(newline="") as file:
        assert [row["description"] or None for row in csv.DictReader(file)] == texts
    features = json.loads((tmp_path / "a.geojson").read_text())["features"]
    assert [feature["properties"] for feature in features] == lines
    rows = pyarrow.parquet.read_table(tmp_path / "a.parquet").to_pylist()
    assert [row["description"] for row in rows] == texts
    assert gzip.decompress((tmp_path / "b.csv.gz").read_bytes()) == (tmp_path / "a.csv").read_bytes()
    metadata = pyarrow.parquet.read_metadata(tmp_path / "a.parquet").metadata
    assert metadata[b"attribution"] == b"Demoville"
    assert not list(tmp_path.glob("*.part"))


def test_a_failure_is_explained_and_keeps_the_old_file(run: Run, tmp_path: Path) -> None:
    (tmp_path / "old.csv").write_text("old")
    wrong_date = run("export", *CITY, "--start", "yesterday", "--output", "old.csv")
    assert wrong_date.exit_code == 1
    assert "start_date: 'yesterday' is not a date" in wrong_date.stderr
    assert "not served here" in run("export", "--jurisdiction", "nowhere").stderr
    nowhere = run("export", *CITY, "--output", "no/such/folder.csv")
    assert (nowhere.exit_code, "no/such/folder.csv: No such file" in nowhere.stderr) == (1, True)
    assert run("export", *CITY, "--format", "xlsx").exit_code == 2
    assert (tmp_path / "old.csv").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["old.csv"]


def test_without_pyarrow_the_error_says_how_to_install_it(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(exporting, "can_write_geoparquet", lambda: False)
    result = run("export", *CITY, "--output", "a.parquet")
    assert result.exit_code == 1
    assert "pip install 'open311-server[geoparquet]'" in result.stderr
    assert not (tmp_path / "a.parquet").exists()


def test_a_closed_pipe_ends_the_export_without_an_error(run: Run, settings: Settings) -> None:
    environment = os.environ | {"DATABASE_URL": settings.database_url}
    command = f"'{sys.executable}' -m open311 export --jurisdiction city.example | head -c 10"
    done = subprocess.run(
        command, shell=True, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.stderr) == ("service_re", "")


def test_a_stopped_export_says_what_it_did_not_write(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(exporting, "_write", stop)
    to_file = run("export", *CITY, "--output", "a.csv")
    assert (to_file.exit_code, to_file.stderr) == (130, "Stopped. a.csv was not written.\n")
    assert not (tmp_path / "a.csv").exists()
    to_pipe = run("export", *CITY)
    assert (to_pipe.exit_code, to_pipe.stderr) == (130, "Stopped.\n")


def test_dump_writes_todays_files(run: Run, tmp_path: Path) -> None:
    result = run("dump", *CITY)
    assert result.exit_code == 0
    folder = tmp_path / "data" / "dumps" / "city.example"
    names = sorted(path.name for path in folder.glob("requests-*"))
    assert [name.split(".", 1)[1] for name in names if not name.endswith(".sha256")] == [
        "csv.gz",
        "json",
        "ndjson.gz",
        "parquet",
    ]
    assert all(name in result.output for name in names if name.endswith((".gz", ".parquet")))
    assert "exists already" in run("dump", *CITY).output
    assert "csv.gz" in run("dump", *CITY, "--again").output
