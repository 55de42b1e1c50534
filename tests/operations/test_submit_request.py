from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import shapely
from flask import Flask

from open311.domain.attributes import Answer
from open311.domain.requests import Reporter, Visibility
from open311.domain.routing import Rule
from open311.domain.services import Attribute, Datatype, Service, Value
from open311.errors import Invalid, NotFound
from open311.formats import JSON
from open311.jobs.dispatching import dispatch_all
from open311.operations.intake.resolve_token import resolve_token
from open311.operations.platform import Platform
from open311.operations.reading.find_requests import find_request
from open311.plugins import Draft, Jurisdiction, Problem
from open311.storage.queue import Task
from tests import build
from tests.checked_client import platform_of

KIND = Attribute(
    code="KIND",
    description="Which?",
    datatype=Datatype.SINGLEVALUELIST,
    values=(Value("wall", "Wall"), Value("pole", "Pole")),
    required=True,
)
PAINT = Service(code="graffiti", name="Graffiti", department="streets", attributes=(KIND,))
HARBOUR = shapely.box(24.90, 60.11, 25.0, 60.155)

MakeApp = Callable[..., Flask]


@pytest.fixture
def serve(make_app: MakeApp) -> Callable[..., Platform]:
    """The platform of a server with one city that has the given changes."""

    def make(kind: type[Jurisdiction] = Jurisdiction, **changes: Any) -> Platform:
        return platform_of(make_app(build.city(kind, **changes)))

    return make


Serve = Callable[..., Platform]


def test_all_fields_of_a_request_are_stored(serve: Serve) -> None:
    platform = serve(services=(PAINT,))
    receipt = build.submit(
        platform,
        service_code="graffiti",
        lat="60.17180",
        long="24.9414",
        address_string="5 Mill Lane",
        address_id="A-7",
        description="A <b>tag</b>",
        media_urls=("https://pictures.example/1.jpg", "https://pictures.example/2.jpg"),
        attributes=(("KIND", ("wall",)), ("OTHER", ("ignored",))),
    )
    record = build.load(platform, service_request_id=receipt.service_request_id)
    assert (record.place.lat, record.place.long) == (60.1718, 24.9414)
    assert (record.place.address, record.place.address_id) == ("5 Mill Lane", "A-7")
    assert record.media_urls == ("https://pictures.example/1.jpg", "https://pictures.example/2.jpg")
    assert record.answers == (Answer("KIND", ("wall",)),)
    assert record.requested_at == record.updated_at == record.changed_at == build.NOON
    assert record.description == "A <b>tag</b>"


def test_department_routing_reason_and_history_are_stored(serve: Serve) -> None:
    platform = serve()
    receipt = build.submit(platform)
    record = build.load(platform, service_request_id=receipt.service_request_id)
    assert (record.department, record.route_reason, record.is_triage) == ("streets", "table: potholes", False)
    assert [(event.kind, event.is_public) for event in build.history(platform, record)] == [
        ("received", True),
        ("routed", False),
    ]
    (item,) = find_request(platform, "test.example", receipt.service_request_id, JSON).items
    assert b'"agency_responsible":"Streets"' in item


@pytest.mark.parametrize(
    ("lat", "department", "reason"),
    [("60.14", "parks", "service potholes, in area Harbour"), ("60.20", "streets", "table: potholes")],
)
def test_an_area_refines_the_route(serve: Serve, lat: str, department: str, reason: str) -> None:
    rule = Rule(department="parks", service="potholes", area="Harbour")
    platform = serve(areas={"Harbour": HARBOUR}, rules=(rule,))
    receipt = build.submit(platform, lat=lat, long="24.95")
    record = build.load(platform, service_request_id=receipt.service_request_id)
    assert (record.department, record.route_reason) == (department, reason)


def test_a_request_that_matches_no_rule_goes_to_triage_and_is_marked(serve: Serve) -> None:
    platform = serve(services=(Service(code="potholes", name="Pothole"),))
    receipt = build.submit(platform)
    record = build.load(platform, service_request_id=receipt.service_request_id)
    assert (record.department, record.is_triage) == ("desk", True)
    assert "triage" in {event.kind for event in build.history(platform, record)}


class FailingHooks(Jurisdiction):
    """A plugin whose hooks fail."""

    def check(self, draft: Draft) -> list[Problem]:
        raise RuntimeError("check")

    def department_for(self, draft: Draft) -> str | None:
        raise RuntimeError("route")


def test_a_request_is_stored_if_the_plugins_hooks_fail(serve: Serve) -> None:
    platform = serve(FailingHooks)
    receipt = build.submit(platform)
    record = build.load(platform, service_request_id=receipt.service_request_id)
    assert (record.department, record.route_reason, record.is_triage) == ("desk", "routing failed", True)


class UnknownDepartment(Jurisdiction):
    """A plugin that names a department that is not in its catalogue."""

    def department_for(self, draft: Draft) -> str | None:
        return "nowhere"


def test_a_department_missing_in_the_catalogue_goes_to_triage(serve: Serve) -> None:
    platform = serve(UnknownDepartment)
    receipt = build.submit(platform)
    record = build.load(platform, service_request_id=receipt.service_request_id)
    assert (record.department, record.is_triage) == ("desk", True)


class Strict(Jurisdiction):
    """A city with its own rule for requests."""

    def check(self, draft: Draft) -> list[Problem]:
        return [] if draft.description else [Problem("description", "is missing; say what is wrong.")]


def test_a_request_that_breaks_a_citys_rule_is_refused_with_the_citys_message(serve: Serve) -> None:
    platform = serve(Strict)
    with pytest.raises(Invalid, match="description: is missing; say what is wrong"):
        build.submit(platform)
    assert build.submit(platform, description="Deep").service_request_id


def test_a_point_outside_the_boundary_is_refused_if_the_city_refuses(serve: Serve) -> None:
    platform = serve(boundary=HARBOUR, outside="refuse")
    with pytest.raises(Invalid, match="lat: the point lies outside Testville"):
        build.submit(platform, lat="0", long="0")
    assert build.submit(platform, lat="60.14", long="24.95").service_request_id
    assert build.submit(platform, lat="60.155", long="25.0").service_request_id, (
        "a point on the border is inside the city"
    )


def test_a_point_outside_the_boundary_is_flagged_if_the_city_accepts(serve: Serve) -> None:
    platform = serve(boundary=HARBOUR, outside="flag")
    for (lat, long), is_outside in ((("0", "0"), True), (("60.14", "24.95"), False)):
        receipt = build.submit(platform, lat=lat, long=long)
        record = build.load(platform, service_request_id=receipt.service_request_id)
        assert record.is_outside is is_outside
        notes = [event for event in build.history(platform, record) if event.kind == "outside"]
        assert bool(notes) is is_outside


def test_an_address_without_a_point_is_never_outside_the_boundary(serve: Serve) -> None:
    platform = serve(boundary=HARBOUR, outside="refuse")
    receipt = build.submit(platform, lat="", long="", address_string="5 Mill Lane")
    assert not build.load(platform, service_request_id=receipt.service_request_id).is_outside


def test_an_alias_is_stored_as_its_service(serve: Serve) -> None:
    platform = serve(aliases={"old hole": "potholes"})
    receipt = build.submit(platform, service_code="old hole")
    assert build.load(platform, service_request_id=receipt.service_request_id).service_code == "potholes"


@pytest.mark.requirement("C105")
@pytest.mark.parametrize("code", ["nope", "Potholes", "potholes "])
def test_codes_are_opaque_and_case_sensitive(serve: Serve, code: str) -> None:
    with pytest.raises(NotFound) as caught:
        build.submit(serve(), service_code=code)
    assert caught.value.problems[0].field == "service_code"


@pytest.mark.requirement("C137")
def test_all_problems_are_reported_in_one_error(serve: Serve) -> None:
    platform = serve(services=(PAINT,), boundary=HARBOUR, outside="refuse")
    with pytest.raises(Invalid) as caught:
        build.submit(
            platform,
            service_code="graffiti",
            lat="0",
            long="0",
            description="x" * 4001,
            media_urls=("ftp://a.example/1.jpg",),
            reporter=Reporter(phone="1" * 501),
        )
    assert [str(problem).split()[0] for problem in caught.value.problems] == [
        "lat:",
        "description:",
        "media_url:",
        "phone:",
        "KIND",
    ]


def test_a_missing_service_does_not_hide_the_other_problems(serve: Serve) -> None:
    with pytest.raises(Invalid) as caught:
        build.submit(serve(), service_code="", lat="", long="", description="x" * 4001)
    assert [problem.field for problem in caught.value.problems] == ["service_code", "lat", "description"]


def test_a_test_key_request_is_accepted_but_not_routed_or_listed(serve: Serve) -> None:
    platform = serve()
    receipt = build.submit(platform, key=build.api_key(platform, is_test=True))
    record = build.load(platform, service_request_id=receipt.service_request_id)
    assert (record.department, record.visibility) == ("", Visibility.UNLISTED)
    assert [event.kind for event in build.history(platform, record)] == ["received"]
    (item,) = find_request(platform, "test.example", receipt.service_request_id, JSON).items
    assert b'"agency_responsible":null' in item


def test_ids_used_by_an_import_are_skipped(serve: Serve) -> None:
    platform = serve()
    first = int(build.submit(platform).service_request_id)
    for number in range(first + 1, first + 4):
        build.store(platform, number=1000 + number, service_request_id=str(number))
    receipt = build.submit(platform)
    assert int(receipt.service_request_id) > first + 3


def test_concurrent_requests_get_different_ids(serve: Serve) -> None:
    platform = serve()
    key = build.api_key(platform)
    with ThreadPoolExecutor(4) as pool:
        receipts = list(pool.map(lambda _: build.submit(platform, key=key), range(40)))
    assert len({receipt.service_request_id for receipt in receipts}) == 40


def test_a_batch_request_waits_for_its_id_with_a_token_and_a_job(serve: Serve) -> None:
    platform = serve()
    receipt = build.submit(platform, service_code="trees")
    assert receipt.token
    assert not receipt.service_request_id
    dispatch_all(platform)
    (job,) = build.jobs(platform, Task.RESOLVE)
    assert job["status"] == "todo"
    assert job["args"]["token"] == receipt.token
    assert build.load(platform, number=job["args"]["number"]).service_request_id == ""


def test_a_post_that_fails_half_way_stores_nothing(serve: Serve) -> None:
    class FailingIds(Jurisdiction):
        def new_id(self, number: int, at: object) -> str:
            raise RuntimeError("no id")

    platform = serve(FailingIds)
    with pytest.raises(RuntimeError):
        build.submit(platform, client_request_id="k1")
    with platform.database.reading() as connection:
        for table in ("service_request", "publication", "request_event", "repeatable_post"):
            assert connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one() == 0, table


REPEAT: dict[str, Any] = {"client_request_id": "k1", "description": "Deep"}


@pytest.mark.requirement("C165")
@pytest.mark.parametrize("service_code", ["potholes", "trees", "hotline"])
def test_a_repeated_call_gets_the_first_answer(serve: Serve, service_code: str) -> None:
    platform = serve()
    key = build.api_key(platform)
    sent = REPEAT | {"service_code": service_code, "reporter": Reporter(account_id="acc-1")}
    first, second = (build.submit(platform, key=key, **sent) for _ in range(2))
    assert first == second
    with platform.database.reading() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM service_request").scalar_one() == 1


def test_a_repeated_batch_call_gets_its_token_even_if_resolved(serve: Serve) -> None:
    platform = serve()
    key = build.api_key(platform)
    first = build.submit(platform, key=key, service_code="trees", **REPEAT)
    dispatch_all(platform)
    (job,) = build.jobs(platform, Task.RESOLVE)
    assert resolve_token(platform, now=build.NOON, **job["args"])
    assert build.submit(platform, key=key, service_code="trees", **REPEAT) == first


def test_the_same_key_with_another_body_is_refused(serve: Serve) -> None:
    platform = serve()
    key = build.api_key(platform)
    build.submit(platform, key=key, **REPEAT)
    with pytest.raises(Invalid, match="client_request_id: was used for another request"):
        build.submit(platform, key=key, **REPEAT | {"description": "Deeper"})


def test_repeats_are_recognised_per_api_key(serve: Serve) -> None:
    platform = serve()
    ids = {
        build.submit(platform, key=build.api_key(platform), **REPEAT).service_request_id,
        build.submit(platform, key=build.api_key(platform), **REPEAT).service_request_id,
    }
    assert len(ids) == 2


def test_a_refused_call_can_be_corrected_and_sent_with_the_same_key(serve: Serve) -> None:
    platform = serve()
    key = build.api_key(platform)
    with pytest.raises(Invalid):
        build.submit(platform, key=key, **REPEAT | {"lat": "x"})
    assert build.submit(platform, key=key, **REPEAT).service_request_id


def test_after_a_day_the_same_key_makes_a_new_request(serve: Serve) -> None:
    platform = serve()
    key = build.api_key(platform)
    first = build.submit(platform, key=key, **REPEAT)
    later = build.NOON + timedelta(hours=24, seconds=1)
    second = build.submit(platform, key=key, now=later, **REPEAT | {"description": "Deeper"})
    assert second.service_request_id != first.service_request_id
    third = build.submit(platform, key=key, now=later, **REPEAT | {"description": "Deeper"})
    assert third == second


def test_concurrent_repeats_make_one_request(serve: Serve) -> None:
    platform = serve()
    key = build.api_key(platform)
    with ThreadPoolExecutor(4) as pool:
        receipts = list(pool.map(lambda _: build.submit(platform, key=key, **REPEAT), range(12)))
    assert len({receipt.service_request_id for receipt in receipts}) == 1
    with platform.database.reading() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM service_request").scalar_one() == 1
