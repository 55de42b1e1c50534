"""The database for all measurements. It is reused until the code no longer matches it, or until it is too old.

The module `city` generates the requests. The project's own operations store and render them, in one process for
each core; indexes are dropped before and made again afterwards. The schema `rival` contains the same requests, as a
row-by-row application would store them. The worker's functions make the counts for statistics, tiles and queues.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

import psycopg2
from rich.progress import Progress, track
from sqlalchemy import Table
from sqlalchemy.engine import make_url
from sqlalchemy.schema import CreateIndex, CreateTable, DDLElement

from open311.clock import utc_now
from open311.domain.events import Imported
from open311.domain.requests import RequestRecord
from open311.embedded import Cluster, find_binaries
from open311.formats import RENDERER_VERSION
from open311.operations.dispatch import counting, mapping
from open311.operations.platform import Platform, open_platform
from open311.operations.publishing import Names
from open311.operations.statistics.counting import mark_overdue, recount
from open311.operations.upkeep.sync_catalogues import digest_of
from open311.operations.workflow.apply import add_requests
from open311.plugins import Jurisdiction
from open311.plugins.registry import load_registry
from open311.settings import Settings
from open311.storage import requests
from open311.storage.engine import open_database
from open311.storage.migrations import head
from open311.storage.tables import (
    closed_count,
    counted_request,
    map_cell,
    mapped_request,
    open_count,
    publication,
    request_event,
    service_request,
)
from tests.benchmarks.city import Chronicle, span
from tests.benchmarks.contestants import ROOT

HOME = ROOT / "var" / "pg-bench"
CITY = "nyc.gov"
RECIPE = 5
"""The version of the generated rows; increase it when the rows change."""
PART_ROWS = 10_000
BATCH_ROWS = 1_000
MAX_AGE = timedelta(days=10)
"""The maximum age of a reused database. An older one has too few requests in a list's default of 90 days."""
POSTGRES = {
    "shared_buffers": "512MB",
    "effective_cache_size": "4GB",
    "random_page_cost": "1.1",  # our sessions' setting, for all contestants
    "max_wal_size": "4GB",
    "checkpoint_timeout": "30min",
    "autovacuum": "off",  # this module vacuums the tables after each change
    "logging_collector": "off",
}
"""Memory sizes as on a real server. Background work, such as autovacuum, is off."""
TABLES = (service_request, request_event, publication)
COUNTS = (counted_request, closed_count, open_count, mapped_request, map_cell)


@dataclass(frozen=True, slots=True)
class Data:
    """A filled database.

    newest  the time of the newest request, which is used as the current time
    """

    cluster: Cluster
    name: str
    rows: int
    newest: datetime

    @property
    def url(self) -> str:
        return self.cluster.url(self.name)

    @property
    def dsn(self) -> str:
        return self.cluster.dsn(self.name)

    @property
    def dsn_parts(self) -> dict[str, str]:
        """The parts of the DSN: host, port, user, dbname."""
        return dict(part.split("=", 1) for part in self.dsn.split())

    @property
    def admin_dsn(self) -> str:
        """The DSN of the cluster's superuser."""
        return self.dsn.replace("user=open311", "user=postgres")

    @property
    def postmaster(self) -> int:
        """The process id of the postmaster, the parent of all PostgreSQL processes."""
        with self.cursor(self.admin_dsn) as cursor:
            cursor.execute("SELECT pg_read_file('postmaster.pid')")
            return int(cursor.fetchone()[0].split()[0])

    @contextmanager
    def cursor(self, dsn: str = "") -> Iterator[Any]:
        """A cursor in autocommit mode."""
        with closing(psycopg2.connect(dsn or self.dsn)) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                yield cursor

    def ids(self, count: int) -> list[str]:
        """Ids of requests from all five years; the same ids in every run."""
        with self.cursor() as cursor:
            cursor.execute(
                "SELECT service_request_id FROM publication WHERE id %% %s = 1 ORDER BY md5(id::text) LIMIT %s",
                (max(1, self.rows // (count * 2)), count),
            )
            return [row[0] for row in cursor.fetchall()]

    def delete_posts(self) -> None:
        """Delete posted requests, so that the next measurement has the same rows as this one."""
        with self.cursor() as cursor:
            cursor.execute("DELETE FROM service_request WHERE id > %s", (self.rows,))
            cursor.execute("DELETE FROM rival.request WHERE id > %s", (self.rows,))
            cursor.execute("DELETE FROM outbox")
            for table in ("service_request", "request_event", "publication", "reporter", "outbox", "rival.request"):
                cursor.execute(f"VACUUM ANALYZE {table}")


@contextmanager
def copied(data: Data, name: str) -> Iterator[Data]:
    """A copy of a database, for measurements that change rows; dropped at the end of the block."""
    copy = replace(data, name=name)
    data.cluster.drop_database(name)
    try:
        with data.cursor(replace(data, name="postgres").admin_dsn) as cursor:
            cursor.execute("SHOW server_version_num")
            # FILE_COPY, because the other strategy also writes all data to the WAL.
            strategy = " STRATEGY file_copy" if int(cursor.fetchone()[0]) >= 150_000 else ""
            cursor.execute(f"CREATE DATABASE {name} OWNER open311 TEMPLATE {data.name}{strategy}")
        yield copy
    finally:
        data.cluster.drop_database(name)


def city() -> Jurisdiction:
    """New York's plugin."""
    return load_registry(("newyork",)).find(CITY)


def open_data(cluster: Cluster, rows: int, name: str = "") -> Data:
    """Open the database with `rows` requests; make it unless a matching one exists."""
    data = _stored(cluster, rows, name or f"bench_{rows}")
    platform = _platform(data)
    try:
        mark_overdue(platform, city(), utc_now())  # as the worker does every five minutes
    finally:
        platform.close()
    return data


def _stored(cluster: Cluster, rows: int, name: str) -> Data:
    seal, now = _seal(rows), datetime.now(UTC).replace(microsecond=0)
    stored_newest = _find(cluster, name, seal)
    if stored_newest is not None and now - stored_newest < MAX_AGE:
        return Data(cluster, name, rows, stored_newest)
    make_empty(cluster, name)
    data = Data(cluster, name, rows, now)
    _fill(data)
    with data.cursor() as cursor:
        cursor.execute("CREATE TABLE rival.seal AS SELECT %s AS seal, %s AS newest", (seal, now))
    return data


def _platform(data: Data) -> Platform:
    """To count five million requests takes longer than a server lets a statement run."""
    settings = Settings(database_url=data.url, jurisdictions=("newyork",), statement_timeout_ms=3_600_000)
    return open_platform(settings)


def make_empty(cluster: Cluster, name: str) -> None:
    """Make a new database with schema and catalogues, and no requests. An existing database is dropped first."""
    cluster.drop_database(name)
    cluster.create_database(name)
    for words in (["db", "migrate"], ["jurisdictions", "sync"]):
        run_open311(words, cluster.url(name))


def run_open311(
    words: list[str], url: str, *, environment: Mapping[str, str] = MappingProxyType({}), **more: Any
) -> subprocess.CompletedProcess[str]:
    """Run `open311` as an operator does."""
    environment = {**os.environ, "DATABASE_URL": url, "OPEN311_LOG_LEVEL": "warning", **environment}
    command = open311(*words)
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False, **more)
    if done.returncode:
        raise RuntimeError(f"open311 {' '.join(words)}: {done.stdout}{done.stderr}")
    return done


def open311(*words: str) -> list[str]:
    """The command line of `open311` with these arguments."""
    return [sys.executable, "-m", "open311", *words]


def _seal(rows: int) -> str:
    """A digest of everything that decides the content of the database."""
    made: list[DDLElement] = [CreateTable(table) for table in (*TABLES, *COUNTS)]
    made += [CreateIndex(index) for table in (*TABLES, *COUNTS) for index in table.indexes]
    # The default dialect would omit INCLUDE and WHERE of an index.
    dialect = make_url("postgresql+psycopg2://").get_dialect()()
    texts = sorted(str(element.compile(dialect=dialect)) for element in made)
    parts = (RECIPE, rows, head(), RENDERER_VERSION, digest_of(city()), *texts)
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def _find(cluster: Cluster, name: str, seal: str) -> datetime | None:
    if not cluster.has_database(name):
        return None
    with closing(psycopg2.connect(cluster.dsn(name))) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('rival.seal')")
        if cursor.fetchone()[0] is None:
            return None
        cursor.execute("SELECT seal, newest FROM rival.seal")
        stored_seal, newest = cursor.fetchone()
        instant: datetime = newest.astimezone(UTC)
        return instant if stored_seal == seal else None


def _fill(data: Data) -> None:
    restoring = drop_indexes(data, TABLES)
    parts = [range(first, min(first + PART_ROWS, data.rows + 1)) for first in range(1, data.rows + 1, PART_ROWS)]
    with Progress(transient=True) as progress, ProcessPoolExecutor() as pool:
        task = progress.add_task(f"Making {data.rows:,} requests", total=data.rows)
        for done in as_completed(
            pool.submit(_write, data.url, data.rows, numbers, data.newest) for numbers in parts
        ):
            progress.advance(task, done.result())
    with data.cursor() as cursor:
        cursor.execute("SET maintenance_work_mem = '512MB'")
        cursor.execute("SELECT setval('request_number', %s)", (data.rows + 1_000,))
        rest = [*restoring, *_rival(city()), *(f"VACUUM ANALYZE {table.name}" for table in TABLES)]
        for statement in track(rest, "Indexing", transient=True):
            cursor.execute(statement)
        cursor.execute("VACUUM ANALYZE rival.request")
    _count(data)


def _count(data: Data) -> None:
    """Count all requests for statistics, tiles and queues.

    No dispatcher runs, so the outbox is emptied first, and everything is counted here.
    """
    with data.cursor() as cursor:
        cursor.execute("TRUNCATE outbox")
    platform = _platform(data)
    try:
        counting.recount(platform)
        mapping.recount(platform)
        recount(platform, city(), utc_now())
        mark_overdue(platform, city(), utc_now())
    finally:
        platform.close()
    with data.cursor() as cursor:
        for table in COUNTS:
            cursor.execute(f"VACUUM ANALYZE {table.name}")


def drop_indexes(data: Data, tables: Sequence[Table]) -> list[str]:
    """Drop the foreign keys of the tables to fill, and the indexes that no constraint needs.

    Returns the statements that restore them, indexes first.
    """
    restoring: list[str] = []
    with data.cursor() as cursor:
        for table in reversed(tables):
            cursor.execute(
                "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = %s::regclass"
                " AND contype = 'f'",
                (table.name,),
            )
            for name, definition in cursor.fetchall():
                cursor.execute(f'ALTER TABLE {table.name} DROP CONSTRAINT "{name}"')
                restoring.append(f'ALTER TABLE {table.name} ADD CONSTRAINT "{name}" {definition}')
        for table in tables:
            cursor.execute(
                "SELECT i.indexrelid::regclass, pg_get_indexdef(i.indexrelid) FROM pg_index i"
                " LEFT JOIN pg_constraint c ON c.conindid = i.indexrelid AND c.contype IN ('p', 'u')"
                " WHERE i.indrelid = %s::regclass AND c.oid IS NULL",
                (table.name,),
            )
            for name, definition in cursor.fetchall():
                cursor.execute(f"DROP INDEX {name}")
                restoring.insert(0, definition)
    return restoring


def _write(url: str, rows: int, numbers: range, now: datetime) -> int:
    """Generate, render and store one part with the project's own operations; runs in its own process."""
    jurisdiction = city()
    start, end = span(rows, now)
    first, last = ((end - start) * (number / rows) for number in (numbers.start - 1, numbers.stop - 1))
    chronicle = Chronicle(jurisdiction, numbers.start, now)
    records = list(chronicle.records(start + first, start + last, numbers))
    database = open_database(url)
    with database.transaction() as connection:
        connection.exec_driver_sql("SET LOCAL synchronous_commit = off")
        for begin in range(0, len(records), BATCH_ROWS):
            batch = records[begin : begin + BATCH_ROWS]
            requests.insert_records(connection, batch)
            add_requests(connection, [(one, [_import_event(one)]) for one in batch], Names(jurisdiction, {}))
    database.close()
    return len(records)


def _import_event(record: RequestRecord) -> Imported:
    """The event in the history of an imported request. It is not public."""
    return Imported(
        at=record.requested_at, cause="benchmark", is_new=True, status=record.status, department=record.department
    )


def _rival(jurisdiction: Jurisdiction) -> Iterator[str]:
    """The same requests in the form of a row-by-row application: one table with indexes, names in other tables."""
    yield "CREATE SCHEMA rival"
    yield "CREATE TABLE rival.department AS SELECT code, name FROM department WHERE jurisdiction_id = 'nyc.gov'"
    yield "ALTER TABLE rival.department ADD PRIMARY KEY (code)"
    yield """
        CREATE TABLE rival.service (
            service_code text PRIMARY KEY, service_name text NOT NULL, description text NOT NULL,
            metadata boolean NOT NULL, type text NOT NULL, keywords text NOT NULL, "group" text NOT NULL,
            department_code text NOT NULL REFERENCES rival.department)
    """
    for service in jurisdiction.services:
        values = (
            *(service.code, service.name, service.description, service.has_metadata, str(service.type)),
            *(", ".join(service.keywords), service.group, service.department),
        )
        texts = ", ".join(str(value).lower() if isinstance(value, bool) else _quoted(value) for value in values)
        yield f"INSERT INTO rival.service VALUES ({texts})"
    yield "CREATE SEQUENCE rival.number"
    yield """
        CREATE TABLE rival.request AS
        SELECT id, service_request_id, status, nullif(status_notes, '') AS status_notes, service_code,
            department AS department_code, nullif(description, '') AS description,
            nullif(service_notice, '') AS service_notice, requested_at AS requested_datetime,
            updated_at AS updated_datetime, expected_at AS expected_datetime, nullif(address, '') AS address,
            nullif(address_id, '') AS address_id, nullif(zipcode, '') AS zipcode, lat, long, point,
            media_urls[1] AS media_url, NULL::text AS email
        FROM service_request ORDER BY id
    """
    yield "SELECT setval('rival.number', (SELECT max(id) FROM rival.request))"
    yield """
        ALTER TABLE rival.request ADD PRIMARY KEY (id), ALTER id SET DEFAULT nextval('rival.number'),
            ALTER service_request_id SET DEFAULT '311-' || lpad(currval('rival.number')::text, 8, '0'),
            ALTER service_request_id SET NOT NULL, ALTER status SET DEFAULT 'open',
            ALTER requested_datetime SET DEFAULT now(), ALTER updated_datetime SET DEFAULT now(),
            ADD FOREIGN KEY (service_code) REFERENCES rival.service,
            ADD FOREIGN KEY (department_code) REFERENCES rival.department
    """
    yield "CREATE UNIQUE INDEX ON rival.request (service_request_id)"
    yield "CREATE INDEX ON rival.request (requested_datetime DESC, id DESC)"
    yield "CREATE INDEX ON rival.request (service_code, requested_datetime DESC, id DESC)"
    yield "CREATE INDEX ON rival.request (requested_datetime DESC, id DESC) WHERE status = 'open'"
    yield "CREATE INDEX ON rival.request (updated_datetime, id)"
    yield "CREATE INDEX ON rival.request USING gist (point, requested_datetime)"
    yield """
        CREATE FUNCTION rival.is_near(point geometry, long float8, lat float8, metres float8) RETURNS boolean
        LANGUAGE sql IMMUTABLE
        RETURN point && ST_Expand(ST_SetSRID(ST_MakePoint(long, lat), 4326), metres / 80000, metres / 110500)
            AND ST_DWithin(point::geography, ST_SetSRID(ST_MakePoint(long, lat), 4326)::geography, metres)
    """


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def find_cluster() -> Cluster:
    """The cluster of the benchmarks, in var/. It is durable: fsync is on."""
    return Cluster(HOME, durable=True, bin_dir=find_binaries(), settings=POSTGRES)
