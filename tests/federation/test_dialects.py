"""The client reads through every point of the dialects, and names it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from open311.federation.client import Dialect, GeoReportClient, Refused, ServiceRequest, Unreadable
from open311.federation.dialects import PAGE_SIZE_NAMES, DialectPoint
from tests.federation.scripted import Reply, as_json, as_xml, serve

ONE = {"service_request_id": "7", "status": "open"}
TIME = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
LISTED = [ServiceRequest(service_request_id="7", status="open")]
NONE: list[ServiceRequest] = []


def listed(client: GeoReportClient) -> Any:
    return list(client.requests())


def first(member: str) -> Callable[[GeoReportClient], Any]:
    return lambda client: getattr(next(client.requests()), member)


def request_with(**members: object) -> Reply:
    return as_json([ONE | members])


def attribute(client: GeoReportClient) -> Any:
    return client.definition("x").attributes[0].order


def service(client: GeoReportClient) -> Any:
    return client.services()[0]


POINTS: list[tuple[DialectPoint, list[Reply], Callable[[GeoReportClient], Any], Any]] = [
    (DialectPoint.WRAPPED_LIST, [as_json({"service_requests": [ONE]}), as_json([])], listed, LISTED),
    (DialectPoint.WRAPPED_LIST, [as_json({"requests": [ONE], "meta": {"total": 1}}), as_json([])], listed, LISTED),
    (DialectPoint.WRAPPED_LIST, [as_json({"service_requests": {"request": [ONE]}}), as_json([])], listed, LISTED),
    (DialectPoint.WRAPPED_LIST, [as_json({})], listed, NONE),
    (DialectPoint.WRAPPED_LIST, [as_json({"service_requests": None})], listed, NONE),
    (DialectPoint.SINGLE_RECORD, [as_json(ONE), as_json([])], listed, LISTED),
    (
        DialectPoint.SINGLE_RECORD,
        [
            as_xml("<request><service_request_id>7</service_request_id><status>open</status></request>"),
            as_xml("<service_requests/>"),
        ],
        listed,
        LISTED,
    ),
    (DialectPoint.EMPTY_BODY, [Reply()], listed, NONE),
    (DialectPoint.EMPTY_BODY, [Reply(b"null")], listed, NONE),
    (
        DialectPoint.EMPTY_AS_ERROR,
        [as_json([{"code": 404, "description": "No requests found"}], 404)],
        listed,
        NONE,
    ),
    (DialectPoint.EMPTY_AS_ERROR, [as_json([ONE]), as_json([], 404)], listed, LISTED),
    (DialectPoint.REPEATED_PAGE, [as_json([ONE])], listed, LISTED),
    (
        DialectPoint.OTHER_PAGE_SIZE,
        [as_json([ONE, ONE | {"service_request_id": "8"}]), as_json([])],
        lambda client: [each.service_request_id for each in client.requests(page_size=1)],
        ["7", "8"],
    ),
    (
        DialectPoint.WINDOW_IGNORED,
        [request_with(requested_datetime="2020-01-01T00:00:00Z"), as_json([])],
        lambda client: len(list(client.requests(start_date=TIME, end_date=TIME))),
        1,
    ),
    (
        DialectPoint.TIME_WITHOUT_ZONE,
        [request_with(requested_datetime="2026-03-01T04:30:00")],
        first("requested_datetime"),
        TIME,
    ),
    (
        DialectPoint.TIME_WITH_FRACTION,
        [request_with(updated_datetime="2026-03-01T09:30:00.123Z")],
        first("updated_datetime"),
        TIME,
    ),
    (
        DialectPoint.TIME_WITH_SPACE,
        [request_with(expected_datetime="2026-03-01 10:30:00+0100")],
        first("expected_datetime"),
        TIME,
    ),
    (DialectPoint.STATUS_IN_CAPITALS, [request_with(status="Open")], first("status"), "open"),
    (DialectPoint.NUMBER_AS_TEXT, [request_with(lat="37.5", long="-122.1")], first("lat"), 37.5),
    (
        DialectPoint.NUMBER_AS_TEXT,
        [as_json({"service_code": "x", "attributes": [{"code": "A", "order": "3"}]})],
        attribute,
        3,
    ),
    (
        DialectPoint.BOOLEAN_AS_TEXT,
        [as_json([{"service_code": "x", "metadata": "true"}])],
        lambda client: service(client).metadata,
        True,
    ),
    (
        DialectPoint.NUMBER_FOR_TEXT,
        [as_json([{"service_code": 42}])],
        lambda client: service(client).service_code,
        "42",
    ),
    (DialectPoint.POINT_ZERO, [request_with(lat=0.0, long="0")], first("lat"), None),
    (
        DialectPoint.RESERVED_IN_CODE,
        [as_json([{"service_code": "Mayor's 24/7:Other & more"}])],
        lambda client: service(client).service_code,
        "Mayor's 24/7:Other & more",
    ),
    (
        DialectPoint.SEVERAL_MEDIA,
        [request_with(media_url=["https://a.example/1", "https://a.example/2"])],
        first("media_url"),
        ("https://a.example/1", "https://a.example/2"),
    ),
    (
        DialectPoint.UNREAD_VALUE,
        [request_with(requested_datetime="yesterday")],
        first("unread"),
        {"requested_datetime": "yesterday"},
    ),
    (
        DialectPoint.UNREAD_VALUE,
        [request_with(agency_responsible={"recipient": ["Roads"]})],
        first("unread"),
        {"agency_responsible": {"recipient": ["Roads"]}},
    ),
    (
        DialectPoint.UNREAD_RECORD,
        [as_json([{"service_name": "No code"}, {"service_code": "x"}])],
        lambda client: [each.service_code for each in client.services()],
        ["x"],
    ),
    (DialectPoint.UNREAD_VALUE, [request_with(lat=91, long=4)], first("unread"), {"lat": 91, "long": 4}),
]


@pytest.mark.parametrize(
    ("point", "replies", "act", "expected"),
    POINTS,
    ids=[f"{number}-{point.name}" for number, (point, *_) in enumerate(POINTS)],
)
def test_each_point_of_a_dialect_is_read_and_named(
    point: DialectPoint, replies: list[Reply], act: Callable[[GeoReportClient], Any], expected: Any
) -> None:
    zone = ZoneInfo("America/Chicago")
    with serve(*replies) as script, script.client(dialect=Dialect(zone=zone)) as client:
        if point is DialectPoint.TIME_WITHOUT_ZONE:
            client.dialect = Dialect(zone=ZoneInfo("Etc/GMT+5"))
        assert act(client) == expected
        assert point in client.seen, str(client.seen)


def test_an_error_with_status_200_is_an_error() -> None:
    with serve(as_json({"errors": [{"code": 403, "description": "bad key"}]})) as script, script.client() as client:
        with pytest.raises(Refused, match="403: bad key") as caught:
            client.services()
        assert caught.value.status == 403
        assert DialectPoint.ERROR_WITH_200 in client.seen


def test_records_that_cannot_be_read_are_kept_and_counted_once() -> None:
    strange = [{"status": "open"}, 7, {"service_request_id": {"a": 1}}]
    with serve(as_json([ONE, *strange])) as script, script.client() as client:
        assert listed(client) == LISTED
        assert [(each.kind, each.record) for each in client.unread] == [
            ("ServiceRequest", each) for each in strange
        ]
        assert client.seen.points[DialectPoint.UNREAD_RECORD] == 3
        assert "neither service_request_id nor token" in client.unread[0].reason
        assert "open" not in repr(client.unread[0])


def test_pages_after_a_page_of_unreadable_records_are_read() -> None:
    pages: tuple[object, ...] = ([ONE], [{"status": "open"}], [ONE | {"service_request_id": "8"}], [])
    with serve(*map(as_json, pages)) as script, script.client() as client:
        assert [each.service_request_id for each in client.requests()] == ["7", "8"]
        assert len(client.unread) == 1


def test_a_list_of_which_no_record_can_be_read_is_an_error() -> None:
    replies = as_json([{"name": "a"}, {"name": "b"}])
    reason = r"services\.json.*no record of the list can be read: a Service has no"
    with serve(replies) as script, script.client() as client, pytest.raises(Unreadable, match=reason):
        client.services()


def test_the_tests_cover_every_point() -> None:
    others = {DialectPoint.ERROR_WITH_200, DialectPoint.WINDOW_HALVED, DialectPoint.LIST_CUT}
    assert {point for point, *_ in POINTS} | others == set(DialectPoint)


def test_an_answer_that_follows_the_standard_shows_no_dialect_point() -> None:
    with serve(as_json([ONE | {"lat": 1.5, "long": 2.5}]), as_json([])) as script, script.client() as client:
        assert listed(client)[0].long == 2.5
        assert str(client.seen) == "as the standard has it"


@pytest.mark.parametrize("code", ["a/b:c", "Mayor's 24/7", "ü ☂", "..", "%2F", "a?b#c"])
def test_any_code_survives_in_an_address(code: str) -> None:
    from urllib.parse import unquote

    with serve(as_json({"service_code": code, "attributes": []})) as script, script.client() as client:
        assert client.definition(code).service_code == code
        assert unquote(script.asked[0].path.removeprefix("/v2/services/").removesuffix(".json")) == code
        assert script.asked[0].path.count("/") == 3


@pytest.mark.parametrize("name", PAGE_SIZE_NAMES)
def test_the_dialect_names_the_parameter_of_the_page_size(name: str) -> None:
    with serve(as_json([])) as script, script.client(dialect=Dialect(page_size_name=name)) as client:
        assert list(client.requests(page_size=20)) == []
        assert script.asked[0].query[name] == "20"


def test_a_jurisdiction_that_is_empty_is_not_sent() -> None:
    with serve(as_json([])) as script, script.client() as client:
        client.jurisdiction_id = ""
        client.services()
        assert script.asked[0].query == {}


def test_a_404_about_the_jurisdiction_is_no_empty_list() -> None:
    wrong = as_json([{"code": 404, "description": "jurisdiction_id was not found"}], 404)
    with serve(wrong) as script, script.client() as client, pytest.raises(Refused, match="jurisdiction_id"):
        listed(client)


def test_a_member_that_no_standard_has_is_kept() -> None:
    with serve(request_with(ward="7"), as_json([])) as script, script.client() as client:
        assert listed(client)[0].extra == {"ward": "7"}


@pytest.mark.parametrize("data", [[1], ["x"], 7, "text", {"a": [], "b": []}, [[ONE]]])
def test_a_body_without_records_is_an_error(data: object) -> None:
    with (
        serve(as_json(data)) as script,
        script.client() as client,
        pytest.raises(Unreadable, match=r"requests\.json"),
    ):
        listed(client)
