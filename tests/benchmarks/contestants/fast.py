"""The fastest FastAPI application that reads row by row: asyncpg with its native types, and orjson."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import parse_qs

import asyncpg
import orjson
from fastapi import FastAPI, HTTPException, Query, Request, Response

SESSION = {"jit": "off", "max_parallel_workers_per_gather": "0", "timezone": "UTC"}
COLUMNS = """
    SELECT r.service_request_id, r.status, r.status_notes, s.service_name, r.service_code, r.description,
        d.name AS agency_responsible, r.service_notice, r.requested_datetime, r.updated_datetime,
        r.expected_datetime, r.address, r.address_id, r.zipcode, r.lat, r.long, r.media_url
    FROM rival.request r
    JOIN rival.service s USING (service_code)
    LEFT JOIN rival.department d ON d.code = r.department_code
"""
NEWEST = "ORDER BY r.requested_datetime DESC, r.id DESC"
INSERT = """
    INSERT INTO rival.request (service_code, department_code, lat, long, point, address, description, email)
    SELECT service_code, department_code, $2, $3, ST_SetSRID(ST_MakePoint($3, $2), 4326), $4, $5, $6
    FROM rival.service WHERE service_code = $1 RETURNING service_request_id
"""
WIRE_TIMES = orjson.OPT_UTC_Z | orjson.OPT_OMIT_MICROSECONDS


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.pool = await asyncpg.create_pool(
        dsn=os.environ["DATABASE_URL"].replace("+psycopg2", ""),
        min_size=4,
        max_size=4,
        server_settings=SESSION,
        reset=lambda connection: _nothing(),  # no statement here changes session state
    )
    yield
    await app.state.pool.close()


async def _nothing() -> None:
    """Do nothing. This replaces asyncpg's default reset, which sends RESET ALL after each use."""


application = FastAPI(lifespan=lifespan)


@application.get("/open311/v2/services.json")
async def list_services() -> Response:
    rows = await fetch(
        'SELECT service_code, service_name, description, metadata, type, keywords, "group" FROM rival.service'
    )
    return answer(rows)


@application.get("/open311/v2/requests.json")
async def list_requests(
    service_code: str = "",
    status: str = "",
    start_date: datetime | None = None,
    end_date: datetime | None = None,
    updated_after: datetime | None = None,
    bbox: str = "",
    lat: float | None = None,
    long: float | None = None,
    radius: float | None = None,
    page: Annotated[int, Query(ge=1)] = 1,
    page_size: Annotated[int, Query(ge=1, le=1000)] = 1000,
) -> Response:
    values: list[Any] = [page_size, (page - 1) * page_size]
    where: list[str] = []

    def add(condition: str, *arguments: Any) -> None:
        first = len(values) + 1
        where.append(condition.format(*(f"${number}" for number in range(first, first + len(arguments)))))
        values.extend(arguments)

    if service_code:
        codes = service_code.split(",")
        if len(codes) == 1:
            add("r.service_code = {}", codes[0])
        else:
            add("r.service_code = any({})", codes)
    if status:
        add("r.status = {}", status)
    if start_date:
        add("r.requested_datetime >= {}", start_date)
    if end_date:
        add("r.requested_datetime <= {}", end_date)
    if updated_after:
        add("r.updated_datetime >= {}", updated_after)
    if bbox:
        add("r.point && ST_MakeEnvelope({}, {}, {}, {}, 4326)", *map(float, bbox.split(",")))
    if radius is not None:
        add("rival.is_near(r.point, {}, {}, {})", long, lat, radius)
    conditions = f"WHERE {' AND '.join(where)}" if where else ""
    return answer(await fetch(f"{COLUMNS} {conditions} {NEWEST} LIMIT $1 OFFSET $2", *values))


@application.get("/open311/v2/requests/{service_request_id}.json")
async def get_request(service_request_id: str) -> Response:
    rows = await fetch(f"{COLUMNS} WHERE r.service_request_id = $1", service_request_id)
    if not rows:
        raise HTTPException(404)
    return answer(rows)


@application.post("/open311/v2/requests.json")
async def create_request(request: Request) -> Response:
    form = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
    try:
        lat, long = float(form["lat"]), float(form["long"])
    except (KeyError, ValueError):
        raise HTTPException(400, "lat and long are needed") from None
    rows = await fetch(
        INSERT,
        form.get("service_code", ""),
        lat,
        long,
        form.get("address_string"),
        form.get("description"),
        form.get("email"),
    )
    if not rows:
        raise HTTPException(404, "unknown service_code")
    return answer(rows)


async def fetch(statement: str, *values: Any) -> list[asyncpg.Record]:
    async with application.state.pool.acquire() as connection:  # asyncpg prepares the statement and caches it
        rows: list[asyncpg.Record] = await connection.fetch(statement, *values)
        return rows


def answer(rows: list[asyncpg.Record]) -> Response:
    return Response(orjson.dumps([dict(row) for row in rows], option=WIRE_TIMES), media_type="application/json")
