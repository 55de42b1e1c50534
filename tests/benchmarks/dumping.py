"""Measures dumps of the whole city by every method: whether each is complete, its time and its memory.

The methods are GeoReport Bulk streamed over HTTP, `open311 export`, and `open311 dump`, which the worker does every
day. Rows are counted in the received data and not taken from a header.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import importlib.util
import io
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from subprocess import PIPE
from typing import Any
from urllib.parse import quote, urlsplit

from tests.benchmarks.contestants import OURS, Server, running, started
from tests.benchmarks.cpu import Watch
from tests.benchmarks.data import CITY, Data, open311
from tests.benchmarks.load import HOST, TIMEOUT_S, Refused, ask, call
from tests.benchmarks.workloads import BASE

BULK = f"/open311/bulk/v1/requests.{{}}?jurisdiction_id={CITY}"
LATEST = f"{BASE}/dumps/{quote(CITY, safe='')}/requests-latest.ndjson.gz"
LONGEST_S = 1_800.0
GEOPARQUET_NEEDS = "pyarrow"
_ITEM = b'"service_request_id":'
"""This key occurs once in each item. In a text, its quotes would be escaped."""


class Counted(io.RawIOBase):
    """A stream that counts the bytes read from it."""

    def __init__(self, raw: Any) -> None:
        self._raw, self.size = raw, 0

    def readable(self) -> bool:
        """Return True, because io.BufferedReader requires it."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read the next bytes into a buffer and count them."""
        size = self._raw.readinto(buffer) or 0
        self.size += size
        return size


Count = Callable[[io.BufferedReader], int]
"""Reads a stream to its end and returns the number of its requests."""


@dataclass(frozen=True, slots=True)
class Dump:
    """One dump of the whole city.

    rows       number of rows in the dump
    wanted     number of rows in the city
    size       number of received bytes
    before_mb  memory of the process at the start; 0 for a process that was started for the dump
    """

    title: str
    rows: int
    wanted: int
    seconds: float
    size: int
    before_mb: float
    peak_mb: float

    @property
    def per_second(self) -> float:
        return self.rows / self.seconds

    @property
    def growth_mb(self) -> float:
        """Growth of memory in MB; 0 if it was not measured."""
        return self.peak_mb - self.before_mb if self.before_mb else 0.0


def measure_dumps(data: Data, environment: Mapping[str, str], folder: Path, log: Path) -> Iterator[Dump]:
    """Measure every method, one after the other."""
    ours = {**environment, "OPEN311_DATA_DIR": str(folder)}
    wanted = _count(data)
    with running(OURS, ours, log) as server:
        _download(server, BULK.format("csv"), csv_rows)  # to warm up; not counted
        for suffix, count in (("csv", csv_rows), ("json", json_items)):
            yield _measure_download(
                server, f"Bulk {suffix}, streamed over HTTP", BULK.format(suffix), count, wanted
            )
        for form, count in (("csv", csv_rows), ("ndjson", lines)):
            yield _measure_export(ours, form, count, wanted, log)
        yield from _daily_dumps(ours, folder, wanted, log)
        yield _measure_download(
            server, "the daily ndjson.gz over HTTP", _redirect_target(server, LATEST), packed_lines, wanted
        )


def csv_rows(stream: io.BufferedReader) -> int:
    """The number of rows of CSV after the header; a text can contain line breaks."""
    text = io.TextIOWrapper(stream, encoding="utf-8", newline="")
    return sum(1 for _ in csv.reader(text)) - 1


def lines(stream: io.BufferedReader) -> int:
    """The number of lines, one for each request."""
    return sum(1 for _ in stream)


def packed_lines(stream: io.BufferedReader) -> int:
    """The number of lines in a gzip file."""
    with gzip.open(stream) as file:
        return sum(1 for _ in file)


def packed_csv_rows(stream: io.BufferedReader) -> int:
    """The number of rows of CSV in a gzip file."""
    with gzip.open(stream) as file:
        return csv_rows(file)  # type: ignore[arg-type]  # a GzipFile reads like a BufferedReader


def json_items(stream: io.BufferedReader) -> int:
    """The number of items in a JSON list."""
    total, end = 0, b""
    while block := stream.read(1 << 18):
        total += (end + block).count(_ITEM)
        end = block[1 - len(_ITEM) :]
    return total


def parquet_rows(stream: io.BufferedReader) -> int:
    """The number of rows in a Parquet file."""
    from pyarrow import parquet  # an optional package

    file = parquet.ParquetFile(io.BytesIO(stream.read()))
    return int(file.metadata.num_rows)


FILES: dict[str, Count] = {"csv.gz": packed_csv_rows, "ndjson.gz": packed_lines, "parquet": parquet_rows}
"""How to count the rows of each file of a daily dump, by the ending of the file's name."""


def _count(data: Data) -> int:
    with data.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM publication WHERE jurisdiction_id = %s AND visibility = 'public'", (CITY,)
        )
        return int(cursor.fetchone()[0])


def _measure_download(server: Server, title: str, target: str, count: Count, wanted: int) -> Dump:
    begun_at = time.perf_counter()
    with Watch(server.pid) as memory:
        rows, size = _download(server, target, count)
    seconds = time.perf_counter() - begun_at
    return Dump(title, rows, wanted, seconds, size, memory.before_kb / 1024, memory.peak_kb / 1024)


def _download(server: Server, target: str, count: Count) -> tuple[int, int]:
    """Read a streamed answer without keeping it; returns the number of its rows and bytes."""
    with closing(HTTPConnection(HOST, server.port, timeout=TIMEOUT_S)) as connection:
        connection.request("GET", target)
        answer = connection.getresponse()
        if answer.status != 200:
            raise Refused(f"{target}: {answer.status}")
        counted = Counted(answer)
        return count(io.BufferedReader(counted)), counted.size


def _redirect_target(server: Server, target: str) -> str:
    """The path to which the server redirects."""
    answer = ask(server.port, call("GET", target))
    if answer.status != 302:
        raise Refused(f"{target}: {answer.status}")
    return urlsplit(answer.header("Location")).path


def _measure_export(environment: Mapping[str, str], form: str, count: Count, wanted: int, log: Path) -> Dump:
    words = open311("export", "--jurisdiction", CITY, "--format", form)
    begun_at = time.perf_counter()
    with (
        log.open("ab") as errors,
        started(words, environment, stdout=PIPE, stderr=errors, longest_s=LONGEST_S) as process,
        Watch(process.pid) as memory,
    ):
        counted = Counted(process.stdout)
        rows = count(io.BufferedReader(counted))
        if process.wait() != 0:
            raise Refused(f"open311 export --format {form} ended with {process.returncode}; see {log}")
    seconds = time.perf_counter() - begun_at
    return Dump(f"open311 export, {form}", rows, wanted, seconds, counted.size, 0.0, memory.peak_kb / 1024)


def _daily_dumps(environment: Mapping[str, str], folder: Path, wanted: int, log: Path) -> Iterator[Dump]:
    """The files of a daily dump, which one run makes."""
    words, begun_at = open311("dump", "--jurisdiction", CITY), time.perf_counter()
    with (
        log.open("ab") as output,
        started(words, environment, stdout=output, stderr=output, longest_s=LONGEST_S) as process,
        Watch(process.pid) as memory,
    ):
        if process.wait() != 0:
            raise Refused(f"open311 dump ended with {process.returncode}; see {log}")
    seconds = time.perf_counter() - begun_at
    for ending, count in FILES.items():
        if ending == "parquet" and not importlib.util.find_spec(GEOPARQUET_NEEDS):
            continue
        file = _only_file(folder, ending)
        with file.open("rb") as stream:
            rows = count(stream)
        size = file.stat().st_size
        yield Dump(f"open311 dump, {ending}", rows, wanted, seconds, size, 0.0, memory.peak_kb / 1024)


def _only_file(folder: Path, ending: str) -> Path:
    """The only file of a kind below a folder. Raises Refused if it does not match its checksum."""
    [file] = folder.glob(f"dumps/*/requests-*.{ending}")
    with file.open("rb") as stream:
        checksum = hashlib.file_digest(stream, "sha256").hexdigest()
    if not file.with_name(f"{file.name}.sha256").read_text(encoding="utf-8").startswith(checksum):
        raise Refused(f"{file.name} does not match its checksum")
    return file
