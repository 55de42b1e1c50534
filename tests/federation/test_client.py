"""The client reads page after page, splits long searches, repeats calls, and sends requests and updates."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from open311.federation.client import (
    GeoReportClient,
    Limits,
    Media,
    NewRequest,
    NewUpdate,
    Receipt,
    Refused,
    RequestUpdate,
    TooLarge,
    Unreachable,
    Unreadable,
)
from tests.federation.scripted import Reply, as_json, as_xml, serve

START = datetime(2026, 1, 1, tzinfo=UTC)
PERSONAL = NewRequest(
    service_code="potholes",
    lat=60.17,
    long=24.94,
    description="Deep hole at my door",
    email="jane@home.example",
    first_name="Jane",
    phone="555-0100",
    attribute={"SURFACE": "brick", "TAGS": ["a", "b"]},
)
TWICE = Limits(rate_per_s=0, retries=2)


def page(*ids: str, **headers: str) -> Reply:
    return as_json([{"service_request_id": each} for each in ids], 200, **headers)


def ids(client: GeoReportClient, **search: Any) -> list[str]:
    return [each.service_request_id for each in client.requests(**search)]


# --- Lists


def test_pages_are_read_until_a_page_is_empty() -> None:
    with serve(page("1", "2"), page("2", "3"), page("4"), page()) as script, script.client() as client:
        assert ids(client) == ["1", "2", "3", "4"]
        assert [each.query.get("page") for each in script.asked] == [None, "2", "3", "4"]


def test_pages_are_read_lazily() -> None:
    with serve(page("1"), page("2"), page()) as script, script.client() as client:
        found = client.requests()
        assert script.asked == []
        assert next(found).service_request_id == "1"
        assert len(script.asked) == 1


def test_the_link_header_leads_to_the_next_page_even_if_it_names_another_host() -> None:
    first = page("1", Link='<http://inner.example/v2/requests.json?cursor=x>; rel="next"')
    last = page("2", Link='</v2/requests.json>; rel="first"')
    with serve(first, last) as script, script.client() as client:
        assert ids(client) == ["1", "2"]
        assert [each.target for each in script.asked[1:]] == ["/v2/requests.json?cursor=x"]


def test_a_list_without_end_is_an_error() -> None:
    replies = [page(str(number)) for number in range(5)]
    with serve(*replies) as script, script.client(limits=Limits(rate_per_s=0, max_pages=3)) as client:
        with pytest.raises(TooLarge, match="3 pages"):
            ids(client)
        assert len(script.asked) == 3


def test_a_long_search_is_split_into_windows_the_latest_first() -> None:
    with serve(page("3"), page(), page("3", "2"), page(), page("1"), page()) as script, script.client() as client:
        assert ids(client, start_date=START, end_date=START + timedelta(days=200)) == ["3", "2", "1"]
        asked = [(each.query["start_date"], each.query["end_date"]) for each in script.asked[::2]]
    assert asked == [
        ("2026-06-30T00:00:00Z", "2026-07-20T00:00:00Z"),
        ("2026-04-01T00:00:00Z", "2026-06-30T00:00:00Z"),
        ("2026-01-01T00:00:00Z", "2026-04-01T00:00:00Z"),
    ]


@pytest.mark.parametrize(
    ("search", "reason"),
    [
        ({"start_date": START.replace(tzinfo=None)}, "no zone"),
        ({"service_code": ["a,b", "c"]}, "comma"),
        ({"start_date": START, "window": timedelta(0)}, "window"),
    ],
)
def test_a_search_that_cannot_be_sent_is_refused_at_once(search: dict[str, Any], reason: str) -> None:
    with serve(page()) as script, script.client() as client, pytest.raises(ValueError, match=reason):
        client.requests(**search)


def test_a_search_is_sent_with_the_names_of_the_standard() -> None:
    with serve(page()) as script, script.client(locale="es") as client:
        ids(client, service_code=["a", "b"], status=["open"], filters={"extensions": "true"})
        assert script.asked[0].query == {
            "jurisdiction_id": "city.example",
            "locale": "es",
            "service_code": "a,b",
            "status": "open",
            "extensions": "true",
        }


def test_a_request_with_another_id_is_not_chosen() -> None:
    with serve(page("1", "2")) as script, script.client() as client:
        assert client.request("2").service_request_id == "2"
        with pytest.raises(Unreadable, match="several"):
            client.request("3")


def test_a_request_that_does_not_exist_is_a_404() -> None:
    with serve(page()) as script, script.client() as client, pytest.raises(Refused) as caught:
        client.request("9")
    assert caught.value.status == 404


# --- What is sent


def test_a_request_is_sent_with_the_names_of_the_standard() -> None:
    with (
        serve(as_json([{"service_request_id": 12, "service_notice": "Soon"}])) as script,
        script.client() as client,
    ):
        assert client.post_request(PERSONAL, key="k-1") == Receipt(service_request_id="12", service_notice="Soon")
        [asked] = script.asked
    assert (asked.method, asked.target) == ("POST", "/v2/requests.json")
    assert asked.headers["Idempotency-Key"] == "k-1"
    assert asked.form == [
        ("jurisdiction_id", "city.example"),
        ("api_key", "the-secret-key"),
        ("service_code", "potholes"),
        ("lat", "60.17"),
        ("long", "24.94"),
        ("description", "Deep hole at my door"),
        ("email", "jane@home.example"),
        ("first_name", "Jane"),
        ("phone", "555-0100"),
        ("attribute[SURFACE]", "brick"),
        ("attribute[TAGS][]", "a"),
        ("attribute[TAGS][]", "b"),
    ]


def test_a_photo_goes_in_a_multipart_body() -> None:
    photo = Media("hole.jpg", "image/jpeg", b"\xff\xd8 picture")
    with serve(as_json([{"token": "t"}])) as script, script.client() as client:
        assert client.post_request(NewRequest(service_code="x", media=(photo,))).token == "t"
        [asked] = script.asked
    assert asked.headers["Content-Type"].startswith("multipart/form-data")
    assert b'name="media"; filename="hole.jpg"' in asked.body
    assert photo.content in asked.body


def test_an_update_is_sent_as_mysociety_wants_it() -> None:
    update = NewUpdate(
        service_request_id="7", update_id="u1", status="fixed", updated_datetime=START, description="Done"
    )
    with serve(as_json([{"update_id": "u1"}])) as script, script.client() as client:
        assert client.post_update(update).update_id == "u1"
        assert dict(script.asked[0].form)["status"] == "FIXED"
        assert dict(script.asked[0].form)["updated_datetime"] == "2026-01-01T00:00:00Z"


def test_updates_of_two_requests_may_have_the_same_id() -> None:
    record = {"update_id": "1", "status": "open", "updated_datetime": "2026-01-01T00:00:00Z", "description": ""}
    body = as_json([record | {"service_request_id": id} for id in ("W1", "W2", "W1")])
    with serve(body) as script, script.client() as client:
        assert [one.service_request_id for one in client.updates()] == ["W1", "W2"]


def test_an_update_in_two_overlapping_windows_comes_once() -> None:
    one, two = ({"update_id": each, "service_request_id": "7", "status": "FIXED"} for each in "12")
    with serve(as_json([one]), as_json([one, two])) as script, script.client() as client:
        found = list(client.updates(START, START + timedelta(days=10)))
    assert found == [RequestUpdate(update_id=each, service_request_id="7", status="fixed") for each in "12"]


def test_a_picture_is_read_by_its_address() -> None:
    with serve(Reply(b"GIF89a", "image/gif")) as script, script.client() as client:
        assert client.media(f"{script.origin}/p/hole.gif?size=1") == Media("hole.gif", "image/gif", b"GIF89a")


def test_an_html_page_is_not_accepted_as_a_picture() -> None:
    with serve(Reply(b"<html>", "text/html")) as script, script.client() as client:
        with pytest.raises(Unreadable, match="text/html"):
            client.media(f"{script.origin}/hole.gif")
        assert "the-secret-key" not in str(script.asked)


# --- Repeated calls


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_get_is_repeated_after_a_temporary_error(status: int) -> None:
    pauses: list[float] = []
    with (
        serve(as_json([], status), as_json([], status), as_json([])) as script,
        script.client(limits=TWICE, pause=pauses.append) as client,
    ):
        assert client.services() == []
    assert 1.0 <= pauses[0] <= 1.5
    assert 2.0 <= pauses[1] <= 2.5


def test_the_number_of_retries_is_limited() -> None:
    with serve(as_json([], 503)) as script, script.client(limits=TWICE) as client:
        with pytest.raises(Refused):
            client.services()
        assert len(script.asked) == 3


def test_retry_after_is_heeded() -> None:
    pauses: list[float] = []
    with (
        serve(as_json([], 429, Retry_After="7"), as_json([])) as script,
        script.client(limits=TWICE, pause=pauses.append) as client,
    ):
        client.services()
    assert pauses == [7.0]


def test_a_retry_after_above_the_limit_is_an_error_that_names_the_pause() -> None:
    with serve(as_json([], 429, Retry_After="3600")) as script, script.client(limits=TWICE) as client:
        with pytest.raises(Refused) as caught:
            client.services()
        assert caught.value.retry_after_s == 3600
        assert len(script.asked) == 1


@pytest.mark.parametrize("retry_after", ["", "soon", "-5"])
def test_a_retry_after_that_cannot_be_read_is_ignored(retry_after: str) -> None:
    replies = (as_json([], 503, Retry_After=retry_after), as_json([]))
    with serve(*replies) as script, script.client(limits=TWICE) as client:
        assert client.services() == []


CUT = Reply(write=lambda out: None)


@pytest.mark.parametrize(
    ("reply", "error"),
    [(CUT, Unreachable), (as_json([], 500), Refused), (Reply(b"<html>", "text/html"), Unreadable)],
)
def test_a_post_without_a_clear_answer_is_uncertain_and_not_repeated(
    reply: Reply, error: type[Unreachable | Refused | Unreadable]
) -> None:
    with serve(reply) as script, script.client(limits=TWICE) as client:
        with pytest.raises(error) as caught:
            client.post_request(PERSONAL)
        assert caught.value.is_uncertain
        assert len(script.asked) == 1


def test_a_post_is_repeated_with_the_same_key_if_the_server_honours_it() -> None:
    limits = Limits(rate_per_s=0, retries=2, repeats_posts=True)
    with serve(CUT, as_json([], 500), page("7")) as script, script.client(limits=limits) as client:
        assert client.post_request(PERSONAL).service_request_id == "7"
        assert len(script.asked) == 3
        assert len({each.headers["Idempotency-Key"] for each in script.asked}) == 1


def test_a_post_is_repeated_after_a_429() -> None:
    with serve(as_json([], 429), page("7")) as script, script.client(limits=TWICE) as client:
        assert client.post_request(PERSONAL).service_request_id == "7"


def test_calls_are_not_more_frequent_than_the_rate() -> None:
    pauses: list[float] = []
    limits = Limits(rate_per_s=0.01)
    with serve(as_json([])) as script, script.client(limits=limits, pause=pauses.append) as client:
        client.services()
        client.services()
    assert len(pauses) == 1
    assert 90 < pauses[0] <= 100


# --- Errors show nothing personal


def test_errors_and_reprs_show_neither_the_key_nor_a_personal_value() -> None:
    echo = "jane@home.example and Jane (555-0100) with the-secret-key: Deep hole at my door; potholes is unknown"
    refusal = as_json([{"code": 400, "description": echo}], 400, Warning=f'299 - "{echo}"')
    with serve(refusal) as script, script.client() as client:
        with pytest.raises(Refused, match="potholes is unknown") as caught:
            client.post_request(PERSONAL)
        shown = f"{caught.value} {caught.value.problems} {client.warnings} {PERSONAL!r}"
    assert not re.search("jane|555|secret|Deep", shown, re.IGNORECASE)


def test_an_address_in_an_error_has_no_query() -> None:
    with serve(CUT) as script, script.client() as client, pytest.raises(Unreachable) as caught:
        list(client.updates())
    assert "secret" not in f"{caught.value!r} {caught.value}"
    assert caught.value.__cause__ is None


# --- How a client is made


def test_discovery_leads_to_the_client_of_the_wanted_address() -> None:
    with serve(as_json([])) as script:
        named = [
            {
                "specification": "http://wiki.open311.org/GeoReport_v2",
                "url": f"{script.origin}/{type}",
                "type": type,
            }
            for type in ("production", "test")
        ]
        script.replies = [as_json({"contact": "us", "endpoints": named})]
        with GeoReportClient.discovered(f"{script.origin}/discovery.json", "a", type="test") as client:
            assert client.base_url == f"{script.origin}/test"
        with pytest.raises(Unreadable, match="no other address"):
            GeoReportClient.discovered(f"{script.origin}/discovery.json", type="other")


def test_xml_is_asked_for_and_read() -> None:
    answer = as_xml("<services><service><service_code>001</service_code></service></services>")
    with serve(answer) as script, script.client(format="xml") as client:
        assert client.services()[0].service_code == "001"
        assert script.asked[0].path == "/v2/services.xml"


def test_a_pending_token_has_no_id_and_an_unknown_one_is_an_error() -> None:
    replies = (as_json([{"token": "t"}]), as_json([]), as_json([{"service_request_id": "7"}]))
    with serve(*replies) as script, script.client() as client:
        assert client.token("t").service_request_id == ""
        with pytest.raises(Unreadable, match="0 records"):
            client.token("t")
        assert client.token("t").service_request_id == "7"
