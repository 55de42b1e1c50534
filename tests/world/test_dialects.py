"""Each switch of a dialect is seen by our client, alone and with others, and nothing is lost."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
import requests

from open311.federation.client import Dialect as Reading
from open311.federation.client import GeoReportClient, Limits, NewRequest, Refused
from open311.federation.dialects import DialectPoint
from tests import world
from tests.world.documents import written

FREE = Limits(rate_per_s=0, retries=0, timeout_s=10)
ALONE: list[tuple[dict[str, Any], DialectPoint]] = [
    ({"wraps_lists": True}, DialectPoint.WRAPPED_LIST),
    ({"bares_single": True}, DialectPoint.SINGLE_RECORD),
    ({"empty": "error"}, DialectPoint.EMPTY_AS_ERROR),
    ({"empty": "body"}, DialectPoint.EMPTY_BODY),
    ({"repeats_last_page": True}, DialectPoint.REPEATED_PAGE),
    ({"page_size_name": ""}, DialectPoint.REPEATED_PAGE),
    ({"cuts_pages_to": 3}, DialectPoint.OTHER_PAGE_SIZE),
    ({"ignores_dates": True}, DialectPoint.WINDOW_IGNORED),
    ({"omits_zone": True}, DialectPoint.TIME_WITHOUT_ZONE),
    ({"has_fractions": True}, DialectPoint.TIME_WITH_FRACTION),
    ({"has_spaces": True}, DialectPoint.TIME_WITH_SPACE),
    ({"capitals": True}, DialectPoint.STATUS_IN_CAPITALS),
    ({"numbers_as_text": True}, DialectPoint.NUMBER_AS_TEXT),
    ({"booleans_as_text": True}, DialectPoint.BOOLEAN_AS_TEXT),
    ({"ids_as_numbers": True}, DialectPoint.NUMBER_FOR_TEXT),
    ({"zero_for_unknown": True}, DialectPoint.POINT_ZERO),
    ({"lists_media": True}, DialectPoint.SEVERAL_MEDIA),
    ({"invents_times": True}, DialectPoint.UNREAD_VALUE),
]
IN_JSON = frozenset(
    {
        DialectPoint.WRAPPED_LIST,
        DialectPoint.EMPTY_BODY,
        DialectPoint.NUMBER_AS_TEXT,
        DialectPoint.BOOLEAN_AS_TEXT,
        DialectPoint.NUMBER_FOR_TEXT,
    }
)
"""The points that XML does not have, or does not show."""
ELSEWHERE = frozenset(
    {
        DialectPoint.RESERVED_IN_CODE,
        DialectPoint.ERROR_WITH_200,
        DialectPoint.UNREAD_RECORD,
        DialectPoint.WINDOW_HALVED,
        DialectPoint.LIST_CUT,
    }
)
"""The points with tests of their own, here or in tests/federation."""


def client_of(city: world.Neighbour, **options: Any) -> GeoReportClient:
    """A client with the settings that it cannot find out by itself: the zone and the name of the page size."""
    zone = timezone(timedelta(hours=city.dialect.zone_hours))
    reading = Reading(zone=zone, page_size_name=city.dialect.page_size_name or "page_size")
    options = {"format": city.dialect.formats[0], "limits": FREE, "api_key": city.api_key, **options}
    return GeoReportClient(city.base_url, city.city_id, dialect=reading, **options)


def fill(city: world.Neighbour) -> None:
    """File five requests; the first has no point and two photos."""
    pictures = ("https://a.example/1.jpg", "https://a.example/2.jpg")
    city.take("potholes", [("address_string", "5 Mill Lane"), *(("media_url", each) for each in pictures)])
    for number in range(4):
        city.file("potholes", lat="60.17", long="24.94", description=str(number))
    city.close("2", note="Filled.")


def read(city: world.Neighbour, client: GeoReportClient) -> list[str]:
    """Read what the neighbour has, in every way; returns the descriptions of all requests."""
    client.services()
    found = list(client.requests(page_size=2))
    latest = city.requests[-1].at
    list(client.requests(start_date=latest, end_date=latest + timedelta(days=1)))
    list(client.requests(status=["nonsense"]))
    client.request("2")
    return [each.description for each in found]


@pytest.mark.parametrize("format", ["json", "xml"])
@pytest.mark.parametrize(("switch", "point"), ALONE, ids=lambda value: str(value)[:40])
def test_a_switch_shows_its_point_and_no_other(switch: dict[str, Any], point: DialectPoint, format: Any) -> None:
    dialect = world.Dialect(**switch)
    with world.neighbour(dialect=dialect, ids="", clock=world.Ticking()) as city:
        fill(city)
        with client_of(city, format=format) as client:
            assert read(city, client) == ["3", "2", "1", "0", ""]
        expected = set() if format == "xml" and point in IN_JSON else {point}
        assert set(client.seen.points) == expected | ({DialectPoint.OTHER_PAGE_SIZE} & also(switch))


def also(switch: dict[str, Any]) -> set[DialectPoint]:
    """A server without pages also sends more records than the call asks for."""
    return {DialectPoint.OTHER_PAGE_SIZE} if switch == {"page_size_name": ""} else set()


def test_the_tests_cover_every_point_that_our_client_names() -> None:
    assert {point for _, point in ALONE} | ELSEWHERE == set(DialectPoint)


def test_odd_codes_are_kept() -> None:
    with world.neighbour(services=world.ODD_SERVICES) as city, client_of(city) as client:
        for each in world.ODD_SERVICES:
            assert client.definition(each.code).service_code == each.code
            client.post_request(NewRequest(service_code=each.code, address_string="5 Mill Lane"))
        assert {each.service_code for each in city.accepted} == {each.code for each in world.ODD_SERVICES}
        assert DialectPoint.RESERVED_IN_CODE in client.seen


def test_an_error_with_status_200_is_read() -> None:
    with world.neighbour(dialect=world.Dialect(errors_with_200=True)) as city, client_of(city) as client:
        with pytest.raises(Refused, match="404"):
            client.request("9")
        assert DialectPoint.ERROR_WITH_200 in client.seen


@pytest.mark.parametrize("name", sorted(world.PRESETS))
def test_each_preset_is_read_without_loss(name: str) -> None:
    dialect = world.PRESETS[name]
    ids = "" if dialect.ids_as_numbers else "C"
    with world.neighbour(dialect=dialect, ids=ids, clock=world.Ticking()) as city, client_of(city) as client:
        new = NewRequest(service_code="potholes", lat=60.17, long=24.94, description="Deep hole")
        first = client.post_request(new).service_request_id
        token = client.post_request(replace(new, service_code="trees")).token
        polls = [client.token(token).service_request_id for _ in range(dialect.polls_per_token)]
        city.close(first, note="Filled.")
        found = {each.service_request_id: each for each in client.requests()}
        assert set(found) == {first, polls[-1]}
        assert (found[first].status, found[first].status_notes) == ("closed", "Filled.")
        assert found[first].requested_datetime == city.find(first).at
        assert (found[first].lat, found[first].long) == (60.17, 24.94)


# --- What a server offers


def get(city: world.Neighbour, call: str, **query: str) -> requests.Response:
    return requests.get(f"{city.base_url}/{call}", query, timeout=10)


@pytest.mark.parametrize(
    ("switch", "query", "status"),
    [
        ({"needs_city": True}, {}, 400),
        ({"needs_city": True}, {"jurisdiction_id": "neighbour.example"}, 200),
        ({"needs_city": True}, {"jurisdiction_id": "other.example"}, 404),
        ({}, {"jurisdiction_id": ""}, 200),
        ({"refuses_empty_city": True}, {"jurisdiction_id": ""}, 404),
        ({"guards_reading": True}, {}, 403),
        ({"guards_reading": True}, {"api_key": "neighbour-key"}, 200),
        ({"formats": ("xml",)}, {}, 404),
        ({}, {"strat_date": "2026-01-01"}, 200),
        ({}, {"start_date": "soon"}, 400),
        ({"most_days": 90}, {"start_date": "2025-01-01T00:00:00Z"}, 400),
        ({"most_days": 90}, {"start_date": "2026-01-01T00:00:00Z"}, 200),
    ],
)
def test_a_switch_decides_whether_a_call_is_refused(
    switch: dict[str, Any], query: dict[str, str], status: int
) -> None:
    with world.neighbour(dialect=world.Dialect(**switch), clock=world.Ticking()) as city:
        city.file("potholes")
        assert get(city, "requests.json", **query).status_code == status


def test_a_batch_request_is_listed_before_it_has_an_id() -> None:
    dialect = world.Dialect(lists_without_id=True)
    with world.neighbour(dialect=dialect) as city, client_of(city) as client:
        city.file("trees")
        [found] = client.requests()
        assert (found.service_request_id, found.token) == ("", "token-1")


def test_a_blackbox_request_is_in_no_list() -> None:
    with world.neighbour(dialect=world.Dialect(lists_without_id=True)) as city, client_of(city) as client:
        city.file("praise")
        assert list(client.requests()) == []


def test_empty_elements_have_nil() -> None:
    with world.neighbour(dialect=world.SAN_FRANCISCO) as city:
        city.file("potholes")
        answer = get(city, "requests.xml")
        assert b'nil="true"' in answer.content
        assert answer.headers["Content-Type"] == "text/xml; charset=utf-8"


@pytest.mark.parametrize(
    ("switch", "expected"),
    [
        ({}, "2026-03-01T09:30:00Z"),
        ({"zone_hours": -5.0}, "2026-03-01T04:30:00-05:00"),
        ({"zone_hours": 5.5, "has_fractions": True}, "2026-03-01T15:00:00.000+05:30"),
        ({"omits_zone": True, "has_spaces": True}, "2026-03-01 09:30:00"),
    ],
)
def test_a_time_is_written_in_the_dialect(switch: dict[str, Any], expected: str) -> None:
    assert written(datetime(2026, 3, 1, 9, 30, tzinfo=UTC), world.Dialect(**switch)) == expected


def test_the_docstring_of_dialect_explains_every_switch() -> None:
    lines = (world.Dialect.__doc__ or "").splitlines()
    named = {line.split()[0] for line in lines if line.strip()}
    assert {each.name for each in fields(world.Dialect)} <= named
