"""GeoReport Bulk and the daily dumps over HTTP."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
from flask import Flask
from flask.testing import FlaskClient
from lxml import etree

from open311.clock import utc_now
from open311.domain.requests import Reporter, Status
from open311.operations.platform import Platform
from open311.operations.upkeep.dumps import make_dump
from open311.web.codings import zstd
from spec.bodies import deviations
from tests import build
from tests.checked_client import platform_of
from tests.formats.test_feeds import NASTY
from tests.ports import free_port
from tests.waiting import idle_transactions, until
from tests.web.test_feeds import dirt

V2 = "/open311/v2"
BULK = "/open311/bulk/v1/requests"
COLUMNS = (
    "service_request_id,requested_datetime,updated_datetime,closed_date,status_description,status_notes,source,"
    "service_name,service_subtype,description,agency_responsible,address,lat,long"
)
all_formats = pytest.mark.parametrize("suffix", ["csv", "json", "xml"])

MakeApp = Callable[..., Flask]
Multiply = Callable[..., None]


def rows(client: FlaskClient, suffix: str = "csv", **query: str) -> list[dict[str, Any]]:
    """The rows of a bulk file. In JSON, the values have JSON's types; in the other formats, all are texts."""
    answer = client.get(f"{BULK}.{suffix}", query_string=query)
    assert answer.status_code == 200, answer.text
    return read(suffix, answer.data)


def read(suffix: str, body: bytes) -> list[dict[str, Any]]:
    if suffix == "csv":
        return list(csv.DictReader(io.StringIO(body.decode(), newline=""), strict=True))
    if suffix == "json":
        return list(json.loads(body))
    return [{field.tag: field.text or "" for field in node} for node in etree.fromstring(body)]


def ids(found: list[dict[str, Any]]) -> list[str]:
    return [row["service_request_id"] for row in found]


# --- GeoReport Bulk


@pytest.mark.requirement("C286")
def test_the_csv_has_the_fourteen_columns_and_crlf(client: FlaskClient, platform: Platform) -> None:
    build.store(platform, at=utc_now())
    answer = client.get(f"{BULK}.csv")
    assert answer.headers["Content-Type"].startswith("text/csv; charset=utf-8")
    head, row, end = answer.data.decode().split("\r\n")
    assert head == COLUMNS
    assert (row.count(","), end) == (13, "")


@pytest.mark.requirement("C287")
@pytest.mark.requirement("C294")
def test_every_text_is_returned_unchanged(client: FlaskClient, platform: Platform) -> None:
    build.store_all(platform, [{"number": n, "description": text} for n, text in enumerate(NASTY, start=1)])
    assert [row["description"] for row in rows(client)] == NASTY
    assert [row["description"] or "" for row in rows(client, "json")] == NASTY
    assert [row["description"] for row in rows(client, "xml")] == NASTY


@pytest.mark.requirement("C288")
@pytest.mark.requirement("C289")
def test_a_closed_request_has_its_closing_time(client: FlaskClient, platform: Platform) -> None:
    build.store_all(platform, [{"number": 1}, {"number": 2, "status": Status.CLOSED}])
    assert [row["closed_date"] for row in rows(client)] == ["", "2026-03-01T12:00:00Z"]
    assert [row["closed_datetime"] for row in rows(client, "json")] == [None, "2026-03-01T12:00:00Z"]
    assert [row["closed_datetime"] for row in rows(client, "xml")] == ["", "2026-03-01T12:00:00Z"]
    assert [row["status_description"] for row in rows(client)] == ["Open", "Closed"]


@all_formats
def test_bulk_has_all_requests_oldest_first_without_window_or_page_limit(
    client: FlaskClient, platform: Platform, multiply: Multiply, suffix: str
) -> None:
    multiply(platform, build.store(platform, number=1), 1_100)
    build.store(platform, number=2, service_request_id="older", at=build.NOON - timedelta(days=900))
    build.store(platform, number=9_001, service_request_id="hidden", visibility="private")
    build.store(platform, number=9_002, service_request_id="by-id-only", visibility="unlisted")
    found = ids(rows(client, suffix))
    assert found == ["older", "R1", *(f"M{n}" for n in range(1, 1_101))]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"start_date": "2020-01-01", "end_date": "2025-12-31"}, ["old"]),
        ({"end_date": "2026-03-01T00:00:00Z"}, ["old"]),
        ({"start_date": "2026-01-01"}, ["new", "closed"]),
        ({"updated_after": "2026-03-03"}, ["closed"]),
        ({"updated_before": "2026-01-01"}, ["old"]),
        ({"status": "closed"}, ["closed"]),
        ({"service_code": "nope"}, []),
        ({"page": "2", "page_size": "1", "sort": "-updated"}, ["old", "new", "closed"]),
    ],
)
def test_bulk_applies_filters(
    client: FlaskClient, platform: Platform, query: dict[str, str], found: list[str]
) -> None:
    late = build.NOON + timedelta(days=4)
    old = build.NOON - timedelta(days=500)
    build.store_all(
        platform,
        [
            {"number": 1, "service_request_id": "new"},
            {"number": 2, "service_request_id": "old", "at": old},
            {"number": 3, "service_request_id": "closed", "status": Status.CLOSED, "changed_at": late},
        ],
    )
    assert ids(rows(client, **query)) == found


@all_formats
def test_the_three_formats_agree_with_the_list(client: FlaskClient, platform: Platform, suffix: str) -> None:
    build.store_all(platform, dirt(30))
    listed = {row["service_request_id"]: row for row in client.get(f"{V2}/requests.json").json or []}
    found = rows(client, suffix)
    assert sorted(ids(found)) == sorted(listed)
    for row in found:
        twin = listed[row["service_request_id"]]
        for name in ("requested_datetime", "updated_datetime", "status_notes", "description", "address"):
            assert (row[name] or "") == (twin[name] or ""), name
        assert (float(row["lat"]) if row["lat"] not in ("", None) else None) == twin["lat"]


@all_formats
def test_unchanged_bulk_gets_304_and_changed_bulk_gets_200(
    client: FlaskClient, platform: Platform, suffix: str
) -> None:
    build.store(platform)
    url = f"{BULK}.{suffix}"
    etag = client.get(url).headers["ETag"]
    again = client.get(url, headers={"If-None-Match": etag})
    assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", etag)
    build.store(platform)
    assert client.get(url, headers={"If-None-Match": etag}).status_code == 200


@all_formats
def test_bulk_supports_head_content_codings_and_cors(
    client: FlaskClient, app: Flask, platform: Platform, multiply: Multiply, suffix: str
) -> None:
    multiply(platform, build.store(platform), 998)
    url = f"{BULK}.{suffix}"
    plain = client.get(url, buffered=True)
    head = client.head(url, headers={"Origin": "https://app.example"})
    assert (head.status_code, head.data, head.headers["ETag"]) == (200, b"", plain.headers["ETag"])
    assert head.headers["X-Total-Count"] == "999"
    assert head.headers["Access-Control-Allow-Origin"] == "*"
    for coding, unpack in (("gzip", gzip.decompress), ("zstd", zstd.decompress)):
        packed = FlaskClient(app).get(url, headers={"Accept-Encoding": coding})
        assert packed.headers["Content-Encoding"] == coding
        assert packed.headers["ETag"] != plain.headers["ETag"]
        assert "Accept-Encoding" in packed.headers["Vary"]
        assert unpack(packed.data) == plain.data
        assert len(packed.data) < len(plain.data) / 10


@all_formats
@pytest.mark.parametrize(
    ("query", "status"), [("start_date=never", 400), ("jurisdiction_id=nowhere", 404), ("status=x", 400)]
)
def test_errors_have_the_standards_shape(client: FlaskClient, suffix: str, query: str, status: int) -> None:
    answer = client.get(f"{BULK}.{suffix}?{query}")
    assert (answer.status_code, answer.mimetype) == (status, "text/xml" if suffix == "xml" else "application/json")
    assert deviations(answer.data, media_type=answer.mimetype, kind="errors") == []


def test_bulk_has_no_other_urls(client: FlaskClient) -> None:
    for path in (BULK, f"{BULK}.ndjson", f"{BULK}/R1.csv", "/open311/bulk/v1/services.csv"):
        assert client.get(path).status_code == 404, path


@all_formats
def test_a_dead_database_gives_503_before_the_first_byte(make_app: MakeApp, suffix: str) -> None:
    app = make_app(build.city(), database_url="postgresql://nobody@127.0.0.1:1/none")
    for _ in range(3):  # Each failed download frees its slot.
        answer = app.test_client().get(f"{BULK}.{suffix}")
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
        assert "database" in answer.text


def test_a_closed_download_ends_its_transaction(
    client: FlaskClient, platform: Platform, multiply: Multiply
) -> None:
    multiply(platform, build.store(platform), 1_499)
    first = client.get(f"{BULK}.csv")
    pieces = first.iter_encoded()
    assert next(pieces).startswith(b"service_request_id")
    assert idle_transactions(platform) == 1
    busy = client.get(f"{BULK}.csv")
    assert (busy.status_code, busy.headers["Retry-After"]) == (503, "5")
    assert "daily dump" in busy.text
    first.close()
    until(lambda: idle_transactions(platform) == 0, "the end of the download's transaction")
    assert len(rows(client)) == 1_500


def test_a_download_is_a_snapshot_of_one_moment(
    client: FlaskClient, platform: Platform, multiply: Multiply
) -> None:
    multiply(platform, build.store(platform), 1_499)
    answer = client.get(f"{BULK}.csv")
    pieces = answer.iter_encoded()
    start = next(pieces)
    build.store(platform, number=9_999, at=build.NOON + timedelta(days=1))
    body = start + b"".join(pieces)
    assert len(read("csv", body)) == 1_500
    assert answer.headers["X-Total-Count"] == "1500"
    assert len(rows(client)) == 1_501


# --- Through a real server


@pytest.fixture
def served(platform: Platform, tmp_path: Path) -> Any:
    """The port of a real server process over the test's database."""
    port = free_port()
    environment = os.environ | {
        "DATABASE_URL": platform.settings.database_url,
        "OPEN311_JURISDICTIONS": "demo",
        "OPEN311_PORT": str(port),
        "OPEN311_WORKERS": "1",
        "OPEN311_LOG_LEVEL": "error",
        "OPEN311_DATA_DIR": str(tmp_path),
    }
    command = [sys.executable, "-m", "open311", "serve"]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            until(lambda: answers(port), "the server")
            yield port
        finally:
            process.terminate()


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=20).close()
    except OSError:
        return False
    return True


def test_a_disconnected_client_ends_the_query(served: int, platform: Platform, multiply: Multiply) -> None:
    multiply(platform, build.store(platform, description="🕳 a long story " * 1_000), 1_200)
    client = socket.create_connection(("127.0.0.1", served), timeout=20)
    client.sendall(f"GET {BULK}.csv HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    assert client.recv(100).startswith(b"HTTP/1.1 200")
    until(lambda: idle_transactions(platform) == 1, "a transaction")  # the server waits until the client reads
    client.close()
    until(lambda: idle_transactions(platform) == 0, "the end of the download's transaction")


# --- Dumps


@pytest.fixture
def dumped(make_app: MakeApp, tmp_path: Path) -> Flask:
    """A server that names a licence. Its city has dumps of two days."""
    app = make_app(build.city(), data_dir=str(tmp_path), licence="https://cc.example/0")
    platform = platform_of(app)
    (city,) = platform.registry
    build.store_all(platform, dirt(20))
    make_dump(platform, city, build.NOON)
    build.store(platform, number=7_001)
    make_dump(platform, city, build.NOON + timedelta(days=1))
    return app


def files(client: FlaskClient) -> list[dict[str, Any]]:
    answer = client.get(f"{V2}/dumps.json")
    assert answer.status_code == 200
    return list(answer.json["files"])


def test_the_index_lists_every_file_newest_first(dumped: Flask) -> None:
    answer = dumped.test_client().get(f"{V2}/dumps.json?jurisdiction_id=test.example")
    assert answer.json["jurisdiction_id"] == "test.example"
    assert answer.json["licence"] == "https://cc.example/0"
    assert answer.json["attribution"] == "Testville"
    found = [(file["date"], file["format"], file["rows"]) for file in answer.json["files"]]
    formats = ("csv", "ndjson", "geoparquet")
    assert found == [
        *(("2026-03-02", name, 21) for name in formats),
        *(("2026-03-01", name, 20) for name in formats),
    ]
    again = dumped.test_client().get(f"{V2}/dumps.json", headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304


def test_every_file_matches_its_index_entry(dumped: Flask) -> None:
    client = dumped.test_client()
    for file in files(client):
        answer = client.get(file["url"], buffered=True)
        assert (answer.status_code, answer.mimetype) == (200, file["media_type"])
        assert int(answer.headers["Content-Length"]) == len(answer.data) == file["bytes"]
        assert hashlib.sha256(answer.data).hexdigest() == file["sha256"]
        assert (
            client.get(file["checksum_url"], buffered=True).text
            == f"{file['sha256']}  {file['url'].rpartition('/')[2]}\n"
        )
        assert '<https://cc.example/0>; rel="license"' in answer.headers["Link"]
        assert len(rows_of(file["format"], answer.data)) == file["rows"]


def rows_of(format: str, body: bytes) -> list[dict[str, Any]]:
    if format == "geoparquet":
        return list(pyarrow.parquet.read_table(io.BytesIO(body)).to_pylist())
    text = gzip.decompress(body).decode()
    if format == "csv":
        return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
    return [json.loads(line) for line in text.split("\n") if line]


def test_an_interrupted_download_can_be_resumed_by_range(dumped: Flask) -> None:
    client = dumped.test_client()
    url = files(client)[0]["url"]
    whole = client.get(url, buffered=True)
    etag = whole.headers["ETag"]
    assert whole.headers["Accept-Ranges"] == "bytes"

    def get(**headers: str) -> Any:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return client.get(url, headers=named, buffered=True)

    rest = get(Range="bytes=100-", If_Range=etag)
    assert (rest.status_code, rest.data) == (206, whole.data[100:])
    assert rest.headers["Content-Range"] == f"bytes 100-{len(whole.data) - 1}/{len(whole.data)}"
    assert get(Range="bytes=-5").data == whole.data[-5:]
    assert get(Range="bytes=100-", If_Range='"other"').data == whole.data
    beyond = get(Range="bytes=99999999-")
    assert (beyond.status_code, beyond.headers["Content-Range"]) == (416, f"bytes */{len(whole.data)}")
    assert get(If_None_Match=etag).status_code == 304
    head = client.head(url, buffered=True)
    assert (head.data, head.headers["Content-Length"]) == (b"", str(len(whole.data)))


def test_latest_redirects_to_the_newest_dump(dumped: Flask) -> None:
    client = dumped.test_client()
    for ending in ("csv.gz", "ndjson.gz", "parquet"):
        answer = client.get(f"{V2}/dumps/test.example/requests-latest.{ending}")
        assert answer.status_code == 302
        assert answer.headers["Location"].endswith(f"{V2}/dumps/test.example/requests-2026-03-02.{ending}")


@pytest.mark.parametrize(
    "path",
    [
        "dumps.json?jurisdiction_id=nowhere",
        "dumps/nowhere/requests-2026-03-01.csv.gz",
        "dumps/test.example/requests-1999-01-01.csv.gz",
        "dumps/test.example/requests-2026-03-01.json",
        "dumps/test.example/requests-latest.zip",
        "dumps/test.example/.lock",
        "dumps/test.example/..%2f..%2fsecret",
        "dumps/test.example/%2e%2e/%2e%2e/secret",
        "dumps/../secret",
        "dumps/",
    ],
)
def test_an_unknown_dump_gets_404_with_a_problem_document(dumped: Flask, path: str) -> None:
    answer = dumped.test_client().get(f"{V2}/{path}")
    assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")
    assert answer.json["status"] == 404
    assert answer.json["detail"]


def test_a_city_without_dumps_has_an_empty_index(make_app: MakeApp, tmp_path: Path) -> None:
    client = make_app(build.city(), data_dir=str(tmp_path)).test_client()
    assert files(client) == []
    assert client.get(f"{V2}/dumps/test.example/requests-latest.csv.gz").status_code == 404


def test_no_dump_contains_reporter_data(make_app: MakeApp, tmp_path: Path) -> None:
    app = make_app(build.city(), data_dir=str(tmp_path))
    platform = platform_of(app)
    (city,) = platform.registry
    who = Reporter(email="planted@mail.example", first_name="Planted", phone="555-PLANTED", device_id="planted")
    seen = build.submit(platform, reporter=who).service_request_id
    build.store(platform, service_request_id="PLANTED", visibility="private")
    make_dump(platform, city, build.NOON)
    client = app.test_client()
    for file in files(client):
        found = rows_of(file["format"], client.get(file["url"], buffered=True).data)
        assert ids(found) == [seen]
        assert "planted" not in repr(found).lower()
