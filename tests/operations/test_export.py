"""Exports and dumps contain a snapshot of all rows, and need constant memory."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
import shapely

from open311.clock import utc_now
from open311.domain.requests import Status
from open311.domain.search import RequestSearch
from open311.errors import Unavailable
from open311.formats import JSON
from open311.formats.writing import (
    BulkFormat,
    CsvWriter,
    GeoJsonWriter,
    NdjsonWriter,
    bulk_writer,
    csv_columns,
    in_pieces,
)
from open311.operations.platform import Platform
from open311.operations.reading.export_requests import EXPORT_ORDER, open_export
from open311.operations.reading.find_requests import find_requests
from open311.operations.upkeep.dumps import dumps_folder, find_dumps, make_dump
from open311.plugins import Jurisdiction
from open311.settings import Settings
from open311.storage.queue import Task
from schemas.arguments import EXTRA_FIELDS
from tests import build
from tests.waiting import idle_transactions, until
from tests.web.test_feeds import dirt
from tests.working import worker_without_periodic_jobs

ROWS = 20_000
LIMIT_BYTES = 10_000_000
"""The memory that Python may allocate for an export of over 80 MB."""

Multiply = Callable[..., None]


@pytest.fixture
def city(platform: Platform) -> Jurisdiction:
    (jurisdiction,) = platform.registry
    return jurisdiction


@pytest.fixture
def dumping_platform(platform: Platform, tmp_path: Path) -> Platform:
    """The platform, with its own data folder."""
    return replace(platform, settings=replace(platform.settings, data_dir=str(tmp_path), dump_days=3))


def everything(platform: Platform) -> RequestSearch:
    (jurisdiction,) = platform.registry
    return RequestSearch(jurisdiction_id=jurisdiction.id, sort=EXPORT_ORDER)


def test_an_export_has_the_rows_of_the_list_in_batches(platform: Platform) -> None:
    build.store_all(platform, dirt(60))
    search = everything(platform)
    with open_export(platform, search) as export:
        items = [item for batch in export.batches for item in batch]
        assert export.count == len(items) == 60
    assert items == list(find_requests(platform, search, JSON, EXTRA_FIELDS).items)
    with open_export(platform, search, as_bulk_csv=True) as bulk:
        assert [line for batch in bulk.batches for line in batch] == build.bulk_lines(items)


def test_an_export_ignores_page_size_and_applies_filters(platform: Platform) -> None:
    build.store_all(platform, [{"number": n, "status": list(Status)[n % 2]} for n in range(1, 11)])
    search = replace(everything(platform), page=3, page_size=2, statuses=(Status.OPEN,))
    with open_export(platform, search) as export:
        assert export.count == sum(map(len, export.batches)) == 5
    with open_export(platform, replace(search, service_codes=())) as nothing:
        assert (nothing.count, list(nothing.batches)) == (0, [])


def test_the_validator_changes_if_and_only_if_a_row_changes(platform: Platform) -> None:
    build.store(platform)
    search = everything(platform)

    def validator() -> str:
        with open_export(platform, search) as export:
            return export.validator

    before = validator()
    assert validator() == before
    build.store(platform, visibility="private")
    assert validator() == before
    build.store(platform)
    assert validator() != before


def test_an_idle_reader_does_not_keep_its_transaction_open(platform: Platform, multiply: Multiply) -> None:
    """PostgreSQL closes the connection if the reader stays idle, so the open transaction cannot block vacuum."""
    multiply(platform, build.store(platform, description="A long story. " * 250), 3_000)
    with open_export(platform, everything(platform), idle_limit_s=1) as export:
        batches = [next(export.batches), next(export.batches)]
        until(lambda: idle_transactions(platform) == 0, "the end of the transaction")
        with pytest.raises(Unavailable):
            batches.extend(export.batches)
    assert sum(map(len, batches)) < 3_000


def test_an_unavailable_database_is_reported_before_the_first_byte(settings: Settings) -> None:
    nowhere = build.platform(replace(settings, database_url="postgresql://nobody@127.0.0.1:1/none"), build.city())
    with pytest.raises(Unavailable):
        open_export(nowhere, everything(nowhere))
    nowhere.close()


def test_memory_does_not_grow_with_the_number_of_rows(platform: Platform, multiply: Multiply) -> None:
    multiply(platform, build.store(platform, description="A long story. " * 40), ROWS)
    writers = [CsvWriter(csv_columns(EXTRA_FIELDS)), bulk_writer(BulkFormat.XML), NdjsonWriter(), GeoJsonWriter()]
    tracemalloc.start()
    with open_export(platform, everything(platform)) as export:
        total = sum(len(writer.more(batch)) for batch in export.batches for writer in writers)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert export.count == ROWS + 1
    assert total > 80_000_000
    assert peak < LIMIT_BYTES, f"{peak:,} bytes"


# --- Dumps


def read(folder: Path, name: str) -> bytes:
    return (folder / name).read_bytes()


def test_all_files_of_a_day_contain_the_same_requests(dumping_platform: Platform, city: Jurisdiction) -> None:
    build.store_all(dumping_platform, dirt(50))
    made = make_dump(dumping_platform, city, build.NOON)
    folder = dumps_folder(dumping_platform, city.id)
    assert made is not None
    assert made.rows == 50
    items = [
        json.loads(item)
        for item in find_requests(dumping_platform, everything(dumping_platform), JSON, EXTRA_FIELDS).items
    ]
    lines = gzip.decompress(read(folder, "requests-2026-03-01.ndjson.gz")).decode().split("\n")
    assert [json.loads(line) for line in lines if line] == items
    text = gzip.decompress(read(folder, "requests-2026-03-01.csv.gz"))
    assert text == b"".join(
        in_pieces(CsvWriter(csv_columns(EXTRA_FIELDS)), [[json.dumps(item).encode() for item in items]])
    )
    assert len(list(csv.DictReader(io.StringIO(text.decode(), newline="")))) == 50
    rows = pyarrow.parquet.read_table(folder / "requests-2026-03-01.parquet").to_pylist()
    for row, item in zip(rows, items, strict=True):
        assert row["service_request_id"] == item["service_request_id"]
        assert row["description"] == item["description"]
        assert row["extended_attributes.areas"] == item["extended_attributes"]["areas"]
        point = shapely.from_wkb(row["geometry"]) if row["geometry"] else None
        assert (point.x, point.y) == (item["long"], item["lat"]) if point else item["lat"] is None
    for file in made.files:
        assert hashlib.sha256(read(folder, file.name)).hexdigest() == file.sha256
        assert read(folder, f"{file.name}.sha256").decode() == f"{file.sha256}  {file.name}\n"


def test_a_day_has_one_dump_and_equal_rows_give_equal_files(dumping_platform: Platform, city: Jurisdiction) -> None:
    build.store_all(dumping_platform, dirt(10))
    first = make_dump(dumping_platform, city, build.NOON)
    assert make_dump(dumping_platform, city, build.NOON + timedelta(hours=1)) is None
    second = make_dump(dumping_platform, city, build.NOON + timedelta(hours=2), again=True)
    assert first is not None
    assert second is not None
    assert second.files == first.files
    assert find_dumps(dumping_platform, city.id) == [second]


def test_old_dumps_and_partial_files_are_deleted(dumping_platform: Platform, city: Jurisdiction) -> None:
    folder = dumps_folder(dumping_platform, city.id)
    for day in range(5):
        make_dump(dumping_platform, city, build.NOON + timedelta(days=day))
        (folder / "requests-2026-02-01.csv.gz.part").write_bytes(b"torn")
        (folder / "requests-2026-02-01.csv.gz").write_bytes(b"without a manifest")
    make_dump(dumping_platform, city, build.NOON + timedelta(days=5))
    days = ["2026-03-06", "2026-03-05", "2026-03-04"]
    assert [dump.date for dump in find_dumps(dumping_platform, city.id)] == days
    assert {path.name.partition(".")[0] for path in folder.glob("requests*")} == {f"requests-{day}" for day in days}
    assert not list(folder.glob("*.part"))


def test_a_failed_dump_leaves_no_files(dumping_platform: Platform, city: Jurisdiction) -> None:
    build.store(dumping_platform)
    with dumping_platform.database.transaction() as connection:
        connection.exec_driver_sql("UPDATE publication SET json = 'torn'")
    with pytest.raises(ValueError, match="invalid literal"):
        make_dump(dumping_platform, city, build.NOON)
    assert [path.name for path in dumps_folder(dumping_platform, city.id).iterdir()] == [".lock"]
    assert find_dumps(dumping_platform, city.id) == []


def test_any_city_id_gives_a_folder_inside_the_dumps_folder(dumping_platform: Platform) -> None:
    root = Path(dumping_platform.settings.data_dir).absolute() / "dumps"
    for name in ("..", ".", "../../etc", "a/b", "Ü", "%2e%2e"):
        folder = dumps_folder(dumping_platform, name)
        assert folder.parent == root
        assert folder.resolve().parent == root.resolve()


def test_the_worker_makes_todays_missing_dumps(dumping_platform: Platform, city: Jurisdiction) -> None:
    build.store(dumping_platform)
    app = worker_without_periodic_jobs(dumping_platform)
    work = app.tasks["dump_all"]

    def run() -> None:
        work.func(0)
        app.run_worker(wait=False, install_signal_handlers=False)

    today = utc_now().date()
    run()
    (made,) = find_dumps(dumping_platform, city.id)
    assert made.date in {today.isoformat(), utc_now().date().isoformat()}  # midnight may have passed
    run()
    assert find_dumps(dumping_platform, city.id) == [made]


def test_the_job_raises_no_error_if_the_folder_cannot_be_written(
    dumping_platform: Platform, city: Jurisdiction
) -> None:
    (Path(dumping_platform.settings.data_dir) / "dumps").write_text("in the way")
    app = worker_without_periodic_jobs(dumping_platform)
    job: Any = app.tasks[Task.DUMP]
    job.func(city.id)
    job.func("no longer served")
