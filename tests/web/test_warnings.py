"""The header Warning names each part of a call that is ignored or read in another way."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from open311.clock import utc_now
from open311.observe import configure_logs
from open311.operations.platform import Platform
from tests import build

BASE = "/open311/v2"
PLACE = {"service_code": "potholes", "lat": "60.1718", "long": "24.9414"}
PICTURES = ("https://media.example/1.jpg", "https://media.example/2.jpg?w=1,h=2")

Post = Callable[..., Any]
both_formats = pytest.mark.parametrize("format", ["json", "xml"])


def warnings_of(answer: Any) -> list[str]:
    """The texts of the Warning headers."""
    return [text.removeprefix('299 - "').removesuffix('"') for text in answer.headers.getlist("Warning")]


def stored(platform: Platform, answer: Any) -> Any:
    assert answer.status_code == 200, answer.text
    return build.load(platform, service_request_id=answer.json[0]["service_request_id"])


# --- New requests


@pytest.mark.requirement("C303")
@pytest.mark.parametrize(
    "pairs",
    [
        [("media_url[]", PICTURES[0]), ("media_url[]", PICTURES[1])],
        [("media_url[0]", PICTURES[0]), ("media_url[1]", PICTURES[1])],
        [("media_url", PICTURES[0]), ("media_url[]", PICTURES[1])],
        [("media_url", ",".join(PICTURES))],
        [("media_url", ", ".join(PICTURES))],
    ],
)
def test_several_pictures_are_read_in_every_form(
    platform: Platform, post: Post, pairs: list[tuple[str, str]]
) -> None:
    answer = post([*PLACE.items(), *pairs])
    assert stored(platform, answer).media_urls == PICTURES
    assert warnings_of(answer) == []


@pytest.mark.requirement("C303")
def test_other_names_of_place_parameters_are_read(platform: Platform, post: Post) -> None:
    answer = post(service_code="potholes", lat=60.1718, lng="24.9414", address="5 Mill Lane")
    place = stored(platform, answer).place
    assert (place.long, place.address) == (24.9414, "5 Mill Lane")
    assert warnings_of(answer) == []


def test_an_alias_that_is_sent_with_its_parameter_gives_a_warning(post: Post) -> None:
    answer = post(**PLACE, lng="9.5")
    assert warnings_of(answer) == ["lng is ignored, because long came too"]
    assert warnings_of(post(**PLACE, lng="24.9414")) == []


@both_formats
@pytest.mark.requirement("S10")
def test_each_unknown_parameter_of_a_post_gives_a_warning(post: Post, format: str) -> None:
    answer = post(**PLACE, format=format, firstName="Ada", photo="x", colour="red")
    assert answer.status_code == 200
    assert warnings_of(answer) == [
        "firstName is ignored; did you mean first_name?",
        "photo is ignored; did you mean media_url?",
        "colour is ignored; this call has no such parameter",
    ]


def test_a_file_that_was_sent_as_its_name_gets_a_hint_and_no_photo_is_promised(post: Post) -> None:
    [hint] = warnings_of(post(**PLACE, media="@hole.jpg"))
    assert hint.startswith("media is ignored, and no photo came with this call; send the file in a multipart form")


def test_two_service_codes_give_one_error(post: Post) -> None:
    answer = post(
        [("service_code", "trees"), ("service_code", "potholes"), ("lat", "60.1718"), ("long", "24.9414")]
    )
    assert answer.status_code == 400
    [fault] = answer.json
    assert fault["description"] == "service_code: takes one value, but 2 were sent."
    assert warnings_of(answer) == []


@both_formats
@pytest.mark.requirement("S10")
def test_an_unknown_attribute_gives_a_warning(post: Post, format: str) -> None:
    answer = post([*PLACE.items(), ("attribute[WHIM]", "a"), ("attribute[BLANK]", " ")], format=format)
    assert answer.status_code == 200
    assert warnings_of(answer) == ["attribute[WHIM] is ignored; the service has no such attribute"]


def test_a_refused_post_has_warnings_for_misspelt_names(post: Post) -> None:
    answer = post(service_code="potholes", latitude="60.1718", longitude="24.9414")
    assert answer.status_code == 400
    assert warnings_of(answer) == [
        "latitude is ignored; did you mean lat?",
        "longitude is ignored; did you mean long?",
    ]


@both_formats
@pytest.mark.requirement("S10")
@pytest.mark.parametrize("name", ["apikey", "api-key", "apiKey", "key"])
@pytest.mark.parametrize("is_in_query", [True, False])
def test_a_refused_post_has_a_warning_for_a_misspelt_api_key_whose_value_is_in_no_log(
    client: FlaskClient,
    key: str,
    format: str,
    name: str,
    is_in_query: bool,
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logs("debug")
    fields, misspelt = PLACE | {"colour": "red"}, {name: key}
    if is_in_query:
        answer = client.post(f"{BASE}/requests.{format}", data=fields, query_string=misspelt)
    else:
        answer = client.post(f"{BASE}/requests.{format}", data=fields | misspelt)
    assert answer.status_code == 403
    assert "api_key: is missing" in answer.text
    assert warnings_of(answer) == [f"{name} is ignored; did you mean api_key?"]
    assert client.get(f"{BASE}/requests.{format}&{name}={key}").status_code == 404
    logged = capsys.readouterr().err
    assert f'"path":"{BASE}/requests.{format}&{name}=..."' in logged
    assert key not in logged + answer.text + str(answer.headers)


def test_a_post_with_a_key_in_a_header_has_a_warning_for_a_misspelt_api_key(client: FlaskClient, key: str) -> None:
    answer = client.post(f"{BASE}/requests.json", data=PLACE | {"key": key}, headers={"X-Api-Key": key})
    assert warnings_of(answer) == ["key is ignored; did you mean api_key?"]


@pytest.mark.parametrize("name", ["api_key", "api_key[0]", "apikey", "api-key", "X-Api-Key", "key"])
def test_no_address_has_a_key(client: FlaskClient, platform: Platform, name: str) -> None:
    build.store_all(platform, [{"number": n, "at": utc_now() - timedelta(hours=n)} for n in range(1, 4)])
    sent = {"page_size": "1", "status": "open", name: "s3cr3t"}
    answer = client.get(f"{BASE}/requests.json", query_string=sent)
    assert 'rel="next"' in answer.headers["Link"]
    assert "s3cr3t" not in answer.headers["Link"]
    city = "/c/city.example"
    for path in (f"{BASE}/requests.atom", f"{city}/requests", "/map/city.example", f"{city}/numbers"):
        page = client.get(path, query_string=sent)
        assert page.status_code == 200, path
        assert "s3cr3t" not in page.text, path


def test_after_ten_warnings_the_last_one_counts_the_others(post: Post) -> None:
    answer = post(**PLACE, **{f"x{number}": "1" for number in range(30)})
    assert len(warnings_of(answer)) == 11
    assert warnings_of(answer)[-1] == "20 more parameters are ignored or changed"


# --- Lists


@both_formats
@pytest.mark.requirement("C304")
@pytest.mark.parametrize(
    "query", ["status[]=closed", "status[0]=closed", "status%5B%5D=closed", "service_code[0]=x&service_code[1]=y"]
)
def test_names_with_brackets_are_read_as_lists(
    client: FlaskClient, platform: Platform, format: str, query: str
) -> None:
    build.store_all(platform, [{"number": n, "at": utc_now() - timedelta(hours=n)} for n in range(1, 4)])
    answer = client.get(f"{BASE}/requests.{format}?{query}")
    assert answer.status_code == 200
    assert "R1" not in answer.text
    assert warnings_of(answer) == []


@both_formats
@pytest.mark.requirement("C305")
@pytest.mark.parametrize(("point", "names"), [("lat=1&long=2", "lat and long are"), ("lat=no", "lat is")])
def test_a_point_without_radius_is_ignored_with_a_warning(
    client: FlaskClient, platform: Platform, format: str, point: str, names: str
) -> None:
    build.store_all(platform, [{"number": 1, "at": utc_now()}])
    answer = client.get(f"{BASE}/requests.{format}?{point}")
    assert answer.status_code == 200
    assert "R1" in answer.text
    assert warnings_of(answer) == [f"{names} ignored without radius; send radius in metres, or bbox"]


@both_formats
@pytest.mark.requirement("S9")
@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        ("agency", "agency_responsible"),
        ("service", "service_code"),
        ("group_by", "group"),
        ("lat[]", "lat"),
        ("start_date[0]", "start_date"),
        ("id", "service_request_id"),
    ],
)
def test_a_warning_has_the_name_as_it_was_sent(client: FlaskClient, format: str, sent: str, meant: str) -> None:
    answer = client.get(f"{BASE}/requests.{format}", query_string={sent: "1"})
    assert warnings_of(answer) == [f"{sent} is ignored; did you mean {meant}?"]


@both_formats
@pytest.mark.requirement("S11")
@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("page_size=5000", "page_size is cut to 1000"),
        ("limit=50000000000", "page_size is cut to 1000"),
        ("page_size=10&limit=20", "limit is ignored, because page_size came too"),
        (
            "start_date=2026-01-02&start_date=2026-01-01&end_date=2026-02-01",
            "start_date came 2 times; the first value counts",
        ),
        ("service_request_id=R1&status=open&page=2", "status and page are ignored beside service_request_id"),
        (f"q={'x' * 201}", "only the first 200 characters of q count"),
    ],
)
def test_a_value_that_the_server_cuts_or_ignores_gives_a_warning(
    client: FlaskClient, format: str, query: str, text: str
) -> None:
    answer = client.get(f"{BASE}/requests.{format}?{query}")
    assert answer.status_code == 200
    assert warnings_of(answer) == [text]


@both_formats
@pytest.mark.requirement("S12")
@pytest.mark.parametrize("path", ["requests", "requests.csv"])
def test_a_list_with_start_date_alone_that_ends_before_now_warns_with_its_end_and_the_next_start(
    client: FlaskClient, format: str, path: str
) -> None:
    path = path if "." in path else f"{path}.{format}"
    answer = client.get(f"{BASE}/{path}?start_date=2026-01-01T00:00:00Z")
    assert warnings_of(answer) == [
        "start_date alone means 90 days: this list ends at 2026-04-01T00:00:00Z; "
        "go on with start_date=2026-04-01T00:00:00Z"
    ]
    recent = f"{utc_now() - timedelta(days=3):%Y-%m-%d}"
    for query in (f"start_date={recent}", "start_date=2026-01-01&end_date=2026-02-01", "end_date=2026-02-01"):
        assert warnings_of(client.get(f"{BASE}/{path}?{query}")) == []
    assert warnings_of(client.get("/open311/bulk/v1/requests.csv?start_date=2026-01-01")) == []


def test_a_window_that_the_operator_cuts_gives_a_warning(make_app: Callable[..., Flask]) -> None:
    client = make_app(span_policy="clamp").test_client()
    (text,) = warnings_of(
        client.get(f"{BASE}/requests.json?start_date=2026-01-01T00:00:00Z&end_date=2026-07-01T00:00:00Z")
    )
    assert text.startswith("at most 90 days come at once: this list ends at 2026-04-01T00:00:00Z;")


@both_formats
def test_the_error_for_a_too_long_window_names_the_alternatives(client: FlaskClient, format: str) -> None:
    answer = client.get(f"{BASE}/requests.{format}?start_date=2026-01-01&end_date=2026-07-01")
    assert answer.status_code == 400
    assert all(way in answer.text for way in ("90 days at a time", "bulk/v1", "dumps", "updated_after"))


@both_formats
@pytest.mark.parametrize(
    ("page", "why"),
    [("1000000000", "from 0 to 999999999"), ("-1", "from 0 to 999999999"), ("1.5", "from 0 to 999999999")],
)
def test_the_error_for_an_invalid_page_names_the_range(
    client: FlaskClient, format: str, page: str, why: str
) -> None:
    answer = client.get(f"{BASE}/requests.{format}?page={page}")
    assert answer.status_code == 400
    assert f"is not a whole number {why}." in answer.text


@pytest.mark.parametrize("query", ["", "page_size=1000", "status=open&status=closed", "extensions=true&count=true"])
def test_a_usual_call_has_no_warning(client: FlaskClient, query: str) -> None:
    assert warnings_of(client.get(f"{BASE}/requests.json?{query}")) == []


def test_a_page_size_of_changes_that_is_cut_gives_a_warning(client: FlaskClient) -> None:
    build_answer = client.get(f"{BASE}/changes.json?wait=0&page_size=1001")
    assert warnings_of(build_answer) == ["page_size is cut to 1000"]
