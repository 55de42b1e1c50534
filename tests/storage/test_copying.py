"""Rows written in bulk are the same as rows written one by one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from open311.domain.attributes import Answer
from open311.domain.events import Event, Imported
from open311.domain.places import Place
from open311.domain.requests import Reporter, RequestRecord, Status, Visibility
from open311.domain.text import clean_text
from open311.operations.platform import Platform
from open311.operations.publishing import names_for, publication_of, publish_requests
from open311.operations.workflow.apply import add_requests
from open311.plugins import Jurisdiction
from open311.storage import requests
from open311.storage.copying import FEW
from open311.storage.engine import Connection
from open311.storage.history import insert_histories
from open311.storage.hot.submissions import NewRequest, insert_request
from open311.storage.hot.transactions import within
from tests import build
from tests.checked_client import platform_of

DIFFICULT_TEXTS = (
    r"\N",
    r"C:\new\table",
    "tab\tline\nreturn\rend",
    'say "no", {braces}, NULL',
    "\\.",
    "\\",
    "",
    "'; DROP TABLE x; --",
    "Zoë ☂ 🌳 \x7f\u2028",
    "<b>&amp;</b> ]]>",
    "%s %(x)s 100 %",
)

Way = Callable[[Connection, list[RequestRecord], Jurisdiction], None]


def one_by_one(connection: Connection, records: list[RequestRecord], city: Jurisdiction) -> None:
    for record in records:
        shown = publication_of(record, names_for(connection, city), ())
        new = NewRequest(record=record, reporter=Reporter(), events=_events(record), publication=shown)
        assert insert_request(within(connection), new)


def in_small_batches(connection: Connection, records: list[RequestRecord], city: Jurisdiction) -> None:
    for start in range(0, len(records), FEW):
        in_one_batch(connection, records[start : start + FEW], city)


def in_one_batch(connection: Connection, records: list[RequestRecord], city: Jurisdiction) -> None:
    assert requests.add_records(connection, records) == {record.number for record in records}
    insert_histories(connection, ((record, _events(record)) for record in records))
    publish_requests(connection, records, names_for(connection, city))


def as_new_ones(connection: Connection, records: list[RequestRecord], city: Jurisdiction) -> None:
    assert requests.add_records(connection, records) == {record.number for record in records}
    add_requests(connection, ((record, _events(record)) for record in records), names_for(connection, city))


def _events(record: RequestRecord) -> list[Event]:
    return [Imported(at=record.requested_at, cause=record.description, mended=("one", record.description))]


def contents_after(platform: Platform, way: Way, records: list[RequestRecord]) -> list[Any]:
    """The contents of the three tables after writing records in one way. The transaction is rolled back."""
    queries = (
        "SELECT to_jsonb(r) FROM service_request r ORDER BY id",
        "SELECT to_jsonb(p) - 'written_by' FROM publication p ORDER BY id",
        "SELECT to_jsonb(e) - 'id' FROM request_event e ORDER BY e.request_id, e.id",
    )
    with platform.database.engine.connect() as connection, connection.begin() as transaction:
        way(connection, records, next(iter(platform.registry)))
        contents = [connection.exec_driver_sql(query).scalars().all() for query in queries]
        transaction.rollback()
    return contents


def records_of(city: Jurisdiction, texts: list[str]) -> list[RequestRecord]:
    """Records of every kind, each with one of these texts in every text field."""
    return [
        build.record(
            city,
            number=number,
            at=build.NOON + timedelta(seconds=number),
            service_code=("potholes", "trees")[number % 2],
            status=(Status.OPEN, Status.CLOSED)[number % 2],
            description=text,
            status_notes=text[::-1],
            agency_responsible=text,
            expected_at=build.NOON if number % 3 else None,
            place=Place(lat=1e-7, long=-179.123456789, address=text) if number % 4 else Place(zipcode=text),
            media_urls=(text, "https://a.example/\\", "") if number % 5 else (),
            areas=(text,) if number % 2 else (),
            answers=(Answer("q", (text, "b")),) if number % 3 else (),
            visibility=list(Visibility)[number % 3],
            is_triage=bool(number % 2),
        )
        for number, text in enumerate(texts, start=1)
    ]


@pytest.fixture
def city(make_app: Callable[..., Any]) -> Platform:
    """A server with one city."""
    return platform_of(make_app(build.city()))


def test_every_way_of_writing_gives_the_same_rows(city: Platform) -> None:
    records = records_of(next(iter(city.registry)), [*DIFFICULT_TEXTS, *DIFFICULT_TEXTS, *DIFFICULT_TEXTS])
    assert len(records) > FEW
    first = contents_after(city, one_by_one, records)
    assert [len(rows) for rows in first] == [33, 33, 33]
    assert contents_after(city, in_small_batches, records) == first
    assert contents_after(city, in_one_batch, records) == first
    assert contents_after(city, as_new_ones, records) == first


@settings(max_examples=20)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])).map(clean_text), min_size=FEW + 1, max_size=30))
def test_every_way_of_writing_stores_any_text_alike(city: Platform, texts: list[str]) -> None:
    records = records_of(next(iter(city.registry)), texts)
    first = contents_after(city, in_small_batches, records)
    assert contents_after(city, in_one_batch, records) == first
    assert contents_after(city, as_new_ones, records) == first


@pytest.mark.uncounted
def test_rows_with_existing_ids_are_not_changed(city: Platform) -> None:
    jurisdiction = next(iter(city.registry))
    records = records_of(jurisdiction, ["a"] * 50)
    with city.database.transaction() as connection:
        requests.add_records(connection, records[:30])
        later = [replace(record, number=record.number + 1_000, description="b") for record in records]
        assert requests.add_records(connection, later) == set(range(1_031, 1_051))
    assert build.load(city, service_request_id="R1").description == "a"


@pytest.mark.uncounted
def test_publishing_again_replaces_changed_rows(city: Platform) -> None:
    jurisdiction = next(iter(city.registry))
    records = records_of(jurisdiction, ["a"] * 50)
    with city.database.transaction() as connection:
        in_one_batch(connection, records, jurisdiction)
    changed = [replace(record, description="c" if record.number > 10 else "a") for record in records]
    written = "SELECT id FROM publication WHERE written_by = pg_current_xact_id() ORDER BY id"
    with city.database.transaction() as connection:
        publish_requests(connection, changed, names_for(connection, jurisdiction))
        numbers = connection.exec_driver_sql(written).scalars().all()
    visible = [record.number for record in changed[10:] if record.visibility.is_shown]
    assert numbers == visible


@pytest.mark.parametrize("count", [0, 1, 16, 17, 1_000])
def test_numbers_are_unique_for_any_batch_size(platform: Platform, count: int) -> None:
    hot = platform.database.hot
    numbers = [
        *platform.process.numbers.many(hot, count),
        platform.process.numbers.next(hot),
        *platform.process.numbers.many(hot, count),
    ]
    assert len(set(numbers)) == 2 * count + 1
