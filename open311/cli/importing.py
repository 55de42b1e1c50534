"""`open311 import`: imports requests from files, with a progress bar and a reason for each refused row."""

from __future__ import annotations

import csv
import json
import os
import stat
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self, TextIO, cast

import click
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from open311.cli.output import console, say
from open311.cli.platforms import command_platform, find_jurisdiction
from open311.cli.signals import interrupted_once
from open311.clock import utc_now
from open311.domain.imports import Finding, Refusal
from open311.domain.text import clean_text
from open311.errors import Invalid
from open311.formats.reading import ColumnMap, Source, known_maps, open_source, shipped_maps
from open311.operations.importing.batches import DEFAULT_BATCH_ROWS, Batch, Import, Tally
from open311.operations.importing.processes import Processes
from open311.operations.upkeep.sync_catalogues import store_catalogue
from open311.plugins import Misconfigured
from open311.plugins.declared.columns import load_map, named_map
from open311.starting import STOPPED

AUTO = "auto"
SHOWN_FINDINGS = 20
SHOWN_COLUMNS = 40
PLAIN_STEP_ROWS = 50_000
MAX_PROCESSES = 4
FAILED, SOME_REFUSED = 1, 3
_LINE_FORMATS = (".jsonl", ".ndjson")

Report = Callable[[str, Finding], None]
"""Called with a file's name, and with a row that was refused or that conflicts with a change made here."""


@click.command("import")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.File("rb"))
@click.option(
    "--jurisdiction",
    default="",
    help="The jurisdiction_id of the city whose requests the files have. Not needed if only one city is served.",
)
@click.option(
    "--format",
    "wanted",
    default=AUTO,
    show_default=True,
    help="The format of the files, such as newyork-csv or json; auto recognises it by their content.",
)
@click.option(
    "--columns",
    metavar="MAP",
    help="The column map of the files: a TOML file, or a name such as austin. Without it, the city's own maps and"
    " those that come with the server are tried.",
)
@click.option(
    "--report",
    "report_name",
    metavar="FILENAME",
    type=click.Path(allow_dash=True),
    help="Write every refused or conflicting row to this file: CSV, or JSON lines if its name ends in .jsonl.",
)
@click.option("--dry-run", is_flag=True, help="Read, mend and match everything, and keep nothing.")
@click.option(
    "--batch-rows",
    type=click.IntRange(1, 10_000),
    default=DEFAULT_BATCH_ROWS,
    show_default=True,
    help="Number of rows in one transaction. A stopped import loses at most the rows of its open transactions.",
)
@click.option(
    "--processes",
    "process_count",
    type=click.IntRange(1, 64),
    default=lambda: min(os.cpu_count() or 1, MAX_PROCESSES),
    show_default=f"one for each core, at most {MAX_PROCESSES}",
    help="Number of processes that share the work on a long file.",
)
def import_command(
    files: tuple[BinaryIO, ...],
    jurisdiction: str,
    wanted: str,
    columns: str | None,
    report_name: str | None,
    dry_run: bool,
    batch_rows: int,
    process_count: int,
) -> None:
    """Import requests from files and keep their ids. The FILE - is standard input.

    A file can be JSON, lines of JSON, GeoJSON, XML or CSV, and can be compressed with gzip. It can hold GeoReport
    in any known dialect, an export of this server, or the open data of a city that has a column map. The server has
    column maps of Austin, Calgary, New Orleans and Philadelphia; the maps of other cities are in the city's folder.
    jurisdictions/README.md explains how to write a column map. At the end, the command names the columns that it
    did not read.

    Faulty values are corrected and counted. A row is refused if it cannot be read, if it has no usable id, service
    or opening time, or if a request that was made here has the same id. An id that has lost digits is not usable.

    An import can be stopped and run again. If you import a newer state of the same data, only what differs is
    changed. A row that is older than the stored request changes nothing. If a source does not say when a request
    changed, the row that is imported later counts. Fields that a row leaves out stay as they are.

    A row is in conflict if the request was changed here by staff, and the file differs. The change made here stays,
    unless the row is dated later. The first 20 conflicts of a file are printed with the rule that decided them;
    --report writes all. If the file is right, change the request with a command such as `open311 requests close`.

    What was erased here stays erased, and a text that has an erased sentence is not imported. The totals at the end
    count such rows.

    A request goes to the department that the row names. If the row names none, the city's routing decides, as for a
    new request.

    CSV, XML and lines of JSON are read row by row; other JSON as a whole, up to 256 MB. Names, mail addresses and
    phone numbers of reporters are never read.

    \b
    Examples:
      open311 import requests.json --jurisdiction bloomington.in.gov
      open311 import 2024.csv 2025.csv --jurisdiction nyc.gov --report refused.csv
      curl -s https://city.example/open311/v2/requests.xml |
        open311 import - --jurisdiction city.example --dry-run

    \b
    Exit status:
      0    no row was refused; some may be in conflict with a change that was made here
      1    a file could not be read completely; the rows before the error and all other files were imported
      2    the command was called wrongly
      3    some rows were refused; all other rows were imported
      130  stopped by Ctrl-C; the rows that were counted were imported
    """
    given = None if columns is None else _given_map(columns)
    report = _reporter(None if report_name is None else _opened(report_name, files))
    try:
        with (
            interrupted_once(),
            command_platform() as platform,
            Processes(platform, process_count) as processes,
            _progress() as progress,
        ):
            city = find_jurisdiction(platform, jurisdiction)
            maps = (given,) if given else known_maps(city.column_maps)
            for change in store_catalogue(platform, city, utc_now(), is_dry_run=dry_run):
                say(f"Stored the catalogue, which the rows refer to: {change}.")
            plan = Import(
                jurisdiction=city,
                origin="",
                now=utc_now(),
                batch_rows=batch_rows,
                is_dry_run=dry_run,
            )
            importer = _FileImporter(processes, plan, progress, report)
            wanted_format = "" if wanted == AUTO else wanted
            statuses = {importer.import_file(stream, maps, wanted_format) for stream in files}
    except KeyboardInterrupt:
        say("Stopped. Run the same command again to continue.")
        sys.exit(STOPPED)
    sys.exit(next(status for status in (FAILED, SOME_REFUSED, 0) if status in statuses))


def _given_map(columns: str) -> ColumnMap:
    """The column map that --columns names."""
    path = Path(columns)
    found = None if path.suffix == ".toml" else named_map(columns)
    if found is not None:
        return found
    if not os.path.isfile(path):  # Path.is_file raises OSError for a name that is too long
        names = ", ".join(each.name for each in shipped_maps())
        raise click.BadParameter(f"{columns!r} is no file, and none of {names}.", param_hint="--columns")
    try:
        return load_map(path)
    except Misconfigured as error:
        raise click.BadParameter(str(error), param_hint="--columns") from None


@contextmanager
def _progress() -> Iterator[Progress]:
    """A progress bar on a terminal, nothing elsewhere."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %  {task.fields[rows]} rows"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console(), transient=True, disable=not console().is_terminal) as progress:
        yield progress


def _opened(name: str, files: Iterable[BinaryIO]) -> TextIO:
    """The file of --report, emptied; it is closed with the command. It must not be one of the files to import."""
    option = "--report"
    for stream in files:
        with suppress(OSError):  # the report does not exist yet, or the stream is no file
            if os.path.samestat(os.fstat(stream.fileno()), os.stat(name)):
                raise click.BadParameter(f"{name} is a file to import; name another one.", param_hint=option)
    try:
        file = click.open_file(name, "w", encoding="utf-8")
    except OSError as error:
        raise click.BadParameter(f"{name!r}: {error.strerror}", param_hint=option) from None
    return cast("TextIO", click.get_current_context().with_resource(file))


def _reporter(file: TextIO | None) -> Report:
    """A function that writes rows to the file of --report; without the option it does nothing."""
    if file is None:
        return lambda name, finding: None  # noqa: ARG005
    if file.name.lower().endswith(_LINE_FORMATS):
        return lambda name, finding: print(json.dumps(_entry(name, finding), ensure_ascii=False), file=file)
    writer = csv.DictWriter(file, ["file", "row", "line", "service_request_id", "outcome", "reason"])
    writer.writeheader()
    return lambda name, finding: writer.writerow(_entry(name, finding))


def _entry(name: str, finding: Finding) -> dict[str, str | int]:
    return {
        "file": name,
        "row": finding.position,
        "line": finding.line,
        "service_request_id": finding.service_request_id,
        "outcome": "refused" if isinstance(finding, Refusal) else "conflicting",
        "reason": finding.reason,
    }


@dataclass(frozen=True, slots=True)
class _FileImporter:
    """Imports one file after the other.

    plan    the options that are the same for all files; `origin` is replaced by each file's name
    report  is called with every refused row and every conflict
    """

    processes: Processes
    plan: Import
    progress: Progress
    report: Report

    def import_file(self, stream: BinaryIO, maps: Sequence[ColumnMap], wanted: str) -> int:
        """Import one file and print the results. Returns the exit status for this file."""
        name = _name(stream)
        try:
            source = open_source(stream, maps, wanted=wanted)
            for note in source.notes:
                say(f"{name} {note}")
            with _FileProgress(name, source, stream, self) as file:
                for batch in self.processes.import_source(source, replace(self.plan, origin=name)):
                    file.add(batch)
        except Invalid as error:
            say(f"{name}: {clean_text(str(error))}")
            return FAILED
        return SOME_REFUSED if file.tally.refused else 0


class _FileProgress:
    """The progress of one file. Counts rows and moves the bar. Always prints the totals at the end of the block."""

    def __init__(self, name: str, source: Source, stream: BinaryIO, importer: _FileImporter) -> None:
        self.tally = Tally()
        self._name = name
        self._source = source
        self._stream = stream
        self._importer = importer
        self._progress = importer.progress
        self._size = _size(stream)
        self._task = self._progress.add_task(name, total=source.count or self._size, rows=0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.remove_task(self._task)
        self._progress.refresh()
        self._print_totals()

    def add(self, batch: Batch) -> None:
        """Count a batch, report all its refusals and conflicts, and print the file's first ones."""
        self._tell(batch.refusals, self.tally.refused)
        self._tell(batch.conflicts, self.tally.conflicting)
        before, self.tally = self.tally.read, self.tally + batch.tally
        self._move_bar(before)

    def _tell(self, findings: Sequence[Finding], shown_before: int) -> None:
        """Report findings of one kind, and print the first `SHOWN_FINDINGS` of the file.

        shown_before  the number of findings of this kind that were reported before this call
        """
        for finding in findings:
            self._importer.report(self._name, finding)
        for finding in findings[: max(SHOWN_FINDINGS - shown_before, 0)]:
            say(f"{self._name}, {finding.where}: {_with_id(finding)}")

    def _move_bar(self, rows_before: int) -> None:
        """Move the bar, by rows if their number is known, else by bytes. Without a terminal, print some lines."""
        rows = self.tally.read
        if self._source.count is not None:
            self._progress.update(self._task, completed=rows, rows=rows)
        elif self._size:
            self._progress.update(self._task, completed=self._stream.tell(), rows=rows)
        if self._progress.disable and rows_before // PLAIN_STEP_ROWS < rows // PLAIN_STEP_ROWS:
            say(f"{self._name}: {rows} rows so far")

    def _print_totals(self) -> None:
        tally = self.tally
        for count, outcome in ((tally.refused, "refused"), (tally.conflicting, "conflicting")):
            if count > SHOWN_FINDINGS:
                say(f"{self._name}: {count - SHOWN_FINDINGS} more rows {outcome}; --report FILE has them all")
        would = "would be " if self._importer.plan.is_dry_run else ""
        say(
            f"{self._name} ({self._source.format}): {tally.read} read, {would}{tally.new} new, "
            f"{tally.changed} changed, {tally.unchanged} unchanged, {tally.conflicting} conflicting, "
            f"{tally.refused} refused"
        )
        for kind, count in sorted(tally.mended.items(), key=lambda item: -item[1]):
            say(f"{count:>8}  {kind}")
        if self._source.unread:
            say(f"{self._name}: not read: {_some_columns(self._source.unread)}")


def _some_columns(names: Iterable[str]) -> str:
    """The names of the first `SHOWN_COLUMNS` columns, and the number of the others."""
    found = [clean_text(name)[:40] for name in sorted(names)]
    return ", ".join(found[:SHOWN_COLUMNS]) + (
        f" and {more} more" if (more := len(found) - SHOWN_COLUMNS) > 0 else ""
    )


def _with_id(finding: Finding) -> str:
    """The finding with the row's id: `42254749: requested_datetime: is missing.`"""
    return f"{finding.service_request_id}: {finding.reason}" if finding.service_request_id else finding.reason


def _name(stream: BinaryIO) -> str:
    """The name of a file in messages: the last part of its path."""
    name = getattr(stream, "name", "-")
    if not isinstance(name, (str, bytes)) or name in ("-", "<stdin>"):
        return "standard input"
    return clean_text(os.path.basename(os.fsdecode(name)).encode("utf-8", "replace").decode())


def _size(stream: BinaryIO) -> int | None:
    """The size of a regular file in bytes. None for a pipe and the like, because their size is unknown."""
    try:
        found = os.fstat(stream.fileno())
    except OSError:
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None
