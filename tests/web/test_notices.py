"""Notices of a city: the staff API, the public list, CAP alerts, and what a POST tells."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from lxml import etree
from shapely import Point, box
from sqlalchemy import Engine, event, text

from open311.clock import utc_now
from open311.domain.access import SHELL, Role
from open311.operations.access.api_keys import add_key
from open311.operations.access.staff import add_account
from open311.operations.notices.current import MOST_AGE, current_notices
from open311.settings import Settings
from tests import build
from tests.checked_client import platform_of

SCHEMA = etree.RelaxNG(file=str(Path(__file__).parents[2] / "spec/schemas/cap-1.2.rng"))
CAP = {"c": "urn:oasis:names:tc:emergency:cap:1.2", "a": "http://www.w3.org/2005/Atom"}
FORM = {"service_code": "potholes", "lat": "60.1718", "long": "24.9414"}
NORTH = box(24.9, 60.2, 25.0, 60.3)
HARBOUR = box(24.9, 60.1, 25.0, 60.2)
SQUARE = {
    "type": "Polygon",
    "coordinates": [[[24.9, 60.1], [25.0, 60.1], [25.0, 60.2], [24.9, 60.2], [24.9, 60.1]]],
}
HOSTILE = '<script>alert("x")</script> & ]]> \u202e'


def later(**span: float) -> str:
    return (utc_now() + timedelta(**span)).strftime("%Y-%m-%dT%H:%M:%SZ")


def body(**changes: Any) -> dict[str, Any]:
    texts = [
        {"language": "en", "headline": "Water is off", "description": "A pipe has burst."},
        {"language": "es", "headline": "No hay agua"},
    ]
    return {"texts": texts, "end_datetime": later(days=2), "category": "Infra", "severity": "Minor"} | changes


class Desk:
    """A server with one city, and the calls of an account and of the public."""

    def __init__(self, app: Flask, role: Role = Role.DISPATCHER) -> None:
        self.platform, self.client = platform_of(app), app.test_client()
        (self.city,) = self.platform.registry
        made = add_account(
            self.platform, name="ada", role=role, jurisdiction_id=self.city.id, principal=SHELL, now=utc_now()
        )
        self.headers = {"Authorization": f"Bearer {made.secret}"}

    def get(self, path: str = "") -> Any:
        return self.client.get(f"/staff/v1/notices{path}", headers=self.headers)

    def post(self, path: str, sent: Any, **headers: str) -> Any:
        return self.client.post(f"/staff/v1/notices{path}", json=sent, headers=self.headers | headers)

    def add(self, **changes: Any) -> Any:
        answer = self.post("", body(**changes))
        assert answer.status_code == 200, answer.text
        return answer.json

    def refused(self, **changes: Any) -> dict[str, str]:
        answer = self.post("", body(**changes))
        assert answer.status_code == 400, answer.text
        return {one["field"]: one["message"] for one in answer.json["errors"]}

    def public(self, query: str = "", **headers: str) -> Any:
        return self.client.get(f"/open311/v2/notices.json{query}", headers=headers)

    def alert(self, number: str) -> etree._Element:
        answer = self.client.get(f"/open311/v2/notices/{number}.cap")
        assert answer.status_code == 200, answer.text
        assert answer.content_type == "application/cap+xml; charset=utf-8"
        return etree.fromstring(answer.data)

    def report(self, **more: str) -> Any:
        _, key = add_key(self.platform, label="app", now=utc_now())
        return self.client.post("/open311/v2/requests.json", data=FORM | {"api_key": key} | more)

    def notice_of_report(self, **more: str) -> str:
        return str(self.report(**more).json[0]["service_notice"])

    def shift(self, **columns: timedelta) -> None:
        """Move the times of all notices."""
        moves = ", ".join(f"{name} = {name} + :{name}" for name in columns)
        with self.platform.database.transaction() as connection:
            connection.execute(text(f"UPDATE city_notice SET {moves}"), columns)
        self.platform.process.notices.forget()


@pytest.fixture
def desk(make_app: Callable[..., Flask]) -> Desk:
    return Desk(make_app(build.city(areas={"North": NORTH, "Harbour": HARBOUR}, languages=("en", "es"))))


def test_a_notice_is_added_shown_changed_and_ended(desk: Desk) -> None:
    added = desk.add(area="Harbour")
    (shown,) = desk.public().json
    assert (shown["notice_id"], shown["headline"], shown["area"]) == (added["notice_id"], "Water is off", "Harbour")
    assert "actor" not in shown
    changed = desk.post(f"/{added['notice_id']}/change", {"severity": "Severe"}, **{"If-Match": '"v1"'})
    assert (changed.status_code, changed.headers["ETag"]) == (200, '"v2"')
    assert desk.public().json[0]["severity"] == "Severe"
    again = desk.post(f"/{added['notice_id']}/change", {"severity": "Minor"}, **{"If-Match": '"v1"'})
    assert again.status_code == 409
    ended = desk.post(f"/{added['notice_id']}/end", {"reason": "It runs again."})
    assert ended.json["state"] == "past"
    assert desk.public().json == []
    assert [one["state"] for one in desk.public("?past=true").json] == ["past"]
    assert desk.post(f"/{added['notice_id']}/end", {}).status_code == 409
    assert desk.post(f"/{added['notice_id']}/change", {"severity": "Minor"}).status_code == 409


def test_a_notice_is_read_in_the_language_of_the_reader_text_by_text(desk: Desk) -> None:
    desk.add()
    spanish = desk.public(**{"Accept-Language": "es-MX"})
    (shown,) = spanish.json
    assert (shown["headline"], shown["description"]) == ("No hay agua", "A pipe has burst.")
    assert (shown["language"], shown["languages"]) == ("es", ["en", "es"])
    assert spanish.headers["Content-Language"] == "es"
    assert desk.public("?locale=es").json == spanish.json
    assert desk.public("?locale=de").json[0]["headline"] == "Water is off"


def test_the_list_says_the_same_in_xml(desk: Desk) -> None:
    added = desk.add(polygon=SQUARE, service_codes=["trees", "potholes"])
    (one,) = desk.public().json
    root = etree.fromstring(desk.client.get("/open311/v2/notices.xml").data)
    assert root.tag == "notices"
    assert root.findtext("notice/notice_id") == added["notice_id"]
    assert root.findtext("notice/end_datetime") == one["end_datetime"]
    assert [code.text for code in root.findall("notice/service_codes/service_code")] == ["trees", "potholes"]
    assert root.findtext("notice/boundary", "").startswith("POLYGON ((")
    assert one["boundary"]["type"] == "Polygon"


def test_an_unchanged_list_is_not_sent_again(desk: Desk) -> None:
    desk.add()
    first = desk.public()
    again = desk.public(**{"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    desk.add()
    assert desk.public(**{"If-None-Match": first.headers["ETag"]}).status_code == 200


def test_the_public_reads_a_notice_only_while_it_is_valid(desk: Desk) -> None:
    planned = desk.add(start_datetime=later(days=1))
    assert (planned["state"], desk.public().json, desk.public("?past=true").json) == ("planned", [], [])
    assert desk.client.get(f"/open311/v2/notices/{planned['notice_id']}.cap").status_code == 404
    assert desk.notice_of_report() == "Seen within a day."
    desk.shift(starts_at=timedelta(days=-1))
    assert len(desk.public().json) == 1
    desk.shift(starts_at=timedelta(days=-4), ends_at=timedelta(days=-4))
    assert desk.public().json == []
    assert [one["state"] for one in desk.public("?past=true").json] == ["past"]


def test_past_notices_have_pages(desk: Desk) -> None:
    numbers = [desk.add()["notice_id"] for _ in range(5)]
    seen: list[str] = []
    query = "?past=true&page_size=2"
    while query:
        answer = desk.public(query)
        seen += [one["notice_id"] for one in answer.json]
        link = answer.headers.get("Link", "")
        query = "?" + link.partition("?")[2].partition(">")[0] if link else ""
    assert seen == numbers[::-1]
    assert desk.public("?past=true&cursor=nonsense").status_code == 400
    assert desk.public("?cursor=WzFd").status_code == 400


def test_the_most_severe_notice_is_first(desk: Desk) -> None:
    for severity in ("Minor", "Extreme", "Unknown", "Moderate"):
        desk.add(severity=severity)
    found = [one["severity"] for one in desk.public().json]
    assert found == ["Extreme", "Moderate", "Minor", "Unknown"]


def test_a_list_can_be_limited_to_a_service_or_a_point(desk: Desk) -> None:
    desk.add(service_codes=["trees"], area="Harbour")
    assert len(desk.public("?service_code=trees").json) == 1
    assert desk.public("?service_code=potholes").json == []
    assert len(desk.public("?lat=60.17&long=24.94").json) == 1
    assert desk.public("?lat=60.25&long=24.94").json == []
    assert desk.public("?lat=60.25").status_code == 400


# --- What staff can do wrong


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"area": "Nowhere"}, "area", "is no area of the city; its areas are: North, Harbour"),
        ({"service_codes": ["bridges"]}, "service_codes", "is no service of the city"),
        ({"service_codes": "trees"}, "service_codes", "is no list"),
        ({"end_datetime": "2020-01-01T00:00:00Z"}, "end_datetime", "is not after the beginning"),
        ({"start_datetime": "2020-01-01", "end_datetime": "2020-01-02"}, "end_datetime", "is over already"),
        ({"end_datetime": "2090-01-01T00:00:00Z"}, "end_datetime", "more than 366 days"),
        ({"end_datetime": "soon"}, "end_datetime", "is not a date and time"),
        ({"texts": [{"language": "es", "headline": "Agua"}]}, "texts", "have no text in en, the first language"),
        ({"texts": []}, "texts", "have no text in en"),
        ({"texts": "Water"}, "texts", "is no list of at most 20 texts"),
        ({"texts": [{"headline": "Water"}]}, "texts", "faulty entry, number 1"),
        ({"texts": [{"language": "en", "headline": " "}]}, "texts", "need one line as headline in en"),
        ({"texts": [{"language": "en", "headline": "a\nb"}]}, "texts", "need one line as headline"),
        ({"texts": [{"language": "en", "headline": "x" * 161}]}, "texts", "have 161 characters in en"),
        ({"texts": [{"language": "en", "headline": "a"}] * 2}, "texts", "have en twice"),
        ({"severity": "bad"}, "severity", "is unknown; send one of Extreme"),
        ({"category": "Fun"}, "category", "is unknown; send one of Geo"),
        ({"polygon": {"type": "Point", "coordinates": [1, 2]}}, "polygon", "is no GeoJSON polygon"),
        ({"polygon": {"type": "Polygon", "coordinates": [[[1, 2], [2, 3], [1, 2]]]}}, "polygon", "fewer than 4"),
        (
            {"polygon": {"type": "Polygon", "coordinates": [[[1, 1], [2, 2], [1, 2], [2, 1], [1, 1]]]}},
            "polygon",
            "crosses",
        ),
        (
            {"polygon": {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 1]]]}},
            "polygon",
            "open ring",
        ),
        (
            {"polygon": {"type": "Polygon", "coordinates": [[[1, 95], [2, 95], [2, 96], [1, 95]]]}},
            "polygon",
            "outside the world",
        ),
        ({"polygon": {"type": "Polygon", "coordinates": [[[1, 1]] * 3_000]}}, "polygon", "more than 2000 points"),
        ({"polygon": {"type": "Polygon", "coordinates": [[["a", {}], [], 1, None]]}}, "polygon", "is no GeoJSON"),
        ({"polygon": []}, "polygon", "is no object"),
        ({"polygon": SQUARE, "area": "Harbour"}, "polygon", "together with an area"),
        ({"headline": "Water"}, "headline", "is unknown"),
    ],
)
def test_the_error_for_a_faulty_notice_names_the_field(
    desk: Desk, changes: dict[str, Any], field: str, words: str
) -> None:
    faults = desk.refused(**changes)
    assert words in faults[field]
    assert desk.get().json["notices"] == []


def test_in_a_city_without_areas_the_error_for_an_area_says_so(make_app: Callable[..., Flask]) -> None:
    faults = Desk(make_app(build.city())).refused(area="Nowhere")
    assert faults["area"] == "'Nowhere' is no area of the city, which has no areas; send a polygon instead."


def test_a_language_that_does_not_exist_is_refused(desk: Desk) -> None:
    texts = [{"language": "en", "headline": "Water"}, {"language": "klingon!", "headline": "bIQ"}]
    assert "is no language" in desk.refused(texts=texts)["texts"]
    texts[1]["language"] = "zh_hans"
    assert [one["language"] for one in desk.add(texts=texts)["texts"]] == ["en", "zh-Hans"]


def test_a_polygon_outside_of_the_city_is_refused(make_app: Callable[..., Flask]) -> None:
    desk = Desk(make_app(build.city(boundary=NORTH)))
    assert "outside of the city" in desk.refused(polygon=SQUARE)["polygon"]


def test_a_notice_without_text_and_end_is_refused_for_both(desk: Desk) -> None:
    answer = desk.post("", {})
    assert {one["field"] for one in answer.json["errors"]} == {"texts", "end_datetime"}


def test_only_dispatchers_and_admins_write_notices(make_app: Callable[..., Flask]) -> None:
    agent = Desk(make_app(build.city()), Role.AGENT)
    assert agent.post("", body()).status_code == 403
    assert agent.get().status_code == 403
    assert agent.client.post("/staff/v1/notices", json=body()).status_code == 401


def test_the_beginning_of_a_notice_that_has_begun_stays(desk: Desk) -> None:
    begun, planned = desk.add(), desk.add(start_datetime=later(hours=1))
    refused = desk.post(f"/{begun['notice_id']}/change", {"start_datetime": later(hours=2)})
    assert "has begun" in refused.json["errors"][0]["message"]
    moved = desk.post(f"/{planned['notice_id']}/change", {"start_datetime": later(hours=2)})
    assert moved.status_code == 200, moved.text


def test_an_unknown_notice_is_a_404(desk: Desk) -> None:
    for number in ("7", "x", "9" * 30):
        assert desk.get(f"/{number}").status_code == 404
        assert desk.post(f"/{number}/end", {}).status_code == 404
        assert desk.client.get(f"/open311/v2/notices/{number}.cap").status_code == 404


def test_a_city_has_at_most_fifty_open_notices(desk: Desk) -> None:
    for _ in range(50):
        desk.add()
    refused = desk.post("", body())
    assert refused.status_code == 409
    assert "has 50 open notices" in refused.json["detail"]


def test_the_audit_trail_names_each_act_without_the_text(desk: Desk) -> None:
    number = desk.add()["notice_id"]
    desk.post(f"/{number}/change", {"severity": "Severe"})
    desk.post(f"/{number}/end", {"reason": "It runs again."})
    with desk.platform.database.transaction() as connection:
        rows = connection.execute(text("SELECT act, reason, audit_entry::text FROM audit_entry ORDER BY id")).all()
    acts = [row for row in rows if row[0].startswith("notice.")]
    assert [row[0] for row in acts] == ["notice.add", "notice.change", "notice.end"]
    assert acts[-1][1] == "It runs again."
    assert not any("Water" in row[2] for row in acts)


# --- The answer to a POST


def test_the_answer_to_a_post_has_the_notices_about_its_service_and_place(desk: Desk) -> None:
    desk.add(area="Harbour", service_codes=["potholes"])
    assert desk.notice_of_report() == "Seen within a day. Water is off. A pipe has burst."
    assert desk.notice_of_report(lat="60.25") == "Seen within a day."
    assert "Water" not in desk.notice_of_report(service_code="trees")


def test_the_answer_to_a_post_without_a_point_has_only_notices_about_the_whole_city(desk: Desk) -> None:
    desk.add(polygon=SQUARE)
    sent = {"lat": "", "long": "", "address_string": "5 Mill Lane"}
    assert desk.notice_of_report(**sent) == "Seen within a day."
    desk.add()
    assert "Water is off" in desk.notice_of_report(**sent)


def test_the_answer_to_a_post_has_notices_in_the_callers_language(desk: Desk) -> None:
    desk.add()
    _, key = add_key(desk.platform, label="app", now=utc_now())
    sent = FORM | {"api_key": key}
    answer = desk.client.post("/open311/v2/requests.json", data=sent, headers={"Accept-Language": "es"})
    assert answer.json[0]["service_notice"] == "Seen within a day. No hay agua."
    assert answer.headers["Content-Language"] == "en, es"


def test_current_notices_are_read_again_only_after_a_while(desk: Desk) -> None:
    now = utc_now()
    desk.add()
    reads: list[str] = []

    def note(*given: Any) -> None:
        if "city_notice" in given[2]:
            reads.append(given[2])

    event.listen(Engine, "before_cursor_execute", note)
    try:
        for second in range(3):
            assert len(current_notices(desk.platform, desk.city, now + timedelta(seconds=second))) == 1
        assert len(reads) == 1
        current_notices(desk.platform, desk.city, now + timedelta(seconds=1) + MOST_AGE)
        assert len(reads) == 2
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def test_another_process_sees_a_change_within_seconds(desk: Desk, make_app: Callable[..., Flask]) -> None:
    other = platform_of(make_app(desk.city))
    now = utc_now()
    assert current_notices(other, desk.city, now) == []
    desk.add()
    assert current_notices(other, desk.city, now) == []
    assert len(current_notices(other, desk.city, now + MOST_AGE + timedelta(seconds=1))) == 1


# --- CAP


def test_an_alert_is_valid_cap_and_has_all_languages(desk: Desk) -> None:
    alert = desk.alert(desk.add(area="Harbour", severity="Severe")["notice_id"])
    SCHEMA.assertValid(alert)
    assert [one.text for one in alert.findall("c:info/c:language", CAP)] == ["en", "es"]
    assert [one.text for one in alert.findall("c:info/c:event", CAP)] == [
        "Water, power and networks",
        "Agua, luz y redes",
    ]
    assert alert.findtext("c:msgType", namespaces=CAP) == "Alert"
    assert alert.findtext("c:status", namespaces=CAP) == "Test"
    assert alert.findtext("c:info/c:area/c:areaDesc", namespaces=CAP) == "Harbour"
    assert alert.findtext("c:info/c:area/c:polygon", namespaces=CAP).split()[0] == "60.1,25.0"
    assert alert.findtext("c:sent", namespaces=CAP).endswith("-00:00")


def test_a_change_is_an_update_and_an_end_is_a_cancel_with_references(desk: Desk) -> None:
    number = desk.add()["notice_id"]
    first = desk.alert(number)
    desk.post(f"/{number}/change", {"severity": "Severe"})
    second = desk.alert(number)
    SCHEMA.assertValid(second)
    named = [first.findtext(f"c:{name}", namespaces=CAP) for name in ("sender", "identifier", "sent")]
    assert second.findtext("c:msgType", namespaces=CAP) == "Update"
    assert second.findtext("c:references", namespaces=CAP) == ",".join(named)
    desk.post(f"/{number}/end", {})
    third = desk.alert(number)
    SCHEMA.assertValid(third)
    assert third.findtext("c:msgType", namespaces=CAP) == "Cancel"
    assert len(third.findtext("c:references", namespaces=CAP).split()) == 2
    identifiers = {one.findtext("c:identifier", namespaces=CAP) for one in (first, second, third)}
    assert len(identifiers) == 3


def test_a_change_before_the_beginning_is_no_update(desk: Desk) -> None:
    number = desk.add(start_datetime=later(hours=1))["notice_id"]
    desk.post(f"/{number}/change", {"severity": "Severe"})
    desk.shift(starts_at=timedelta(hours=-1))
    alert = desk.alert(number)
    assert alert.findtext("c:msgType", namespaces=CAP) == "Alert"
    SCHEMA.assertValid(alert)


def test_a_notice_that_ends_before_it_begins_was_never_public(desk: Desk) -> None:
    number = desk.add(start_datetime=later(hours=1))["notice_id"]
    desk.post(f"/{number}/end", {})
    desk.shift(starts_at=timedelta(hours=-1), ended_at=timedelta(hours=-1))
    desk.shift(starts_at=timedelta(minutes=1))
    assert desk.client.get(f"/open311/v2/notices/{number}.cap").status_code == 404
    assert desk.public("?past=true").json == []


def test_the_index_leads_to_each_alert_and_keeps_a_cancel_until_the_end(desk: Desk) -> None:
    number = desk.add()["notice_id"]
    desk.add(start_datetime=later(hours=1))
    desk.post(f"/{number}/end", {})
    answer = desk.client.get("/open311/v2/notices.atom")
    assert answer.content_type == "application/atom+xml; charset=utf-8"
    feed = etree.fromstring(answer.data)
    (entry,) = feed.findall("a:entry", CAP)
    assert entry.findtext("c:msgType", namespaces=CAP) == "Cancel"
    assert entry.findtext("c:severity", namespaces=CAP) == "Minor"
    (link,) = [one for one in entry.findall("a:link", CAP) if one.get("type") == "application/cap+xml"]
    assert desk.client.get(link.get("href").partition("localhost")[2]).status_code == 200
    again = desk.client.get("/open311/v2/notices.atom", headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304
    desk.shift(ends_at=timedelta(days=-3), starts_at=timedelta(days=-3), ended_at=timedelta(days=-3))
    assert not etree.fromstring(desk.client.get("/open311/v2/notices.atom").data).findall("a:entry", CAP)


def test_hostile_text_breaks_no_document(desk: Desk) -> None:
    texts = [{"language": "en", "headline": HOSTILE, "description": f"{HOSTILE}\x0b\n{HOSTILE}"}]
    number = desk.add(texts=texts)["notice_id"]
    SCHEMA.assertValid(desk.alert(number))
    assert desk.alert(number).findtext("c:info/c:headline", namespaces=CAP) == HOSTILE
    feed = etree.fromstring(desk.client.get("/open311/v2/notices.atom").data)
    assert feed.findtext("a:entry/a:title", namespaces=CAP) == HOSTILE
    root = etree.fromstring(desk.client.get("/open311/v2/notices.xml").data)
    assert root.findtext("notice/headline") == HOSTILE
    assert HOSTILE in desk.notice_of_report()


def test_an_alert_about_the_whole_city_has_a_simple_boundary(make_app: Callable[..., Flask]) -> None:
    round_city = Point(24.95, 60.2).buffer(0.1, quad_segs=2_000)
    desk = Desk(make_app(build.city(boundary=round_city)))
    alert = desk.alert(desk.add()["notice_id"])
    SCHEMA.assertValid(alert)
    assert 4 <= len(alert.findtext("c:info/c:area/c:polygon", namespaces=CAP).split()) < 200


def test_with_a_dead_database_lists_get_503_and_pages_are_shown(
    make_app: Callable[..., Flask], settings: Settings
) -> None:
    app = make_app(build.city(), database_url="postgresql://nobody@127.0.0.1:1/none")
    client = app.test_client()
    assert client.get("/open311/v2/notices.json").status_code == 503
    assert client.get("/open311/v2/notices.atom").status_code == 503
    assert client.get("/c/test.example/").status_code == 200
