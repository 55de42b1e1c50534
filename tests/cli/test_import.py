"""`open311 import`: what it prints, what it stores, its exit status."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from flask.testing import FlaskClient

from open311.cli import main
from open311.clock import utc_now
from open311.domain.requests import Status
from open311.operations.importing.processes import ALONE_ROWS
from open311.operations.platform import Platform
from open311.settings import Settings
from open311.storage.engine import Database
from tests import build
from tests.processes import children
from tests.waiting import until

SAMPLES = Path(__file__).parent.parent / "samples"
HEADER = "service_request_id,service_code,status,requested_datetime,address\n"
OBJECT = '{"service_request_id": "%d", "service_code": "potholes", "requested_datetime": "2026-04-03T14:10:00Z"}'
ALL = {"start_date": "2026-04-01", "end_date": "2026-04-30"}

Run = Callable[..., Result]


def lines(first: int, last: int) -> str:
    return "".join(
        f"{number},potholes,open,2026-04-03T14:10:00Z,5 Mill Lane\n" for number in range(first, last + 1)
    )


@pytest.fixture
def run(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `open311 import …`."""
    monkeypatch.setenv("DATABASE_URL", settings.database_url)
    monkeypatch.setenv("OPEN311_JURISDICTIONS", "demo,newyork")
    CliRunner().invoke(main, ["jurisdictions", "sync"])

    def invoke(*words: str | Path, given: str | bytes = "") -> Result:
        return CliRunner().invoke(main, ["import", *map(str, words)], input=given)

    return invoke


@pytest.fixture
def file(tmp_path: Path) -> Callable[..., Path]:
    def write(name: str, content: str) -> Path:
        path = tmp_path / name
        path.write_text(content)
        return path

    return write


def count(platform: Platform) -> int:
    with platform.database.reading() as connection:
        return int(connection.exec_driver_sql("SELECT count(*) FROM service_request").scalar_one())


def ids(client: FlaskClient) -> list[str]:
    found = client.get("/open311/v2/requests.json", query_string=ALL).json
    return sorted(item["service_request_id"] for item in found or [])


def test_the_help_names_options_a_format_an_example_and_the_exit_status(run: Run) -> None:
    shown = run("--help").output
    for words in (
        "--jurisdiction",
        "newyork-csv",
        "--report",
        "--dry-run",
        "Exit status",
        "open311 import 2024.csv",
    ):
        assert words in shown


def test_a_clean_file_is_imported(run: Run, file: Callable[..., Path], client: FlaskClient) -> None:
    path = file("clean.csv", HEADER + lines(1, 3))
    result = run(path, "--jurisdiction", "city.example")
    assert result.exit_code == 0
    assert (
        result.output
        == "clean.csv (georeport-csv): 3 read, 3 new, 0 changed, 0 unchanged, 0 conflicting, 0 refused\n"
    )
    assert ids(client) == ["1", "2", "3"]
    again = run(path, "--jurisdiction", "city.example")
    assert (again.exit_code, ids(client)) == (0, ["1", "2", "3"])
    assert "0 new, 0 changed, 3 unchanged" in again.output


def test_a_report_does_not_overwrite_a_file_to_import(run: Run, file: Callable[..., Path]) -> None:
    path = file("clean.csv", HEADER + lines(1, 3))
    same = path.with_name("same.csv")
    same.symlink_to(path)
    for report in (path, same):
        result = run(path, "--jurisdiction", "city.example", "--report", report)
        assert result.exit_code == 2
        assert "is a file to import; name another one." in result.output
    assert path.read_text() == HEADER + lines(1, 3)


def test_a_report_that_cannot_be_written_is_a_usage_error(run: Run, file: Callable[..., Path]) -> None:
    path = file("clean.csv", HEADER + lines(1, 3))
    result = run(path, "--jurisdiction", "city.example", "--report", path / "refused.csv")
    assert result.exit_code == 2
    assert "Invalid value for --report: " in result.output


def test_a_file_whose_name_is_not_utf8_is_imported(
    run: Run, file: Callable[..., Path], client: FlaskClient
) -> None:
    path = file(os.fsdecode(b"h\xe4fen.csv"), HEADER + lines(1, 1))
    assert run(path, "--jurisdiction", "city.example").exit_code == 0
    assert ids(client) == ["1"]


def test_refused_rows_are_shown_with_reasons_and_corrections_are_counted(run: Run) -> None:
    result = run(SAMPLES / "newyork.csv", "--jurisdiction", "nyc.gov")
    assert result.exit_code == 3
    printed = result.output.splitlines()
    assert printed[:4] == [
        "newyork.csv, row 10, line 11: 90000010: requested_datetime: is missing.",
        "newyork.csv, row 11, line 12: 90000011: requested_datetime: '1900-01-01T00:00:00' is impossible: the"
        " opening must not be before 1980 or in the future.",
        "newyork.csv, row 12, line 13: service_request_id: is missing.",
        "newyork.csv (newyork-csv): 12 read, 9 new, 0 changed, 0 unchanged, 0 conflicting, 3 refused",
    ]
    assert "       2  a date is impossible for a 311 request, such as 1900 or 2100: the date is dropped" in printed
    assert printed[-1].startswith("newyork.csv: not read: address_type, bbl, ")
    assert len(printed) == 12


@pytest.mark.parametrize(
    ("name", "content", "place"),
    [
        ("rows.csv", HEADER + lines(1, 1) + "\n,,,,\n" + lines(2, 2), "row 2, line 4"),
        ("rows.json", f"[{OBJECT % 1}, {{}}, {OBJECT % 2}]", "row 2"),
        ("rows.jsonl", f"{OBJECT % 1}\n\n{{}}\n{OBJECT % 2}\n", "row 2, line 3"),
    ],
)
def test_a_row_without_values_is_refused_and_counted(
    run: Run, file: Callable[..., Path], client: FlaskClient, name: str, content: str, place: str
) -> None:
    result = run(file(name, content), "--jurisdiction", "city.example")
    assert result.exit_code == 3
    assert (
        f"{name}, {place}: requested_datetime: is missing. service_request_id: is missing."
        " service_code: is missing, and so is service_name.\n"
    ) in result.output
    assert "3 read, 2 new, 0 changed, 0 unchanged, 0 conflicting, 1 refused" in result.output
    assert ids(client) == ["1", "2"]


@pytest.mark.parametrize("name", ["report.csv", "report.jsonl"])
def test_the_report_has_every_refused_row(run: Run, file: Callable[..., Path], tmp_path: Path, name: str) -> None:
    path = file("dirty.csv", HEADER + "".join(f"{number},potholes,open,never,x\n" for number in range(1, 31)))
    result = run(path, "--jurisdiction", "city.example", "--report", tmp_path / name)
    assert result.exit_code == 3
    assert result.output.count("is not a date and time") == 20
    assert "dirty.csv: 10 more rows refused; --report FILE has them all" in result.output
    text = (tmp_path / name).read_text()
    rows = (
        list(csv.DictReader(text.splitlines()))
        if name.endswith("csv")
        else list(map(json.loads, text.splitlines()))
    )
    assert [str(row["row"]) for row in rows] == [str(number) for number in range(1, 31)]
    assert set(rows[0]) == {"file", "row", "line", "service_request_id", "outcome", "reason"}
    assert rows[29]["service_request_id"] == "30"


def test_the_first_import_stores_and_reports_the_catalogue_of_only_its_city(
    run: Run, file: Callable[..., Path], sweeper: Database
) -> None:
    with sweeper.transaction() as connection:
        connection.exec_driver_sql("DELETE FROM edition; DELETE FROM service; DELETE FROM department")
        connection.exec_driver_sql("DELETE FROM jurisdiction")
    path = file("clean.csv", HEADER + lines(1, 3))
    dry = run(path, "--jurisdiction", "city.example", "--dry-run")
    assert dry.exit_code == 1
    assert "the catalogue of city.example is not stored yet, and a dry run writes nothing" in dry.stderr
    first = run(path, "--jurisdiction", "city.example")
    assert first.output.startswith(
        "Stored the catalogue, which the rows refer to: city.example: new, with 12 services"
    )
    with sweeper.reading() as connection:
        found = connection.exec_driver_sql("SELECT jurisdiction_id FROM jurisdiction").scalars().all()
    assert found == ["city.example"]


def test_a_dry_run_stores_nothing(run: Run, file: Callable[..., Path], client: FlaskClient) -> None:
    result = run(file("clean.csv", HEADER + lines(1, 3)), "--jurisdiction", "city.example", "--dry-run")
    assert "3 read, would be 3 new, 0 changed" in result.output
    assert ids(client) == []


def test_conflicts_are_printed_and_written_to_the_report_with_their_rule(
    run: Run, file: Callable[..., Path], tmp_path: Path, client: FlaskClient, platform: Platform
) -> None:
    path, report = file("clean.csv", HEADER + lines(1, 2)), tmp_path / "report.csv"
    run(path, "--jurisdiction", "city.example")
    build.change(platform, "2", status=Status.CLOSED, now=utc_now())
    for words in ([], ["--dry-run"]):
        result = run(path, "--jurisdiction", "city.example", "--report", report, *words)
        assert result.exit_code == 0
        assert "clean.csv, row 2, line 3: 2: status: was changed here at " in result.output
        assert "2 read, " in result.output
        assert "0 changed, 1 unchanged, 1 conflicting, 0 refused" in result.output
        (conflict,) = csv.DictReader(report.read_text().splitlines())
        assert (conflict["row"], conflict["outcome"]) == ("2", "conflicting")
    assert ids(client) == ["1", "2"]


def test_a_file_can_be_read_from_standard_input(run: Run, client: FlaskClient) -> None:
    result = run("-", "--jurisdiction", "city.example", given=HEADER + lines(1, 2))
    assert result.output.startswith("standard input (georeport-csv): 2 read, 2 new")
    assert ids(client) == ["1", "2"]


def test_an_empty_file_has_no_requests(run: Run, file: Callable[..., Path]) -> None:
    result = run(file("empty", ""), "--jurisdiction", "city.example")
    assert (result.exit_code, "0 read, 0 new" in result.output) == (0, True)


def test_a_file_in_an_unknown_format_does_not_stop_the_others(
    run: Run, file: Callable[..., Path], client: FlaskClient
) -> None:
    wrong = file("prices.csv", "name,price\na,1\n")
    result = run(wrong, file("clean.csv", HEADER + lines(1, 3)), "--jurisdiction", "city.example")
    assert result.exit_code == 1
    assert "prices.csv: fits none of the column maps austin, " in result.output
    assert (
        "its columns are name, price; write one (jurisdictions/README.md) and give it by --columns."
        in result.output
    )
    assert ids(client) == ["1", "2", "3"]


def test_the_error_for_missing_columns_names_them(run: Run, file: Callable[..., Path]) -> None:
    result = run(file("a.csv", HEADER), "--jurisdiction", "nyc.gov", "--format", "newyork-csv")
    assert result.exit_code == 1
    assert "lacks the columns unique_key, created_date, complaint_type of newyork data" in result.output


MAP = """
[columns]
service_request_id = "Ticket"
service_code = "Kind"
status = "State"
requested_datetime = "Opened"
"""


def test_a_column_map_reads_a_new_citys_file(run: Run, file: Callable[..., Path], client: FlaskClient) -> None:
    tickets = file("tickets.csv", "Ticket,Kind,State,Opened,Caller\n1,potholes,Open,4/3/2026 8:00,Ann\n")
    result = run(tickets, "--jurisdiction", "city.example", "--columns", file("oldtown.toml", MAP))
    assert result.exit_code == 0
    assert result.output.splitlines() == [
        "tickets.csv has dates such as '4/3/2026 8:00', which fit both orders; they are read with the month first,"
        " as the column map oldtown declares."
        " If that is wrong, set `dates` in a column map and give it by --columns.",
        "tickets.csv (oldtown-csv): 1 read, 1 new, 0 changed, 0 unchanged, 0 conflicting, 0 refused",
        "tickets.csv: not read: caller",
    ]
    assert ids(client) == ["1"]


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ("nowhere", "'nowhere' is no file, and none of austin, calgary, "),
        ("", "'' is no file, and none of austin, calgary, "),
        ("n" * 300, "n' is no file, and none of austin, calgary, "),
        ("wrong.toml", "wrong.toml: columns is missing"),
    ],
)
def test_an_invalid_column_map_ends_the_command(
    run: Run, file: Callable[..., Path], columns: str, words: str
) -> None:
    path = file(columns, "") if columns.endswith(".toml") else columns
    result = run(file("clean.csv", HEADER), "--jurisdiction", "city.example", "--columns", path)
    assert result.exit_code == 2
    assert words in result.output


def test_a_truncated_file_is_imported_up_to_its_end(
    run: Run, file: Callable[..., Path], client: FlaskClient
) -> None:
    item = (
        "<request><service_request_id>{}</service_request_id><service_code>potholes</service_code>"
        "<requested_datetime>2026-04-03T14:10:00Z</requested_datetime><status>open</status></request>"
    )
    cut = "<service_requests>" + item.format(1) + item.format(2) + item.format(3)[:-30]
    result = run(file("cut.xml", cut), "--jurisdiction", "city.example")
    assert result.exit_code == 1
    assert "cut.xml (georeport-xml): 2 read, 2 new" in result.output
    assert "cut.xml: is not well-formed XML: line 1" in result.output
    assert ids(client) == ["1", "2"]


def test_an_unknown_city_and_a_missing_file_are_reported(run: Run, file: Callable[..., Path]) -> None:
    path = file("clean.csv", HEADER)
    assert "'nowhere.example' is not served here" in run(path, "--jurisdiction", "nowhere.example").output
    assert "send one of city.example, nyc.gov" in run(path).output
    assert run("no-such-file.csv").exit_code == 2
    assert run(path, "--report", "no/such/folder.csv").exit_code == 2


def test_ctrl_c_prints_the_stored_rows_and_the_next_run_stores_the_rest(
    run: Run, tmp_path: Path, file: Callable[..., Path], platform: Platform
) -> None:
    pipe = tmp_path / "pipe.csv"
    os.mkfifo(pipe)
    words = ["import", str(pipe), "--jurisdiction", "city.example", "--batch-rows", "10"]
    command = [sys.executable, "-m", "open311", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process, pipe.open("w") as stream:
        stream.write(HEADER + lines(1, 1_000))
        stream.flush()
        until(lambda: count(platform) >= 900, "900 rows")
        process.send_signal(signal.SIGINT)
        printed, _ = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Stopped. Run the same command again to continue." in printed
    stored = count(platform)
    assert f"pipe.csv (georeport-csv): {stored} read, {stored} new" in printed
    result = run(file("whole.csv", HEADER + lines(1, 1_000)), "--jurisdiction", "city.example")
    assert f"{1_000 - stored} new, 0 changed, {stored} unchanged" in result.output
    assert count(platform) == 1_000


def test_repeated_ctrl_c_ends_all_processes_and_frees_all_resources(
    run: Run, tmp_path: Path, platform: Platform
) -> None:
    """A second Ctrl-C while the helpers end used to print tracebacks and a warning about semaphores."""
    pipe = tmp_path / "pipe.csv"
    os.mkfifo(pipe)
    words = ["import", str(pipe), "--jurisdiction", "city.example", "--processes", "2", "--batch-rows", "1000"]
    command = [sys.executable, "-m", "open311", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:

        def has_ended() -> bool:
            process.send_signal(signal.SIGINT)
            return process.poll() is not None

        with pipe.open("w") as stream, suppress(BrokenPipeError):
            stream.write(HEADER + "no service\n" * (ALONE_ROWS + 1_001))  # refused rows take the least time
            stream.flush()
            until(lambda: children(process.pid, "spawn_main"), "a helper")
            until(has_ended, "the end")
        printed, complaints = process.communicate(timeout=60)
    assert process.returncode == 130
    assert complaints == ""
    assert "Stopped. Run the same command again to continue." in printed
