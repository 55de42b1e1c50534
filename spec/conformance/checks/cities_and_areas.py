"""Cities and areas, an extension: J1 to J8."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from spec.conformance.answers import Answer, Call, Record, UnmetNeedError, text_of
from spec.conformance.offers import NOWHERE, at, offered, records_in, rows
from spec.conformance.preparation import Endpoint
from spec.conformance.probe import Probe, created, require, segment
from spec.conformance.registry import check

_KINDS = ("jurisdictions", "areas")
_CITY = ("jurisdiction_id", "name", "time_zone", "languages", "boundary")
_ADDRESSES = ("services_url", "requests_url", "changes_url", "areas_url")
_AREA = ("jurisdiction_id", "name", "boundary")
_MAX_AGE_S = 300
_PAIR = re.compile(r"(-?[\d.]+)[ ,]+(-?[\d.]+)")

Pair = tuple[str, str]


def _get(probe: Probe, kind: str, suffix: str, *params: Pair) -> Answer:
    """The cities of the whole endpoint, or the areas of the city under test."""
    everywhere = Endpoint(probe.target.base_url) if kind == "jurisdictions" else None
    return probe.get(f"{kind}.{suffix}", params, at=everywhere)


def _places(probe: Probe, kind: str, *params: Pair) -> tuple[Answer, list[Record]]:
    """Cities or areas in JSON. Raises UnmetNeedError if the server does not offer them."""
    plain = _get(probe, kind, "json")
    offered(probe, kind, lambda: plain.succeeded and b'"boundary"' in plain.body)
    answer = _get(probe, kind, "json", *params).must_be(200)
    return answer, records_in(answer)


def _both(probe: Probe) -> Iterator[tuple[str, list[Record]]]:
    """Cities and areas, as far as the server offers them. Raises UnmetNeedError if it offers neither."""
    known = 0
    for kind in _KINDS:
        try:
            _, records = _places(probe, kind)
        except UnmetNeedError:
            if kind == _KINDS[-1] and not known:
                raise
            continue
        known += 1
        yield kind, records


def _own(probe: Probe) -> Record:
    """The city under test.

    Raises UnmetNeedError if the list does not contain it, or if the list has several cities and the run does not
    say which one is tested.
    """
    _, cities = _places(probe, "jurisdictions")
    wanted = probe.target.jurisdiction_id
    matches = [city for city in cities if text_of(city, "jurisdiction_id") == wanted or len(cities) == 1]
    if not matches:
        raise UnmetNeedError("the list of jurisdictions does not contain the jurisdiction under test")
    return matches[0]


# --- Lists


def _has_all(answer: Answer, records: list[Record], names: tuple[str, ...], blank: tuple[str, ...]) -> None:
    for record in records:
        missing = [name for name in names if name not in record or (name not in blank and not record[name])]
        answer.must(not missing, ", ".join(names), f"no {', '.join(missing)}")


def _has_the_same(probe: Probe, kind: str, item: str, records: list[Record]) -> None:
    """The XML list names the same places as the JSON list."""
    xml = _get(probe, kind, "xml").must_be(200)
    root = xml.must_be_xml()
    xml.must(root.tag == kind, f"the root {kind}", f"<{root.tag}>")
    names = [child.findtext("name") for child in root.findall(item)]
    expected = [text_of(record, "name") for record in records]
    xml.must(names == expected, f"{item} items: {', '.join(expected)}", names)


@check("J1")
def cities(probe: Probe) -> None:
    answer, records = _places(probe, "jurisdictions")
    answer.must(records, "at least one city", "none")
    _has_all(answer, records, _CITY + _ADDRESSES, ("boundary",))
    ids = [text_of(record, "jurisdiction_id") for record in records]
    answer.must(ids == sorted(ids), "cities by id", ids)
    _has_the_same(probe, "jurisdictions", "jurisdiction", records)
    own = _own(probe)
    for name in _ADDRESSES:
        probe.client.get(Call("GET", text_of(own, name))).must_be(200)


@check("J2")
def areas(probe: Probe) -> None:
    answer, records = _places(probe, "areas")
    _has_all(answer, records, _AREA, ())
    own = probe.target.jurisdiction_id
    others = {text_of(record, "jurisdiction_id") for record in records} - {own}
    answer.must(not own or not others, f"areas of {own} only", others)
    _has_the_same(probe, "areas", "area", records)


# --- Boundaries


def _corners(boundary: object) -> list[tuple[float, float]]:
    """The coordinate pairs of a GeoJSON geometry or of well-known text, in order."""
    return [(float(x), float(y)) for x, y in _PAIR.findall(re.sub(r"[\[\]()]", " ", str(boundary)))]


def _geometry(boundary: object) -> tuple[str, list[tuple[float, float]]]:
    """Type and corners of a GeoJSON geometry. Both are empty if `boundary` is not a geometry."""
    if not isinstance(boundary, dict):
        return "", []
    return text_of(boundary, "type"), _corners(boundary.get("coordinates"))


@check("J3")
def boundaries(probe: Probe) -> None:
    point = probe.prepared.point
    for kind, records in _both(probe):
        xml = _get(probe, kind, "xml").must_be(200)
        texts = [element.text or "" for element in xml.must_be_xml().iter("boundary")]
        for record, text in zip(records, texts, strict=False):
            form, corners = _geometry(record.get("boundary"))
            is_shape = form in ("Polygon", "MultiPolygon") if record.get("boundary") is not None else not text
            xml.must(
                is_shape, "a Polygon or MultiPolygon in GeoJSON, or null in both formats", record.get("boundary")
            )
            xml.must(text.startswith(form.upper()), f"{form.upper()} in well-known text", text)
            xml.must(_corners(text) == corners, f"the corners {corners[:3]}", text)
        if point and kind == "jurisdictions" and (corners := _geometry(_own(probe).get("boundary"))[1]):
            longs, lats = zip(*corners, strict=True)
            inside = min(longs) <= point.long <= max(longs) and min(lats) <= point.lat <= max(lats)
            xml.must(inside, f"longitude first, around {point.long}, {point.lat}", corners[:3])


@check("J4")
def maps(probe: Probe) -> None:
    for kind, records in _both(probe):
        answer = _get(probe, kind, "geojson").must_be(200)
        answer.must("application/geo+json" in answer.content_type, "application/geo+json", answer.content_type)
        data = answer.must_be_json()
        expected = {"type": "FeatureCollection", "features": [_feature(record) for record in records]}
        answer.must(data == expected, f"a FeatureCollection of the {len(records)} items of {kind}.json")


def _feature(record: Record) -> dict[str, Any]:
    properties = {name: value for name, value in record.items() if name != "boundary"}
    return {"type": "Feature", "geometry": record.get("boundary"), "properties": properties}


# --- Search by place


@check("J5", needs="point")
def containing_a_point(probe: Probe) -> None:
    point = require(probe.prepared.point)
    for kind, records in _both(probe):
        far, cities_or_areas = _places(probe, kind, *at(*NOWHERE))
        bounded = [item for item in cities_or_areas if item.get("boundary") is not None]
        far.must(not bounded, f"no {kind} in the middle of the ocean", [text_of(item, "name") for item in bounded])
        inside_answer, near = _places(probe, kind, *at(point.lat, point.long))
        inside_answer.must(all(item in records for item in near), f"some of {kind}.json", near)
        if kind == "jurisdictions":
            inside_answer.must(
                _own(probe) in near, f"{text_of(_own(probe), 'name')}, which contains the point", near
            )
            continue
        for area in records:
            inside = _middle(area)
            answer, around = _places(probe, kind, *at(inside[1], inside[0]))
            wrong = [item for item in around if not _may_contain(item, inside)]
            answer.must(not wrong, "areas around the point only", [text_of(item, "name") for item in wrong])


def _middle(area: Record) -> tuple[float, float]:
    """The mean of an area's corners, (longitude, latitude). It can be outside a concave area."""
    _, corners = _geometry(area.get("boundary"))
    if not corners:
        raise UnmetNeedError("an area has no boundary that can be read (see J3)")
    return sum(x for x, _ in corners) / len(corners), sum(y for _, y in corners) / len(corners)


def _may_contain(area: Record, point: tuple[float, float]) -> bool:
    """Whether a point lies in the bounding box of an area."""
    longs, lats = zip(*_geometry(area.get("boundary"))[1], strict=True)
    return bool(min(longs) <= point[0] <= max(longs) and min(lats) <= point[1] <= max(lats))


@check("J6", needs="point")
def services(probe: Probe) -> None:
    point, path = require(probe.prepared.point), f"services.{probe.formats[-1]}"
    every = probe.get(path).records("services")
    away = probe.get(path, at(*NOWHERE))
    offered(probe, "place_services", lambda: len(away.records("services")) < len(every))
    near = probe.get(path, at(point.lat, point.long)).must_be(200)
    near.must(near.records("services") == every, "all services", len(near.records("services")))
    if _own(probe).get("boundary") is None:
        raise UnmetNeedError("the city has no boundary")
    away.must_be(200).must(not away.records("services"), "no services", len(away.records("services")))


@check("J7")
def caching(probe: Probe) -> None:
    for kind, _ in _both(probe):
        for suffix in ("json", "xml", "geojson"):
            answer = _get(probe, kind, suffix)
            kept = f"max-age={_MAX_AGE_S}" in answer.headers.get("cache-control", "").replace(" ", "")
            answer.must(kept, f"Cache-Control: max-age={_MAX_AGE_S}", answer.headers.get("cache-control", "none"))
            tag = answer.headers.get("etag", "")
            answer.must(tag, "ETag", "none")
            probe.client.get(Call("GET", answer.call.url, (("If-None-Match", tag),))).must_be(304)


@check("J8", needs="plain_service point", writes=True)
def areas_of_a_request(probe: Probe) -> None:
    """A request in the middle of an area names this area, and all other areas that contain its point."""
    _, known = _places(probe, "areas")
    for area in known:
        long, lat = _middle(area)
        _, around = _places(probe, "areas", *at(lat, long))
        if area in around:
            break
    else:
        raise UnmetNeedError("no area contains the mean of its corners")
    sent = created(probe.post(probe.form(lat=f"{lat:.6f}", long=f"{long:.6f}")))
    request_id = text_of(sent, "service_request_id")
    answer, records = rows(probe, ("extensions", "true"), path=f"requests/{segment(request_id)}")
    extended = records[0].get("extended_attributes") if records else None
    received = extended.get("areas") if isinstance(extended, dict) else None
    expected = [text_of(item, "name") for item in around]
    answer.must(
        isinstance(received, list) and sorted(map(str, received)) == sorted(expected), f"areas {expected}", received
    )
