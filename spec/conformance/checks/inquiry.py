"""Inquiry, an extension: Y1 to Y14."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta
from itertools import pairwise
from typing import Any
from urllib.parse import urlencode

from spec.conformance.answers import UNKNOWN, Answer, Call, Record, UnmetNeedError, text_of
from spec.conformance.offers import NO_WORD, records_in
from spec.conformance.probe import Probe, moment_of, require, segment
from spec.conformance.registry import check

_KINDS = {"services": "services", "facilities": "facilities", "web_faqs": "faqs"}
"""The paths of the three lists, and their roots in XML."""
_LISTED = {
    "services": ("id", "service_name", "expiration", "brief_description"),
    "facilities": ("id", "facility_name", "expiration", "type", "brief_description"),
    "web_faqs": ("id", "question", "expiration"),
}
_DETAILS = {
    "services": ("categories", "url", "description", "description_html", "web_actions"),
    "facilities": (
        *("description", "features", "address", "additional_address_information", "borough", "city", "state"),
        *("zipcode", "displayed_hours", "lat", "long", "eligibility_information"),
    ),
    "web_faqs": ("url", "answer", "answer_html", "categories", "services"),
}
_UNSAFE = re.compile(r"<\s*(script|img|iframe|style)\b|\son\w+\s*=|javascript:", re.IGNORECASE)
_COVERAGE, _ENCODED = "coverage", "encoded"
"""Elements of RSS without their namespaces, which the reader of bodies removes."""
_FEED_DAYS, _LONGEST, _USUAL, _KEPT_S, _OCTETS = 39, 90, 14, 300, 75

Pair = tuple[str, str]


def _get(probe: Probe, path: str, *params: Pair, **headers: str) -> Answer:
    jurisdiction = probe.target.jurisdiction_id
    pairs = [*([("jurisdiction_id", jurisdiction)] if jurisdiction else []), *params]
    query = f"?{urlencode(pairs)}" if pairs else ""
    sent = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return probe.client.get(Call("GET", f"{require(probe.prepared.inquiry_url)}/{path}{query}", sent))


def _rows(probe: Probe, path: str, *params: Pair) -> tuple[Answer, list[Record]]:
    answer = _get(probe, f"{path}.json", *params).must_be(200)
    return answer, records_in(answer)


def _ids(records: list[Record]) -> list[str]:
    return [text_of(one, "id") for one in records]


def _first(probe: Probe, kind: str) -> Record:
    """The first item of a list. Raises UnmetNeedError if the list is empty."""
    _, found = _rows(probe, f"{kind}/all")
    if not found:
        raise UnmetNeedError(f"{kind} has no item")
    return found[0]


@check("Y1", needs="inquiry_url")
def lists_in_both_formats(probe: Probe) -> None:
    for kind, root in _KINDS.items():
        answer, found = _rows(probe, f"{kind}/all")
        ids = _ids(found)
        answer.must(len(set(ids)) == len(ids), "each id once", ids)
        for one in found:
            answer.must(set(_LISTED[kind]) <= set(one), ", ".join(_LISTED[kind]), sorted(one))
        xml = _get(probe, f"{kind}/all.xml").must_be(200)
        document = xml.must_be_xml()
        xml.must(document.tag == root, f"the root {root}", f"<{document.tag}>")
        same = [child.findtext("id") for child in document]
        xml.must(same == ids, f"the ids {ids}", same)


@check("Y2", needs="inquiry_url")
def single_items(probe: Probe) -> None:
    known = 0
    for kind in _KINDS:
        _, items = _rows(probe, f"{kind}/all")
        for listed in items[:1]:
            known += 1
            path = f"{kind}/{segment(text_of(listed, 'id'))}"
            answer, found = _rows(probe, path)
            answer.must(len(found) == 1, "a list of one item", len(found))
            names = {*_LISTED[kind], *_DETAILS[kind]}
            answer.must(names <= set(found[0]), ", ".join(sorted(names)), sorted(found[0]))
            xml = _get(probe, f"{path}.xml").must_be(200)
            elements = list(xml.must_be_xml())
            xml.must(len(elements) == 1, "one item", len(elements))
            item = elements[0]
            xml.must(names <= {child.tag for child in item}, ", ".join(sorted(names)))
            for action in item.iter("web_action"):
                xml.must(action.get("type"), "web_action with the attribute type", dict(action.attrib))
            for list_name, name in (("categories", "category_name"), ("features", "feature_name")):
                expected = [text_of(one, name) for one in _objects(found[0], list_name)]
                received = [child.text for child in item.findall(f"{list_name}/{name}")]
                xml.must(received == expected, f"{name} elements {expected}", received)
    if not known:
        raise UnmetNeedError("no list has an item")


def _objects(record: Record, name: str) -> list[dict[str, Any]]:
    found = record.get(name)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


@check("Y3", needs="inquiry_url")
def topics(probe: Probe) -> None:
    first = _first(probe, "services")
    _, every = _rows(probe, "services/all")
    _, [whole] = _rows(probe, f"services/{segment(text_of(first, 'id'))}")
    for topic in _objects(whole, "categories"):
        name = text_of(topic, "category_name")
        for spelling in (name, name.upper()):
            answer, found = _rows(probe, f"services/{segment(spelling)}")
            answer.must(text_of(first, "id") in _ids(found), f"the service {text_of(first, 'id')}", _ids(found))
            answer.must(set(_ids(found)) <= set(_ids(every)), "services of the whole list", _ids(found))
    answer, web = _rows(probe, "web_faqs/web")
    other, same = _rows(probe, "faqs/web")
    other.must(same == web, f"the same as {answer.call.url}", _ids(same))
    _get(probe, f"services/{UNKNOWN}.json").must_be(404)
    _get(probe, f"facilities/{UNKNOWN}.xml").must_be(404)


@check("Y4", needs="inquiry_url")
def expiry(probe: Probe) -> None:
    for kind in _KINDS:
        answer, found = _rows(probe, f"{kind}/all")
        for one in found:
            moment = moment_of(text_of(one, "expiration"))
            if moment is not None:  # C291 judges the form
                answer.must(moment > probe.now, "an expiration in the future", text_of(one, "expiration"))


@check("Y5", needs="inquiry_url")
def languages(probe: Probe) -> None:
    answer = _get(probe, "services/all.json").must_be(200)
    answer.must(answer.headers.get("content-language"), "Content-Language", "none")
    varies = answer.headers.get("vary", "").lower()
    answer.must("accept-language" in varies, "Vary: Accept-Language", varies or "none")


@check("Y6", needs="inquiry_url")
def search(probe: Probe) -> None:
    first = _first(probe, "services")
    name, id = text_of(first, "service_name"), text_of(first, "id")
    answer, found = _rows(probe, "search", ("q", name.upper()))
    is_found = any(text_of(one, "id") == id and text_of(one, "type") == "service" for one in found)
    answer.must(is_found, f"the service {id}", _ids(found))
    nothing, rest = _rows(probe, "search", ("q", NO_WORD))
    nothing.must(not rest, "no result", _ids(rest))
    one, several = _rows(probe, "search", ("q", name), ("page_size", "1"))
    one.must(len(several) <= 1, "one result", _ids(several))
    _get(probe, "search.json").must_be(400).must_say("q")


_KEPT = ("services/all.json", "facilities/all.xml", "web_faqs/all.json", "zones.json", "calendar.json")
_KEPT_FILES = ("calendar.ics", "311TodayContent.rss")


@check("Y7", needs="inquiry_url")
def caching(probe: Probe) -> None:
    for path in (*_KEPT, *_KEPT_FILES):
        answer = _get(probe, path).must_be(200)
        kept = re.search(r"max-age=(\d+)", answer.headers.get("cache-control", ""))
        answer.must(
            kept and int(kept[1]) <= _KEPT_S, f"max-age of at most {_KEPT_S}", answer.headers.get("cache-control")
        )
        tag = answer.headers.get("etag", "")
        answer.must(tag, "ETag", "none")
        _get(probe, path, If_None_Match=tag).must_be(304)
    told = _get(probe, "services/all.json", (UNKNOWN, "1")).must_be(200)
    told.must(
        UNKNOWN in told.headers.get("warning", ""), f"a Warning that names {UNKNOWN}", told.headers.get("warning")
    )


@check("Y8", needs="inquiry_url")
def harmless_html(probe: Probe) -> None:
    for kind, field in (("services", "description_html"), ("web_faqs", "answer_html")):
        _, items = _rows(probe, f"{kind}/all")
        for one in items[:5]:
            answer, [whole] = _rows(probe, f"{kind}/{segment(text_of(one, 'id'))}")
            unsafe = _UNSAFE.search(text_of(whole, field))
            answer.must(unsafe is None, "HTML without scripts and pictures", unsafe and unsafe[0])


# --- Days


def _days(probe: Probe, *params: Pair) -> tuple[Answer, list[Record]]:
    return _rows(probe, "calendar", *params)


def _long(probe: Probe) -> tuple[Pair, Pair]:
    """The parameters of the longest calendar that is allowed."""
    first = probe.now.date()
    return ("fromdate", first.isoformat()), ("todate", (first + timedelta(days=_LONGEST - 1)).isoformat())


def _events(days: list[Record]) -> Iterator[tuple[str, dict[str, Any]]]:
    for day in days:
        for item in _objects(day, "items"):
            yield text_of(day, "date"), item


@check("Y9", needs="inquiry_url")
def moved_collections(probe: Probe) -> None:
    """A collection that is moved away from a day comes on another day, and both days say so."""
    answer, found = _days(probe, *_long(probe))
    known = {text_of(day, "date") for day in found}
    collected = {
        (day, text_of(item, "code"), text_of(item, "zone"), text_of(item, "usual_date"))
        for day, item in _events(found)
        if text_of(item, "status") == "collected"
    }
    for day, item in _events(found):
        if text_of(item, "status") == "moved" and text_of(item, "actual_date") in known:
            wanted = (text_of(item, "actual_date"), text_of(item, "code"), text_of(item, "zone"), day)
            answer.must(wanted in collected, f"a collection on {wanted[0]} instead of {day}", item)
        if text_of(item, "status") == "collected":
            is_right = text_of(item, "actual_date") == day
            answer.must(is_right, f"the actual_date {day}", text_of(item, "actual_date"))


@check("Y10", needs="inquiry_url")
def zones(probe: Probe) -> None:
    _, found = _rows(probe, "zones")
    for name in [text_of(one, "name") for one in found][:2]:
        of_zone, days = _days(probe, ("zone", name))
        others = {text_of(item, "zone") for _, item in _events(days)} - {"", name}
        of_zone.must(not others, f"collections of {name} only", others)
    _get(probe, "calendar.json", ("zone", UNKNOWN)).must_be(404).must_say("zone")
    _get(probe, "calendar.json", ("lat", "1")).must_be(400)


@check("Y11", needs="inquiry_url")
def spans(probe: Probe) -> None:
    answer, found = _days(probe)
    answer.must(len(found) == _USUAL, f"{_USUAL} days", len(found))
    _are_in_order(answer, [text_of(day, "date") for day in found])
    (_, first), (_, last) = _long(probe)
    longest, days = _days(probe, ("fromdate", first), ("todate", last))
    longest.must(len(days) == _LONGEST, f"{_LONGEST} days", len(days))
    late = (date.fromisoformat(last) + timedelta(days=1)).isoformat()
    _get(probe, "calendar.json", ("fromdate", first), ("todate", late)).must_be(400).must_say("todate")
    _get(probe, "calendar.json", ("fromdate", "2026-02-30")).must_be(400).must_say("fromdate")


def _are_in_order(answer: Answer, days: list[str]) -> None:
    try:
        known = [date.fromisoformat(day) for day in days]
    except ValueError:
        answer.fail("dates such as 2026-12-24", ", ".join(days))
    steps = {(later - earlier).days for earlier, later in pairwise(known)}
    answer.must(steps <= {1}, "one day after the other", days)


@check("Y12", needs="inquiry_url")
def calendar_file(probe: Probe) -> None:
    answer = _get(probe, "calendar.ics").must_be(200)
    answer.must("text/calendar" in answer.content_type, "text/calendar", answer.content_type)
    body = answer.body
    answer.must(body.startswith(b"BEGIN:VCALENDAR\r\n"), "BEGIN:VCALENDAR and CRLF", body[:30])
    answer.must(b"\n" not in body.replace(b"\r\n", b""), "CRLF at the end of each line")
    longest = max(map(len, body.split(b"\r\n")))
    answer.must(longest <= _OCTETS, f"lines of at most {_OCTETS} octets", longest)
    unfolded = body.replace(b"\r\n ", b"").decode()
    ids = re.findall(r"^UID:(.+)\r$", unfolded, re.MULTILINE)
    answer.must(len(ids) == unfolded.count("BEGIN:VEVENT"), "a UID in each event", len(ids))
    answer.must(len(set(ids)) == len(ids), "each UID once")


@check("Y13", needs="inquiry_url")
def today(probe: Probe) -> None:
    answer = _get(probe, "311TodayContent.rss").must_be(200)
    answer.must("application/rss+xml" in answer.content_type, "application/rss+xml", answer.content_type)
    items = answer.must_be_xml().findall("channel/item")
    answer.must(len(items) == _FEED_DAYS, f"{_FEED_DAYS} items", len(items))
    _are_in_order(answer, [item.findtext(_COVERAGE) or "" for item in items])
    for item in items:
        complete = all(item.find(name) is not None for name in ("title", "pubDate", "guid", _ENCODED))
        answer.must(complete, "title, pubDate, guid and content:encoded in each item")


@check("Y14", needs="inquiry_url")
def named_by_discovery(probe: Probe) -> None:
    answer = probe.discovery("xml").must_be(200)
    found = [
        (one.findtext("specification") or "", one.findtext("url") or "")
        for one in answer.must_be_xml().findall("endpoints/endpoint")
    ]
    urls = [url.rstrip("/") for specification, url in found if "inquiry_v1" in specification.lower()]
    answer.must(urls, "an endpoint with the specification Inquiry_v1", [name for name, _ in found])
    answer.must("inquiry" not in found[0][0].lower(), "the endpoint of GeoReport first", found[0][0])
