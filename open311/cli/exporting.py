"""`open311 export` and `open311 dump`: public requests as files."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from enum import StrEnum
from pathlib import Path
from typing import IO, Any

import click
from isal import igzip
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from open311.cli.output import error_console, fail, say
from open311.cli.platforms import chosen_cities, command_platform, find_jurisdiction
from open311.clock import utc_now
from open311.domain.search import RequestSearch, Window
from open311.errors import Problem
from open311.formats.writing import (
    BulkCsvWriter,
    CsvWriter,
    GeoJsonWriter,
    GeoParquetWriter,
    NdjsonWriter,
    Writer,
    can_write_geoparquet,
    csv_columns,
    in_pieces,
)
from open311.formats.writing.geoparquet import INSTALL
from open311.operations.platform import Platform
from open311.operations.reading.export_requests import EXPORT_ORDER, Export, open_export
from open311.operations.reading.searches import read_search, unknown_department
from open311.operations.upkeep.dumps import make_dump, terms
from open311.plugins import Jurisdiction
from open311.starting import STOPPED
from schemas.arguments import EXTRA_FIELDS
from schemas.extensions import BulkArguments

STANDARD_OUTPUT = "-"
PART = ".part"


class ExportFormat(StrEnum):
    """The formats that `open311 export` can write."""

    CSV = "csv"
    NDJSON = "ndjson"
    GEOJSON = "geojson"
    BULK_CSV = "bulk-csv"
    GEOPARQUET = "geoparquet"


_ENDINGS = {
    ".csv": ExportFormat.CSV,
    ".ndjson": ExportFormat.NDJSON,
    ".jsonl": ExportFormat.NDJSON,
    ".geojson": ExportFormat.GEOJSON,
    ".parquet": ExportFormat.GEOPARQUET,
}


@click.command("export")
@click.option(
    "--jurisdiction", default="", help="The city's jurisdiction_id. Not needed if only one city is served."
)
@click.option(
    "--format",
    "wanted",
    type=click.Choice([str(format) for format in ExportFormat]),
    help="Format of the file.  [default: from FILE's ending, else csv]",
)
@click.option(
    "--output",
    default=STANDARD_OUTPUT,
    show_default=True,
    metavar="FILE",
    help="File to write; - is standard output. A FILE that ends in .gz is compressed.",
)
@click.option("--status", type=click.Choice(["open", "closed"]), help="Only requests with this status.")
@click.option("--service-code", multiple=True, help="Only this service; may be repeated.")
@click.option("--department", default="", metavar="CODE", help="Only requests of this department.")
@click.option("--start", default="", metavar="DATE", help="Requested at this time or later.")
@click.option("--end", default="", metavar="DATE", help="Requested at this time or before.")
@click.option("--updated-after", default="", metavar="DATE", help="Changed at this time or later.")
def export_command(
    jurisdiction: str,
    wanted: str | None,
    output: str,
    status: str | None,
    service_code: tuple[str, ...],
    department: str,
    start: str,
    end: str,
    updated_after: str,
) -> None:
    """Export public requests to a file, oldest first. All formats except bulk-csv have the extensions.

    The file contains only what the API shows: no reporters and no private requests. All requests are read from one
    snapshot of the database. Memory does not grow with the number of requests. FILE appears when it is complete.

    \b
    csv         for spreadsheets: an apostrophe stands before text that looks like a formula
    ndjson      for programs: one request a line, as in requests.json?extensions=true
    geojson     for maps: RFC 7946
    bulk-csv    GeoReport Bulk v1: 14 columns, texts unchanged
    geoparquet  for analysts: GeoParquet 1.1; needs pip install 'open311-server[geoparquet]'

    \b
    Examples:
      open311 export --output requests.csv
      open311 export --jurisdiction city.example --output 2026.ndjson.gz --start 2026-01-01
      open311 export --format geojson --status open --service-code potholes | jq .features[0]

    \b
    Exit status:
      0    everything is written
      1    something went wrong; an old FILE is unchanged, and no new FILE is written
      2    the command was called wrongly
      130  stopped by Ctrl-C
    """
    format = ExportFormat(wanted) if wanted else _format_of(output)
    _require_writable(format, output)
    values = {
        "status": status or "",
        "service_code": ",".join(service_code),
        "department": department,
        "start_date": start,
        "end_date": end,
        "updated_after": updated_after,
    }
    try:
        is_bulk_csv = format is ExportFormat.BULK_CSV
        with command_platform() as platform:
            city = find_jurisdiction(platform, jurisdiction)
            with (
                open_export(platform, _search(city, values), as_bulk_csv=is_bulk_csv) as export,
                _open_output(output) as file,
            ):
                _write(export, _writer(format, platform, city), file)
            if output != STANDARD_OUTPUT:
                say(f"{output}: {export.count:,} requests of {city.id}")
    except KeyboardInterrupt:
        unwritten = "" if output == STANDARD_OUTPUT else f" {output} was not written."
        error_console().print(f"Stopped.{unwritten}", markup=False)
        sys.exit(STOPPED)
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            raise  # the reader has closed the pipe; click ends without a message
        fail(f"{output}: {error.strerror}")


@click.command("dump")
@click.option("--jurisdiction", help="One city; without it, every city that is served.")
@click.option("--again", is_flag=True, help="Make today's dump again even if it exists.")
def dump_command(jurisdiction: str | None, again: bool) -> None:
    """Make today's public dumps now, as the worker does every day.

    A dump is a set of files in CSV, NDJSON and GeoParquet below OPEN311_DATA_DIR/dumps. The API lists the dumps
    at /open311/v2/dumps.json.

    \b
    Example:
      open311 dump --jurisdiction city.example --again
    """
    with command_platform() as platform:
        for city in chosen_cities(platform, jurisdiction):
            try:
                made = make_dump(platform, city, utc_now(), again=again)
            except OSError as error:
                fail(f"{error.filename}: {error.strerror}")
            files = ", ".join(file.name for file in made.files) if made else "today's dump exists already."
            say(f"{city.id}: {files}")
    if not can_write_geoparquet():
        say(f"GeoParquet is left out; to include it: {INSTALL}")


def _format_of(output: str) -> ExportFormat:
    name = output.lower().removesuffix(".gz")
    return _ENDINGS.get(Path(name).suffix, ExportFormat.CSV)


def _require_writable(format: ExportFormat, output: str) -> None:
    """End the command now if a GeoParquet file could not be written later."""
    if format is ExportFormat.GEOPARQUET:
        if not can_write_geoparquet():
            fail(f"GeoParquet needs pyarrow: {INSTALL}")
        if output == STANDARD_OUTPUT and sys.stdout.isatty():
            fail("GeoParquet is a binary format; name a file with --output.")


def _search(city: Jurisdiction, values: Mapping[str, str]) -> RequestSearch:
    """The search that these values mean in the API, but oldest first, and without the default window of 90 days."""
    read, faults = BulkArguments(zone=city.zone).read({name: [value] for name, value in values.items()})
    problems = [Problem(name, text) for name, text in faults]
    found = read_search(read, city, now=utc_now(), policy="allow", problems=problems)
    requested = found.requested if values["start_date"] or values["end_date"] else Window()
    if unknown := unknown_department(values["department"], city):
        error_console().print(f"Warning: {unknown}.", markup=False)
    return RequestSearch(
        jurisdiction_id=city.id,
        department=found.department,
        service_codes=found.service_codes,
        statuses=found.statuses,
        requested=requested,
        changed=found.changed,
        sort=EXPORT_ORDER,
    )


def _writer(format: ExportFormat, platform: Platform, city: Jurisdiction) -> Writer:
    licence, attribution = terms(platform, city)
    facts = {"attribution": attribution} | ({"licence": licence} if licence else {})
    writers: dict[ExportFormat, Callable[[], Writer]] = {
        ExportFormat.CSV: lambda: CsvWriter(csv_columns(EXTRA_FIELDS)),
        ExportFormat.NDJSON: NdjsonWriter,
        ExportFormat.GEOJSON: GeoJsonWriter,
        ExportFormat.BULK_CSV: BulkCsvWriter,
        ExportFormat.GEOPARQUET: lambda: GeoParquetWriter(facts),
    }
    return writers[format]()


def _write(export: Export, writer: Writer, file: IO[bytes]) -> None:
    with _bar() as bar:
        task = bar.add_task("", total=export.count)

        def counted() -> Iterator[list[bytes]]:
            for batch in export.batches:
                yield batch
                bar.advance(task, len(batch))

        for piece in in_pieces(writer, counted()):
            file.write(piece)


@contextmanager
def _bar() -> Iterator[Progress]:
    """A progress bar, if standard error is a terminal. Standard output may contain the data."""
    columns = (
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %  {task.completed:,.0f} of {task.total:,.0f} requests"),
        TimeRemainingColumn(),
    )
    with Progress(
        *columns, console=error_console(), transient=True, disable=not error_console().is_terminal
    ) as progress:
        yield progress


@contextmanager
def _open_output(output: str) -> Iterator[IO[bytes]]:
    """The file to write to: standard output, a pipe or the like, or a regular file.

    A regular file has a temporary name until it is complete, and is removed after an error.
    """
    if output == STANDARD_OUTPUT:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    path = Path(output)
    if path.exists() and not path.is_file():  # such as a pipe or /dev/null
        with path.open("wb") as file:
            yield file
        return
    part = path.with_name(f"{path.name}.{os.getpid()}{PART}")
    try:
        with part.open("wb") as raw:
            with _gzipped(raw) if path.suffix == ".gz" else nullcontext(raw) as file:
                yield file
            raw.flush()
            os.fsync(raw.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _gzipped(raw: IO[bytes]) -> Iterator[IO[bytes]]:
    gzip_file: Any = igzip.GzipFile  # igzip has no types
    with gzip_file("", "wb", 2, raw, mtime=0) as file:
        yield file
