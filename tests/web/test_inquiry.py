"""Inquiry v1: services, facilities and FAQs, a search, the calendar, calendars for phones, and 311 Today."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import feedparser
import pytest
from flask import Flask
from flask.testing import FlaskClient
from icalendar import Calendar as CalendarFile
from jsonschema import Draft202012Validator
from lxml import etree
from shapely.geometry import box

from open311.clock import utc_now
from open311.domain.articles import Action, ActionType, Article, ArticleKind, ArticleTexts, Promotion
from open311.domain.calendar import Calendar, Hours
from open311.domain.collection_days import Collection, DayBook, Line, Round, Shift
from open311.domain.services import Translation
from open311.plugins import Jurisdiction
from spec.bodies import SCHEMAS
from tests import build

MakeApp = Callable[..., Flask]
V1 = "/inquiry/v1"
TODAY = utc_now().date()
ODD = 'Straße & "Grün" <1>, Más; 路 \\ ☂'
WEEK = timedelta(days=7)
ZONE = ZoneInfo("America/New_York")


def article(id: str = "bins", **changes: Any) -> Article:
    """An article about a service."""
    values: dict[str, Any] = {
        "id": id,
        "kind": ArticleKind.SERVICE,
        "language": "en",
        "title": f"About {id}",
        "summary": "In short.",
        "html": "<p>It is &lt;so&gt;.</p>",
        "plain": "It is <so>.",
        "categories": ("Rubbish, bins & more",),
    }
    return Article(**values | changes)


def town(*articles: Article, **changes: Any) -> Jurisdiction:
    """A city in New York's time zone."""
    return build.city(articles=articles, time_zone="America/New_York", **changes)


@pytest.fixture
def serve(make_app: MakeApp) -> Callable[..., FlaskClient]:
    """Serves a city with articles."""
    return lambda *articles, **changes: make_app(town(*articles, **changes)).test_client()


@cache
def _xsd() -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(SCHEMAS / "inquiry-v1.xsd"))


@cache
def _definitions() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((SCHEMAS / "inquiry-v1.schema.json").read_text())
    return found


def rows(client: FlaskClient, path: str, kind: str, query: str = "") -> list[dict[str, Any]]:
    """The items of a list in JSON. The XML must be valid and have the same data."""
    plain = client.get(f"{V1}/{path}.json{query}")
    assert plain.status_code == 200, plain.text
    data: list[dict[str, Any]] = plain.get_json()
    Draft202012Validator({"$ref": f"#/$defs/{kind}", "$defs": _definitions()["$defs"]}).validate(data)
    marked = client.get(f"{V1}/{path}.xml{query}")
    assert marked.mimetype == "text/xml"
    root = etree.fromstring(marked.data)
    assert root.tag == kind
    _xsd().assertValid(root)
    assert [_plain(one) for one in root] == [_texts(one) for one in data]
    return data


def _plain(element: etree._Element) -> Any:
    """An element as JSON has it, with texts for all values."""
    names = [child.tag for child in element]
    if not names:
        return element.text or ""
    if names[0] in ("category_name", "feature_name"):
        return [{child.tag: child.text} for child in element]
    if names[0] in ("web_action", "service", "item", "topic", "collection"):
        return [_plain(child) for child in element]
    return dict(element.attrib) | {child.tag: _plain(child) for child in element}


def _texts(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _texts(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_texts(one) for one in value] or ""
    return "" if value is None else str(value)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("services/all", "services"),
        ("services/bulky-items", "services"),
        ("facilities/all", "facilities"),
        ("facilities/harbour-library", "facilities"),
        ("web_faqs/all", "faqs"),
        ("web_faqs/bin-not-emptied", "faqs"),
        ("faqs/web", "faqs"),
        ("zones", "zones"),
        ("calendar", "days"),
    ],
)
@pytest.mark.parametrize("query", ["", "?locale=es"])
def test_the_demo_city_is_valid_in_both_formats(client: FlaskClient, path: str, kind: str, query: str) -> None:
    assert rows(client, path, kind, query)


def test_a_search_is_valid_in_both_formats(client: FlaskClient) -> None:
    for query in ("?q=library", "?q=zzqxj", "?q=basura&locale=es"):
        plain = client.get(f"{V1}/search.json{query}").get_json()
        Draft202012Validator({"$ref": "#/$defs/results", "$defs": _definitions()["$defs"]}).validate(plain)
        root = etree.fromstring(client.get(f"{V1}/search.xml{query}").data)
        _xsd().assertValid(root)
        assert [one.findtext("id") for one in root] == [one["id"] for one in plain]


@pytest.mark.requirement("Y1")
def test_any_text_is_carried_by_both_formats(serve: Callable[..., FlaskClient]) -> None:
    actions = (Action(label=ODD, url="https://a.example/?a=1&b=2"), Action(label="Text only"))
    client = serve(article(title=ODD, summary=ODD, plain=ODD, html=ODD, categories=(ODD,), actions=actions))
    (one,) = rows(client, "services/bins", "services")
    assert (one["service_name"], one["description"], one["categories"]) == (ODD, ODD, [{"category_name": ODD}])
    assert [action["url"] for action in one["web_actions"]] == ["https://a.example/?a=1&b=2", ""]
    (same,) = rows(client, f"services/{quote(ODD, safe='')}", "services")
    assert same["id"] == "bins"


@pytest.mark.requirement("Y2")
def test_each_kind_of_item_has_its_fields_of_inquiry_v1(client: FlaskClient) -> None:
    (service,) = rows(client, "services/bulky-items", "services")
    assert [one["type"] for one in service["web_actions"]] == ["Link", "Service Request"]
    assert service["web_actions"][1]["url"] == "http://localhost/c/city.example/report?service_code=hotline"
    assert service["url"] == "http://localhost/c/city.example/answers/bulky-items"
    (facility,) = rows(client, "facilities/harbour-library", "facilities")
    assert (facility["lat"], facility["long"], facility["borough"]) == (60.1501, 24.9502, "Harbour")
    assert facility["features"][0] == {"feature_name": "Computers"}
    (faq,) = rows(client, "web_faqs/bin-not-emptied", "faqs")
    assert [one["id"] for one in faq["services"]] == ["bin-size", "bulky-items"]
    assert faq["answer_html"].startswith("<p>Please check")


@pytest.mark.requirement("Y3")
@pytest.mark.parametrize(
    ("asked", "ids"),
    [
        ("all", {"bins", "lamps", "holes"}),
        ("web", {"lamps"}),
        ("mobile", set()),
        ("Rubbish%2C%20bins%20%26%20more", {"bins"}),
        ("rubbish, BINS & more", {"bins"}),
        ("basura", {"bins"}),
        ("Straßen", {"lamps", "holes"}),
        ("strassen", {"lamps", "holes"}),
        ("holes", {"holes"}),
    ],
)
def test_lists_are_filtered_by_topic(serve: Callable[..., FlaskClient], asked: str, ids: set[str]) -> None:
    client = serve(
        article(),
        article("lamps", categories=("Straßen",), promoted=(Promotion.WEB,)),
        article("holes", categories=("Straßen", "Other")),
        languages=("en", "es"),
        translations={"es": Translation(words={"Rubbish, bins & more": "Básura"})},
    )
    assert {one["id"] for one in rows(client, f"services/{asked}", "services")} == ids


@pytest.mark.requirement("Y3")
@pytest.mark.parametrize("suffix", ["json", "xml"])
@pytest.mark.parametrize("asked", ["nothing", "", "Bins", "../bins", "%00", "a" * 2_000, "bins/x"])
def test_an_unknown_topic_is_a_404_that_names_the_topics(
    serve: Callable[..., FlaskClient], asked: str, suffix: str
) -> None:
    answer = serve(article()).get(f"{V1}/services/{asked}.{suffix}")
    assert answer.status_code == (400 if asked == "%00" else 404)
    assert "nothing" not in asked or "Rubbish, bins" in answer.text
    assert len(answer.data) < 1_000


@pytest.mark.requirement("Y4")
def test_an_expired_article_is_gone_everywhere_at_the_citys_midnight(serve: Callable[..., FlaskClient]) -> None:
    today = utc_now().astimezone(ZONE).date()
    old = article("old", expires=today, actions=(Action(label="Go", service_code="potholes"),))
    last_day = article("last", expires=today + timedelta(days=1))
    faq = article("faq", kind=ArticleKind.FAQ, related=("old", "last"))
    client = serve(old, last_day, faq)
    assert [one["id"] for one in rows(client, "services/all", "services")] == ["last"]
    assert [one["id"] for one in rows(client, "services/Rubbish, bins & more", "services")] == ["last"]
    assert [one["id"] for one in rows(client, "web_faqs/faq", "faqs")[0]["services"]] == ["last"]
    assert client.get(f"{V1}/services/old.json").status_code == 404
    assert [one["id"] for one in client.get(f"{V1}/search.json?q=old").get_json()] == []
    assert client.get("/c/test.example/answers/old").status_code == 404
    for page in ("answers", "answers?q=old", "?q=old", "report?service_code=potholes"):
        assert "About old" not in client.get(f"/c/test.example/{page}").text
    (shown,) = rows(client, "services/last", "services")
    midnight = datetime.combine(today + timedelta(days=1), datetime.min.time(), ZONE)
    assert datetime.fromisoformat(shown["expiration"]) == midnight


@pytest.mark.requirement("Y4")
def test_an_article_without_end_expires_in_2099(client: FlaskClient) -> None:
    (one,) = rows(client, "services/bin-size", "services")
    assert one["expiration"] == "2099-12-31T00:00:00Z"


@pytest.mark.requirement("Y5")
def test_texts_are_in_the_callers_language_and_fall_back(serve: Callable[..., FlaskClient]) -> None:
    texts = {"es": ArticleTexts(title="Sobre cubos", plain="Así es.", html="<p>Así es.</p>")}
    client = serve(article(translations=texts), article("lamps"), languages=("en", "es"))
    names = [one["service_name"] for one in rows(client, "services/all", "services", "?locale=es")]
    assert names == ["Sobre cubos", "About lamps"]
    answer = client.get(f"{V1}/services/all.json", headers={"Accept-Language": "es-PE"})
    assert answer.headers["Content-Language"] == "es"
    assert "Accept-Language" in answer.headers["Vary"]
    assert rows(client, "services/all", "services", "?locale=fi")[0]["service_name"] == "About bins"


@pytest.mark.requirement("Y6")
@pytest.mark.parametrize(
    ("words", "best"),
    [
        ("mattress", "bulky-items"),
        ("matress", "bulky-items"),
        ("my car is gone, was it towed?", "towed-car"),
        ("books", "harbour-library"),
        ("ASPHALT", "pothole-repair-time"),
        ("nachbar lärm music at night", "noise-at-night"),
        ("zzqxj", None),
        ("zzqxj-no-such-word", None),
        ("leash", "mill-park"),
        ("my matress", "bulky-items"),
        ("how do I get rid of a sofa", "bulky-items"),
        ("when is my bin emptied", "bin-not-emptied"),
        ("how", "pothole-repair-time"),
    ],
)
def test_a_search_finds_the_best_article_first(client: FlaskClient, words: str, best: str | None) -> None:
    found = client.get(f"{V1}/search.json", query_string={"q": words}).get_json()
    assert (found[0]["id"] if found else None) == best


@pytest.mark.requirement("Y6")
def test_a_search_knows_the_callers_language_and_ignores_accents(client: FlaskClient) -> None:
    for words in ("colchón", "colchon", "COLCHÓN"):
        found = client.get(f"{V1}/search.json", query_string={"q": words, "locale": "es"}).get_json()
        assert found[0]["id"] == "bulky-items"
        assert found[0]["title"] == "Muebles y otros objetos voluminosos"
        (same,) = client.get(found[0]["api_url"].removeprefix("http://localhost") + "&locale=es").get_json()
        assert same["service_name"] == found[0]["title"]


@pytest.mark.requirement("Y6")
def test_a_search_without_words_is_refused_and_a_long_one_is_cut(client: FlaskClient) -> None:
    assert "q: is missing" in client.get(f"{V1}/search.json").get_json()[0]["description"]
    long = client.get(f"{V1}/search.json", query_string={"q": "bin " * 3_000})
    assert long.status_code == 200
    assert "only the first 200 characters of q count" in long.headers["Warning"]
    assert len(client.get(f"{V1}/search.json?q=bin&page_size=1").get_json()) == 1
    assert client.get(f"{V1}/search.json?q=bin&page_size=0").status_code == 400


PATHS = (
    "services/all.json",
    "services/bin-size.xml",
    "facilities/all.xml",
    "web_faqs/web.json",
    "search.json?q=bin",
    "zones.xml",
    "calendar.json?zone=Harbour",
    "calendar.ics?zone=Harbour",
    "311TodayContent.rss",
)


@pytest.mark.requirement("Y7")
@pytest.mark.parametrize("path", PATHS)
def test_everything_is_cachable_and_answers_304(client: FlaskClient, path: str) -> None:
    answer = client.get(f"{V1}/{path}")
    kept, _, seconds = answer.headers["Cache-Control"].partition("max-age=")
    assert kept == "public, "
    assert 0 <= int(seconds) <= 300
    same = client.get(f"{V1}/{path}", headers={"If-None-Match": answer.headers["ETag"]})
    assert (same.status_code, same.data) == (304, b"")
    assert same.headers["ETag"] == answer.headers["ETag"]
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    other = client.get(f"{V1}/{path}", headers={"If-None-Match": '"other"'})
    assert other.data == answer.data


@pytest.mark.requirement("Y7")
@pytest.mark.parametrize("path", PATHS)
def test_an_unknown_parameter_is_reported(client: FlaskClient, path: str) -> None:
    mark = "&" if "?" in path else "?"
    answer = client.get(f"{V1}/{path}{mark}colour=red")
    assert answer.status_code == 200
    assert answer.headers["Warning"] == '299 - "colour is ignored; this call has no such parameter"'


def _zoned(shift: Shift = Shift.NEXT_DAY, **changes: Any) -> dict[str, Any]:
    """A city with two zones. Its offices are open every day except on 2026-03-04, a closing day of the city."""
    every_day = Round(
        weekdays=tuple(range(7)), first=date(2026, 1, 1), zones=("North",), shift=shift, never=(), **changes
    )
    weekly = Round(weekdays=(2,), first=date(2026, 1, 1), except_zones=("North",))
    return {
        "areas": {"North": box(0, 0, 1, 1), "Ward": box(0, 0, 2, 2)},
        "boundary": box(-1, -1, 3, 3),
        "calendar": Calendar(office_hours=((Hours(480, 960),),) * 7, closed=("2026-03-04",)),
        "days": DayBook(
            collections=(
                Collection(code="refuse", name="Refuse; weekly, of course", rounds=(every_day,), note="x" * 200),
                Collection(code="paper", name="Paper", rounds=(weekly,)),
            ),
            lines=(Line(code="school", name="Schools", usual="Open.", otherwise="Closed."),),
        ),
    }


SPAN = "fromdate=2026-03-03&todate=2026-03-05"


@pytest.mark.requirement("Y9")
def test_a_collection_moves_by_one_day_because_of_a_holiday(serve: Callable[..., FlaskClient]) -> None:
    client = serve(**_zoned())
    found = rows(client, "calendar", "days", f"?zone=North&{SPAN}")
    assert [day["date"] for day in found] == ["2026-03-03", "2026-03-04", "2026-03-05"]
    assert [day["holiday"] for day in found] == ["", "closing day of the city", ""]
    told = [[(one["status"], one.get("usual_date", "")) for one in day["items"]] for day in found]
    assert told == [
        [("collected", "2026-03-03"), ("usual", "")],
        [("moved", "2026-03-04"), ("changed", "")],
        [("collected", "2026-03-04"), ("collected", "2026-03-05"), ("usual", "")],
    ]
    assert found[1]["items"][0]["details"] == "Collected on 2026-03-05 instead: closing day of the city."
    spanish = serve(**_zoned(), languages=("en", "es")).get(f"{V1}/calendar.json?zone=North&{SPAN}&locale=es")
    assert "2026-03-05" in spanish.get_json()[1]["items"][0]["details"]
    assert "instead" not in spanish.text


@pytest.mark.requirement("Y10")
@pytest.mark.parametrize(
    ("where", "codes"),
    [
        ("zone=North", {"refuse"}),
        ("lat=0.5&long=0.5", {"refuse"}),
        ("lat=1.5&long=1.5", {"paper"}),
        ("zone=elsewhere", {"paper"}),
        ("", {"refuse", "paper"}),
    ],
)
def test_a_zone_is_found_by_its_name_or_by_a_point(
    serve: Callable[..., FlaskClient], where: str, codes: set[str]
) -> None:
    client = serve(**_zoned())
    found = rows(client, "calendar", "days", f"?{where}&{SPAN}")
    assert {one["code"] for day in found for one in day["items"]} - {"school"} == codes
    query = f"?{where}" if where.startswith("lat") else ""
    names = [one["name"] for one in rows(client, "zones", "zones", query)]
    assert names == ([] if "1.5" in where else ["North"])


@pytest.mark.requirement("Y10", "Y11")
@pytest.mark.parametrize(
    ("query", "status", "field"),
    [
        ("zone=South", 404, "zone"),
        ("zone=Ward", 404, "zone"),
        ("lat=50&long=50", 404, "lat"),
        ("lat=0.5", 400, "long"),
        ("lat=0.5&long=0.5&zone=North", 400, "zone"),
        ("lat=99&long=0.5", 400, "lat"),
        ("fromdate=2026-02-30", 400, "fromdate"),
        ("fromdate=20260301", 400, "fromdate"),
        ("fromdate=9999-12-31", 400, "fromdate"),
        ("fromdate=2026-03-02&todate=2026-03-01", 400, "todate"),
        ("fromdate=2026-01-01&todate=2026-04-01", 400, "todate"),
        ("fromdate=2026-03-01T00:00:00Z", 400, "fromdate"),
    ],
)
def test_a_faulty_call_of_the_calendar_names_the_parameter(
    serve: Callable[..., FlaskClient], query: str, status: int, field: str
) -> None:
    answer = serve(**_zoned()).get(f"{V1}/calendar.json?{query}")
    assert answer.status_code == status, answer.text
    assert answer.get_json()[0]["description"].startswith(f"{field}: ")


@pytest.mark.requirement("Y11")
def test_the_calendar_has_fourteen_days_from_today_or_up_to_ninety(serve: Callable[..., FlaskClient]) -> None:
    client = serve(**_zoned())
    today = utc_now().astimezone(ZONE).date()
    found = rows(client, "calendar", "days")
    assert [found[0]["date"], found[-1]["date"], len(found)] == [
        today.isoformat(),
        (today + timedelta(days=13)).isoformat(),
        14,
    ]
    assert len(rows(client, "calendar", "days", "?fromdate=2026-01-01&todate=2026-03-31")) == 90


def _events(client: FlaskClient, query: str) -> Iterator[Any]:
    answer = client.get(f"{V1}/calendar.ics?{query}")
    assert answer.content_type == "text/calendar; charset=utf-8"
    lines = answer.data.split(b"\r\n")
    assert b"\n" not in answer.data.replace(b"\r\n", b"")
    assert max(map(len, lines)) <= 75
    calendar: Any = CalendarFile.from_ical(answer.data)
    assert calendar["VERSION"] == "2.0"
    assert not calendar.errors
    yield from calendar.walk("VEVENT")


@pytest.mark.requirement("Y12")
def test_a_calendar_for_phones_has_a_year_of_whole_days_and_moves_with_holidays(
    serve: Callable[..., FlaskClient],
) -> None:
    today = utc_now().astimezone(ZONE).date()
    closed = today + timedelta(days=3)
    changes = _zoned()
    changes["calendar"] = replace(changes["calendar"], closed=(closed.isoformat(),))
    events = list(_events(serve(**changes), "zone=North"))
    by_uid = {str(event["UID"]): event for event in events}
    assert len(by_uid) == len(events)
    assert 366 <= len(events) <= 385
    moved = by_uid[f"{closed:%Y%m%d}-refuse-North@test.example"]
    assert moved["DTSTART"].dt == closed + timedelta(days=1)
    assert moved["DTEND"].dt == closed + timedelta(days=2)
    assert str(moved["SUMMARY"]) == "Refuse; weekly, of course"
    assert f"Instead of {closed}: closing day of the city." in str(moved["DESCRIPTION"])
    assert "x" * 200 in str(moved["DESCRIPTION"])
    assert all(event["DTSTAMP"].dt == events[0]["DTSTAMP"].dt for event in events)
    assert {event["DTSTART"].dt for event in events}.isdisjoint({closed})


@pytest.mark.requirement("Y12")
def test_a_calendar_of_several_zones_names_the_zones(serve: Callable[..., FlaskClient]) -> None:
    client = serve(**_zoned())
    names = {str(event["SUMMARY"]) for event in _events(client, "")}
    assert names == {"Refuse; weekly, of course (North)", "Paper"}
    assert client.get(f"{V1}/calendar.ics?zone=South").status_code == 404


@pytest.mark.requirement("Y13")
def test_311_today_has_39_days_around_the_present_one(serve: Callable[..., FlaskClient]) -> None:
    client = serve(**_zoned())
    answer = client.get(f"{V1}/311TodayContent.rss")
    assert answer.content_type == "application/rss+xml; charset=utf-8"
    feed = feedparser.parse(answer.data)
    assert (feed.bozo, feed.version) == (0, "rss20")
    today = utc_now().astimezone(ZONE).date()
    root = etree.fromstring(answer.data)
    days = [one.text for one in root.iter("{http://purl.org/dc/elements/1.1/}coverage")]
    assert days == [(today + timedelta(days=number)).isoformat() for number in range(-7, 32)]
    assert [entry.id for entry in feed.entries] == [day.replace("-", "") for day in days if day]
    shown = feed.entries[7]
    assert "<p>Open.</p>" in shown.content[0].value
    assert "Refuse; weekly, of course (North): x" in shown.content[0].value
    assert f"{today:%A}" in shown.title
    midnight = datetime.combine(today, datetime.min.time(), ZONE)
    assert parsedate_to_datetime(root.findtext(".//pubDate")) == midnight


def test_a_city_without_articles_and_days_has_empty_lists(serve: Callable[..., FlaskClient]) -> None:
    client = serve()
    for path, kind in (("services/all", "services"), ("facilities/web", "facilities"), ("zones", "zones")):
        assert rows(client, path, kind) == []
    assert list(_events(client, "")) == []
    assert len(feedparser.parse(client.get(f"{V1}/311TodayContent.rss").data).entries) == 39


def test_discovery_names_the_endpoint_after_that_of_georeport(client: FlaskClient) -> None:
    found = client.get("/open311/discovery.json").get_json()["endpoints"]
    assert [one["specification"] for one in found] == [
        "http://wiki.open311.org/GeoReport_v2",
        "http://wiki.open311.org/Inquiry_v1",
    ]
    assert found[1]["url"] == f"http://localhost{V1}"
    assert found[1]["formats"] == found[0]["formats"]


def test_discovery_names_no_inquiry_where_there_is_nothing_to_ask(serve: Callable[..., FlaskClient]) -> None:
    assert len(serve().get("/open311/discovery.json").get_json()["endpoints"]) == 1
    assert len(serve(article()).get("/open311/discovery.json").get_json()["endpoints"]) == 2


def test_an_action_that_leads_to_a_form_is_a_service_request(serve: Callable[..., FlaskClient]) -> None:
    action = Action(label="Report", type=ActionType.SERVICE_REQUEST, service_code="potholes")
    (one,) = rows(serve(article(actions=(action,))), "services/bins", "services")
    assert one["web_actions"] == [
        {
            "type": "Service Request",
            "label": "Report",
            "url": "http://localhost/c/test.example/report?service_code=potholes",
        }
    ]
