"""Measures how much CPU time our calls of libpq save, compared with psycopg's cursor. Both run in one process.

The figures are in spec/decisions/0018-libpq-calls.md. Only the CPU time of the client is counted.
"""

from __future__ import annotations

import gc
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from itertools import count, cycle, islice
from statistics import median
from typing import Any

import orjson
import psycopg
from psycopg.types.json import set_json_dumps
from sqlalchemy import Column, Connection, Table, Text
from sqlalchemy.schema import CreateTable

from open311.domain.events import Received, Routed
from open311.domain.requests import Reporter, RequestRecord
from open311.domain.search import RequestSearch, Window
from open311.formats import JSON
from open311.operations.publishing import names_for, publication_of
from open311.storage.copying import copy_rows, stage_of
from open311.storage.engine import Database, open_database
from open311.storage.failures import is_dead
from open311.storage.hot.connections import HotConnections
from open311.storage.hot.results import Result
from open311.storage.hot.searching import find_item, find_items
from open311.storage.hot.sessions import transformer_of
from open311.storage.hot.statements import Statement
from open311.storage.hot.submissions import NewRequest, insert_request
from open311.storage.keys import add_key, find_key
from open311.storage.publications import Publication, publication_values
from open311.storage.requests import record_values
from open311.storage.tables import publication, service_request
from tests.benchmarks.city import Chronicle
from tests.benchmarks.cpu import one_core
from tests.benchmarks.data import CITY, Data, city

COPIED_ROWS = 2_000
TURNS = 10
POSTS = 150
WARM_CALLS = 10
Call = Callable[[], object]


class ByCursor(HotConnections):
    """Runs the same statements with `Cursor.execute`, with the same adaptation of values and socket checks."""

    def __init__(self, dsn: str) -> None:
        super().__init__(dsn, prepares=True)
        self._connection = psycopg.connect(dsn, autocommit=True, cursor_factory=psycopg.RawCursor)
        self._transformer = transformer_of(self._connection)
        self._cursor = self._connection.cursor()

    def read(self, statement: Statement, values: Mapping[str, Any]) -> Result:
        """The result of a statement."""
        return Result(self._run(statement, values).pgresult, self._transformer)

    def rows(self, statement: Statement, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """The result, row by row."""
        rows: list[tuple[Any, ...]] = self._run(statement, values).fetchall()
        return rows

    write = rows

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _run(self, statement: Statement, values: Mapping[str, Any]) -> Any:
        if is_dead(self._connection.pgconn.socket):
            raise RuntimeError("the server has closed the connection")
        sent = [values[name] for name in statement.names]
        return self._cursor.execute(statement.numbered, sent, prepare=bool(statement.name), binary=True)


@dataclass(frozen=True, slots=True)
class Comparison:
    """CPU time of the client for one call or row, in microseconds, one figure for each round."""

    title: str
    ours: list[float] = field(default_factory=list)
    psycopgs: list[float] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        """psycopg's figure divided by ours, median of the rounds."""
        return median(theirs / ours for ours, theirs in zip(self.ours, self.psycopgs, strict=True))


@dataclass(frozen=True, slots=True)
class _Case:
    """The same work, done by our calls and by psycopg's cursor.

    calls  number of calls in a round, for each way
    per    number of rows of each call; the time of a call is divided by it
    """

    title: str
    ours: Call
    psycopgs: Call
    calls: int
    per: int = 1


def measure_client(data: Data, rounds: int, share: float) -> Iterator[Comparison]:
    """Measure all cases. With a `share` of 0.1, each case makes a tenth of the calls of a full run."""
    with ExitStack() as stack:
        stack.enter_context(one_core(data.postmaster))
        database = stack.enter_context(closing(open_database(data.url)))
        theirs = stack.enter_context(closing(ByCursor(data.dsn)))
        for case in [*_statements(data, database, theirs, rounds), *_copies(data, database, stack)]:
            yield _compare(case, rounds, share)


def _compare(case: _Case, rounds: int, share: float) -> Comparison:
    comparison, calls = Comparison(case.title), max(1, int(case.calls * share / TURNS))
    for call in (case.ours, case.psycopgs):
        _timed(call, min(calls, WARM_CALLS))
    for _ in range(rounds):
        gc.collect()
        gc.disable()
        least = _round(case, calls)
        gc.enable()
        for figures, spent in zip((comparison.ours, comparison.psycopgs), least, strict=True):
            figures.append(spent / calls / case.per)
    return comparison


def _round(case: _Case, calls: int) -> tuple[float, float]:
    """Run both ways in turn, a few calls at a time. Returns the minimum µs of each: other load only adds."""
    ours, psycopgs = [], []
    for turn in range(TURNS):
        if turn % 2:
            ours.append(_timed(case.ours, calls))
        psycopgs.append(_timed(case.psycopgs, calls))
        if not turn % 2:
            ours.append(_timed(case.ours, calls))
    return min(ours), min(psycopgs)


def _timed(call: Call, calls: int) -> float:
    """CPU time of this process for the calls, in microseconds."""
    begun_at = time.process_time_ns()
    for _ in range(calls):
        call()
    return (time.process_time_ns() - begun_at) / 1000


def _statements(data: Data, database: Database, theirs: HotConnections, rounds: int) -> Iterator[_Case]:
    ids, secret = cycle(data.ids(200)), secrets.token_urlsafe()
    with database.transaction() as connection:
        add_key(connection, secret, jurisdiction_id="*", label="bench", now=data.newest)
    cases: list[tuple[str, Callable[[HotConnections], object], int]] = [
        ("1000-row page: bodies, digest and last key", lambda hot: _page(data, hot, 1000), 50),
        ("50-row page", lambda hot: _page(data, hot, 50), 500),
        ("one request by its id", lambda hot: find_item(hot, CITY, next(ids), JSON), 1_500),
        ("one API key", lambda hot: find_key(hot, secret), 1_500),
    ]
    for title, call, calls in cases:
        yield _Case(title, partial(call, database.hot), partial(call, theirs), calls)
    # The values are made before the measurement. There are enough of them for warming up, too.
    new_requests = iter(list(islice(_new_requests(data, database), 2 * POSTS * (rounds + 1))))
    yield _Case(
        "POST: values and statement",
        lambda: insert_request(database.hot.write, next(new_requests)),
        lambda: insert_request(theirs.write, next(new_requests)),
        POSTS,
    )


def _page(data: Data, hot: HotConnections, rows: int) -> None:
    window = Window(data.newest - timedelta(days=90))
    page = find_items(hot, RequestSearch(jurisdiction_id=CITY, requested=window, page_size=rows), JSON)
    page.key(len(page.bodies) - 1)


def _new_requests(data: Data, database: Database) -> Iterator[NewRequest]:
    numbers = count(data.rows + 1)
    for shown in cycle(_publications(data, database)):
        number = next(numbers)
        record = replace(shown.record, number=number, service_request_id=f"bench-{number}")
        at, department = record.requested_at, record.department
        yield NewRequest(
            record=record,
            reporter=Reporter(email="jane@example.com", first_name="Jane"),
            events=[Received(at=at, department=department), Routed(at=at, department=department, reason="")],
            publication=replace(shown, record=record),
        )


def _publications(data: Data, database: Database) -> list[Publication]:
    jurisdiction = city()
    with database.reading() as connection:
        names = names_for(connection, jurisdiction)
    records: Iterator[RequestRecord] = Chronicle(jurisdiction, -2, data.newest).records(
        data.newest - timedelta(days=1), data.newest, range(data.rows + 1, data.rows + 1 + COPIED_ROWS)
    )
    return [publication_of(record, names, ()) for record in records]


def _copies(data: Data, database: Database, stack: ExitStack) -> Iterator[_Case]:
    """The cases of COPY into two staging tables, which are emptied before each COPY and rolled back at the end."""
    shown, texts = (
        _publications(data, database),
        [Column(name, Text) for name in ("point", "words", "words_language")],
    )
    connection = stack.enter_context(database.engine.connect())
    theirs = stack.enter_context(closing(psycopg.connect(data.dsn)))
    set_json_dumps(orjson.dumps, theirs)
    for stage, rows in (
        (stage_of(service_request, texts[0]), [record_values(one.record) for one in shown]),
        (stage_of(publication, *texts, without=["written_by"]), [publication_values(one) for one in shown]),
    ):
        connection.execute(CreateTable(stage))
        theirs.execute(str(CreateTable(stage).compile(database.engine)))
        yield _Case(
            f"COPY of {len(rows):,} rows into {stage.name}, per row",
            partial(_copy_rows, connection, stage, rows),
            partial(_write_rows, theirs, database, stage, rows),
            10,
            per=len(rows),
        )


def _copy_rows(connection: Connection, stage: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    connection.exec_driver_sql(f"TRUNCATE {stage.name}")
    copy_rows(connection, stage, rows)


def _write_rows(
    connection: psycopg.Connection[Any], database: Database, stage: Table, rows: Sequence[Mapping[str, Any]]
) -> None:
    """Write rows with psycopg's COPY, on a separate connection."""
    columns = [item for item in stage.c if item.name in rows[0]]
    names = [item.name for item in columns]
    connection.execute(f"TRUNCATE {stage.name}")
    column_list = ", ".join(f'"{name}"' for name in names)
    with (
        connection.cursor() as cursor,
        cursor.copy(f'COPY "{stage.name}" ({column_list}) FROM STDIN (FORMAT BINARY)') as copy,
    ):
        copy.set_types([item.type.compile(database.engine.dialect).lower() for item in columns])
        for row in rows:
            copy.write_row([row[name] for name in names])
