"""Due dates of new requests, requests where a service is not offered, and imported rows that are routed by time."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from shapely import box

from open311.domain.events import replay
from open311.domain.requests import RequestRecord
from open311.domain.services import Department
from open311.errors import Invalid
from open311.formats.reading import open_source
from open311.operations.importing.batches import Batch, Import
from open311.operations.importing.processes import Processes
from open311.operations.platform import Platform
from open311.plugins import Calendar, Hours, Jurisdiction, LevelRule, Rule, read_service_level
from schemas.values import format_instant
from tests import build
from tests.checked_client import platform_of

HARBOUR = box(24.9, 60.1, 25.0, 60.2)
LEVEL = read_service_level("4 days")
WITH_LEVELS: dict[str, Any] = {
    "services": (replace(build.HOLE, service_level=LEVEL), *build.city().services[1:]),
    "departments": (
        Department("streets", "Streets", read_service_level("9 days")),
        Department("parks", "Parks", read_service_level("2 working days")),
        Department("desk", "Desk", read_service_level("SLA Not Managed by 311")),
    ),
    "calendar": Calendar(office_hours=((Hours(8 * 60, 16 * 60),),) * 5 + ((), ())),
}


@pytest.fixture
def serve(make_app: Callable[..., Flask]) -> Callable[..., Platform]:
    return lambda **changes: platform_of(make_app(build.city(**changes)))


def city_of(platform: Platform) -> Jurisdiction:
    return next(iter(platform.registry))


def newest(platform: Platform) -> RequestRecord:
    with platform.database.reading() as connection:
        number = connection.exec_driver_sql("SELECT max(id) FROM service_request").scalar_one()
    return build.load(platform, number=number)


@pytest.mark.parametrize(
    ("service", "due"),
    [
        ("potholes", build.NOON + timedelta(days=4)),
        ("trees", datetime(2026, 3, 4, 16, tzinfo=UTC)),  # NOON is a Sunday
        ("hotline", None),
    ],
)
def test_a_new_request_gets_its_due_date(
    serve: Callable[..., Platform], service: str, due: datetime | None
) -> None:
    platform = serve(**WITH_LEVELS)
    build.submit(platform, service_code=service)
    record = newest(platform)
    history = build.history(platform, record)
    assert record.expected_at == due
    assert replay(record, history) == record
    assert [event.kind for event in history if event.kind == "expected"] == ["expected"] * (due is not None)


def test_the_due_date_is_public_as_expected_datetime(make_app: Callable[..., Flask]) -> None:
    app = make_app(build.city(**WITH_LEVELS))
    receipt = build.submit(platform_of(app))
    (shown,) = app.test_client().get(f"/open311/v2/requests/{receipt.service_request_id}.json").json
    assert shown["expected_datetime"] == format_instant(build.NOON + timedelta(days=4))
    assert shown["updated_datetime"] == format_instant(build.NOON)


def test_an_answer_can_decide_the_due_date(serve: Callable[..., Platform]) -> None:
    rule = LevelRule(level=read_service_level("1 day"), service="potholes", department="streets")
    platform = serve(**WITH_LEVELS, service_levels=(rule,))
    build.submit(platform)
    assert newest(platform).expected_at == build.NOON + timedelta(days=1)


def test_service_levels_that_disagree_give_no_due_date(serve: Callable[..., Platform]) -> None:
    rule = LevelRule(level=read_service_level("5 days"), service="potholes")
    platform = serve(**WITH_LEVELS, service_levels=(rule,))
    build.submit(platform)
    assert newest(platform).expected_at is None


def test_a_request_of_a_test_key_has_no_due_date(serve: Callable[..., Platform]) -> None:
    platform = serve(**WITH_LEVELS)
    build.submit(platform, key=build.api_key(platform, is_test=True))
    assert newest(platform).expected_at is None


def test_a_city_without_service_levels_writes_no_event_about_a_due_date(serve: Callable[..., Platform]) -> None:
    platform = serve()
    build.submit(platform)
    record = newest(platform)
    assert record.expected_at is None
    assert [event.kind for event in build.history(platform, record)] == ["received", "routed"]


AREAS = {"Harbour": HARBOUR}
IN_HARBOUR: dict[str, Any] = {"lat": "60.15", "long": "24.95"}
INLAND: dict[str, Any] = {"lat": "60.25", "long": "24.95"}
SERVICES = build.city().services[1:]


@pytest.mark.parametrize("polygons", [{"exclude_areas": ("Harbour",)}, {"include_areas": ("Harbour",)}])
def test_a_request_where_its_service_is_not_offered_is_refused(
    serve: Callable[..., Platform], polygons: dict[str, Any]
) -> None:
    services = (replace(build.HOLE, **polygons), *SERVICES)
    platform = serve(areas=AREAS, services=services, outside="refuse")
    inside, outside = (INLAND, IN_HARBOUR) if "exclude_areas" in polygons else (IN_HARBOUR, INLAND)
    build.submit(platform, **inside)
    build.submit(platform, lat="", long="", address_string="5 Mill Lane")
    build.submit(platform, service_code="trees", **outside)
    with pytest.raises(Invalid, match=r"lat: the service 'Pothole' is not offered at this point; send another"):
        build.submit(platform, **outside)


def test_a_request_where_its_service_is_not_offered_is_flagged(serve: Callable[..., Platform]) -> None:
    platform = serve(areas=AREAS, services=(replace(build.HOLE, exclude_areas=("Harbour",)), *SERVICES))
    build.submit(platform, **IN_HARBOUR)
    record = newest(platform)
    assert record.is_outside
    assert "The service is not offered at this point." in [
        event.description for event in build.history(platform, record)
    ]
    build.submit(platform, **INLAND)
    assert not newest(platform).is_outside


def test_an_excluded_area_lies_outside_the_city(serve: Callable[..., Platform]) -> None:
    platform = serve(areas=AREAS, exclude_areas=("Harbour",), outside="refuse")
    build.submit(platform, **INLAND)
    with pytest.raises(Invalid, match="the point lies outside Testville"):
        build.submit(platform, **IN_HARBOUR)


def import_rows(platform: Platform, *rows: dict[str, Any], at: datetime = build.NOON) -> list[Batch]:
    common = {"service_code": "potholes", "status": "open", "requested_datetime": format_instant(build.NOON)}
    body = json.dumps([common | row for row in rows]).encode()
    order = Import(jurisdiction=city_of(platform), origin="file", now=at)
    with Processes(platform, 1) as processes:
        return list(processes.import_source(open_source(io.BytesIO(body)), order))


def test_an_import_keeps_the_due_date_of_its_source(serve: Callable[..., Platform]) -> None:
    platform = serve(**WITH_LEVELS)
    promised = format_instant(build.NOON + timedelta(days=30))
    import_rows(platform, {"service_request_id": "F1", **INLAND, "expected_datetime": promised})
    import_rows(platform, {"service_request_id": "F2", **INLAND})
    assert build.load(platform, service_request_id="F1").expected_at == build.NOON + timedelta(days=30)
    assert build.load(platform, service_request_id="F2").expected_at is None


def test_a_file_can_move_the_due_date_that_a_service_level_gave(serve: Callable[..., Platform]) -> None:
    platform = serve(**WITH_LEVELS)
    receipt = build.submit(platform)
    promised = build.NOON + timedelta(days=30)
    row = {"service_request_id": receipt.service_request_id, "expected_datetime": format_instant(promised)}
    (batch,) = import_rows(platform, row | INLAND)
    assert batch.conflicts == ()
    record = newest(platform)
    assert record.expected_at == promised
    assert replay(record, build.history(platform, record)) == record


def test_imported_rows_are_routed_by_their_own_time_and_place(serve: Callable[..., Platform]) -> None:
    night = Rule(department="desk", service="potholes", hours=(Hours(22 * 60, 6 * 60),))
    harbour = Rule(department="parks", service="potholes", area="Harbour")
    services = (replace(build.HOLE, exclude_areas=("Harbour",)), *SERVICES)
    platform = serve(areas=AREAS, rules=(night, harbour), services=services)
    late = {"requested_datetime": "2026-02-28T23:00:00Z"}
    import_rows(
        platform,
        {"service_request_id": "F1"} | INLAND,
        {"service_request_id": "F2"} | INLAND | late,
        {"service_request_id": "F3"} | INLAND,
        {"service_request_id": "F4"} | IN_HARBOUR,
    )
    records = [build.load(platform, service_request_id=f"F{number}") for number in range(1, 5)]
    assert [record.department for record in records] == ["streets", "desk", "streets", "parks"]
    assert [record.areas for record in records] == [(), (), (), ("Harbour",)]
    assert [record.is_outside for record in records] == [False, False, False, True]
