"""Services that only some people can report, or only at some times; attributes that are hidden or conditional."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from jurisdictions import demo
from open311.clock import utc_now
from open311.domain.attributes import Answer
from open311.domain.events import replay
from open311.domain.requests import Visibility
from open311.domain.seasons import Season
from open311.domain.services import Attribute, Audience, Service
from open311.formats import JSON
from open311.formats.reading import open_source
from open311.operations.access.api_keys import add_key
from open311.operations.importing.batches import Import
from open311.operations.importing.processes import Processes
from open311.operations.platform import Platform
from open311.operations.upkeep.sync_catalogues import ensure_synced
from open311.web.calls import Answer as Body
from open311.web.calls import Call, Values
from open311.web.georeport.discovery import get_discovery
from open311.web.georeport.services import list_services
from schemas.values import format_instant
from tests import build
from tests.checked_client import platform_of

BASE = "/open311/v2"
PLACE = {"lat": "60.1718", "long": "24.9414"}
Post = Callable[..., Any]
both_formats = pytest.mark.parametrize("format", ["json", "xml"])


def warnings_of(answer: Any) -> list[str]:
    """The texts of the Warning headers."""
    return [text.removeprefix('299 - "').removesuffix('"') for text in answer.headers.getlist("Warning")]


def stored(platform: Platform, answer: Any) -> Any:
    assert answer.status_code == 200, answer.text
    return build.load(platform, service_request_id=answer.json[0]["service_request_id"])


def listed(client: FlaskClient) -> list[str]:
    return [item["service_code"] for item in client.get(f"{BASE}/services.json").json]


# --- Who can report


@pytest.mark.requirement("O1")
@pytest.mark.parametrize("code", ["confidential", "inspection", "leap-day", "phone-box", "graffiti-2019"])
def test_the_list_has_only_services_that_everybody_can_use_now(client: FlaskClient, code: str) -> None:
    assert code not in listed(client)


@both_formats
@pytest.mark.requirement("O2")
def test_anybody_who_knows_its_code_can_report_to_a_private_service(
    client: FlaskClient, platform: Platform, post: Post, format: str
) -> None:
    assert client.get(f"{BASE}/services/confidential.{format}").status_code == 200
    record = stored(platform, post(service_code="confidential", **PLACE))
    assert record.visibility is Visibility.PRIVATE
    assert client.get(f"{BASE}/requests/{record.service_request_id}.{format}").status_code == 404


@both_formats
@pytest.mark.requirement("O3")
def test_a_service_for_staff_is_unknown_in_public(client: FlaskClient, post: Post, format: str) -> None:
    for path in (
        f"services/inspection.{format}",
        f"requests/nearby.{format}?service_code=inspection&lat=60.17&long=24.94",
    ):
        answer = client.get(f"{BASE}/{path}")
        assert answer.status_code == 404
        assert "not in the service list" in answer.text
    answer = post(service_code="inspection", format=format, **PLACE)
    assert answer.status_code == 403
    assert "only for staff of the city. Report a pothole instead." in answer.text


@pytest.mark.requirement("O3")
def test_a_key_of_staff_can_report_to_a_service_for_staff(client: FlaskClient, platform: Platform) -> None:
    _, key = add_key(platform, label="call centre", is_for_staff=True, now=utc_now())
    answer = client.post(f"{BASE}/requests.json", data={"api_key": key, "service_code": "inspection", **PLACE})
    assert stored(platform, answer).visibility is Visibility.PRIVATE


@both_formats
@pytest.mark.requirement("O4")
@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("phone-box", "is not offered any more. The last phone box is gone."),
        ("leap-day", "can be reported from 29 February to 29 February only. On other days, ask the Citizens"),
    ],
)
def test_the_error_for_a_service_that_is_not_offered_now_says_so(
    client: FlaskClient, post: Post, format: str, code: str, text: str
) -> None:
    for answer in (client.get(f"{BASE}/services/{code}.{format}"), post(service_code=code, format=format, **PLACE)):
        assert answer.status_code == 404
        assert text in answer.text.replace("&#39;", "'")


@pytest.mark.requirement("O4")
def test_requests_of_a_service_that_is_not_offered_stay_readable(client: FlaskClient, platform: Platform) -> None:
    build.store_all(platform, [{"number": 1, "at": utc_now(), "service_code": "phone-box"}])
    (item,) = client.get(f"{BASE}/requests.json?service_code=phone-box").json
    assert (item["service_code"], item["service_name"]) == ("phone-box", "Phone box")


# --- Seasons


def seasonal(first: timedelta, last: timedelta) -> Any:
    """A city with a service whose season lasts from `first` to `last` after today."""
    today = utc_now()
    days = [((today + each).month, (today + each).day) for each in (first, last)]
    snow = Service(code="snow", name="Snow", season=Season(*days))
    return build.city(services=(build.HOLE, snow))


@pytest.mark.requirement("O4")
@pytest.mark.parametrize(("first", "last", "is_offered"), [(-20, 20, True), (20, 40, False), (-40, -20, False)])
def test_a_service_is_offered_in_its_season(
    make_app: Callable[..., Flask], first: int, last: int, is_offered: bool
) -> None:
    client = make_app(seasonal(timedelta(first), timedelta(last))).test_client()
    assert ("snow" in listed(client)) is is_offered
    assert client.get(f"{BASE}/services/snow.json").status_code == (200 if is_offered else 404)


SUMMER = Season((4, 1), (10, 31))
WINTER_CITY = build.city(
    services=(build.HOLE, replace(build.HOLE, code="bath", name="Bathing place", season=SUMMER)),
    time_zone="Europe/Helsinki",
)


def called(platform: Platform, view: Any, now: datetime) -> Body:
    """The answer of a view at a certain time."""
    request = Request(EnvironBuilder(path=f"{BASE}/services.json").get_environ())
    values = Values({"locale": "", "lat": None, "long": None, "jurisdiction_id": ""})
    (city,) = platform.registry
    call = Call(request=request, platform=platform, output=JSON, now=now, values=values, named_city=city)
    answer = view.view(call)
    assert isinstance(answer, Body)
    return answer


def codes_at(platform: Platform, now: datetime) -> list[str]:
    return [item["service_code"] for item in json.loads(called(platform, list_services, now).body or b"")]


@pytest.mark.requirement("O5")
def test_the_list_follows_the_season_at_midnight_in_the_citys_time_zone(make_app: Callable[..., Flask]) -> None:
    platform = platform_of(make_app(WINTER_CITY))
    before = datetime(2026, 3, 31, 20, 59, 59, tzinfo=UTC)
    assert codes_at(platform, before) == ["potholes"]
    assert codes_at(platform, before + timedelta(seconds=1)) == ["potholes", "bath"]
    assert codes_at(platform, before) == ["potholes"], "both bodies are cached"


@pytest.mark.requirement("O5")
def test_the_changeset_grows_when_a_season_begins_and_when_it_is_over(make_app: Callable[..., Flask]) -> None:
    platform = platform_of(make_app(WINTER_CITY))
    platform.process.is_synced.clear()

    def changeset(year: int, month: int, day: int) -> str:
        body = called(platform, get_discovery, datetime(year, month, day, 12, tzinfo=UTC)).body
        return str(json.loads(body or b"")["changeset"])

    assert changeset(2041, 4, 1) == "2041-03-31T21:00:00Z"
    assert changeset(2041, 10, 31) == "2041-03-31T21:00:00Z"
    assert changeset(2041, 11, 1) == "2041-10-31T22:00:00Z"


# --- Replaced services


@both_formats
@pytest.mark.requirement("O6")
def test_a_replaced_service_is_stored_as_its_successor(
    platform: Platform, client: FlaskClient, post: Post, format: str
) -> None:
    assert client.get(f"{BASE}/services/graffiti-2019.json").json["service_code"] == "graffiti"
    sent = [("service_code", "graffiti-2019"), *PLACE.items(), ("attribute[MATERIAL]", "stone")]
    answer = post([*sent, ("attribute[SIZE]", "large")], format=format)
    assert warnings_of(answer) == [
        "service_code graffiti-2019 is replaced; the request is stored under graffiti",
        "attribute[SIZE] is ignored; graffiti does not ask it",
    ]
    assert "Your report is kept as: Graffiti." in answer.text
    record = stored(platform, post(sent))
    assert (record.service_code, record.answers) == ("graffiti", (Answer("SURFACE", ("001",)),))


@pytest.mark.requirement("O6")
def test_a_repeated_call_for_a_replaced_service_gets_the_same_answer(post: Post) -> None:
    sent = [
        ("service_code", "graffiti-2019"),
        *PLACE.items(),
        ("attribute[MATERIAL]", "stone"),
        ("client_request_id", "k1"),
    ]
    first, second = post(sent), post(sent)
    assert (first.json, warnings_of(first)) == (second.json, warnings_of(second))


@pytest.mark.requirement("O6")
def test_a_replaced_service_that_the_city_refuses_names_its_successor(make_app: Callable[..., Flask]) -> None:
    old = Service(code="holes", name="Holes", replaced_by="potholes", when_replaced="refuse")  # type: ignore[arg-type]
    app = make_app(build.city(services=(build.HOLE, old)))
    _, key = add_key(platform_of(app), label="tests", now=build.NOON)
    client = app.test_client()
    answer = client.post(f"{BASE}/requests.json", data={"api_key": key, "service_code": "holes", **PLACE})
    assert answer.status_code == 404
    assert "'holes' is replaced. Send 'potholes' (Pothole)." in answer.text


# --- Answers


SIGN = [("service_code", "signs"), ("lat", "60.1800"), ("long", "24.9300")]


@pytest.mark.requirement("O7")
def test_the_standards_definition_has_no_hidden_attribute_and_requires_no_conditional_one(
    client: FlaskClient,
) -> None:
    questions = client.get(f"{BASE}/services/signs.json").json["attributes"]
    assert [(each["code"], each["required"]) for each in questions] == [
        ("FAULT", True),
        ("OTHER", False),
        ("SIGN", False),
        ("COUNT", False),
    ]
    assert [each["order"] for each in questions] == [1, 2, 3, 4]


@both_formats
@pytest.mark.requirement("O8")
def test_extensions_show_the_rules_of_each_attribute(client: FlaskClient, format: str) -> None:
    answer = client.get(f"{BASE}/services/signs.{format}?extensions=true")
    if format == "xml":
        assert (
            "<conditions><condition><attribute>FAULT</attribute><values><value>other</value></values></condition>"
            "</conditions>" in answer.text
        )
        return
    rules = {each["code"]: each["extended_attributes"] for each in answer.json["attributes"]}
    nothing = {"automated": None, "required_if_asked": False, "defaults": [], "conditions": [], "asset_layer": None}
    assert rules == {
        "FAULT": nothing | {"required_if_asked": True},
        "OTHER": nothing | {"required_if_asked": True, "conditions": [{"attribute": "FAULT", "values": ["other"]}]},
        "SIGN": nothing | {"asset_layer": "signs"},
        "COUNT": nothing | {"defaults": ["1"]},
        "AREA": nothing | {"automated": "server_set"},
        "MAKER": nothing | {"automated": "hidden_field"},
    }


@pytest.mark.parametrize("extensions", ["false", "", "notes", "nonsense"])
def test_values_of_extensions_other_than_true_add_nothing_to_a_definition(
    client: FlaskClient, extensions: str
) -> None:
    plain = client.get(f"{BASE}/services/signs.json")
    answer = client.get(f"{BASE}/services/signs.json?extensions={extensions}")
    assert (answer.status_code, answer.data) == (200, plain.data)


@pytest.mark.requirement("O9")
def test_the_answers_of_a_post_are_completed_with_a_warning(platform: Platform, post: Post) -> None:
    pairs = [("attribute[FAULT]", "bent"), ("attribute[OTHER]", "x"), ("attribute[AREA]", "y")]
    answer = post([*SIGN, *pairs, ("attribute[MAKER]", "Acme")])
    assert warnings_of(answer) == [
        "attribute[OTHER] is ignored; it is asked only if FAULT is other",
        "attribute[SIGN] is set to S-104, the only entry of the city's list signs near the point",
        "attribute[AREA] is ignored; the server sets it",
    ]
    answers = {each.code: each.values for each in stored(platform, answer).answers}
    assert answers == {"FAULT": ("bent",), "SIGN": ("S-104",), "COUNT": ("1",), "MAKER": ("Acme",)}


@both_formats
@pytest.mark.requirement("O9")
@pytest.mark.parametrize(
    ("pairs", "text"),
    [
        ([("attribute[FAULT]", "other")], "OTHER required; answer it as attribute[OTHER]."),
        (
            [("attribute[FAULT]", "bent"), ("attribute[SIGN]", "S-101")],
            "SIGN 'S-101' of the city's list signs is not within 30 m of the point;"
            " send one that is near the point: S-104.",
        ),
    ],
)
def test_a_wrong_or_missing_answer_is_refused(
    post: Post, format: str, pairs: list[tuple[str, str]], text: str
) -> None:
    answer = post([*SIGN, *pairs], format=format)
    assert answer.status_code == 400
    assert text in answer.text.replace("&#39;", "'")


@pytest.mark.requirement("O10")
def test_a_hidden_answer_is_in_no_public_answer(client: FlaskClient, platform: Platform, post: Post) -> None:
    pairs = [("attribute[FAULT]", "bent"), ("attribute[MAKER]", "Acme-hidden")]
    request_id = stored(platform, post([*SIGN, *pairs])).service_request_id
    for path in (f"requests/{request_id}.json", "requests.json", "changes.json", "requests.csv", "requests.ndjson"):
        answer = client.get(f"{BASE}/{path}?extensions=true")
        assert request_id in answer.text
        assert "Acme-hidden" not in answer.text


def test_a_service_with_only_hidden_attributes_has_no_metadata(make_app: Callable[..., Flask]) -> None:
    hole = replace(build.HOLE, attributes=(Attribute(code="X", description="?", hidden=True),))
    client = make_app(build.city(services=(hole,))).test_client()
    (item,) = client.get(f"{BASE}/services.json").json
    assert item["metadata"] is False
    assert client.get(f"{BASE}/services/potholes.json").json["attributes"] == []


@pytest.mark.parametrize(
    ("service", "is_public"),
    [
        (Service(code="x", name="X", audience=Audience.STAFF), False),
        (Service(code="x", name="X", audience=Audience.STAFF, public=True), True),
        (Service(code="x", name="X", audience=Audience.PRIVATE), True),
        (Service(code="x", name="X", public=False), False),
    ],
)
def test_the_audience_of_a_service_decides_whether_its_requests_are_public(
    service: Service, is_public: bool
) -> None:
    assert service.is_public is is_public


@pytest.mark.requirement("O3")
def test_imported_requests_of_a_service_for_staff_are_private(make_app: Callable[..., Flask]) -> None:
    inspection = Service(code="inspection", name="Inspection", audience=Audience.STAFF)
    app = make_app(build.city(services=(build.HOLE, inspection)))
    platform, now = platform_of(app), utc_now()
    rows = [
        {
            "service_request_id": code,
            "service_code": code,
            "status": "open",
            "requested_datetime": format_instant(now - timedelta(hours=1)),
            **PLACE,
        }
        for code in ("potholes", "inspection")
    ]
    ensure_synced(platform)
    (city,) = platform.registry
    with Processes(platform, 1) as alone:
        source = open_source(io.BytesIO(json.dumps(rows).encode()))
        list(alone.import_source(source, Import(jurisdiction=city, origin="rows.json", now=now)))
    client = app.test_client()
    assert [item["service_request_id"] for item in client.get(f"{BASE}/requests.json").json] == ["potholes"]
    assert client.get(f"{BASE}/requests/inspection.json").status_code == 404
    record = build.load(platform, service_request_id="inspection")
    assert record.visibility is Visibility.PRIVATE
    assert replay(record, build.history(platform, record)) == record


@pytest.mark.requirement("O9")
def test_an_unasked_answer_is_kept_for_staff_where_the_city_says_so(make_app: Callable[..., Flask]) -> None:
    app = make_app(replace(demo.jurisdiction, unknown_attributes="keep"))
    platform = platform_of(app)
    _, key = add_key(platform, label="tests", now=build.NOON)
    client = app.test_client()
    answers = {"attribute[FAULT]": "bent", "attribute[OTHER]": "rusty", "attribute[X]": "1"}
    answer = client.post(f"{BASE}/requests.json", data={"api_key": key, **dict(SIGN), **answers})
    assert "attribute[OTHER] is kept for staff only; it is asked only if FAULT is other" in warnings_of(answer)
    record = stored(platform, answer)
    aside = {each.code: each.values for each in record.answers if not each.is_asked}
    assert aside == {"OTHER": ("rusty",), "X": ("1",)}
    shown = client.get(f"{BASE}/requests/{record.service_request_id}.json?extensions=true")
    assert "rusty" not in shown.text
