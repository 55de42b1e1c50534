"""The requests that are sent to the servers.

Most servers have the URLs of the standard; tipg and pygeoapi have their own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from random import Random
from urllib.parse import quote, urlencode

from tests.benchmarks.contestants import BARE, FASTAPI, NAIVE, NAIVE_ROWS, OURS, RAW, Server
from tests.benchmarks.data import CITY, Data
from tests.benchmarks.load import Refused, ask, call

BASE = "/open311/v2"
READS_PER_S, WRITES_PER_S = 50.0, 5.0
NEAR = (-73.98, 40.75)
"""The long and lat of a place with many requests, in degrees."""
COMMON, RARE = "Illegal Parking", "Elevator"
EVERYBODY = (OURS.name, NAIVE.name, FASTAPI.name, RAW.name, BARE.name)
ROWS = (OURS.name, NAIVE.name, FASTAPI.name)


@dataclass(frozen=True, slots=True)
class Field:
    """The environment of the workloads: the data, the API key for POSTs to our server, and ids of requests."""

    data: Data
    api_key: str
    known_ids: list[str]


Requests = Callable[[Field, Server], list[bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """A kind of request that is sent repeatedly.

    requests   called once for each server: makes the requests, which are then sent to it in turn
    who        the names of the contestants that can answer this workload
    writes     whether it changes the database, which must be restored afterwards
    compares   whether the bodies of all contestants must be equal
    """

    name: str
    title: str
    requests: Requests
    who: tuple[str, ...] = ROWS
    status: int = 200
    writes: bool = False
    compares: bool = True


def page(**parameters: object) -> Requests:
    """A page of the request list, in JSON unless `suffix` has another format."""
    suffix = parameters.pop("suffix", "json")

    def make(field: Field, server: Server) -> list[bytes]:
        values = {name: _value(value, field) for name, value in parameters.items()}
        return [call("GET", address(f"requests.{suffix}", **values))]

    return make


def address(name: str, **parameters: object) -> str:
    """A URL path below the base, for the city."""
    return f"{BASE}/{name}?{urlencode({'jurisdiction_id': CITY, **parameters})}"


def days_ago(days: float) -> Callable[[Field], str]:
    """The instant this many days before the newest request, as text in the standard's form."""
    return lambda field: wire(field.data.newest - timedelta(days=days))


def last_page(share: float) -> Callable[[Field], int]:
    """The number of the 1000-row page that follows this share of all rows."""
    return lambda field: max(2, int(field.data.rows * share) // 1000)


def singles(field: Field, server: Server) -> list[bytes]:
    """One request by id, a different one each time."""
    return [call("GET", address(f"requests/{quote(known)}.json")) for known in field.known_ids]


def fixed(name: str) -> Requests:
    """The same URL each time."""
    return lambda field, server: [call("GET", address(name))]


def unchanged(field: Field, server: Server) -> list[bytes]:
    """The same page again, with the ETag of the first answer."""
    target = address("requests.json")
    etag = ask(server.port, call("GET", target)).header("ETag")
    if not etag:
        raise Refused(f"{server.name}: no ETag")
    return [call("GET", target, headers={"If-None-Match": etag})]


def by_cursor(field: Field, server: Server) -> list[bytes]:
    """The last page of the 90 days, by the link on the page before."""
    number = max(2, _quarter_pages(field) - 1)
    link = ask(server.port, call("GET", address("requests.json", page=number))).header("Link")
    match = re.search(r'<https?://[^/]+([^>]+)>; rel="next"', link)
    if match is None:
        raise Refused(f"{server.name}: no link to the next page in {link!r}")
    return [call("GET", match[1])]


def posts(field: Field, server: Server) -> list[bytes]:
    """POSTs of new requests, with an answer to the service's question and a reporter."""
    return [call("POST", f"{BASE}/requests.json", body=form(field, number)) for number in range(500)]


def form(field: Field, number: int) -> bytes:
    """The form of a POST, as bytes."""
    random = Random(number)
    return urlencode(
        {
            "api_key": field.api_key,
            "jurisdiction_id": CITY,
            "service_code": "Street Condition",
            "lat": round(40.7 + random.uniform(0, 0.1), 6),
            "long": round(-73.95 + random.uniform(0, 0.1), 6),
            "address_string": f"{number} BROADWAY, NEW YORK",
            "description": "A pothole the size of a plate, in the right lane before the crossing.",
            "email": f"bench{number}@example.com",
            "attribute[descriptor]": "Pothole",
        }
    ).encode()


def _value(value: object, field: Field) -> object:
    return value(field) if callable(value) else value


def wire(moment: datetime) -> str:
    """An instant as text in the standard's form."""
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _box(metres: float) -> str:
    long, lat = NEAR
    east, north = metres / 2 / 84_300, metres / 2 / 111_100
    return f"{long - east:.6f},{lat - north:.6f},{long + east:.6f},{lat + north:.6f}"


SMALL = 50
QUARTER = {"start_date": days_ago(90), "end_date": days_ago(0)}
CIRCLE = {"lat": NEAR[1], "long": NEAR[0]}

WORKLOADS = (
    Workload(name="page", title="1000-row page, JSON", requests=page(), who=(*EVERYBODY,)),
    Workload(name="page-xml", title="1000-row page, XML", requests=page(suffix="xml"), who=("ours", "raw")),
    Workload(name="small", title="50-row page, JSON", requests=page(page_size=SMALL), who=(*ROWS, "raw")),
    Workload(
        name="small-xml",
        title="50-row page, XML",
        requests=page(suffix="xml", page_size=SMALL),
        who=("ours", "raw"),
    ),
    Workload(name="one", title="one request", requests=singles, who=(*ROWS, "raw")),
    Workload(name="services", title="list of services", requests=fixed("services.json"), who=EVERYBODY),
    Workload(
        name="definition",
        title="a service's definition",
        requests=fixed("services/Illegal%20Parking.json"),
        who=("ours", "bare"),
    ),
    Workload(name="discovery", title="discovery", requests=fixed("discovery.json"), who=("ours", "bare")),
    Workload(name="unchanged", title="304 on the 1000-row page", requests=unchanged, who=("ours",), status=304),
    Workload(
        name="deep",
        title="1000-row page, deepest of the 90 days",
        requests=page(page=lambda field: max(2, _quarter_pages(field))),
        who=(*ROWS, "raw"),
    ),
    Workload(
        name="cursor",
        title="the same 1000-row page, by cursor",
        requests=by_cursor,
        who=("ours",),
    ),
    Workload(
        name="deepest",
        title="1000-row page, after 80 % of all requests",
        requests=page(updated_after=days_ago(5000), page=last_page(0.8)),
    ),
    Workload(name="status", title="open requests", requests=page(status="open", **QUARTER)),
    Workload(name="service", title="requests of a common service", requests=page(service_code=COMMON, **QUARTER)),
    Workload(
        name="rare",
        title="open requests of a rare service",
        requests=page(service_code=RARE, status="open", **QUARTER),
    ),
    Workload(
        name="dates",
        title="requests of 30 days, two years ago",
        requests=page(start_date=days_ago(760), end_date=days_ago(730)),
    ),
    Workload(
        name="updated", title="requests changed in the last two days", requests=page(updated_after=days_ago(2))
    ),
    Workload(
        name="updated-service",
        title="a service's requests, changed in 30 days",
        requests=page(updated_after=days_ago(30), service_code=COMMON),
    ),
    Workload(name="radius", title="circle of 300 m, 90 days", requests=page(radius=300, **CIRCLE, **QUARTER)),
    Workload(name="bbox", title="box of 500 m, 90 days", requests=page(bbox=_box(500), **QUARTER)),
    Workload(
        name="words", title="requests with a word, 90 days", requests=page(q="hydrant", **QUARTER), who=("ours",)
    ),
    Workload(
        name="extensions",
        title="50-row page with extensions",
        requests=page(page_size=SMALL, extensions="true"),
        who=("ours",),
    ),
    Workload(
        name="post",
        title="durable POST",
        requests=posts,
        who=(*ROWS, NAIVE_ROWS.name, "raw"),
        writes=True,
        compares=False,
    ),
)


def _quarter_pages(field: Field) -> int:
    """The number of full 1000-row pages in the last 90 days."""
    with field.data.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM publication"
            " WHERE jurisdiction_id = %s AND requested_at >= now() - interval '90 days'",
            (CITY,),
        )
        return int(cursor.fetchone()[0]) // 1000


def takes_part(server: Server, workload: Workload) -> bool:
    """Whether a contestant can answer this workload."""
    contestant = server.contestant
    return contestant.name in workload.who or workload.name in (*contestant.targets, *contestant.extra_workloads)


def requests_for(field: Field, server: Server, workload: Workload) -> list[bytes]:
    """The requests to a server, with the standard's URLs or its own."""
    target = server.contestant.targets.get(workload.name)
    if target is None:
        return workload.requests(field, server)
    numbers = [int(known.rpartition("-")[2]) for known in field.known_ids]
    return list(dict.fromkeys(call("GET", target.format(number=number)) for number in numbers))


def find_workload(name: str) -> Workload:
    """The workload of this name."""
    return next(workload for workload in WORKLOADS if workload.name == name)


def mixed(field: Field, server: Server, *, writes: bool) -> Iterator[bytes]:
    """The requests of a busy day, without an end.

    Half of the reads are small pages; the others are single requests, services, filters and 1000-row pages. With
    `writes`, some requests are POSTs.
    """
    random, numbers = Random(7), count(10_000)
    parts = {
        "small": 50,
        "one": 25,
        "services": 10,
        "status": 5,
        "radius": 5,
        "page": 5,
    }
    pools = {name: find_workload(name).requests(field, server) for name in parts}
    write_share = WRITES_PER_S / (READS_PER_S + WRITES_PER_S) if writes else 0.0
    while True:
        if random.random() < write_share:
            yield call("POST", f"{BASE}/requests.json", body=form(field, next(numbers)))
        else:
            [name] = random.choices(list(parts), list(parts.values()))
            yield random.choice(pools[name])
