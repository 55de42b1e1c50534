"""The plans of public reads with far more rows than a disk has room for otherwise: the rows are narrow.

`python -m tests.benchmarks.narrow --rows 5000000 20000000` makes a PostgreSQL of its own in var/pg-narrow, and in
it a city of 100,000 requests with the project's own operations. SQL copies its publications until there are enough
rows. A copied row has its filter columns, its words and its place, but only short renditions, so that 20 million
rows need about 35 GB. Our server then answers every filter and every pair of filters over HTTP, as in the part
`explain` of `make bench`, first with few rows and then with many. Remove the folder afterwards.

Only the table of publications is copied. So this program leaves out what reads another table: statistics, the tiles
of far zooms, the queues of staff, the history of a request, and everything that writes.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from os import getloadavg
from pathlib import Path

import psycopg2
from rich.progress import Progress

from open311.embedded import Cluster, find_binaries
from open311.storage.tables import publication
from tests.benchmarks.city import span
from tests.benchmarks.contestants import OURS, ROOT, Server, commit, running
from tests.benchmarks.data import POSTGRES, Data, copied, drop_indexes, open_data
from tests.benchmarks.explain import FEEDS, LIMIT_MS, Plan, explain, explaining, targets
from tests.benchmarks.report import Goal
from tests.benchmarks.tables import table
from tests.benchmarks.views import VIEWS
from tests.benchmarks.views import targets as view_targets
from tests.benchmarks.workloads import Field

HOME = ROOT / "var" / "pg-narrow"
PAGES = ROOT / "spec" / "benchmarks"
BASE_ROWS = 100_000
"""The least number of requests that are spread over all five years."""
PER_TRANSACTION = 10_000
"""Rows with the same `written_by`, as in the databases of `make bench`."""
STATEMENT_TIMEOUT_MS = 50_000
"""The first call of a slow query reads from the disk. It may take longer than a city would allow."""
CLOSE_TILES = ("tile-14", "tile-16", "tile-18", "tile-open-14")
"""Views of tiles that read only publications."""
SETTINGS = POSTGRES | {
    "shared_buffers": "4GB",
    "wal_level": "minimal",  # with this level, rows of a table that was emptied in the same transaction need no WAL
    "max_wal_senders": "0",
    "max_wal_size": "20GB",
}
BASE = """
    CREATE TEMPORARY TABLE base AS
    SELECT id, requested_at - %(start)s AS age, updated_at - requested_at AS open_for,
        changed_at - requested_at AS changed_after, status, has_media, was_public, jurisdiction_id, visibility,
        service_code, agency, areas, words, lat, long, published_department(json_extras) AS department
    FROM publication
"""
COPY = """
    INSERT INTO publication
        (id, digest, requested_at, updated_at, changed_at, written_by, has_media, was_public, jurisdiction_id,
        visibility, json, xml, service_request_id, service_code, status, agency, json_extras, xml_extras, areas,
        words, lat, long, point, bulk_csv)
    SELECT number, hashint8extended(number, 0), requested_at,
        CASE WHEN is_past THEN requested_at + open_for ELSE requested_at END,
        CASE WHEN is_past THEN requested_at + changed_after ELSE requested_at END,
        (%(transaction)s + number / %(per_transaction)s)::text::xid8, has_media, was_public, jurisdiction_id,
        visibility, '{}', '<request></request>', '311-' || lpad(number::text, 8, '0'), service_code,
        CASE WHEN is_past THEN status ELSE 'open' END, agency,
        ARRAY['"extended_attributes":{"department":' || to_json(department) || '}', '', ''],
        ARRAY['', '', ''], areas, words, here.lat, here.long,
        ST_SetSRID(ST_MakePoint(here.long, here.lat), 4326), ''
    FROM (
        SELECT *, %(first)s + row_number() OVER (ORDER BY requested_at, id) AS number,
            requested_at + changed_after <= %(newest)s AS is_past
        FROM (
            SELECT *, date_trunc('second', %(begin)s + extract(epoch FROM age)::numeric %% %(seconds)s
                * interval '1 second') AS requested_at
            FROM base
        ) AS moved
    ) AS numbered, LATERAL (
        SELECT round((numbered.lat + (random() - 0.5) * %(jitter)s)::numeric, 6)::float8 AS lat,
            round((numbered.long + (random() - 0.5) * %(jitter)s)::numeric, 6)::float8 AS long
    ) AS here
    ORDER BY number
"""
"""A copy of the base, moved into one slice of the five years. What would be closed in the future is open."""
JITTER_DEGREES = 0.001
TRANSACTIONS = """
    DO $$ BEGIN
        FOR number IN 0..{0} LOOP
            PERFORM pg_current_xact_id();
            COMMIT;
        END LOOP;
    END $$
"""
TABLE = "the table"
SIZES = f"""
    SELECT '{TABLE}', pg_table_size('publication') UNION ALL (
        SELECT relname::text, pg_relation_size(indexrelid) FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
        WHERE indrelid = 'publication'::regclass ORDER BY 2 DESC
    )
"""


@dataclass(frozen=True, slots=True)
class Narrow:
    """The plans of one size.

    sizes    the bytes of the table and of each index
    seconds  how long it took to make the rows and the indexes
    """

    rows: int
    plans: list[Plan]
    sizes: dict[str, int]
    seconds: float

    @property
    def whole(self) -> list[Plan]:
        """The plans that read the whole table."""
        return [plan for plan in self.plans if any(step.startswith("Seq Scan") for step in plan.path)]

    @property
    def slow(self) -> list[Plan]:
        """The plans that take too long, the slowest first."""
        slow = (plan for plan in self.plans if plan.statement_ms > LIMIT_MS)
        return sorted(slow, key=lambda plan: -plan.statement_ms)


def main() -> int:
    """Make the rows, explain, write the page, and return 1 if a plan reads the whole table."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.narrow", description=__doc__)
    parser.add_argument("--rows", type=_rows, nargs="+", default=[5_000_000, 20_000_000])
    parser.add_argument("--out", type=Path, default=PAGES, help="folder of the page; default spec/benchmarks")
    words = parser.parse_args()
    begun_at = datetime.now(UTC)
    cluster = Cluster(HOME, durable=False, bin_dir=find_binaries(), settings=SETTINGS)
    with cluster, Progress() as progress:
        base = open_data(cluster, BASE_ROWS)
        found = [_measure(base, rows, progress) for rows in sorted(words.rows)]
        with base.cursor() as cursor:
            cursor.execute("SELECT split_part(version(), ' ', 2), postgis_lib_version()")
            database = "PostgreSQL {}, PostGIS {}".format(*cursor.fetchone())
    page = words.out / f"{begun_at:%Y-%m-%d}-{found[-1].rows // 1000}k-narrow.md".replace("000k", "m")
    page.write_text("\n".join(page_of(found, begun_at, database)) + "\n", encoding="utf-8")
    sys.stdout.write(f"Written: {page}\n")
    return int(any(one.whole for one in found))


def _rows(text: str) -> int:
    rows = int(text)
    if rows <= 0 or rows % BASE_ROWS:
        raise argparse.ArgumentTypeError(f"{text} is not a multiple of {BASE_ROWS}")
    return rows


def _measure(base: Data, rows: int, progress: Progress) -> Narrow:
    """Make a database with this many rows, read the plans, and drop the database."""
    begun_at = datetime.now(UTC)
    with copied(base, f"narrow_{rows}") as copy, tempfile.TemporaryDirectory() as folder:
        data = replace(copy, rows=rows)
        restoring = drop_indexes(data, (publication,))
        _multiply(data, progress)
        # The foreign key to service_request is left out, because only the base has rows there.
        indexes = [statement for statement in restoring if statement.startswith("CREATE")]
        with data.cursor() as cursor:
            cursor.execute("SET maintenance_work_mem = '1GB'")
            cursor.execute("SET max_parallel_maintenance_workers = 2")
            for statement in progress.track([*indexes, "VACUUM ANALYZE publication"], description="Indexing"):
                cursor.execute(statement)
            cursor.execute(SIZES)
            sizes = dict(cursor.fetchall())
        seconds = (datetime.now(UTC) - begun_at).total_seconds()
        _read_all(data, progress, sizes)
        return Narrow(rows, _explain(data, Path(folder) / "server.log", progress), sizes, seconds)


def _read_all(data: Data, progress: Progress, sizes: Mapping[str, int]) -> None:
    """Read the table and its indexes, so that the first call of a slow query does not wait for the disk."""
    with data.cursor(data.admin_dsn) as cursor:
        cursor.execute("CREATE EXTENSION IF NOT EXISTS pg_prewarm")
        for name in progress.track(sizes, description="Reading"):
            cursor.execute("SELECT pg_prewarm(%s, 'read')", ("publication" if name == TABLE else name,))


def _multiply(data: Data, progress: Progress) -> None:
    """Replace the publications of the base by as many copies as needed, in order of time."""
    copies = data.rows // BASE_ROWS
    start, end = span(BASE_ROWS, data.newest)
    step = (end - start) / copies
    with data.cursor() as cursor:
        cursor.execute("SELECT pg_current_xact_id()::text::bigint")
        [transaction] = cursor.fetchone()
        cursor.execute(TRANSACTIONS.format(data.rows // PER_TRANSACTION))
    with closing(psycopg2.connect(data.dsn)) as connection, connection.cursor() as cursor:
        cursor.execute("SET work_mem = '256MB'")
        cursor.execute("SELECT setseed(0.5)")
        cursor.execute(BASE, {"start": start})
        cursor.execute("ANALYZE base")
        cursor.execute("TRUNCATE publication")
        for number in progress.track(range(copies), description=f"Making {data.rows:,} rows"):
            values = {
                "transaction": transaction,
                "per_transaction": PER_TRANSACTION,
                "first": number * BASE_ROWS,
                "newest": data.newest,
                "begin": start + number * step,
                "seconds": step / timedelta(seconds=1),
                "jitter": JITTER_DEGREES,
            }
            cursor.execute(COPY, values)
        connection.commit()


def _explain(data: Data, log: Path, progress: Progress) -> list[Plan]:
    field = Field(data, "", data.ids(2_000))
    environment = {"DATABASE_URL": data.url, "OPEN311_STATEMENT_TIMEOUT_MS": str(STATEMENT_TIMEOUT_MS)}
    with explaining(data), running(OURS, environment, log) as server:
        wanted = [*_lists(field), *_tiles(field, server)]
        task = progress.add_task("Plans", total=len(wanted))
        return explain(field, server, wanted, lambda: progress.advance(task))


def _lists(field: Field) -> Iterator[tuple[str, str]]:
    """All calls of `make bench` except feeds: they are made from the rendition, and have the plans of lists."""
    return (call for call in targets(field) if call[0].partition(",")[0] not in FEEDS)


def _tiles(field: Field, server: Server) -> Iterator[tuple[str, str]]:
    titles = {view.workload.title for view in VIEWS if view.workload.name in CLOSE_TILES}
    return (call for call in view_targets(field, server) if call[0] in titles)


def page_of(found: Sequence[Narrow], begun_at: datetime, database: str) -> Iterator[str]:
    most = found[-1]
    yield f"# Plans with {most.rows:,} narrow rows, {begun_at:%d %B %Y}\n"
    yield (
        f"SQL has copied the publications of {BASE_ROWS:,} requests of New York until there were enough rows,"
        " spread evenly over five years. Each copy is at another time and up to 50 m away. It keeps its service,"
        " agency, words, photo, area and the time until it was closed, so each filter matches the same share of"
        " rows. Its renditions have only a few bytes. So a page reads fewer blocks than in a real city of this"
        " size, but the indexes have their real sizes, and PostgreSQL chooses plans with real statistics."
        " `python -m tests.benchmarks.narrow` makes this page.\n"
    )
    yield (
        "Left out, because they read other tables than publications: statistics, tiles of far zooms, the queues of"
        " staff, a request's history, and all writes. Left out too, because the renditions have no fields: feeds,"
        " which have the plans of lists, and exports of the whole city.\n"
    )
    yield from table(["machine", ""], _machine(found, begun_at, database))
    yield "\n## Goals\n"
    what = "plans that read the whole table"
    goals = [Goal(f"{what}, {one.rows:,} narrow rows", 0, [len(one.whole)], "") for one in found]
    yield from table(["goal", "wanted", "found", ""], [(g.text, g.wanted, g.shown, g.verdict) for g in goals])
    yield "\n## Sizes, MB\n"
    yield from table(
        ["", *(f"{one.rows:,} rows" for one in found)],
        ([name, *(f"{one.sizes[name] / 1e6:,.0f}" for one in found)] for name in most.sizes),
    )
    yield from _comparison(found)


def _machine(found: Sequence[Narrow], begun_at: datetime, database: str) -> Iterator[tuple[str, str]]:
    settings = ", ".join(f"{name} {SETTINGS[name]}" for name in ("shared_buffers", "effective_cache_size"))
    yield "database", f"{database}, {settings}, fsync off, warm"
    yield "code", commit(ROOT)
    yield "machine's load", f"{getloadavg()[0]:.1f} at the end"
    yield "rows and indexes made in", ", ".join(f"{one.seconds / 60:.0f} min ({one.rows:,} rows)" for one in found)
    yield "duration", f"{(datetime.now(UTC) - begun_at).total_seconds() / 60:.0f} min"


def _comparison(found: Sequence[Narrow]) -> Iterator[str]:
    few, most = found[0], found[-1]
    before = {plan.title: plan for plan in few.plans}
    times = most.rows / few.rows
    steep = [one for one in most.slow if one.statement_ms > times * before[one.title].statement_ms]
    changed = [one for one in most.plans if one.path != before[one.title].path]
    yield f"\n## {len(most.plans)} queries explained\n"
    yield (
        "Our server ran each query, and auto_explain logged its plan. The time is the minimum execution time of"
        " five runs with warm caches, because other load can only add time. With"
        + ",".join(f" {one.rows:,} rows {len(one.slow)} queries" for one in found)
        + f" take more than {LIMIT_MS:.0f} ms."
    )
    if len(found) > 1:
        yield (
            f"\nOf the slow queries, {len(steep)} take more than {times:g} times as long with {times:g} times as"
            f" many rows: {_titles(steep)}. PostgreSQL chooses another plan for {len(changed)} queries:"
            f" {_titles(changed)}."
        )
    yield ""
    yield from table(
        ["query", *(f"ms, {one.rows:,}" for one in found), "rows", "buffers", "path"],
        (
            (plan.title, *_ms(found, plan.title), plan.rows, plan.buffers, " ← ".join(plan.path))
            for plan in sorted(most.plans, key=lambda plan: -plan.statement_ms)
        ),
    )
    if changed and len(found) > 1:
        yield f"\n## Plans with {few.rows:,} rows that are others\n"
        yield from table(
            ["query", "ms", "buffers", "path"],
            (
                (one.title, f"{one.statement_ms:.2f}", one.buffers, " ← ".join(one.path))
                for one in (before[plan.title] for plan in changed)
            ),
        )


def _titles(plans: Sequence[Plan]) -> str:
    return "; ".join(f"*{plan.title}*" for plan in plans) or "none"


def _ms(found: Sequence[Narrow], title: str) -> Iterator[str]:
    """The time of a query with each number of rows."""
    for one in found:
        yield next(f"{plan.statement_ms:.2f}" for plan in one.plans if plan.title == title)


if __name__ == "__main__":
    sys.exit(main())
