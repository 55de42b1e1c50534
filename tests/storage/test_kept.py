"""Retention finds the few requests that still have data by indexes, and not by reading all requests."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Connection, Select, text

from open311.operations.upkeep.sync_catalogues import ensure_synced
from open311.settings import Settings
from open311.storage import kept
from tests import build

MANY = 20_000
UPDATES = f"FROM service_request WHERE jurisdiction_id = 'test.example' ORDER BY id LIMIT {MANY}"
ROWS = (
    "INSERT INTO reporter (jurisdiction_id, request_id, email)"
    " SELECT jurisdiction_id, id, 'jane@mail.example' FROM service_request ORDER BY id LIMIT 3",
    "INSERT INTO received_update (jurisdiction_id, api_key_id, update_id, request_id, version, digest, at)"
    f" SELECT jurisdiction_id, 1, id, id, 1, '', now() {UPDATES}",
    "INSERT INTO public_update (jurisdiction_id, request_id, version, at, status)"
    f" SELECT jurisdiction_id, id, 1, now(), 'OPEN' {UPDATES}",
    "INSERT INTO remote_update (jurisdiction_id, backend, update_id, request_id, state, received_at)"
    f" SELECT jurisdiction_id, 'works', id, id, 'applied', now() {UPDATES}",
    "UPDATE service_request SET media_urls = '{https://p.example/1.jpg}' WHERE id % 1000000 IN (10, 20, 30)",
    "UPDATE received_update SET media_urls = '{https://p.example/1.jpg}' WHERE request_id % 1000000 IN (40, 50)",
    "UPDATE public_update SET media_url = 'https://p.example/1.jpg' WHERE request_id % 1000000 IN (40, 60)",
    "UPDATE remote_update SET media_urls = '{https://p.example/1.jpg}' WHERE request_id % 1000000 IN (30, 70)",
    "ANALYZE",
)


@pytest.fixture(scope="module")
def connection(make_database: Callable[[str], str]) -> Iterator[Connection]:
    """Many requests and updates, few of which have personal data or photos."""
    platform = build.platform(Settings(database_url=make_database("kept")), build.city())
    ensure_synced(platform)
    build.multiply(platform, build.store(platform, media_urls=()), MANY)
    with platform.database.transaction() as connection:
        for statement in ROWS:
            connection.execute(text(statement))
        yield connection
    platform.close()


@pytest.mark.parametrize(
    ("query", "indexes"),
    [
        (kept.people_query, ("received_update_personal_idx",)),
        (
            kept.photos_query,
            (
                "service_request_photos_idx",
                "public_update_photo_idx",
                "received_update_photos_idx",
                "remote_update_photos_idx",
            ),
        ),
    ],
)
def test_each_source_of_data_is_read_by_its_index(
    connection: Connection, query: Callable[..., Select[tuple[int]]], indexes: tuple[str, ...]
) -> None:
    statement = query("test.example", after=0, rows=10)
    shown = str(statement.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True}))
    plan = "\n".join(connection.exec_driver_sql("EXPLAIN " + shown.replace("%", "%%")).scalars())
    assert [name for name in indexes if name not in plan] == []
    assert "Seq Scan on service_request" not in plan


def test_requests_with_photos_are_found_once_and_in_order(connection: Connection) -> None:
    first = kept.with_photos(connection, "test.example", after=0, rows=4)
    assert [one.number - 1_000_000 for one in first] == [10, 20, 30, 40]
    rest = kept.with_photos(connection, "test.example", after=first[-1].number, rows=10)
    assert [one.number - 1_000_000 for one in rest] == [50, 60, 70]
    assert kept.count_photos(connection, "test.example") == 3
    assert kept.with_photos(connection, "other.example", after=0, rows=10) == []
