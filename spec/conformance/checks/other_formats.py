"""Requests in other formats and the terms of use, extensions: F1 to F9, T1 and T2."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Mapping
from io import StringIO
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote

from spec.conformance.answers import Answer, Call, Record, UnmetNeedError, ids_of, text_of
from spec.conformance.offers import offered, rows
from spec.conformance.probe import Probe, created, moment_of
from spec.conformance.registry import check
from spec.documents import NAMESPACE
from spec.shapes import REQUEST

_PAGE = ("page_size", "50")
_ATOM = "{http://www.w3.org/2005/Atom}feed"
_MARKS: Mapping[str, bytes] = MappingProxyType(
    {"geojson": b"FeatureCollection", "csv": b"service_request_id", "ndjson": b'{"', "atom": b"<feed"}
)
"""For each format, a text that its first bytes contain."""
_FORMULAS = ("=1+1", "'=1+1", "@cmd", "+1", "-1")

Pair = tuple[str, str]


def _get(probe: Probe, format: str, *params: Pair, fresh: bool = False) -> Answer:
    """A list in this format. Raises UnmetNeedError if the server does not offer the format."""
    answer = probe.get(f"requests.{format}", params or (_PAGE,), fresh=fresh)
    offered(probe, format, lambda: answer.succeeded and _MARKS[format] in answer.body[:300])
    return answer.must_be(200)


def _each(probe: Probe) -> Iterator[tuple[str, Answer]]:
    """The formats that the server offers, with a list in each. Raises UnmetNeedError if it offers none."""
    reasons = []
    for format in _MARKS:
        try:
            answer = _get(probe, format)
        except UnmetNeedError as error:
            reasons.append(str(error))
            continue
        yield format, answer
    if len(reasons) == len(_MARKS):
        raise UnmetNeedError(reasons[0])


# --- Reading


def _features(answer: Answer) -> list[Record]:
    data = answer.must_be_json()
    features = data.get("features") if isinstance(data, dict) else None
    is_valid = isinstance(features, list) and all(isinstance(item, dict) for item in features)
    answer.must(is_valid and data["type"] == "FeatureCollection", "a FeatureCollection")
    return list(features or ())


def _table(answer: Answer) -> list[dict[str, str]]:
    """The rows of a CSV. Raises DeviationError if the body is not CSV."""
    try:
        table = list(csv.DictReader(StringIO(answer.body.decode("utf-8"), newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        answer.fail("CSV in UTF-8", f"{answer.content_type}, {error}")
    uneven = [row for row in table if None in row or None in row.values()]
    answer.must(not uneven, "the same number of cells in every row as in the header", uneven[:1])
    return table


def _lines(answer: Answer) -> list[Record]:
    """The items of NDJSON. Raises DeviationError if the body is not NDJSON."""
    *lines, end = answer.body.split(b"\n")
    answer.must(not end and b"\r" not in answer.body, "lines that end with LF and no CR", end or "CR")
    try:
        items = [json.loads(line) for line in lines]
    except ValueError as error:
        answer.fail("JSON in every line", str(error))
    answer.must(all(isinstance(item, dict) for item in items), "an object in every line")
    return items


def _entries(answer: Answer) -> list[Any]:
    """The entries of an Atom feed. Raises DeviationError if the body is not an Atom feed."""
    root = answer.must_be_xml()
    answer.must(answer.document().foreign == _ATOM, "a feed in the namespace of Atom", f"<{root.tag}>")
    return list(root.iter("entry"))


def _ids(format: str, answer: Answer) -> list[str]:
    """The request ids in an answer of this format, in order."""
    if format == "geojson":
        return [text_of(feature, "id") for feature in _features(answer)]
    if format == "csv":
        return [row.get("service_request_id", "") for row in _table(answer)]
    if format == "ndjson":
        return ids_of(_lines(answer))
    return [entry.findtext(".//service_request_id") or "" for entry in _entries(answer)]


# --- Formats


@check("F1")
def same_rows(probe: Probe) -> None:
    for format, answer in _each(probe):
        expected = ids_of(rows(probe, _PAGE)[1])
        received = _ids(format, answer)
        answer.must(received == expected, f"the rows of requests.json, {', '.join(expected[:5])}…", received)
        filtered = _get(probe, format, ("status", "closed"), _PAGE)
        closed = ids_of(rows(probe, ("status", "closed"), _PAGE)[1])
        filtered.must(_ids(format, filtered) == closed, f"the closed requests, {', '.join(closed[:5])}…")
    probe.get("requests.no-such-format").must_be(404)


@check("F2")
def geojson(probe: Probe) -> None:
    answer = _get(probe, "geojson")
    answer.must("application/geo+json" in answer.content_type, "application/geo+json", answer.content_type)
    for feature, item in zip(_features(answer), rows(probe, _PAGE)[1], strict=False):
        answer.must(feature.get("properties") == item, f"properties as in requests.json, {item}", feature)
        corner = [item.get("long"), item.get("lat")]
        point = None if item.get("lat") is None else {"type": "Point", "coordinates": corner}
        answer.must(feature.get("geometry") == point, f"the geometry {point}", feature.get("geometry"))
        is_named = feature.get("id") == item.get("service_request_id") and feature.get("type") == "Feature"
        answer.must(is_named, "a Feature with the service_request_id as id", feature.get("id"))


@check("F3")
def csv_form(probe: Probe) -> None:
    answer = _get(probe, "csv")
    media_type = answer.content_type.replace(" ", "").lower()
    expected = "text/csv; charset=utf-8; header=present"
    answer.must(media_type == expected.replace(" ", ""), expected, answer.content_type)
    marked = _get(probe, "csv", ("bom", "true"), _PAGE)
    marked.must(marked.body == b"\xef\xbb\xbf" + answer.body, "a byte order mark before the same file")
    header = answer.body.partition(b"\r\n")[0].decode("utf-8", "replace")
    answer.must(header == ",".join(REQUEST.members), ",".join(REQUEST.members), header)
    for row, item in zip(_table(answer), rows(probe, _PAGE)[1], strict=False):
        for name, cell in row.items():
            answer.must(_has_value(cell, item.get(name)), f"{name} {item.get(name)!r}", repr(cell))
    wide = _get(probe, "csv", ("extensions", "true"), ("page_size", "1"))
    columns = wide.text.partition("\r\n")[0].split(",")
    answer.must("extended_attributes.channel" in columns, "columns of extensions", ", ".join(columns))


def _has_value(cell: str, value: object) -> bool:
    """Whether a cell has a value of the JSON. A text may have an apostrophe in front; F4 checks when."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return bool(re.fullmatch(r"-?\d+(\.\d+)?", cell)) and float(cell) == value
    text = "" if value is None else str(value)
    return cell in (text, f"'{text}")


@check("F4", needs="plain_service point", writes=True)
def formulas(probe: Probe) -> None:
    _get(probe, "csv")
    for text in _FORMULAS:
        request_id = text_of(created(probe.post(probe.form(description=text))), "service_request_id")
        answer = _get(probe, "csv", ("service_request_id", request_id), fresh=True)
        cells = [row["description"] for row in _table(answer)]
        answer.must(cells == [f"'{text}"], f"'{text}", cells)
        places = [row["long"] for row in _table(answer)]
        answer.must(not any(cell.startswith("'") for cell in places), "numbers without apostrophes", places)


@check("F5")
def atom(probe: Probe) -> None:
    answer = _get(probe, "atom")
    answer.must("application/atom+xml" in answer.content_type, "application/atom+xml", answer.content_type)
    answer.must(NAMESPACE.encode() in answer.body, f"requests in the namespace {NAMESPACE}")
    root = answer.must_be_xml()
    for name in ("id", "title", "updated", "author/name"):
        answer.must(root.findtext(name), f"{name} of the feed", "none")
    for entry, item in zip(_entries(answer), rows(probe, _PAGE)[1], strict=False):
        _is_entry(answer, entry, item)


def _is_entry(answer: Answer, entry: Any, item: Record) -> None:
    for name, field in (("updated", "updated_datetime"), ("published", "requested_datetime")):
        received = entry.findtext(name) or ""
        answer.must(
            moment_of(received) == moment_of(text_of(item, field)), f"{name} {text_of(item, field)}", received
        )
    answer.must((entry.findtext("id") or "").startswith("tag:"), "a tag: URI as id", entry.findtext("id"))
    terms = {category.get("term") for category in entry.iter("category")}
    words = {text_of(item, "service_code"), text_of(item, "status")}
    answer.must(words <= terms, "service code and status as categories", terms)
    point = [float(each) for each in (entry.findtext("point") or "").split()]
    place = [] if item.get("lat") is None else [item.get("lat"), item.get("long")]
    answer.must(point == place, f"the point {place}, latitude first", point)
    files = [link.get("href") for link in entry.iter("link") if link.get("rel") == "enclosure"]
    media = [item.get("media_url")] if item.get("media_url") else []
    answer.must(files == media, f"the enclosure {media}", files)
    request = entry.find(".//request")
    request_id = text_of(item, "service_request_id")
    same = request is not None and request.findtext("service_request_id") == request_id
    answer.must(same, f"the request {request_id} within the entry", "none")


@check("F6")
def one_feed(probe: Probe) -> None:
    first = _get(probe, "atom", ("page_size", "1"))
    if len(rows(probe, _PAGE)[1]) < 2:
        raise UnmetNeedError("fewer than two requests are listed")
    url = _relation(first, "next")
    first.must(url, "a link to the next page", "none")
    second = probe.client.get(Call("GET", url)).must_be(200)
    ids = [page.must_be_xml().findtext("id") for page in (first, second)]
    second.must(ids[0] == ids[1], f"the id {ids[0]} on every page", ids[1])
    entries = [_ids("atom", page) for page in (first, second)]
    second.must(entries[1] and entries[0] != entries[1], "the next entry", entries[1])
    second.must(_relation(second, "first"), "a link to the first page", "none")
    other = _get(probe, "atom", ("status", "closed"), ("page_size", "1"))
    received = other.must_be_xml().findtext("id")
    other.must(received != ids[0], "another id for another list", received)


def _relation(answer: Answer, relation: str) -> str:
    """The address of the feed's link with this relation; "" if there is none."""
    addresses = (link.get("href") for link in answer.must_be_xml().findall("link") if link.get("rel") == relation)
    return next(addresses, None) or ""


@check("F7")
def ndjson(probe: Probe) -> None:
    answer = _get(probe, "ndjson")
    answer.must("application/x-ndjson" in answer.content_type, "application/x-ndjson", answer.content_type)
    for received, item in zip(_lines(answer), rows(probe, _PAGE)[1], strict=False):
        answer.must(received == item, f"{item} as in requests.json", received)


@check("F8")
def etags(probe: Probe) -> None:
    for format, answer in _each(probe):
        tag = answer.headers.get("etag", "none")
        is_weak = format in ("atom", "geojson")
        answer.must(tag.startswith("W/") == is_weak, f"{'a weak' if is_weak else 'a strong'} ETag", tag)
        same = probe.client.get(Call("GET", answer.call.url, (("If-None-Match", tag),)))
        same.must_be(304)
        other = _get(probe, format, ("status", "closed"), _PAGE)
        differs = other.body == answer.body or other.headers.get("etag") != tag
        other.must(differs, "another ETag for another body", tag)


@check("F9")
def part_of_a_list(probe: Probe) -> None:
    answer = _get(probe, "geojson", ("page_size", "1"), ("count", "true"))
    data = answer.must_be_json()
    if len(rows(probe)[1]) < 2:
        raise UnmetNeedError("fewer than two requests are listed")
    answer.must(data.get("numberReturned") == 1, "numberReturned 1", data.get("numberReturned"))
    total = answer.headers.get("x-total-count", "none")
    answer.must(str(data.get("numberMatched")) == total, f"numberMatched {total}", data.get("numberMatched"))
    links = {link.get("rel"): link.get("href") for link in data.get("links") or ()}
    answer.must({"self", "next"} <= links.keys(), "links to self and next", links)
    second = _ids("geojson", probe.client.get(Call("GET", links["next"])).must_be(200))
    answer.must(second and second != _ids("geojson", answer), "another feature on page 2", second)


# --- Terms of use


@check("T1")
def attribution(probe: Probe) -> None:
    answers = dict(_each(probe))
    attributions = {format: answer.headers.get("x-attribution", "") for format, answer in answers.items()}
    offered(probe, "attribution", lambda: any(attributions.values()))
    texts = {unquote(text) for text in attributions.values()}
    for format, answer in answers.items():
        plain = attributions[format] and attributions[format].isascii() and len(texts) == 1
        answer.must(plain, "the same X-Attribution in every format, in ASCII", attributions[format] or "none")
    if "atom" in answers:
        rights = answers["atom"].must_be_xml().findtext("rights") or ""
        answers["atom"].must({rights} == texts, f"rights {', '.join(texts)}", rights or "none")
    _is_in_dumps(probe, "attribution", texts)


@check("T2")
def licence(probe: Probe) -> None:
    answers = dict(_each(probe))
    links = {format: answer.link("license") for format, answer in answers.items()}
    if not any(links.values()):
        raise UnmetNeedError("not offered: a licence of the data")
    for format, answer in answers.items():
        same = links[format] and len(set(links.values())) == 1
        answer.must(same, 'the same Link with rel="license" in every format', links[format] or "none")
    if "atom" in answers:
        received = _relation(answers["atom"], "license")
        answers["atom"].must(
            {received} == set(links.values()), "a link to the licence in the feed", received or "none"
        )
    _is_in_dumps(probe, "licence", set(links.values()))


def _is_in_dumps(probe: Probe, name: str, expected: set[str]) -> None:
    """The list of dumps, if there is one, has the same value."""
    answer = probe.get("dumps.json")
    if answer.succeeded and b'"files"' in answer.body:
        data = answer.must_be_json()
        received = data.get(name) if isinstance(data, dict) else None
        answer.must({received} == expected, f"{name} {', '.join(expected)}", received)
