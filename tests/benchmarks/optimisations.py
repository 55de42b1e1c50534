"""Measures optimisations of memory, start-up and background work. They do not change the time of a request.

Each function measures our code with and without an optimisation, in alternating rounds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import orjson
from sqlalchemy import text

from open311.domain.requests import Extras, PublicRequest
from open311.embedded import Cluster
from open311.formats import Rendition, render_request, shape_of
from open311.formats.documents import _child, json_fragments, json_item, xml_item
from open311.formats.writing import bulk_csv_line
from open311.operations.publishing import Names, extras_of, public_view
from open311.storage.engine import Connection, Database, open_database
from open311.storage.queue import Queue, Task
from schemas.georeport import ExtrasSchema, ServiceRequestSchema
from tests.benchmarks.city import Chronicle
from tests.benchmarks.contestants import OURS, Contestant, running
from tests.benchmarks.contestants.altered import ONE_EACH
from tests.benchmarks.cpu import cpu_ns
from tests.benchmarks.data import CITY, Data, city, make_empty, run_open311
from tests.benchmarks.load import Refused
from tests.benchmarks.measures import SETTLING_S, Results, measure_memory
from tests.benchmarks.ratios import Ratio
from tests.benchmarks.workloads import Field
from tests.dumping import dumping

T = TypeVar("T")
QUEUE_NAME = "bench_queue"
OWN_QUEUE = """
    CREATE TABLE own_job (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, task text NOT NULL, arguments jsonb NOT NULL,
        status text NOT NULL DEFAULT 'todo', scheduled_at timestamptz
    )
"""
JOBS_PER_SECOND = """
    SELECT count(*) FILTER (WHERE type = 'succeeded') / extract(epoch FROM max(at) - min(at))
    FROM procrastinate_events WHERE type IN ('started', 'succeeded')
"""
JOB = {"jurisdiction_id": CITY, "number": 1, "token": "t" * 22}


@dataclass(slots=True)
class Optimisations:
    """The results of all measurements with and without an optimisation.

    results          figures of requests, by workload and contestant
    ratios           figures of the measurements in this module
    jobs_per_second  empty jobs that one worker does in a second
    sizes            table -> bytes per request, in rows and in indexes
    """

    results: Results = field(default_factory=dict)
    ratios: list[Ratio] = field(default_factory=list)
    jobs_per_second: float = 0.0
    sizes: dict[str, tuple[float, float]] = field(default_factory=dict)


def measure_renderers(rounds: int, count: int) -> Ratio:
    """CPU time to render by generated functions and by marshmallow (0020). Raises Refused if the results differ."""
    views = list(_views(count))
    dump = _schema_renderer()
    if any(render_request(*view) != dump(*view) for view in views):
        raise Refused("the renderer and the schemas disagree")
    ours, others = _in_turn(
        rounds,
        lambda: _cpu_us(lambda: [render_request(*view) for view in views], count),
        lambda: _cpu_us(lambda: [dump(*view) for view in views], count),
    )
    return Ratio(
        "renditions of a request by generated functions; by marshmallow's dump (0020)", "CPU-µs", ours, others
    )


def _schema_renderer() -> Callable[[PublicRequest, Extras], Rendition]:
    """A function that renders by `dump`. As in our code, shapes are read once, before it is called."""
    requests, extras = dumping(ServiceRequestSchema), dumping(ExtrasSchema)
    request_shape, extras_shape = shape_of(ServiceRequestSchema), shape_of(ExtrasSchema)

    def dump(request: PublicRequest, more: Extras) -> Rendition:
        content, added = requests.dump(request), extras.dump(more)
        markup = (_child(one, added[one.name]) if one.name in added else "" for one in extras_shape.columns)
        line = bulk_csv_line(content, added.get("extended_attributes") or {})
        return Rendition(
            json_item(content), xml_item(request_shape, content), json_fragments(added), tuple(markup), line
        )

    return dump


def _views(count: int) -> Iterator[tuple[PublicRequest, Extras]]:
    """Requests of New York as values to render."""
    jurisdiction, now = city(), datetime(2026, 6, 1, tzinfo=UTC)
    names = Names(jurisdiction, {})
    records = Chronicle(jurisdiction, 1, now).records(now - timedelta(days=90), now, range(1, count + 1))
    for record in records:
        yield public_view(record, names), extras_of(record, names, ())


def measure_forking(
    field: Field, environment: Mapping[str, str], log: Path, *, rounds: int, reads: int
) -> Iterator[Ratio]:
    """Measure two kinds of start (0021): a forked application, and an application made by each web process."""

    def start(contestant: Contestant) -> tuple[float, ...]:
        return _start(field, contestant, environment, log, reads)

    ours, others = _in_turn(rounds, lambda: start(OURS), lambda: start(ONE_EACH))
    figures = (
        ("time from start to first answer", "s"),
        ("CPU time of a start", "s"),
        (f"memory after {reads:,} reads", "MB"),
    )
    for number, (title, unit) in enumerate(figures):
        mine, theirs = ([start[number] for start in starts] for starts in (ours, others))
        yield Ratio(f"{title}; {ONE_EACH.title}", unit, mine, theirs)


def _start(
    field: Field, contestant: Contestant, environment: Mapping[str, str], log: Path, reads: int
) -> tuple[float, ...]:
    """Seconds to the first answer, CPU seconds until all web processes run, MB after the reads."""
    begun_at = time.perf_counter()
    with running(contestant, environment, log) as server:
        seconds = time.perf_counter() - begun_at
        time.sleep(SETTLING_S)  # there is no sign when the last web process has started
        cpu_s = cpu_ns([server.pid]) / 1e9
        return seconds, cpu_s, measure_memory(field, server, reads).after


def measure_queue(cluster: Cluster, *, rounds: int, count: int) -> tuple[Ratio, float]:
    """CPU time to defer a job with procrastinate, and to insert a row into a plain table (0022).

    Each is done in its own transaction. The second result is the jobs per second of one worker, from its first job
    to its last.
    """
    make_empty(cluster, QUEUE_NAME)
    data = Data(cluster, QUEUE_NAME, 0, datetime.now(UTC))
    database = open_database(data.url)
    try:
        defer, insert = _writers(database)
        ours, others = _in_turn(
            rounds,
            lambda: _cpu_us(lambda: _write(database, defer, count), count, data.postmaster),
            lambda: _cpu_us(lambda: _write(database, insert, count), count, data.postmaster),
        )
        run_open311(["worker", "--once"], data.url)
        with data.cursor() as cursor:
            cursor.execute(JOBS_PER_SECOND)
            per_second = float(cursor.fetchone()[0])
    finally:
        database.close()
        cluster.drop_database(QUEUE_NAME)
    title = "a job deferred with procrastinate; a row in a plain table (0022)"
    return Ratio(title, "CPU-µs", ours, others), per_second


def _writers(database: Database) -> tuple[Callable[[Connection], object], Callable[[Connection], object]]:
    queue = Queue(database)
    with database.transaction() as connection:
        connection.execute(text(OWN_QUEUE))
    statement = text("INSERT INTO own_job (task, arguments) VALUES (:task, :arguments)")
    values = {"task": Task.RESOLVE.value, "arguments": orjson.dumps(JOB).decode()}
    return (
        lambda connection: queue.defer(connection, Task.RESOLVE, at=None, **JOB),
        lambda connection: connection.execute(statement, values),
    )


def _write(database: Database, write: Callable[[Connection], object], count: int) -> None:
    for _ in range(count):
        with database.transaction() as connection:
            write(connection)


def _in_turn(rounds: int, one: Callable[[], T], other: Callable[[], T]) -> tuple[list[T], list[T]]:
    """The figures of both functions for each round. The functions run first in turn. A first round warms up."""
    figures: tuple[list[T], list[T]] = ([], [])
    for number in range(-1, rounds):
        for side in (0, 1) if number % 2 else (1, 0):
            figure = (one, other)[side]()
            if number >= 0:
                figures[side].append(figure)
    return figures


def _cpu_us(work: Callable[[], object], count: int, *roots: int) -> float:
    """CPU time of this process and other process trees, in µs, divided by `count`."""
    before = time.process_time_ns() + cpu_ns(roots)
    work()
    return (time.process_time_ns() + cpu_ns(roots) - before) / count / 1000


def measure_sizes(data: Data) -> dict[str, tuple[float, float]]:
    """The bytes of a request in the tables of records and publications, and in their indexes (0004)."""
    sizes = {}
    with data.cursor() as cursor:
        for table in ("service_request", "publication"):
            cursor.execute("SELECT pg_table_size(%s), pg_indexes_size(%s)", (table, table))
            of_rows, of_indexes = cursor.fetchone()
            sizes[table] = (of_rows / data.rows, of_indexes / data.rows)
    return sizes
