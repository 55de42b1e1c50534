"""Search: each filter and each pair of filters finds the same requests as a check of each request (A19 to A31)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import combinations
from math import atan, atan2, cos, hypot, inf, radians, sin, sqrt, tan
from random import Random
from typing import Any
from urllib.parse import urlencode

import pytest
from flask.testing import FlaskClient
from lxml import etree
from werkzeug.wrappers import Response

from open311.clock import utc_now
from open311.domain.attributes import Answer
from open311.domain.places import Place
from open311.domain.requests import RequestRecord, Status
from open311.domain.search import WINDOW
from open311.domain.text import folded
from open311.operations.platform import Platform
from open311.plugins import Jurisdiction
from tests import build, tiles
from tests.checked_client import platform_of
from tests.working import work

BASE = "/open311/v2"
BULK = "/open311/bulk/v1"
DAY = timedelta(days=1)
ROWS = 300
SERVICES = ["potholes", "graffiti", "Street:Lights & Poles", "v1.2", "a/b", "001"]
WORDS = ["zinc", "Café", "quartz", "ÅNGSTRÖM", "tulip"]
AREAS = ["Harbour", "Old, Town", 'Ward "1"']
CENTRES = [(24.94, 60.17), (179.999, 0.0), (-179.999, -17.0), (10.0, 89.95), (-170.0, -89.99), (0.0, 0.0)]

both_formats = pytest.mark.parametrize("format", ["json", "xml"])


@dataclass(frozen=True)
class Filter:
    """A filter as a client sends it, and the same filter as a predicate on one request.

    lifts  whether it switches off the window of 90 days
    """

    query: dict[str, str]
    fits: Callable[[RequestRecord], bool]
    lifts: bool = False


@dataclass(frozen=True)
class City:
    """The requests to search, and a client of the server that stores them."""

    jurisdiction: Jurisdiction
    records: list[RequestRecord]
    client: FlaskClient
    now: datetime

    @property
    def platform(self) -> Platform:
        return platform_of(self.client.application)

    def expected(self, filters: tuple[Filter, ...], sort: str = "-requested") -> list[str]:
        is_bounded = not any(found.lifts for found in filters)
        found = [
            record
            for record in self.records
            if all(item.fits(record) for item in filters)
            and (not is_bounded or record.requested_at >= self.now - WINDOW)
        ]
        key: Callable[[RequestRecord], Any] = {
            "requested": lambda record: (record.requested_at, record.number),
            "updated": lambda record: (record.updated_at, record.number),
        }[sort.removeprefix("-")]
        return [item.service_request_id for item in sorted(found, key=key, reverse=sort.startswith("-"))]

    def found(self, filters: tuple[Filter, ...], **more: str) -> list[str]:
        query = {name: value for item in filters for name, value in item.query.items()} | more
        answer = self.client.get(f"{BASE}/requests.json?{urlencode(query)}")
        assert answer.status_code == 200, (query, answer.text)
        return [item["service_request_id"] for item in answer.json or ()]


@pytest.fixture
def city(platform: Platform, client: FlaskClient) -> City:
    """Three hundred requests of every kind, in a city whose services have groups, keywords and departments."""
    random, now = Random(311), utc_now()
    (jurisdiction,) = platform.registry
    records = build.store_all(platform, [_random_request(random, now, number) for number in range(1, ROWS + 1)])
    # Use a client without checks, because `client` repeats every call in the other format.
    return City(jurisdiction, records, FlaskClient(client.application, Response), now)


def _random_request(random: Random, now: datetime, number: int) -> dict[str, Any]:
    # No request is within an hour of the window's bounds, because time passes while the tests run.
    requested_at = now - timedelta(
        seconds=random.choice([random.randint(0, 7_000_000), random.randint(8_000_000, 20_000_000)])
    )
    changed_at = min(now, requested_at + timedelta(seconds=random.randint(0, 3_000_000)))
    long, lat = random.choice(CENTRES)
    place = Place(
        long=(long + random.uniform(-0.4, 0.4) + 180) % 360 - 180,
        lat=max(-90.0, min(90.0, lat + random.uniform(-0.2, 0.2))),
        address=random.choice(["", "5 Tulip Lane"]),
    )
    return {
        "number": number,
        "requested_at": requested_at,
        "updated_at": changed_at,
        "changed_at": changed_at,
        "service_code": random.choice(SERVICES),
        "status": random.choice(list(Status)),
        "description": " ".join(random.sample(WORDS, random.randint(0, 3))),
        "department": random.choice(["streets", "cleaning", "parks"]),
        "media_urls": random.choice([(), ("https://pictures.example/1.jpg",)]),
        "areas": tuple(random.sample(AREAS, random.randint(0, 2))),
        "place": place if random.random() < 0.9 else Place(address="5 Tulip Lane"),
    }


# --- The filters, each with valid values


def _status(random: Random, city: City) -> Filter:
    chosen = random.choice([("open",), ("closed",), ("closed", "open")])
    return Filter({"status": ",".join(chosen)}, lambda record: record.status in chosen)


def _service_code(random: Random, city: City) -> Filter:
    chosen = random.sample([*SERVICES, "nope"], random.randint(1, 3))
    return Filter({"service_code": ",".join(chosen)}, lambda record: record.service_code in chosen)


def _alias(random: Random, city: City) -> Filter:
    return Filter({"service_code": "pothole"}, lambda record: record.service_code == "potholes")


def _dates(random: Random, city: City) -> Filter:
    start = city.now - random.randint(0, 230) * DAY - timedelta(seconds=random.randint(0, 80_000))
    end = start + random.randint(1, 90) * DAY
    return Filter(
        {"start_date": start.isoformat(), "end_date": end.isoformat()},
        lambda record: start <= record.requested_at <= end,
        lifts=True,
    )


def _updated_after(random: Random, city: City) -> Filter:
    at = random.choice(city.records).changed_at
    return Filter({"updated_after": at.isoformat()}, lambda record: record.changed_at >= at, lifts=True)


def _updated_before(random: Random, city: City) -> Filter:
    at = random.choice(city.records).changed_at
    return Filter({"updated_before": at.isoformat()}, lambda record: record.changed_at <= at, lifts=True)


def _words(random: Random, city: City) -> Filter:
    def has(record: RequestRecord, word: str) -> bool:
        text = f"{_service(city, record).name} {record.description} {record.place.address}"
        return folded(word) in re.findall(r"\w+", folded(text))

    first, second = random.sample([*WORDS, "tulip", "pothole", "nowhere"], 2)
    form = random.choice(["{} {}", "{} -{}", "{} OR {}", "{}"])
    fits: dict[str, Callable[[RequestRecord], bool]] = {
        "{} {}": lambda record: has(record, first) and has(record, second),
        "{} -{}": lambda record: has(record, first) and not has(record, second),
        "{} OR {}": lambda record: has(record, first) or has(record, second),
        "{}": lambda record: has(record, first),
    }
    written = form.format(random.choice([first, first.upper(), folded(first)]), second)
    return Filter({"q": written}, fits[form])


def _group(random: Random, city: City) -> Filter:
    group = random.choice(["Streets", "Cleaning", "Parks", "streets"])
    return Filter({"group": group}, lambda record: _service(city, record).group == group)


def _keyword(random: Random, city: City) -> Filter:
    keyword = random.choice(["paint", "LAMP", "car", "nothing"])
    return Filter({"keyword": keyword}, lambda record: keyword.lower() in _service(city, record).keywords)


def _agency(random: Random, city: City) -> Filter:
    code = random.choice(["streets", "cleaning", "parks", "desk"])
    name = city.jurisdiction.department(code).name
    return Filter({"agency_responsible": name}, lambda record: record.department == code)


def _department(random: Random, city: City) -> Filter:
    code = random.choice(["streets", "cleaning", "parks", "desk"])
    return Filter({"department": code}, lambda record: record.department == code)


def _has_photo(random: Random, city: City) -> Filter:
    wanted = random.choice([True, False])
    return Filter({"has_photo": str(wanted).lower()}, lambda record: bool(record.media_urls) is wanted)


def _area(random: Random, city: City) -> Filter:
    area = random.choice([*AREAS, "Old"])
    return Filter({"area": area}, lambda record: area in record.areas)


def _box(random: Random, city: City) -> Filter:
    long, lat = random.choice(CENTRES)
    west = (long - random.uniform(0, 1.2) + 180) % 360 - 180
    east = (long + random.uniform(0, 1.2) + 180) % 360 - 180
    south, north = max(-90.0, lat - random.uniform(0, 1)), min(90.0, lat + random.uniform(0, 1))

    def fits(record: RequestRecord) -> bool:
        if record.place.lat is None or record.place.long is None:
            return False
        is_between = (
            west <= record.place.long <= east
            if west <= east
            else record.place.long >= west or record.place.long <= east
        )
        return is_between and south <= record.place.lat <= north

    return Filter({"bbox": ",".join(f"{degrees:.15f}" for degrees in (west, south, east, north))}, fits)


def _circle(random: Random, city: City) -> Filter:
    long, lat = random.choice(CENTRES)
    metres = random.choice([500.0, 5_000.0, 20_000.0, 50_000.0])
    return Filter(
        {"long": str(long), "lat": str(lat), "radius": str(metres)},
        lambda record: distance_m((long, lat), record.place) <= metres,
    )


FILTERS = [
    _status,
    _service_code,
    _alias,
    _dates,
    _updated_after,
    _updated_before,
    _words,
    _group,
    _keyword,
    _agency,
    _department,
    _has_photo,
    _area,
    _box,
    _circle,
]


def _service(city: City, record: RequestRecord) -> Any:
    return city.jurisdiction.require_service(record.service_code)


def distance_m(centre: tuple[float, float], place: Place) -> float:
    """The distance in metres on the ellipsoid of WGS 84, by Vincenty's formula; PostGIS uses another formula."""
    if place.lat is None or place.long is None:
        return inf
    semi_major, flattening = 6_378_137.0, 1 / 298.257223563
    semi_minor = semi_major * (1 - flattening)
    first = atan((1 - flattening) * tan(radians(centre[1])))
    second = atan((1 - flattening) * tan(radians(place.lat)))
    difference = radians((place.long - centre[0] + 180) % 360 - 180)
    turn = difference
    for _ in range(100):
        sine = hypot(cos(second) * sin(turn), cos(first) * sin(second) - sin(first) * cos(second) * cos(turn))
        if sine == 0:
            return 0.0
        cosine = sin(first) * sin(second) + cos(first) * cos(second) * cos(turn)
        angle = atan2(sine, cosine)
        azimuth = cos(first) * cos(second) * sin(turn) / sine
        square = 1 - azimuth**2
        middle = cosine - 2 * sin(first) * sin(second) / square if square else 0.0
        part = flattening / 16 * square * (4 + flattening * (4 - 3 * square))
        previous = turn
        turn = difference + (1 - part) * flattening * azimuth * (
            angle + part * sine * (middle + part * cosine * (2 * middle**2 - 1))
        )
        if abs(turn - previous) < 1e-13:
            break
    ratio = square * (semi_major**2 - semi_minor**2) / semi_minor**2
    root = sqrt(1 + ratio)
    small = (root - 1) / (root + 1)
    bracket, bend = (1 + small**2 / 4) / (1 - small), small * (1 - 3 * small**2 / 8)
    correction = (
        bend
        * sine
        * (
            middle
            + bend
            / 4
            * (cosine * (2 * middle**2 - 1) - bend / 6 * middle * (4 * sine**2 - 3) * (4 * middle**2 - 3))
        )
    )
    return semi_minor * bracket * (angle - correction)


def test_each_filter_finds_exactly_the_matching_requests(city: City) -> None:
    random, has_found, has_left = Random(1), set(), set()
    for make in FILTERS:
        for _ in range(6):
            wanted = make(random, city)
            expected = city.expected((wanted,))
            assert city.found((wanted,)) == expected, wanted.query
            has_found |= {make} if expected else set()
            has_left |= {make} if len(expected) < ROWS / 2 else set()
    assert has_found == has_left == set(FILTERS), "each filter must find some requests and leave out others"


def test_two_filters_find_the_requests_that_match_both(city: City) -> None:
    random, found = Random(2), 0
    for one, other in combinations(FILTERS, 2):
        for _ in range(3):
            wanted = (one(random, city), other(random, city))
            if not wanted[0].query.keys() & wanted[1].query.keys():
                expected = city.expected(wanted)
                assert city.found(wanted) == expected, [item.query for item in wanted]
                found += bool(expected)
    assert found > 60, "most pairs of filters must find a request"


def test_several_filters_can_be_combined_in_any_order_on_any_page(city: City) -> None:
    random = Random(3)
    for _ in range(60):
        makers = random.sample(FILTERS, random.randint(0, 4))
        wanted = tuple({tuple(item.query): item for make in makers if (item := make(random, city))}.values())
        if len({name for item in wanted for name in item.query}) < sum(len(item.query) for item in wanted):
            continue
        sort = random.choice(["requested", "-requested", "updated", "-updated"])
        expected = city.expected(wanted, sort)
        assert city.found(wanted, sort=sort) == expected, (sort, [item.query for item in wanted])
        size, page = random.randint(1, 40), random.randint(1, 4)
        shown = city.found(wanted, sort=sort, page_size=str(size), page=str(page))
        assert shown == expected[size * (page - 1) : size * page]


def test_distances_are_correct_and_are_shown_only_with_extensions(city: City) -> None:
    by_id = {record.service_request_id: record for record in city.records}
    for long, lat in CENTRES:
        query = f"lat={lat}&long={long}&radius=50000&page_size=300"
        plain = city.client.get(f"{BASE}/requests.json?{query}").json or []
        shown = city.client.get(f"{BASE}/requests.json?{query}&extensions=attributes").json or []
        assert [item["service_request_id"] for item in shown] == [item["service_request_id"] for item in plain]
        assert shown, (long, lat)
        assert not any("distance" in item for item in plain)
        for item in shown:
            place = by_id[item["service_request_id"]].place
            assert item["distance"] == pytest.approx(distance_m((long, lat), place), abs=0.2)


@both_formats
@pytest.mark.requirement("S4")
@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("q=2026-0000024", ["2026-0000024"]),
        ("q=R7", ["R7"]),
        ("q=r7", []),
        ("q=R7&status=closed", []),
        ("q=R7+x", []),
        ("q=lamp2", ["R8"]),
    ],
)
def test_q_finds_a_request_by_its_id(
    client: FlaskClient, platform: Platform, format: str, query: str, ids: list[str]
) -> None:
    build.store(platform, number=6, service_request_id="2026-0000024", at=utc_now())
    build.store(platform, number=7, service_request_id="R7", at=utc_now())
    build.store(platform, number=8, service_request_id="R8", at=utc_now(), description="lamp2 is out")
    assert _ids(client.get(f"{BASE}/requests.{format}?{query}")) == ids


@both_formats
@pytest.mark.requirement("S4")
def test_q_finds_a_request_by_its_id_whatever_its_date_unless_the_call_has_dates(
    client: FlaskClient, platform: Platform, format: str
) -> None:
    now = utc_now()
    build.store(platform, number=6, service_request_id="R6", at=now, description="as R7 again")
    build.store(platform, number=7, service_request_id="R7", at=now - timedelta(days=900))
    build.store(platform, number=8, service_request_id="R8", at=now - timedelta(days=900), description="like R7")
    url, recent = f"{BASE}/requests.{format}?q=R7", f"start_date={(now - timedelta(days=9)).date()}"
    assert _ids(client.get(url)) == ["R6", "R7"]
    assert _ids(client.get(f"{url}&sort=updated")) == ["R7", "R6"]
    assert _ids(client.get(f"{url}&{recent}")) == ["R6"]
    first = client.get(f"{url}&page_size=1&count=true")
    assert (_ids(first), first.headers["X-Total-Count"]) == (["R6"], "2")
    following = re.findall('<([^>]*)>; rel="next"', first.headers["Link"])[0]
    assert _ids(client.get(following)) == ["R7"]
    empty = client.get(f"{BASE}/requests.{format}?q=R8&{recent}")
    assert _ids(empty) == []
    assert "leave them out to find a request by its id" in empty.headers["Warning"]
    assert _ids(client.get(f"{BASE}/requests.{format}?q=R8")) == ["R8"]


@both_formats
@pytest.mark.requirement("S13")
def test_a_department_is_found_by_code_or_name(client: FlaskClient, platform: Platform, format: str) -> None:
    build.store(platform, number=1, service_request_id="A", at=utc_now(), department="cleaning")
    build.store(platform, number=2, service_request_id="B", at=utc_now(), department="streets")
    name = "City Cleaning"
    cleaners = {"department": "cleaning", "agency_responsible": "Cleaners Ltd."}
    build.store(platform, number=3, service_request_id="C", at=utc_now(), **cleaners)
    for query, found in (
        ({"department": "cleaning"}, ["C", "A"]),
        ({"department": name}, ["C", "A"]),
        ({"department": name.upper()}, ["C", "A"]),
        ({"department": name, "agency_responsible": name}, ["A"]),
        ({"department": "streets", "agency_responsible": name}, []),
        ({"department": "nobody"}, []),
    ):
        assert _ids(client.get(f"{BASE}/requests.{format}", query_string=query)) == found


@pytest.mark.requirement("S13")
def test_an_unknown_department_gets_a_warning_and_finds_requests_that_have_its_code(
    client: FlaskClient, platform: Platform
) -> None:
    build.store(platform, number=1, service_request_id="A", at=utc_now(), department="paving")
    for path in (f"{BASE}/requests.json", f"{BASE}/requests.csv", f"{BASE}/changes.json", f"{BULK}/requests.csv"):
        answer = client.get(path, query_string={"department": "paving"})
        assert re.findall(r"^.*\bA\b.*$", answer.text, re.MULTILINE), path
        assert "department paving is not one of" in answer.headers["Warning"], path
        assert "its codes are streets, port, cleaning, parks" in answer.headers["Warning"], path
        assert "Warning" not in client.get(path, query_string={"department": "streets"}).headers


def _ids(answer: Response) -> list[str]:
    """The ids in an answer of either format."""
    assert answer.status_code == 200
    return re.findall(r'service_request_id(?:":"|>)([^"<]+)["<]', answer.get_data(as_text=True))


# --- Unreadable parameters


@both_formats
@pytest.mark.requirement("C267")
@pytest.mark.requirement("C269")
@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("lat=1&radius=5", "long"),
        ("radius=5", "lat"),
        ("lat=1&long=2&radius=0", "radius"),
        ("lat=1&long=2&radius=50001", "radius"),
        ("lat=1&long=2&radius=inf", "radius"),
        ("lat=91&long=2&radius=5", "lat"),
        ("bbox=1,2,3", "bbox"),
        ("bbox=1,9,3,4", "bbox"),
        ("bbox=60.1,24.9,60.2,225.0", "bbox"),
        ("bbox=a,b,c,d", "bbox"),
        ("sort=newest", "sort"),
        ("has_photo=maybe", "has_photo"),
        ("updated_after=yesterday", "updated_after"),
        ("cursor=garbage", "cursor"),
        ("cursor=WzEsMl0", "cursor"),
        ("cursor=%C3%A9", "cursor"),
        ("extensions=secrets", "extensions"),
        ("extensions=notes,secrets", "extensions"),
    ],
)
def test_the_error_for_an_unreadable_parameter_names_it(
    client: FlaskClient, format: str, query: str, field: str
) -> None:
    answer = client.get(f"{BASE}/requests.{format}?{query}")
    assert answer.status_code == 400
    assert f"{field}: " in answer.text


@both_formats
def test_a_cursor_of_another_list_gets_400(city: City, client: FlaskClient, format: str) -> None:
    start = (city.now - 80 * DAY).isoformat()
    own = urlencode({"start_date": start, "sort": "requested", "page_size": "2"})
    link = client.get(f"{BASE}/requests.{format}?{own}").headers["Link"]
    cursor = re.findall(r"cursor=([\w-]+)", link)[0]
    assert client.get(f"{BASE}/requests.{format}?{own}&cursor={cursor}").status_code == 200
    assert client.get(f"{BASE}/requests.{format}?cursor={cursor}").status_code == 200
    for other in (
        {"sort": "-requested"},
        {"start_date": (city.now - 79 * DAY).isoformat()},
        {"updated_after": start},
    ):
        refused = client.get(f"{BASE}/requests.{format}?{urlencode(other)}&cursor={cursor}")
        assert refused.status_code == 400
        assert "cursor: belongs to another" in refused.text


@both_formats
@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        ("start-date", "start_date"),
        ("startDate", "start_date"),
        ("START_DATE", "start_date"),
        ("lng", "long"),
        ("lon", "long"),
        ("latitude", "lat"),
        ("pagesize", "page_size"),
        ("perPage", "per_page"),
        ("serviceCode", "service_code"),
        ("updated-after", "updated_after"),
    ],
)
def test_a_misspelt_parameter_is_ignored_with_a_warning(
    client: FlaskClient, format: str, sent: str, meant: str
) -> None:
    answer = client.get(f"{BASE}/requests.{format}?{sent}=1")
    assert answer.status_code == 200
    assert answer.headers.getlist("Warning") == [f'299 - "{sent} is ignored; did you mean {meant}?"']
    quiet = client.get(f"{BASE}/requests.{format}?utm_source=x&{meant}=")
    assert "Warning" not in quiet.headers


def test_a_misspelt_parameter_cannot_inject_headers(client: FlaskClient) -> None:
    answer = client.get(f"{BASE}/requests.json?start%0d%0aX-Evil:1_date=1&st%C3%A4rt_date=2&%22lng%22=3")
    assert "X-Evil" not in answer.headers
    assert all('"' not in text[7:-1] for text in answer.headers.getlist("Warning"))


# --- Extensions


SERVICE = "graffiti"
ANSWERS = (Answer("SURFACE", ("brick",)), Answer("TAGS", ("a", "x,y")), Answer("NOTE", ("call +1 555 0142",)))


@pytest.fixture
def extended(platform: Platform) -> RequestRecord:
    """A request with a value for everything in the extensions, and with a phone number that must not be shown."""
    return build.store(
        platform,
        service_request_id="E",
        service_code=SERVICE,
        at=utc_now(),
        answers=ANSWERS,
        department="cleaning",
        areas=("Harbour",),
        detailed_status="assigned",
        media_urls=("https://a.example/1.jpg", "https://a.example/2.jpg"),
        possible_duplicate_of="D",
    )


@both_formats
@pytest.mark.requirement("C273")
@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        ("true", ["extended_attributes", "notes", "attributes"]),
        ("TRUE", ["extended_attributes", "notes", "attributes"]),
        ("all", ["extended_attributes", "notes", "attributes"]),
        ("attributes,extended_attributes", ["extended_attributes", "attributes"]),
        (" notes ,", ["notes"]),
        ("false", []),
        ("", []),
    ],
)
def test_the_chosen_extensions_follow_the_standards_fields(
    client: FlaskClient, extended: RequestRecord, format: str, asked: str, shown: list[str]
) -> None:
    for path in ("requests", "requests/E"):
        plain = client.get(f"{BASE}/{path}.{format}")
        answer = client.get(f"{BASE}/{path}.{format}", query_string={"extensions": asked})
        names = list(answer.json[0]) if format == "json" else [item.tag for item in _xml(answer.data)[0]]
        standard = list(plain.json[0]) if format == "json" else [item.tag for item in _xml(plain.data)[0]]
        assert names == [*standard, *shown]


def test_extensions_show_only_public_data(client: FlaskClient, extended: RequestRecord) -> None:
    (item,) = client.get(f"{BASE}/requests/E.json?extensions=true").json
    assert item["extended_attributes"] == {
        "detailed_status": "assigned",
        "outcome": None,
        "channel": None,
        "closed_datetime": None,
        "department": "cleaning",
        "group": "Cleaning",
        "areas": ["Harbour"],
        "media_urls": ["https://a.example/1.jpg", "https://a.example/2.jpg"],
        "possible_duplicate_of": "D",
    }
    assert [(answer["code"], answer["value"], answer["name"]) for answer in item["attributes"]] == [
        ("SURFACE", "brick", "Brick"),
        ("TAGS", "a", "It is offensive"),
        ("TAGS", "x,y", "It has been there before"),
    ]
    for format in ("json", "xml"):
        for path in ("requests", "requests/E", "changes"):
            assert "555" not in client.get(f"{BASE}/{path}.{format}?extensions=true").text


@both_formats
def test_a_client_that_has_the_list_gets_304_with_and_without_extensions(
    client: FlaskClient, platform: Platform, extended: RequestRecord, format: str
) -> None:
    tags = set()
    for query in ("", "extensions=true", "extensions=notes", "extensions=notes,attributes"):
        url = f"{BASE}/requests.{format}?{query}"
        tag = client.get(url).headers["ETag"]
        assert client.get(url, headers={"If-None-Match": tag}).status_code == 304
        tags.add(tag)
    assert len(tags) == 4
    build.store(platform, service_request_id="F", at=utc_now())
    assert not {client.get(f"{BASE}/requests.{format}?extensions=true").headers["ETag"]} & tags


def _xml(body: bytes) -> Any:
    return etree.fromstring(body)


# --- Map tiles


def _on_the_map(city: City) -> list[RequestRecord]:
    """The requests that are in some tile. Beyond 85 degrees there is none."""
    return [record for record in city.records if record.place.point and abs(record.place.point[1]) < 85]


def test_each_filter_finds_the_same_requests_in_a_tile_as_a_check_of_each_request(city: City) -> None:
    random, shown, hidden = Random(4), 0, 0
    for make in FILTERS:
        for _ in range(5):
            wanted = make(random, city)
            near = random.choice(_on_the_map(city)).place.point
            tile = tiles.tile_at(*near, random.choice([12, 12, 13, 15]))
            here = {
                (record.service_request_id, where): record
                for record in _on_the_map(city)
                for where in tiles.units(tile, *record.place.point)
            }
            expected = {key for key, record in here.items() if wanted.fits(record)}
            found = tiles.layer(tiles.fetch(city.client, tile, urlencode(wanted.query)), "requests")
            assert {(one["service_request_id"], where) for where, one in found} == expected, wanted.query
            shown, hidden = shown + len(expected), hidden + len(here) - len(expected)
    assert min(shown, hidden) > 20, "the filters must find some requests of the tiles and leave out others"


def test_cells_have_the_numbers_of_the_requests_of_services_with_a_status(city: City) -> None:
    work(city.platform)
    random, shown = Random(5), 0
    for zoom in range(12):
        for make in (_status, _service_code, _group, _keyword, _alias):
            wanted = make(random, city)
            tile = tiles.tile_at(*random.choice(_on_the_map(city)).place.point, zoom)
            fitting = [record for record in _on_the_map(city) if wanted.fits(record)]
            found = tiles.layer(tiles.fetch(city.client, tile, urlencode(wanted.query)), "cells")
            counted = {where: (cell["open"], cell["closed"]) for where, cell in found}
            assert counted == tiles.cells_of(tile, fitting), (tile, wanted.query)
            assert all(cell["count"] == cell["open"] + cell["closed"] for _, cell in found)
            shown += len(found)
    assert shown > 300
