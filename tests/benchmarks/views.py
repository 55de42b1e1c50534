"""The cost of pages, statistics and tiles, compared with a page of 50 requests in the same round, and their plans.

Each workload asks for many places or periods in turn, so that nothing but the server's own caches helps.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from math import asinh, floor, pi, radians, tan
from urllib.parse import quote, urlencode

from tests.benchmarks.contestants import OURS, Server
from tests.benchmarks.cpu import pss_kb
from tests.benchmarks.data import CITY
from tests.benchmarks.load import call, drive
from tests.benchmarks.measures import CONNECTIONS, Figures, Results
from tests.benchmarks.workloads import BASE, COMMON, NEAR, Field, Requests, Workload, address, find_workload

USUAL = "small"
"""The name of the workload with which all others are compared: the page of 50 requests."""
PAGES = f"/c/{CITY}"
STATISTICS_LIMIT, TILE_LIMIT, PAGE_LIMIT = 5.0, 10.0, 5.0
AROUND = 2
"""The number of tiles that a workload asks for on each side of the middle tile."""
WORD = "noise"
"""A word that many requests have."""


@dataclass(frozen=True, slots=True)
class View:
    """A workload, and how many times as much as a page of 50 requests it may cost."""

    workload: Workload
    limit: float


def _view(name: str, title: str, limit: float, requests: Requests) -> View:
    return View(Workload(name=name, title=title, requests=requests, who=(OURS.name,), compares=False), limit)


def _page(path: str, **parameters: str) -> Requests:
    query = f"?{urlencode(parameters)}" if parameters else ""
    return lambda _field, _server: [call("GET", f"{PAGES}/{path}{query}")]


def _request_pages(field: Field, _server: Server) -> list[bytes]:
    return [call("GET", f"{PAGES}/requests/{quote(known)}") for known in field.known_ids[:500]]


def _periods(path: str, **parameters: str) -> Requests:
    """Numbers about a year, which ends on another day each time, so that no process has the answer already."""

    def make(field: Field, _server: Server) -> list[bytes]:
        ends = (field.data.newest.date() - timedelta(days=days) for days in range(700))
        return [
            call("GET", f"{path}?{urlencode(parameters | {'start_date': end - timedelta(365), 'end_date': end})}")
            for end in ends
        ]

    return make


def _stats(**parameters: str) -> Requests:
    return lambda _field, _server: [call("GET", address("stats.json", **parameters))]


def tiles(zoom: int, **parameters: str) -> Requests:
    """The tiles around a place with many requests."""
    long, lat = NEAR
    side = 1 << zoom
    x = floor((long + 180) / 360 * side)
    y = floor((1 - asinh(tan(radians(lat))) / pi) / 2 * side)
    reach = range(-min(AROUND, side // 4), min(AROUND, side // 4) + 1)
    addresses = [
        address(f"tiles/{zoom}/{(x + right) % side}/{y + down}.mvt", **parameters)
        for down in reach
        for right in reach
        if 0 <= y + down < side
    ]
    return lambda _field, _server: [call("GET", one) for one in addresses]


VIEWS = (
    View(find_workload(USUAL), 1.0),
    _view("start", "page: what can be reported", PAGE_LIMIT, _page("")),
    _view("list", "page: list of requests", PAGE_LIMIT, _page("requests")),
    _view("request", "page: one request", PAGE_LIMIT, _request_pages),
    _view("numbers", "page: numbers of the last twelve months", STATISTICS_LIMIT, _page("numbers")),
    _view("numbers-year", "page: numbers, another year each time", STATISTICS_LIMIT, _periods(f"{PAGES}/numbers")),
    _view("stats", "stats.json of all time", STATISTICS_LIMIT, _stats()),
    _view("stats-service", "stats.json by service", STATISTICS_LIMIT, _stats(group_by="service")),
    _view("stats-month", "stats.json by month", STATISTICS_LIMIT, _stats(group_by="month")),
    _view(
        "stats-year",
        "stats.json by department, another year each time",
        STATISTICS_LIMIT,
        _periods(f"{BASE}/stats.json", jurisdiction_id=CITY, group_by="department"),
    ),
    *(_view(f"tile-{zoom}", f"tiles of zoom {zoom}", TILE_LIMIT, tiles(zoom)) for zoom in range(6, 19, 2)),
    _view("tile-13", "tiles of zoom 13", TILE_LIMIT, tiles(13)),
    _view("tile-service", "tiles of zoom 12, a common service", TILE_LIMIT, tiles(12, service_code=COMMON)),
    _view("tile-open", "tiles of zoom 12, open requests", TILE_LIMIT, tiles(12, status="open")),
    _view("tile-open-14", "tiles of zoom 14, open requests", TILE_LIMIT, tiles(14, status="open")),
    _view("tile-word", "tiles of zoom 12, a common word", TILE_LIMIT, tiles(12, q=WORD)),
)


def shares(results: Results, view: View) -> list[float]:
    """How many times as much as a page of 50 requests a view costs, for each round."""
    usual = results.get(USUAL, {}).get(OURS.name, Figures()).cpu_ms
    own = results.get(view.workload.name, {}).get(OURS.name, Figures()).cpu_ms
    return [one / other for one, other in zip(own, usual, strict=True)] if own else []


def measure_view_memory(field: Field, server: Server) -> list[float]:
    """The proportional set size of a new server in MB, and after each of three turns of many calls of all kinds."""
    requests = [one for view in VIEWS for one in view.workload.requests(field, server)[:60]]
    seen = [pss_kb([server.pid])[0]]
    for _ in range(3):
        drive(server.port, requests, count=len(requests), connections=CONNECTIONS)
        seen.append(pss_kb([server.pid])[0])
    return [kb / 1024 for kb in seen]


def targets(field: Field, server: Server) -> Iterator[tuple[str, str]]:
    """Every call to explain: its title and URL."""
    for view in VIEWS:
        request = view.workload.requests(field, server)[0]
        yield view.workload.title, request.split(b" ", 2)[1].decode()
