"""stats.json, stats.xml and stats.csv."""

from __future__ import annotations

import csv
import io
import json
from datetime import date, datetime, timedelta
from random import Random
from typing import Any
from urllib.parse import urlencode

import pytest
from flask import Flask
from flask.testing import FlaskClient
from lxml import etree
from shapely import box

from open311.clock import utc_now
from open311.domain.requests import Status, Visibility
from open311.domain.statistics import Grouping, Question
from open311.jobs.dispatching import dispatch_all
from open311.operations.platform import Platform
from open311.operations.statistics import answering
from open311.plugins import Jurisdiction
from open311.storage import counted_requests
from tests import build, by_hand
from tests.checked_client import platform_of
from tests.operations.test_statistics import AREAS, DEPARTMENTS, SERVICES, make_city

V2 = "/open311/v2"
# The dates are numbers of days ago.
PARAMETERS = {
    "service_code": ("", "potholes", "signs,trees", "nothing"),
    "group": ("", "", "Roads"),
    "department": ("", "", "streets", "Parks"),
    "area": ("", "", "Harbour"),
    "status": ("", "open", "closed", "open,closed"),
    "start_date": ("", "300", "200"),
    "end_date": ("", "150", "20"),
    "group_by": ("", *filter(None, Grouping)),
    "within_days": ("", "1", "30"),
}


@pytest.fixture
def city() -> Jurisdiction:
    return make_city()


@pytest.fixture
def client(make_app: Any, city: Jurisdiction) -> FlaskClient:
    app: Flask = make_app(city)
    return app.test_client()


def fill(platform: Platform, count: int = 200) -> None:
    """Store requests of many ages, a third of them open, some of them hidden."""
    random = Random(7)
    rows = []
    for number in range(1, count + 1):
        service = random.choice(SERVICES)
        at = utc_now().replace(microsecond=0) - timedelta(minutes=random.randint(10, 60 * 24 * 400))
        most = 4 if service.code == "calls" else 60 * 24 * 40
        closed_at = min(at + timedelta(minutes=random.randint(0, most)), utc_now().replace(microsecond=0))
        is_closed = random.random() < 0.7
        rows.append(
            {
                "number": number,
                "at": at,
                "updated_at": closed_at if is_closed else at,
                "changed_at": closed_at if is_closed else at,
                "status": Status.CLOSED if is_closed else Status.OPEN,
                "service_code": service.code,
                "department": random.choice(DEPARTMENTS),
                "areas": random.choice(AREAS),
                "description": random.choice(("deep", "wide")),
                "expected_at": at + timedelta(days=random.randint(1, 40)) if random.random() < 0.5 else None,
                "visibility": random.choice((Visibility.PUBLIC,) * 5 + (Visibility.HELD, Visibility.PRIVATE)),
            }
        )
    build.store_all(platform, rows)
    dispatch_all(platform)


def everything(client: FlaskClient, **filters: str) -> list[by_hand.Item]:
    """All requests of the public list."""
    found: list[by_hand.Item] = []
    for first in range(5):
        end = utc_now() - timedelta(days=89 * first)
        dates = {"start_date": iso(end - timedelta(days=89) + timedelta(seconds=1)), "end_date": iso(end)}
        answer = client.get(f"{V2}/requests.json", query_string=dates | filters | {"extensions": "true"})
        found += answer.json or []
    return found


def iso(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def day(ago: int) -> str:
    """The UTC day `ago` days ago, which is also a day of the city."""
    return str(utc_now().date() - timedelta(days=ago))


def stats(client: FlaskClient, suffix: str = "json", **query: str) -> Any:
    answer = client.get(f"{V2}/stats.{suffix}", query_string=query)
    assert answer.status_code == 200, answer.text
    return answer.json if suffix == "json" else answer


def fault(client: FlaskClient, **query: str) -> str:
    answer = client.get(f"{V2}/stats.json", query_string=query)
    assert answer.status_code == 400, answer.text
    return "; ".join(error["description"] for error in answer.json or [])


def expected(
    items: list[by_hand.Item],
    found: dict[str, Any],
    city: Jurisdiction,
    sent: dict[str, str],
    every: list[by_hand.Item] | None = None,
) -> Any:
    """What stats.json should have. `every`: all items of the city, if `items` are those of a search."""
    codes = set(filter(None, sent.get("service_code", "").split(","))) or None
    if sent.get("group"):
        inside = {service.code for service in city.services if service.group == sent["group"]}
        codes = inside if codes is None else codes & inside
    question = Question(
        jurisdiction_id=city.id,
        service_codes=None if codes is None else tuple(codes),
        department=sent.get("department", "").lower(),
        area=sent.get("area", ""),
        statuses=tuple(map(Status, filter(None, sent.get("status", "").split(",")))),
        first=date.fromisoformat(sent["start_date"]) if sent.get("start_date") else None,
        last=date.fromisoformat(sent["end_date"]) if sent.get("end_date") else None,
        group_by=Grouping(sent.get("group_by", "")),
        within_days=int(sent.get("within_days") or 7),
    )
    as_of = datetime.fromisoformat(found["as_of"].replace("Z", "+00:00"))
    return by_hand.numbers_of(items, question, as_of, city.time_zone, city.levels, every)


def numbers(found: dict[str, Any]) -> Any:
    return {row["key"] or "": {name: row[name] for name in by_hand.NAMES} for row in found["rows"]}


def test_every_number_equals_a_plain_count_over_the_public_list(client: FlaskClient, city: Jurisdiction) -> None:
    fill(platform_of(client.application))
    items, random = everything(client), Random(3)
    assert len(items) > 100
    for _ in range(60):
        sent = {name: random.choice(values) for name, values in PARAMETERS.items()}
        if sent["group_by"] == "day" and not sent["start_date"]:
            sent["start_date"] = "200"
        for name in ("start_date", "end_date"):
            sent[name] = sent[name] and day(int(sent[name]))
        found = stats(client, **sent)
        assert numbers(found) == expected(items, found, city, sent), urlencode(sent)


def test_searches_without_stored_sums_equal_a_plain_count_too(client: FlaskClient, city: Jurisdiction) -> None:
    fill(platform_of(client.application))
    every = everything(client)
    near = {"lat": "60.1718", "long": "24.9414", "radius": "100"}
    for filters in (
        {"q": "deep"},
        {"bbox": "24,60,25,61"},
        near,
        {"has_photo": "false"},
        {"agency_responsible": "Parks"},
    ):
        items = everything(client, **filters)
        assert items, filters
        for sent in ({}, {"group_by": "month", "end_date": day(30)}, {"group_by": "area"}):
            found = stats(client, **filters, **sent)
            assert numbers(found) == expected(items, found, city, sent, every), (filters, sent)
        sent = {"group_by": "service", "start_date": day(200), "end_date": day(30)}
        found = stats(client, **filters, **sent)
        assert numbers(found) == expected(items, found, city, sent, every), (filters, sent)
    assert stats(client, q="deep", updated_after=iso(utc_now() - timedelta(days=30)))["rows"][0]["opened"] < len(
        items
    )


def test_a_search_that_finds_too_many_requests_gets_400_with_the_cure(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answering, "MOST_LIVE", 3)
    build.store_all(
        platform_of(client.application), ({"number": number, "description": "deep"} for number in range(1, 5))
    )
    assert "for at most 3 requests" in fault(client, q="deep")
    assert "send shorter dates" in fault(client, q="deep")
    dispatch_all(platform_of(client.application))
    assert stats(client)["rows"][0]["opened"] == 4


def test_csv_and_xml_have_the_same_numbers(client: FlaskClient) -> None:
    fill(platform_of(client.application), 40)
    found = stats(client, group_by="service")
    table = stats(client, "csv", group_by="service")
    assert table.content_type == "text/csv; charset=utf-8; header=present"
    lines = list(csv.DictReader(io.StringIO(table.text, newline=""), strict=True))
    for line, row in zip(lines, found["rows"], strict=True):
        assert line == {name: text_of(value) for name, value in ({**found, **row}).items() if name != "rows"}
    root = etree.fromstring(stats(client, "xml", group_by="service").data)
    assert root.tag == "statistics"
    assert root.findtext("as_of") == found["as_of"]
    rows = [{child.tag: child.text or "" for child in row} for row in root.iterfind("rows/row")]
    assert rows == [{name: text_of(value) for name, value in row.items()} for row in found["rows"]]
    assert stats(client, "csv", bom="true").data.startswith(b"\xef\xbb\xbf")


def text_of(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, separators=(",", ":"))


def test_a_name_that_looks_like_a_formula_is_no_formula_in_csv(client: FlaskClient) -> None:
    build.store(platform_of(client.application), areas=("=cmd",))
    dispatch_all(platform_of(client.application))
    [line] = csv.DictReader(io.StringIO(stats(client, "csv", group_by="area").text, newline=""))
    assert (line["key"], line["name"]) == ("'=cmd", "'=cmd")


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        ({"group_by": "colour"}, "group_by: 'colour' is unknown; send one of service, group"),
        ({"within_days": "8"}, "within_days: '8' is unknown; send one of 1, 2"),
        ({"start_date": "soon"}, "start_date: 'soon' is not a date and time"),
        ({"start_date": "2026-03-02", "end_date": "2026-03-01"}, "start_date: is after end_date; swap them."),
        ({"status": "lost"}, "status: 'lost' is unknown"),
        ({"bbox": "1,2,3"}, "bbox: "),
        ({"radius": "100"}, "lat: is missing"),
        ({"group_by": "day"}, "group_by: day is for at most 366 days; send start_date and end_date, or week."),
        (
            {"group_by": "day", "start_date": "2024-01-01", "end_date": "2025-01-01"},
            "group_by: day is for at most 366 days",
        ),
        ({"within_days": "0", "status": "lost", "group_by": "day"}, "status: 'lost' is unknown"),
        ({"has_photo": "maybe"}, "has_photo: "),
        ({"q": "x\0"}, "q: "),
        ({"area": "x\0"}, "area: "),
    ],
)
def test_a_wrong_parameter_gets_400_that_names_it(client: FlaskClient, sent: dict[str, str], message: str) -> None:
    assert message in fault(client, **sent)


@pytest.mark.parametrize("group_by", ["", "month", "week"])
@pytest.mark.parametrize(
    ("first", "last"),
    [
        ("", "0001-01-01"),
        ("", "9999-12-31T23:59:59Z"),
        ("0001-01-01T00:00:00+00:00", ""),
        ("9999-12-31", "9999-12-31T23:59:59Z"),
    ],
)
def test_the_first_and_the_last_date_that_can_be_written_are_read(
    client: FlaskClient, first: str, last: str, group_by: str
) -> None:
    query = urlencode({"start_date": first, "end_date": last, "group_by": group_by})
    for format in ("json", "csv"):
        assert client.get(f"{V2}/stats.{format}?{query}").status_code == 200


def test_all_faults_come_at_once_in_the_format_of_the_address(client: FlaskClient) -> None:
    answer = client.get(f"{V2}/stats.xml?group_by=colour&within_days=no&start_date=2026-03-02&end_date=2026-03-01")
    assert answer.status_code == 400
    assert [error.findtext("description")[:10] for error in etree.fromstring(answer.data)] == [
        "group_by: ",
        "within_day",
        "start_date",
    ]
    answer = client.get(f"{V2}/stats.csv?group_by=colour")
    assert answer.status_code == 400
    assert answer.json[0]["code"] == 400


@pytest.mark.parametrize("last", ["9999-12-30", "9999-12-31T23:59:59Z", "0001-01-01"])
def test_far_dates_are_answered(client: FlaskClient, last: str) -> None:
    build.store(platform_of(client.application))
    for grouping in ("", "week", "month", "service"):
        stats(client, end_date=last, start_date="0001-01-01", group_by=grouping)
        stats(client, end_date=last, q="x", group_by=grouping)


def test_a_parameter_that_is_read_in_another_way_or_ignored_gives_a_warning(client: FlaskClient) -> None:
    def warnings(**sent: str) -> str:
        return "; ".join(stats(client, "xml", **sent).headers.getlist("Warning"))

    assert "start_date is read as the whole day 2026-03-01" in warnings(start_date="2026-03-01T12:00:00Z")
    assert "end_date is read as the whole day 2026-03-01" in warnings(end_date="2026-03-01T12:00:00Z")
    assert not warnings(start_date="2026-03-01", end_date="2026-03-01")
    assert "department moon is not one of test.example now" in warnings(department="moon")
    assert "service_code moon is not one of test.example now; services.json has its codes" in warnings(
        service_code="moon"
    )
    assert warnings(service_code="moon,signs,sun").count("services.json") == 2
    assert not warnings(service_code="signs,trees")
    assert "area moon is not one of test.example now; it has no areas" in warnings(area="moon")
    assert "moon" in stats(client, "csv", area="moon").headers["Warning"]
    assert "groupby is ignored; did you mean group_by?" in warnings(groupby="service")
    assert "group_by came 2 times" in warnings_of(client, "group_by=service&group_by=area")


def test_an_unknown_area_gets_a_warning_with_the_citys_areas(make_app: Any) -> None:
    client = make_app(build.city(areas={"Harbour": box(24.9, 60.1, 25.0, 60.2)})).test_client()
    assert "area moon is not one of test.example now; its areas are Harbour" in warnings_of(client, "area=moon")
    assert not warnings_of(client, "area=Harbour")


def warnings_of(client: FlaskClient, query: str) -> str:
    return "; ".join(client.get(f"{V2}/stats.json?{query}").headers.getlist("Warning"))


def test_unknown_codes_and_areas_find_nothing_as_in_the_list(client: FlaskClient, make_app: Any) -> None:
    build.store(platform_of(client.application))
    dispatch_all(platform_of(client.application))
    for sent in ({"service_code": "moon"}, {"group": "moon"}, {"area": "moon"}, {"department": "moon"}):
        assert stats(client, **sent)["rows"][0]["opened"] == 0
    strict = make_app(make_city(), unknown_service_is_404=True).test_client()
    assert strict.get(f"{V2}/stats.json?service_code=moon").status_code == 404


def test_an_answer_can_be_kept_for_a_minute(client: FlaskClient) -> None:
    first = stats(client, "csv", start_date="2026-03-01", end_date="2026-03-31")
    assert first.headers["Cache-Control"] == "public, max-age=60"
    assert first.headers["X-Attribution"]
    assert client.head(f"{V2}/stats.json").status_code == 200


def test_a_city_that_is_not_counted_yet_gets_503(client: FlaskClient) -> None:
    platform = platform_of(client.application)
    with platform.database.transaction() as connection:
        counted_requests.save_check(connection, "test.example", counted_requests.Check(0, None))
    answer = client.get(f"{V2}/stats.json")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    assert "counted for the first time" in answer.text
