"""Lists over HTTP have the right window, pages without gaps or repeats, and working links (A19 to A31)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from random import Random
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from werkzeug.test import TestResponse

from open311.clock import utc_now
from open311.domain.requests import Status
from open311.operations.platform import Platform
from schemas.values import format_instant
from tests import build
from tests.checked_client import platform_of

BASE = "/open311/v2"
NOON = build.NOON
DAY = timedelta(days=1)

MakeApp = Callable[..., Flask]
both_formats = pytest.mark.parametrize("format", ["json", "xml"])


def ids(response: TestResponse) -> list[str]:
    assert response.status_code == 200, response.text
    if response.mimetype == "application/json":
        return [item["service_request_id"] for item in response.json]
    return [element.text or "" for element in etree.fromstring(response.data).iter("service_request_id")]


def links(response: TestResponse) -> dict[str, str]:
    found = re.findall(r'<([^>]*)>; rel="(\w+)"', response.headers.get("Link", ""))
    return {relation: url for url, relation in found}


def pages(client: FlaskClient, url: str) -> Iterator[list[str]]:
    """The ids of each page from `url` on, following the links."""
    for _ in range(100):
        answer = client.get(url)
        yield ids(answer)
        if "next" not in links(answer):
            return
        url = links(answer)["next"]
    raise AssertionError("the links never end")


@both_formats
@pytest.mark.requirement("C196")
def test_both_bounds_of_the_window_are_inclusive(client: FlaskClient, platform: Platform, format: str) -> None:
    second = timedelta(seconds=1)
    for name, at in (
        ("before", NOON - second),
        ("start", NOON),
        ("end", NOON + DAY),
        ("after", NOON + DAY + second),
    ):
        build.store(platform, service_request_id=name, at=at)
    query = "start_date=2026-03-01T12:00:00Z&end_date=2026-03-02T12:00:00Z"
    assert ids(client.get(f"{BASE}/requests.{format}?{query}")) == ["end", "start"]


@pytest.mark.requirement("C198")
@pytest.mark.requirement("C199")
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("start_date=2026-03-01&end_date=2026-03-01", {"first second", "noon", "last second"}),
        ("start_date=2026-02-28&end_date=2026-02-28", {"day before"}),
        ("start_date=2026-03-01T14:00:00&end_date=2026-03-01T14:00:00", {"noon"}),
        ("start_date=2026-03-01T14:00:00+02:00&end_date=2026-03-01T14:00:00+02:00", {"noon"}),
        ("start_date=2026-03-01T14:00:00%2B0200&end_date=2026-03-01T12:00:00.9Z", {"noon"}),
        ("start_date=2026-03-01t12:00:00z&end_date=2026-03-01T12:00Z", {"noon"}),
        ("start_date=2026-03-01 14:00:00%2B02&end_date=2026-03-01 12:00:00 UTC", {"noon"}),
    ],
)
def test_dates_are_read_in_the_citys_zone_and_in_every_form(
    client: FlaskClient, platform: Platform, query: str, expected: set[str]
) -> None:
    # Helsinki is two hours ahead of UTC in March.
    midnight = NOON - timedelta(hours=14)
    for name, at in {
        "day before": midnight - timedelta(seconds=1),
        "first second": midnight,
        "noon": NOON,
        "last second": midnight + DAY - timedelta(seconds=1),
        "day after": midnight + DAY,
    }.items():
        build.store(platform, service_request_id=name, at=at)
    assert set(ids(client.get(f"{BASE}/requests.json?{query}"))) == expected


@both_formats
@pytest.mark.parametrize(
    "query",
    [
        "start_date=0001-01-01",
        "end_date=0001-01-01",
        "start_date=9999-12-31",
        "end_date=9999-12-31",
        "updated_after=0001-01-01&updated_before=9999-12-31",
        "start_date=0001-01-03T00:00:00Z&end_date=0001-01-04T00:00:00Z",
        "start_date=9999-12-30&end_date=9999-12-31",
    ],
)
@pytest.mark.parametrize("policy", ["refuse", "clamp", "allow"])
def test_the_first_and_last_possible_dates_cause_no_server_error(
    make_app: MakeApp, format: str, query: str, policy: str
) -> None:
    client = make_app(span_policy=policy).test_client()
    assert client.get(f"{BASE}/requests.{format}?{query}").status_code in (200, 400)


@pytest.mark.requirement("C264")
@pytest.mark.requirement("C265")
def test_updated_after_and_updated_before_replace_the_default_window(
    client: FlaskClient, platform: Platform
) -> None:
    now = utc_now()
    for name, changed in (("old", now - 300 * DAY), ("touched", now - DAY), ("fresh", now)):
        build.store(platform, service_request_id=name, at=now - 400 * DAY, changed_at=changed)
    since = quote((now - 2 * DAY).isoformat())
    until = quote((now - DAY).isoformat())
    assert ids(client.get(f"{BASE}/requests.json")) == []
    assert set(ids(client.get(f"{BASE}/requests.json?updated_after={since}"))) == {"touched", "fresh"}
    assert ids(client.get(f"{BASE}/requests.json?updated_after={since}&updated_before={until}")) == ["touched"]
    start = quote((now - 10 * DAY).isoformat())
    assert ids(client.get(f"{BASE}/requests.json?updated_after={since}&start_date={start}")) == []


@both_formats
@pytest.mark.requirement("C209")
@pytest.mark.requirement("C211")
@pytest.mark.requirement("C213")
def test_ids_override_the_filters_and_keep_their_order(
    client: FlaskClient, platform: Platform, format: str
) -> None:
    for name in ("A", "B", "C"):
        build.store(platform, service_request_id=name, at=NOON - 900 * DAY, status=Status.CLOSED)
    others = "status=open&service_code=nope&page=7&page_size=1&start_date=2026-03-01&lat=0&long=0&radius=1"
    answer = client.get(f"{BASE}/requests.{format}?service_request_id=C,nope,A,C&{others}")
    assert ids(answer) == ["C", "A"]
    assert "next" not in links(answer)


@both_formats
def test_invalid_filters_are_ignored_if_ids_are_given(client: FlaskClient, platform: Platform, format: str) -> None:
    build.store(platform, service_request_id="A")
    query = "service_request_id=A&status=bogus&start_date=yesterday&page=x&bbox=1"
    assert ids(client.get(f"{BASE}/requests.{format}?{query}")) == ["A"]


@both_formats
def test_a_thousand_ids_are_answered_and_one_more_gets_400(client: FlaskClient, format: str) -> None:
    many = ",".join(map(str, range(1000)))
    assert client.get(f"{BASE}/requests.{format}?service_request_id={many}").status_code == 200
    refused = client.get(f"{BASE}/requests.{format}?service_request_id={many},x")
    assert refused.status_code == 400
    assert "service_request_id: holds 1001 ids" in refused.text
    assert client.get(f"{BASE}/requests/{many},x.{format}").status_code == 400


@both_formats
@pytest.mark.requirement("C240")
def test_a_comma_list_in_the_path_is_read_as_ids(client: FlaskClient, platform: Platform, format: str) -> None:
    for name in ("A", "B", "A,B"):
        build.store(platform, service_request_id=name)
    assert ids(client.get(f"{BASE}/requests/B,nope,%20A.{format}")) == ["B", "A"]
    assert ids(client.get(f"{BASE}/requests/A,B.{format}")) == ["A,B"], (
        "if the whole text is an id, it is not split at its commas"
    )
    assert client.get(f"{BASE}/requests/nope,never.{format}").status_code == 404


@pytest.mark.requirement("C214")
def test_requests_of_another_city_are_not_found(make_app: MakeApp) -> None:
    a, b = build.city(id="a.example"), build.city(id="b.example")
    build.store(platform_of(make_app(a)), service_request_id="1", at=utc_now())
    client = make_app(a, b).test_client()
    assert ids(client.get(f"{BASE}/requests.json?jurisdiction_id=a.example")) == ["1"]
    for query in ("", "&service_request_id=1"):
        assert ids(client.get(f"{BASE}/requests.json?jurisdiction_id=b.example{query}")) == []
    assert client.get(f"{BASE}/requests/1.json?jurisdiction_id=b.example").status_code == 404


@both_formats
@pytest.mark.requirement("C207")
def test_the_newest_request_is_first_and_with_equal_times_the_one_stored_last_is_first(
    client: FlaskClient, platform: Platform, format: str
) -> None:
    build.store_all(
        platform,
        (
            {"number": number, "service_request_id": str(number), "at": utc_now() - DAY * (number % 2)}
            for number in range(1, 7)
        ),
    )
    assert ids(client.get(f"{BASE}/requests.{format}")) == ["6", "4", "2", "5", "3", "1"]


@pytest.fixture
def crowd(client: FlaskClient, platform: Platform) -> list[str]:
    """The ids of sixty requests, many made in the same second, in the order of the default list."""
    now = utc_now()
    build.store_all(
        platform,
        (
            {
                "number": number,
                "at": now - timedelta(hours=number % 7),
                "changed_at": now,
                "status": Status.CLOSED if number % 3 else Status.OPEN,
                "service_code": "potholes" if number % 2 else "trees",
            }
            for number in range(1, 61)
        ),
    )
    return ids(client.get(f"{BASE}/requests.json"))


@pytest.mark.requirement("C257")
@pytest.mark.requirement("C258")
def test_pages_have_no_gaps_and_no_repeats(client: FlaskClient, crowd: list[str]) -> None:
    @settings(max_examples=12)
    @given(
        st.integers(1, 70),
        st.sampled_from(["", "requested", "-requested", "updated", "-updated"]),
        st.sampled_from(["", "status=open", "service_code=trees", "status=closed&service_code=potholes"]),
        st.sampled_from(["page_size", "per_page", "limit", "max_requests"]),
        st.sampled_from(["json", "xml"]),
    )
    def check(size: int, sort: str, filters: str, name: str, format: str) -> None:
        query = "&".join(filter(None, [filters, f"sort={sort}" if sort else ""]))
        whole = ids(client.get(f"{BASE}/requests.{format}?{query}"))
        found = list(pages(client, f"{BASE}/requests.{format}?{query}&{name}={size}"))
        assert [item for page in found for item in page] == whole
        assert all(len(page) == size for page in found[:-1])
        assert len(found[-1]) <= size
        numbered = [
            ids(client.get(f"{BASE}/requests.{format}?{query}&{name}={size}&page={page}"))
            for page in range(1, len(found) + 2)
        ]
        assert numbered == [*found, []]

    check()


@pytest.mark.parametrize("others", [0, 30])
def test_a_window_far_in_the_past_is_sorted_by_last_change(
    client: FlaskClient, platform: Platform, others: int
) -> None:
    now = utc_now().replace(microsecond=0)
    random = Random(5)
    changes = []
    for number in range(1, 41 + others):
        at = now - timedelta(days=700 - random.randint(0, 20) if number <= 40 else 3)
        changed = at + timedelta(hours=random.randint(0, 500)) if number % 4 else now - timedelta(hours=number)
        changes.append({"number": number, "at": at, "updated_at": changed, "changed_at": changed})
    build.store_all(platform, changes)
    wanted = sorted(changes[:40], key=lambda change: (change["updated_at"], change["number"]), reverse=True)
    start, end = (format_instant(now - timedelta(days=days)) for days in (700, 680))
    url = f"{BASE}/requests.json?start_date={start}&end_date={end}&sort=-updated"
    expected = [f"R{change['number']}" for change in wanted]
    assert ids(client.get(url)) == expected
    for size in (1, 7):
        shown = list(pages(client, f"{url}&page_size={size}"))
        assert [item for page in shown for item in page] == expected
    assert ids(client.get(f"{url}&page_size=7&page=3")) == expected[14:21]


def test_new_requests_do_not_shift_later_pages(client: FlaskClient, platform: Platform, crowd: list[str]) -> None:
    first = client.get(f"{BASE}/requests.json?page_size=20")
    build.store_all(platform, ({"number": 1000 + number, "at": utc_now()} for number in range(5)))
    rest = list(pages(client, links(first)["next"]))
    assert [*ids(first), *(item for page in rest for item in page)] == crowd


@pytest.mark.parametrize("suffix", ["json", "xml", "geojson", "csv", "ndjson", "atom"])
def test_the_requests_of_all_pages_are_counted_if_the_call_asks_for_a_count(
    client: FlaskClient, crowd: list[str], suffix: str
) -> None:
    url = f"{BASE}/requests.{suffix}?page_size=7"
    assert "X-Total-Count" not in client.get(url).headers
    assert "X-Total-Count" not in client.get(f"{url}&count=false").headers
    for page in (1, 2, 100):
        answer = client.get(f"{url}&count=true&page={page}")
        assert answer.headers["X-Total-Count"] == str(len(crowd))
        last = client.get(links(answer)["last"])
        assert len(last.data) > 2
        assert "next" not in links(last)
    assert "last" not in links(client.get(url))
    after = links(client.get(f"{url}&count=true"))["next"]
    assert client.get(after).headers["X-Total-Count"] == str(len(crowd))
    assert client.get(f"{url}&count=maybe").status_code == 400


def test_a_list_of_one_page_has_its_count(client: FlaskClient, crowd: list[str]) -> None:
    assert client.get(f"{BASE}/requests.json").headers["X-Total-Count"] == str(len(crowd))


def test_links_keep_the_filters_and_drop_the_key(client: FlaskClient, crowd: list[str]) -> None:
    query = "status=open&service_code=trees,potholes&page_size=5&q=&api_key=secret-1&x=%C3%A9%26"
    answer = client.get(f"{BASE}/requests.json?{query}")
    following = links(answer)["next"]
    assert following.startswith(f"http://localhost{BASE}/requests.json?status=open&service_code=trees%2Cpotholes")
    assert "x=%C3%A9%26" in following
    assert "secret-1" not in answer.headers["Link"]


def test_links_have_the_operators_public_address(make_app: MakeApp) -> None:
    app = make_app(build.city(), public_url="http://311.city.example")
    platform = platform_of(app)
    build.store_all(platform, ({"number": number, "at": utc_now()} for number in range(1, 4)))
    answer = app.test_client().get(f"{BASE}/requests.xml?page_size=1&page=2", headers={"Host": "internal:3111"})
    assert set(links(answer)) >= {"first", "prev", "next"}
    assert all(url.startswith(f"http://311.city.example{BASE}/requests.xml?") for url in links(answer).values())


@both_formats
@pytest.mark.parametrize("page", ["0", "1", "", " 1 "])
def test_page_0_page_1_and_a_blank_page_are_the_first_page(
    client: FlaskClient, crowd: list[str], format: str, page: str
) -> None:
    answer = client.get(f"{BASE}/requests.{format}?page={quote(page)}&page_size=7")
    assert ids(answer) == crowd[:7]


@both_formats
@pytest.mark.requirement("C049")
@pytest.mark.requirement("C050")
@pytest.mark.parametrize(
    "query",
    [
        "status=&service_code=&start_date=&end_date=&service_request_id=&page=&page_size=&lat=&bbox=&sort=",
        "status=,%20,&service_code=,",
        "nonsense=1&_=1717171717&callback=f",
        "jurisdiction_id=city.example",
        "jurisdiction_id=WWW.City.Example",
        "api_key=wrong",
    ],
)
def test_blank_and_irrelevant_parameters_are_ignored(
    client: FlaskClient, crowd: list[str], format: str, query: str
) -> None:
    assert ids(client.get(f"{BASE}/requests.{format}?{query}")) == crowd


def test_the_list_and_the_single_request_have_the_same_data(client: FlaskClient, crowd: list[str]) -> None:
    whole: list[dict[str, Any]] = client.get(f"{BASE}/requests.json").json
    for item in whole[:5]:
        assert client.get(f"{BASE}/requests/{item['service_request_id']}.json").json == [item]
