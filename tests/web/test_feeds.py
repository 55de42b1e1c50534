"""requests.geojson, .csv, .atom and .ndjson: the same rows and the same HTTP behaviour as requests.json."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any
from urllib.parse import urlsplit

import feedparser
import pytest
from flask import Flask
from flask.testing import FlaskClient
from lxml import etree

from open311.clock import utc_now
from open311.domain.places import Place
from open311.domain.requests import Reporter, RequestRecord, Status, Visibility
from open311.formats.writing import Feed
from open311.operations.platform import Platform
from spec.bodies import deviations
from tests import build
from tests.checked_client import platform_of
from tests.formats.test_feeds import ATOM, NASTY, elements, unescaped

BASE = "/open311/v2"
BULK = "/open311/bulk/v1/requests"
every_feed = pytest.mark.parametrize("feed", list(Feed))

MakeApp = Callable[..., Flask]


def dirt(count: int) -> list[dict[str, Any]]:
    """Requests, one every seven hours back from now, with random difficult texts. Each run draws the same texts."""
    random, now = Random(311), utc_now().replace(microsecond=0)
    texts = [random.choice(NASTY) for _ in range(count)]
    return [
        {
            "number": number,
            "service_request_id": f"R-{number}/{random.choice(NASTY).strip()}",
            "status": random.choice(list(Status)),
            "description": random.choice(NASTY),
            "status_notes": random.choice(NASTY),
            "detailed_status": random.choice(NASTY),
            "agency_responsible": random.choice(NASTY),
            "channel": random.choice(["api", "phone", "=x"]),
            "areas": tuple(random.sample(NASTY, 2)),
            "media_urls": ("https://a.example/1.jpg?a=1&b=2",) * random.randrange(2),
            "at": now - timedelta(hours=number * 7),
            "place": random.choice(
                [
                    Place(
                        lat=random.uniform(-90, 90), long=random.uniform(-180, 180), address=random.choice(NASTY)
                    ),
                    Place(address=f"{number} {random.choice(NASTY)}"),
                ]
            ),
        }
        for number, text in enumerate(texts, start=1)
    ]


@pytest.fixture
def filled(client: FlaskClient, platform: Platform) -> FlaskClient:
    """A client of a city with forty requests with difficult texts."""
    build.store_all(platform, dirt(40))
    return client


def ids(feed: str, body: str) -> list[str]:
    """The ids of the requests in a body, in the order of the body."""
    if feed == Feed.CSV:
        return [unescaped(row["service_request_id"]) for row in csv.DictReader(io.StringIO(body, newline=""))]
    if feed == Feed.NDJSON:
        return [json.loads(line)["service_request_id"] for line in body.split("\n") if line]
    if feed == Feed.GEOJSON:
        return [feature["id"] for feature in json.loads(body)["features"]]
    entries = etree.fromstring(body.encode()).findall("a:entry/g:request", ATOM)
    return [entry.findtext("g:service_request_id", namespaces=ATOM) or "" for entry in entries]


def change(platform: Platform, record: RequestRecord, **changes: Any) -> None:
    build.change(platform, record.service_request_id, **changes, now=utc_now())


def wanted(client: FlaskClient, query: str = "") -> list[str]:
    return [item["service_request_id"] for item in client.get(f"{BASE}/requests.json?{query}").json or []]


# --- The same rows


@every_feed
@pytest.mark.parametrize(
    "query",
    [
        "",
        "status=open",
        "status=closed&has_photo=true",
        "bbox=-90,-45,90,45",
        "lat=10&long=10&radius=50000&extensions=true",
        "sort=updated&page_size=7",
        "page=2&page_size=7",
        "page=100",
        "q=hole&extensions=true",
        "service_code=trees",
        "end_date=2020-01-01",
    ],
)
def test_a_feed_has_the_rows_of_the_list(filled: FlaskClient, feed: Feed, query: str) -> None:
    answer = filled.get(f"{BASE}/requests.{feed}?{query}")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == feed.media_type
    assert ids(feed, answer.text) == wanted(filled, query)


def test_all_formats_have_the_same_values(filled: FlaskClient) -> None:
    query = "extensions=true"
    plain = filled.get(f"{BASE}/requests.json?{query}").json
    assert len(plain) == 40
    features = json.loads(filled.get(f"{BASE}/requests.geojson?{query}").text)["features"]
    assert [feature["properties"] for feature in features] == plain
    lines = filled.get(f"{BASE}/requests.ndjson?{query}").text.split("\n")
    assert [json.loads(line) for line in lines if line] == plain
    table = csv.DictReader(io.StringIO(filled.get(f"{BASE}/requests.csv?{query}").text, newline=""))
    entries = etree.fromstring(filled.get(f"{BASE}/requests.atom?{query}").data).findall("a:entry/g:request", ATOM)
    bulk = {row["service_request_id"]: row for row in filled.get(f"{BULK}.json").json}
    for item, row, entry in zip(plain, table, entries, strict=True):
        fields = elements(entry)
        for name, value in item.items():
            if isinstance(value, str | None):
                assert unescaped(row[name]) == (fields[name].text or "") == (value or "")
        extended = item["extended_attributes"]
        assert unescaped(row["extended_attributes.detailed_status"]) == (extended["detailed_status"] or "")
        assert json.loads(row["extended_attributes.areas"]) == extended["areas"]
        twin = bulk[item["service_request_id"]]
        assert {name: twin[name] for name in twin.keys() & item.keys()} == {
            name: item[name] for name in twin.keys() & item.keys()
        }
        assert twin["closed_datetime"] == extended["closed_datetime"]


@every_feed
def test_following_the_links_gives_every_request_once(filled: FlaskClient, feed: Feed) -> None:
    url: str | None = f"{BASE}/requests.{feed}?page_size=9&count=true"
    found: list[str] = []
    while url:
        answer = filled.get(url)
        found += ids(feed, answer.text)
        assert answer.headers["X-Total-Count"] == str(len(wanted(filled)))
        links = {part.split('rel="')[1].strip('"'): part.split(">")[0].strip(" <") for part in _links(answer)}
        url = links.get("next")
        assert url is None or urlsplit(url).path == f"{BASE}/requests.{feed}"
    assert found == wanted(filled)


def _links(answer: Any) -> Iterator[str]:
    yield from (part for part in answer.headers.get("Link", "").split(",") if "rel=" in part)


def test_the_feed_links_to_its_pages(filled: FlaskClient) -> None:
    first = feedparser.parse(filled.get(f"{BASE}/requests.atom?page_size=9&status=open&api_key=secret").data)
    links = {link.rel: link.href for link in first.feed.links}
    assert links["self"] == f"http://localhost{BASE}/requests.atom?page_size=9&status=open"
    assert links.keys() == {"self", "next"}
    second = feedparser.parse(filled.get(links["next"]).data)
    assert second.feed.id == first.feed.id
    assert not {entry.id for entry in first.entries} & {entry.id for entry in second.entries}
    other = feedparser.parse(filled.get(f"{BASE}/requests.atom").data)
    assert other.feed.id != first.feed.id


def test_a_changed_entry_keeps_its_id_and_has_a_later_updated(client: FlaskClient, platform: Platform) -> None:
    record = build.store(platform, at=utc_now() - timedelta(days=1))
    (before,) = feedparser.parse(client.get(f"{BASE}/requests.atom").data).entries
    change(platform, record, status=Status.CLOSED)
    after = feedparser.parse(client.get(f"{BASE}/requests.atom", base_url="https://other.example").data)
    assert after.entries[0].id == before.id
    assert after.entries[0].updated > before.updated
    assert after.feed.updated == after.entries[0].updated


# --- HTTP


@every_feed
def test_an_unchanged_feed_gets_304_and_a_changed_feed_gets_200(
    client: FlaskClient, platform: Platform, feed: Feed
) -> None:
    record = build.store(platform, at=utc_now())
    url = f"{BASE}/requests.{feed}"
    first = client.get(url)
    etag = first.headers["ETag"]
    assert etag.startswith("W/") == (feed in (Feed.ATOM, Feed.GEOJSON))
    again = client.get(url, headers={"If-None-Match": etag})
    assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", etag)
    change(platform, record, note="New")
    assert client.get(url, headers={"If-None-Match": etag}).status_code == 200
    assert len({client.get(f"{BASE}/requests.{other}").headers["ETag"] for other in Feed}) == len(Feed)


@every_feed
def test_feeds_support_head_cors_and_gzip(filled: FlaskClient, app: Flask, feed: Feed) -> None:
    url = f"{BASE}/requests.{feed}"
    get, head = filled.get(url), filled.head(url, headers={"Origin": "https://app.example"})
    assert (head.status_code, head.data) == (200, b"")
    assert head.headers["Content-Length"] == str(len(get.data))
    assert head.headers["Access-Control-Allow-Origin"] == "*"
    packed = FlaskClient(app).get(url, headers={"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert packed.headers["ETag"] != get.headers["ETag"]


@every_feed
@pytest.mark.parametrize(
    ("query", "status"), [("status=oops", 400), ("jurisdiction_id=nowhere", 404), ("extensions=oops", 400)]
)
def test_errors_have_the_standards_shape(client: FlaskClient, feed: Feed, query: str, status: int) -> None:
    answer = client.get(f"{BASE}/requests.{feed}?{query}", headers={"Accept": "text/html"})
    media_type = "text/xml" if feed is Feed.ATOM else "application/json"
    assert (answer.status_code, answer.mimetype) == (status, media_type)
    assert deviations(answer.data, media_type=answer.mimetype, kind="errors") == []


@every_feed
def test_a_dead_database_gives_503(make_app: MakeApp, feed: Feed) -> None:
    app = make_app(build.city())
    platform_of(app).close()
    dead = replace(platform_of(app).settings, database_url="postgresql://nobody@127.0.0.1:1/none")
    answer = make_app(build.city(), database_url=dead.database_url).test_client().get(f"{BASE}/requests.{feed}")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")


def test_an_unknown_suffix_gets_404(client: FlaskClient) -> None:
    for path in ("requests.rss", "requests.geo", "services.csv", "requests.csv.json"):
        assert client.get(f"{BASE}/{path}").status_code == 404, path


def test_suffixes_are_case_insensitive_and_ids_are_not(client: FlaskClient, platform: Platform) -> None:
    build.store(platform, service_request_id="A.CSV", at=utc_now())
    assert ids(Feed.CSV, client.get(f"{BASE}/requests.CSV").text) == ["A.CSV"]
    assert client.get(f"{BASE}/requests/A.CSV").status_code == 200
    assert client.get(f"{BASE}/requests/a.csv").status_code == 404


def test_the_feed_names_the_licence_if_the_setting_has_one(make_app: MakeApp) -> None:
    client = make_app(build.city(name="Ünion"), licence="https://cc.example/0").test_client()
    for url in (f"{BASE}/requests.csv?page_size=1", f"{BULK}.xml"):
        answer = client.get(url)
        assert '<https://cc.example/0>; rel="license"' in answer.headers.getlist("Link")
        assert answer.headers["X-Attribution"] == "%C3%9Cnion"
    read = feedparser.parse(client.get(f"{BASE}/requests.atom").data)
    assert (read.feed.rights, read.feed.author) == ("Ünion", "Ünion")
    assert {link.rel for link in read.feed.links} == {"self", "license"}


# --- Privacy


def test_no_feed_contains_reporter_data(client: FlaskClient, platform: Platform) -> None:
    who = Reporter(
        email="planted@mail.example",
        first_name="Plantedfirst",
        last_name="Plantedlast",
        phone="555-PLANTED",
        device_id="planted-device",
        account_id="planted-account",
    )
    (city,) = platform.registry
    test_key = build.api_key(platform, is_test=True)
    seen = build.submit(platform, now=utc_now(), reporter=who).service_request_id
    hidden = [
        build.submit(platform, now=utc_now(), reporter=who, key=key).service_request_id for key in (None, test_key)
    ]
    build.change(platform, hidden[0], visibility=Visibility.PRIVATE, now=utc_now(), city=city)
    urls = [f"{BASE}/requests.{feed}?extensions=true" for feed in Feed]
    urls += [f"{BULK}.{suffix}" for suffix in ("csv", "json", "xml")]
    for url in urls:
        text = client.get(url).text
        assert seen in text
        assert not any(identifier in text for identifier in hidden), url
        assert "planted" not in text.lower(), url


# --- Features of single formats


@pytest.mark.requirement("F9")
def test_geojson_says_which_part_of_the_list_it_has(client: FlaskClient, platform: Platform) -> None:
    build.store_all(platform, ({"number": n, "at": utc_now() - timedelta(hours=n)} for n in range(1, 6)))
    url = f"{BASE}/requests.geojson?page_size=2&count=true"
    first = client.get(url)
    assert (first.json["numberReturned"], first.json["numberMatched"]) == (2, 5)
    links = {link["rel"]: link["href"] for link in first.json["links"]}
    assert links.keys() == {"self", "next"}
    second = client.get(links["next"]).json
    assert [feature["id"] for feature in second["features"]] == ["R3", "R4"]
    assert {link["rel"] for link in second["links"]} == {"self", "first", "next"}
    uncounted = client.get(f"{BASE}/requests.geojson?page_size=2").json
    assert "numberMatched" not in uncounted
    whole = client.get(f"{BASE}/requests.geojson").json
    assert (whole["numberReturned"], whole["numberMatched"], len(whole["links"])) == (5, 5, 1)


def test_geojson_with_a_count_has_a_new_etag_if_the_count_changes(client: FlaskClient, platform: Platform) -> None:
    build.store_all(platform, ({"number": n, "at": utc_now() - timedelta(hours=n)} for n in range(1, 4)))
    url = f"{BASE}/requests.geojson?page_size=1&count=true"
    etag = client.get(url).headers["ETag"]
    assert client.get(url, headers={"If-None-Match": etag}).status_code == 304
    build.store(platform, number=9, at=utc_now() - timedelta(days=2))
    again = client.get(url, headers={"If-None-Match": etag})
    assert (again.status_code, again.json["numberMatched"]) == (200, 4)


@pytest.mark.requirement("F3")
@pytest.mark.parametrize(("query", "mark"), [("", b""), ("bom=false", b""), ("bom=true", b"\xef\xbb\xbf")])
def test_csv_has_a_byte_order_mark_on_request(client: FlaskClient, query: str, mark: bytes) -> None:
    assert client.get(f"{BASE}/requests.csv?{query}").data.startswith(mark + b"service_request_id,")
