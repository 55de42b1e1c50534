"""Compares an import with the plain way to store the same rows: COPY and INSERT … SELECT.

`python -m tests.benchmarks.importing --rows 20000` uses its own cluster. In each round, one process imports a file
in the format of NYC Open Data into an empty database. Then the stored rows are copied out, and stored in another
empty database with the same tables and indexes: for each table COPY into a temporary table, and one INSERT … SELECT
of all rows. There, too, PostgreSQL makes the text search vector from the text. A third way leaves the vector and
its index out, so that the difference is their share. A figure is the CPU time of a row: of this process and of
PostgreSQL together, without the start of the process.

The goal: an import costs at most twice as much as the plain way, with reading, checks, routing and rendering.
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from os import getloadavg
from pathlib import Path
from statistics import median
from typing import Any

import psycopg2

from open311.embedded import Cluster, find_binaries
from open311.formats.reading import known_maps, open_source
from open311.operations.importing.batches import Import
from open311.operations.importing.processes import Processes
from open311.operations.platform import open_platform
from open311.settings import Settings
from tests.benchmarks.contestants import ROOT, commit
from tests.benchmarks.cpu import cpu_ns
from tests.benchmarks.data import CITY, POSTGRES, Data, make_empty
from tests.benchmarks.load import Refused
from tests.benchmarks.measures import write_open_data
from tests.benchmarks.report import Goal
from tests.benchmarks.tables import table

HOME = ROOT / "var" / "pg-importing"
GOAL = 2.0
IMPORT, PLAIN, WITHOUT = "import", "COPY and INSERT … SELECT", "the same without the text search vector"
TABLES = ("service_request", "request_event", "publication", "outbox")
WORDS = """
    (SELECT concat_ws(' ', r.service_code, r.description, r.status_notes, r.address) FROM service_request r
     WHERE (r.jurisdiction_id, r.id) = (t.jurisdiction_id, t.id))
"""
"""The text of a publication's text search vector."""


def main() -> int:
    """Measure, print the page, and return 1 if the goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    words = parser.parse_args()
    rounds = []
    with (
        tempfile.TemporaryDirectory() as folder,
        Cluster(HOME, durable=True, bin_dir=find_binaries(), settings=POSTGRES) as cluster,
    ):
        file = Path(folder) / "import.csv"
        data = Data(cluster, "postgres", words.rows, datetime.now(UTC).replace(microsecond=0))
        write_open_data(file, data, words.rows)
        for _ in range(words.rounds):
            rounds.append(_round(cluster, data, file, words.rows))
            sys.stderr.write(f"{rounds[-1]}\n")
    print("\n".join(_page(rounds, words.rows)))  # noqa: T201
    return int(median(_ratios(rounds)) > GOAL)


Costs = dict[str, float]
"""Way -> µs of CPU per row."""


def _round(cluster: Cluster, data: Data, file: Path, rows: int) -> Costs:
    with _empty(cluster, "importing") as one, _empty(cluster, "importing_plain") as other:
        costs = {IMPORT: _import(data, cluster.url(one), file, rows)}
        with _cursor(data, one) as cursor:
            contents = {name: _copied(cursor, name) for name in TABLES}
        with _cursor(data, other) as cursor:
            costs[PLAIN] = _cost(data, rows, lambda: _store(cursor, contents, "to_tsvector('english', words)"))
            cursor.execute("TRUNCATE service_request CASCADE")
            cursor.execute("DROP INDEX publication_words_idx")
            costs[WITHOUT] = _cost(data, rows, lambda: _store(cursor, contents, "''::tsvector"))
    return costs


@contextmanager
def _empty(cluster: Cluster, name: str) -> Iterator[str]:
    make_empty(cluster, name)
    try:
        yield name
    finally:
        cluster.drop_database(name)


@contextmanager
def _cursor(data: Data, name: str) -> Iterator[Any]:
    """A cursor in one transaction, which is committed at the end."""
    with closing(psycopg2.connect(data.cluster.dsn(name))) as connection, connection, connection.cursor() as cursor:
        yield cursor


def _cost(data: Data, rows: int, work: Callable[[], None]) -> float:
    """The CPU time of some work, in µs per row."""
    postmaster = data.postmaster
    before = cpu_ns([postmaster]) + time.process_time_ns()
    work()
    return (cpu_ns([postmaster]) + time.process_time_ns() - before) / 1000 / rows


def _import(data: Data, url: str, file: Path, rows: int) -> float:
    """The cost of an import by one process, which has read its cities before."""
    platform = open_platform(Settings(database_url=url, jurisdictions=("newyork",)))
    city = platform.registry.find(CITY)
    order = Import(jurisdiction=city, origin=file.name, now=datetime.now(UTC))
    new = 0

    def work() -> None:
        nonlocal new
        with file.open("rb") as stream, Processes(platform, 1) as processes:
            source = open_source(stream, known_maps(city.column_maps))
            new = sum(batch.tally.new for batch in processes.import_source(source, order))

    try:
        cost = _cost(data, rows, work)
    finally:
        platform.close()
    if new != rows:
        raise Refused(f"{new} of {rows} rows were imported")
    return cost


Content = tuple[Sequence[str], bytes]
"""The names of the columns of a table, and its rows in COPY's format."""


def _copied(cursor: Any, name: str) -> Content:
    """The rows of a table, with the text in the place of its vector."""
    cursor.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped"
        " AND attidentity = '' AND attname <> 'written_by' ORDER BY attnum",
        (name,),
    )
    names = [row[0] for row in cursor.fetchall()]
    columns = ", ".join(f"{WORDS} AS words" if one == "words" else f'"{one}"' for one in names)
    content = io.BytesIO()
    cursor.copy_expert(f"COPY (SELECT {columns} FROM {name} t) TO STDOUT", content)
    return names, content.getvalue()


def _store(cursor: Any, contents: dict[str, Content], vector: str) -> None:
    """Store the rows in the plain way."""
    for name, (names, content) in contents.items():
        columns = ", ".join(f'"{one}"' for one in names)
        staged = ", ".join("''::text AS words" if one == "words" else f'"{one}"' for one in names)
        values = ", ".join(vector if one == "words" else f'"{one}"' for one in names)
        cursor.execute(f"CREATE TEMPORARY TABLE stage AS SELECT {staged} FROM {name} LIMIT 0")
        cursor.copy_expert("COPY stage FROM STDIN", io.BytesIO(content), 1 << 18)
        cursor.execute(f"INSERT INTO {name} ({columns}) SELECT {values} FROM stage")
        cursor.execute("DROP TABLE stage")


def _ratios(rounds: Sequence[Costs]) -> list[float]:
    return [costs[IMPORT] / costs[PLAIN] for costs in rounds]


def _page(rounds: Sequence[Costs], rows: int) -> Iterator[str]:
    yield f"# Import, compared with COPY and INSERT … SELECT, {datetime.now(UTC):%Y-%m-%d}\n"
    yield f"{rows:,} rows in the format of NYC Open Data, one process, {len(rounds)} rounds of all ways in turn."
    yield f"Commit {commit(ROOT)}, load of the machine {getloadavg()[0]:.1f}.\n"
    yield "## Goals\n"
    goal = Goal(
        "import, compared with COPY and INSERT … SELECT of the same rows", GOAL, _ratios(rounds), unit="times"
    )
    yield from table(["goal", "wanted", "found", ""], [(goal.text, goal.wanted, goal.shown, goal.verdict)])
    yield "\n## CPU per row, µs\n"
    head = ("", "median", "least", "greatest")
    yield from table(head, (_row(way, [costs[way] for costs in rounds]) for way in (IMPORT, PLAIN, WITHOUT)))
    shares = [100 * (1 - costs[WITHOUT] / costs[PLAIN]) for costs in rounds]
    yield (
        f"\nThe text search vector and its index are {median(shares):.0f} % of the plain way"
        f" ({min(shares):.0f} to {max(shares):.0f})."
    )


def _row(way: str, found: Sequence[float]) -> tuple[str, ...]:
    return way, *(f"{value:.0f}" for value in (median(found), min(found), max(found)))


if __name__ == "__main__":
    sys.exit(main())
