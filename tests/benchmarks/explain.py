"""Reads the plan of every query that our server runs for lists, feeds, the change feed and nearby searches.

Our server is called over HTTP with every filter and every pair of filters, while PostgreSQL's auto_explain writes
the plan of each statement to its log. So this module judges the statements that the server really sends, including
generic plans of prepared statements.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

from open311.domain.search import RequestSearch
from open311.operations.reading.export_requests import EXPORT_ORDER
from open311.operations.reading.follow_changes import write_position
from open311.storage.engine import open_database
from open311.storage.hot.changes import Position
from open311.storage.hot.searching import whole_digest_query, whole_query
from tests.benchmarks.contestants import Server
from tests.benchmarks.data import CITY, Data
from tests.benchmarks.load import Refused, ask, call
from tests.benchmarks.workloads import CIRCLE, COMMON, RARE, SMALL, Field, _box, address, days_ago

LIMIT_MS = 10.0
TIMES = 5
TABLES = ("publication", "map_cell", "closed_count", "open_count", "counted_request")
"""Statements on other tables, such as those for keys and marks, are not shown."""
_ENTRY = re.compile(r"duration: (?P<ms>[\d.]+) ms  plan:\n(?P<plan>(?:\t.*\n)+)")

Parameters = dict[str, object]
Statement = tuple[float, dict[str, Any]]
"""Milliseconds of execution, and the plan as auto_explain writes it."""
UNCHANGED = "If-None-Match "
"""A prefix of an address. A call with this prefix sends the ETag of an earlier answer."""
FILTERS: dict[str, Parameters] = {
    "90 days": {},
    "30 days": {"start_date": days_ago(760), "end_date": days_ago(730)},
    "service": {"service_code": COMMON},
    "rare service": {"service_code": RARE},
    "three services": {"service_code": f"{COMMON},{RARE},Noise"},
    "open": {"status": "open"},
    "closed": {"status": "closed"},
    "updated after": {"updated_after": days_ago(2)},
    "updated after, long ago": {"updated_after": days_ago(1000)},
    "updated before": {"updated_before": days_ago(700)},
    "radius": {**CIRCLE, "radius": 300},
    "radius 3 km": {**CIRCLE, "radius": 3000},
    "words": {"q": "hydrant"},
    "two words": {"q": "hydrant brooklyn"},
    "rare word": {"q": "4077"},
    "agency": {"agency_responsible": "Department of Transportation"},
    "group": {"group": "Housing"},
    "photo": {"has_photo": "true"},
    "no photo": {"has_photo": "false"},
    "bbox": {"bbox": _box(500)},
    "bbox 10 km": {"bbox": _box(10_000)},
    "area": {"area": "Nowhere"},  # New York has no areas; the search for an unknown area must not scan all rows
}
EXCLUSIVE: tuple[tuple[str, ...], ...] = (
    *(("90 days", "30 days"), ("service", "rare service", "three services"), ("open", "closed")),
    *(("updated after", "updated after, long ago", "updated before"), ("radius", "radius 3 km")),
    *(("bbox", "bbox 10 km"), ("words", "two words", "rare word"), ("photo", "no photo")),
)
ORDERS = ("requested", "-updated", "updated")
FEEDS = ("geojson", "csv", "atom", "ndjson")
NEARBY: Parameters = {"service_code": COMMON, **CIRCLE}


@dataclass(frozen=True, slots=True)
class Plan:
    """The statements of the server for one call.

    statement_ms  execution time of all its statements; the minimum of several calls
    path          scans and sorts of the slowest statement, with PostgreSQL's names
    is_whole      whether the call reads the whole city, which takes long and uses no index
    """

    title: str
    target: str
    statement_ms: float
    rows: int
    buffers: int
    path: tuple[str, ...]
    is_whole: bool = False

    @property
    def faults(self) -> Iterator[str]:
        """The reasons why the plan is not good enough, if any."""
        if self.is_whole:
            return
        if any(step.startswith("Seq Scan") for step in self.path):
            yield "reads the whole table"
        if self.statement_ms > LIMIT_MS:
            yield f"takes more than {LIMIT_MS:.0f} ms"


def targets(field: Field, *, with_pairs: bool = True) -> Iterator[tuple[str, str]]:
    """Every call to explain: its title and URL."""
    for title, parameters in (*_single_filters(), *(_pairs() if with_pairs else ())):
        values = {name: value(field) if callable(value) else value for name, value in parameters.items()}
        yield title, address("requests.json", **values)
    yield "304", UNCHANGED + address("requests.json")
    yield "304, open, 50 rows", UNCHANGED + address("requests.json", status="open", page_size=SMALL)
    yield "one", address(f"requests/{field.known_ids[0]}.json")
    yield "50 ids", address("requests.json", service_request_id=",".join(field.known_ids[:50]))
    yield from _feeds()
    yield from _changes(field)
    yield from _nearby()


def _feeds() -> Iterator[tuple[str, str]]:
    for suffix in FEEDS:
        yield suffix, address(f"requests.{suffix}")
        for order in ORDERS:
            yield f"{suffix}, by {order}", address(f"requests.{suffix}", sort=order)
    yield "geojson, area", address("requests.geojson", area="Nowhere")


def _changes(field: Field) -> Iterator[tuple[str, str]]:
    """The change feed from its start and from its middle."""
    with field.data.cursor() as cursor:
        cursor.execute(
            "SELECT written_by::text, id FROM publication WHERE jurisdiction_id = %s AND was_public"
            " ORDER BY publication.written_by, id OFFSET %s LIMIT 1",
            (CITY, field.data.rows // 2),
        )
        written_by, number = cursor.fetchone()
    middle = write_position(CITY, Position(int(written_by), number))
    for suffix in ("json", "xml"):
        yield f"changes, {suffix}", address(f"changes.{suffix}")
        yield f"changes from the middle, {suffix}", address(f"changes.{suffix}", cursor=middle)
    yield "changes from the middle, 50 rows", address("changes.json", cursor=middle, page_size=SMALL)
    yield "changes from the middle, extensions", address("changes.json", cursor=middle, extensions="true")


def _nearby() -> Iterator[tuple[str, str]]:
    yield "nearby", address("requests/nearby.json", **NEARBY)
    yield "nearby, extensions", address("requests/nearby.xml", **NEARBY, extensions="true")
    yield "nearby, rare service", address("requests/nearby.json", **NEARBY | {"service_code": RARE})
    yield "nearby, 500 m, 90 days", address("requests/nearby.json", **NEARBY, radius=500, days=90)


def _single_filters() -> Iterator[tuple[str, Parameters]]:
    for name, parameters in FILTERS.items():
        yield name, parameters
        for order in ORDERS:
            yield f"{name}, by {order}", {**parameters, "sort": order}
        yield f"{name}, page 20", {**parameters, "page": 20}
        yield f"{name}, {SMALL} rows", {**parameters, "page_size": SMALL}
        yield f"{name}, counted", {**parameters, "page_size": SMALL, "count": "true"}


def _pairs() -> Iterator[tuple[str, Parameters]]:
    for first, second in combinations(FILTERS, 2):
        if not any(first in kinds and second in kinds for kinds in EXCLUSIVE):
            yield f"{first} + {second}", {**FILTERS[first], **FILTERS[second]}


@contextmanager
def explaining(data: Data) -> Iterator[None]:
    """Makes every new session log its plans; start the server inside the block."""
    settings = {
        "session_preload_libraries": "auto_explain",
        "auto_explain.log_min_duration": "0",
        "auto_explain.log_analyze": "on",
        "auto_explain.log_buffers": "on",
        "auto_explain.log_timing": "off",  # no timing of single nodes, which would cost more than the nodes
        "auto_explain.log_format": "json",
        "auto_explain.log_nested_statements": "off",
    }
    with data.cursor(data.admin_dsn) as cursor:
        for name, value in settings.items():
            cursor.execute(f"ALTER DATABASE {data.name} SET {name} = '{value}'")
        try:
            yield
        finally:
            for name in settings:
                cursor.execute(f"ALTER DATABASE {data.name} RESET {name}")


def explain(
    field: Field, server: Server, calls_to_make: list[tuple[str, str]], advance: Callable[[], None]
) -> list[Plan]:
    """The plans of these calls. Each call is a title and a URL."""
    log = field.data.cluster.home / "server.log"
    plans = []
    for title, target in calls_to_make:
        calls = [_observe(server, log, target)]  # this call warms up and is not counted
        if calls[0]:  # empty if the filters contradict each other: then no statement runs
            calls += [_observe(server, log, target) for _ in range(TIMES)]
            # If the process has stored the answer to a call, that call runs no statement.
            plans.append(_plan(title, target, list(filter(None, calls[1:])) or calls[:1]))
        advance()
    if not plans:
        raise Refused("no plan in the server's log: auto_explain is missing")
    return plans


def explain_whole(data: Data) -> Iterator[Plan]:
    """The statements of an export of the whole city, each run with EXPLAIN.

    The cursor of an export is closed by the end of its session, and auto_explain does not log such a cursor.
    """
    search = RequestSearch(jurisdiction_id=CITY, sort=EXPORT_ORDER)
    statements = {
        "whole export": whole_query(search),
        "whole export as Bulk CSV": whole_query(search, as_bulk_csv=True),
        "whole export, count and digest": whole_digest_query(search),
    }
    database = open_database(data.url)
    with closing(database.hot.session()) as session:
        for title, (statement, values) in statements.items():
            explained = session.run(
                statement, values, before="EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) "
            )
            [plan] = explained.rows()[0][0]
            yield replace(_plan(title, "", [[(plan["Execution Time"], plan)]]), is_whole=True)


def _observe(server: Server, log: Path, target: str) -> list[Statement]:
    """Make one call; returns its statements."""
    begins_at = log.stat().st_size
    headers = {}
    if target.startswith(UNCHANGED):
        target = target.removeprefix(UNCHANGED)
        headers = {"If-None-Match": ask(server.port, call("GET", target)).header("ETag")}
        begins_at = log.stat().st_size
    answer = ask(server.port, call("GET", target, headers=headers))
    if answer.status not in (200, 304):
        raise Refused(f"{target}: {answer.status} {answer.body[:200]!r}")
    return _entries(log, begins_at)


def _entries(log: Path, begins_at: int) -> list[Statement]:
    """The statements on the public tables after a position of the log. They may be logged after the answer."""
    for _ in range(25):
        with log.open("rb") as file:
            file.seek(begins_at)
            text = file.read().decode(errors="replace")
        statements = [(float(entry["ms"]), json.loads(entry["plan"])) for entry in _ENTRY.finditer(text)]
        statements = [(ms, plan) for ms, plan in statements if any(table in plan["Query Text"] for table in TABLES)]
        if statements:
            return statements
        time.sleep(0.01)  # there is no event when PostgreSQL has written its log
    return []


def _plan(title: str, target: str, calls: list[list[Statement]]) -> Plan:
    totals = [sum(ms for ms, _ in entries) for entries in calls]
    slowest = max(calls[-1], key=lambda entry: entry[0])[1]["Plan"]
    buffers = slowest.get("Shared Hit Blocks", 0) + slowest.get("Shared Read Blocks", 0)
    return Plan(title, target, min(totals), int(slowest["Actual Rows"]), buffers, tuple(steps(slowest)))


def steps(node: dict[str, Any]) -> Iterator[str]:
    name = node["Node Type"]
    if "Scan" in name or name in ("Sort", "Incremental Sort", "BitmapAnd", "BitmapOr"):
        source = node.get("Index Name") or (node.get("Relation Name") if name == "Seq Scan" else "")
        yield f"{name} {source}".strip()
    for child in node.get("Plans", ()):
        yield from steps(child)
