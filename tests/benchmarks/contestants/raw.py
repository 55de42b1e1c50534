"""The cheapest possible server: plain WSGI that joins our renditions, without checks and error handling."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from psycopg import pq

SESSION_OPTIONS = "-c jit=off -c max_parallel_workers_per_gather=0 -c timezone=UTC"
PAGE = """
    SELECT {} FROM publication
    WHERE jurisdiction_id = 'nyc.gov' AND visibility = 'public' AND requested_at >= now() - interval '90 days'
    ORDER BY requested_at DESC, id DESC LIMIT $1 OFFSET $2
"""
STATEMENTS = {
    "page_json": PAGE.format("json"),
    "page_xml": PAGE.format("xml"),
    "one_json": """
        SELECT json FROM publication
        WHERE jurisdiction_id = 'nyc.gov' AND service_request_id = $1 AND visibility <> 'withdrawn'
    """,
    "post": """
        INSERT INTO rival.request
            (service_code, department_code, lat, long, point, address, description, email)
        SELECT service_code, department_code, $2::float8, $3::float8,
            ST_SetSRID(ST_MakePoint($3::float8, $2::float8), 4326), $4, $5, $6
        FROM rival.service WHERE service_code = $1 RETURNING service_request_id
    """,
}
PREFIX = "/open311/v2/"
XML_HEAD = b'<?xml version="1.0" encoding="UTF-8"?>\n<service_requests>'
FORM = ("service_code", "lat", "long", "address_string", "description", "email")

Environ = dict[str, Any]
local = threading.local()
services = (Path(os.environ["BENCH_BODIES"]) / "services.json").read_bytes()


def application(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
    path = environ["PATH_INFO"].removeprefix(PREFIX)
    is_xml = path.endswith(".xml")
    body = services if path == "services.json" else (xml if is_xml else json)(path, environ)
    media_type = "text/xml; charset=utf-8" if is_xml else "application/json; charset=utf-8"
    start_response("200 OK", [("Content-Type", media_type), ("Content-Length", str(len(body)))])
    return [body]


def json(path: str, environ: Environ) -> bytes:
    if environ["REQUEST_METHOD"] == "POST":
        return post(environ)
    if path.startswith("requests/"):
        items = rows("one_json", path[len("requests/") : -len(".json")])
    else:
        items = rows("page_json", *window(environ))
    return join_items(b"[", items, b",", b"]")


def xml(path: str, environ: Environ) -> bytes:
    return join_items(XML_HEAD, rows("page_xml", *window(environ)), b"", b"</service_requests>")


def join_items(start: bytes, items: list[bytes], between: bytes, end: bytes) -> bytes:
    items[0] = start + items[0]
    items[-1] += end
    return between.join(items)


def post(environ: Environ) -> bytes:
    form = parse_qs(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])).decode())
    [created] = rows("post", *(form[name][0] for name in FORM))
    return b'[{"service_request_id":"%b"}]' % created


def window(environ: Environ) -> tuple[int, int]:
    query = parse_qs(environ["QUERY_STRING"])
    size = int(query.get("page_size", ["1000"])[0])
    return size, (int(query.get("page", ["1"])[0]) - 1) * size


def rows(statement: str, *values: object) -> list[bytes]:
    result = connection().exec_prepared(statement.encode(), [str(value).encode() for value in values])
    get = result.get_value
    return [get(row, 0) for row in range(result.ntuples)]


def connection() -> Any:
    if not hasattr(local, "connection"):
        local.connection = pq.PGconn.connect(f"{os.environ['BENCH_DSN']} options='{SESSION_OPTIONS}'".encode())
        for name, text in STATEMENTS.items():
            local.connection.prepare(name.encode(), text.encode())
    return local.connection
