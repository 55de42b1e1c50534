"""Extensions: C257 to C277. A check of an extension that the server does not offer is skipped."""

from __future__ import annotations

from datetime import timedelta

from spec.conformance.answers import Answer, Record, UnmetNeedError, ids_of, text_of
from spec.conformance.offers import (
    NO_WORD,
    NOWHERE,
    boxes_offered,
    circle_around,
    circles_offered,
    count,
    distance_m,
    offered,
    pages_offered,
    place,
    updates_offered,
    word_to_find,
    words_offered,
)
from spec.conformance.probe import Probe, moment_of, only, require, segment
from spec.conformance.registry import check
from spec.conformance.survey import point_of
from spec.shapes import REQUEST

_EXTENSIONS = ("extended_attributes", "notes", "attributes", "distance")


# --- Paging


@check("C257")
def first_page(probe: Probe) -> None:
    pages_offered(probe)
    _, plain = probe.listing()
    for answer, records in probe.listings(("page", "1"), ("page_size", "1")):
        answer.must(ids_of(records) == ids_of(plain[:1]), ids_of(plain[:1])[0], ids_of(records))


@check("C258")
def next_page(probe: Probe) -> None:
    pages_offered(probe)
    _, plain = probe.listing()
    for answer, records in probe.listings(("page", "2"), ("page_size", "1")):
        answer.must(ids_of(records) == ids_of(plain[1:2]), ids_of(plain[1:2])[0], ids_of(records))


@check("C259")
def page_beyond_the_last(probe: Probe) -> None:
    pages_offered(probe)
    for answer, records in probe.listings(("page", "100000"), ("page_size", "100")):
        answer.must_be(200).must(not records, "no requests", len(records))


@check("C260")
def impossible_sizes(probe: Probe) -> None:
    pages_offered(probe)
    for size in ("0", "-1", "abc"):
        for answer in probe.both("requests", [("page_size", size)]):
            answer.must_be(400)


@check("C261")
def size_above_the_limit(probe: Probe) -> None:
    pages_offered(probe)
    answer = probe.get(f"requests.{probe.formats[-1]}", [("page_size", "5000")], at=probe.prepared.crowded)
    size = len(answer.must_be(200).records("requests"))
    answer.must(size <= 1000, "at most 1000 requests", size)


@check("C262")
def other_names_of_the_size(probe: Probe) -> None:
    pages_offered(probe)
    for name in ("per_page", "limit", "max_requests"):
        answer, records = probe.listing((name, "1"))
        answer.must(len(records) == 1, "one request", len(records))


@check("C263")
def links(probe: Probe) -> None:
    pages_offered(probe)
    answer, _ = probe.listing(("page", "1"), ("page_size", "1"), ("count", "true"))
    link = answer.headers.get("link", "")
    answer.must('rel="next"' in link and 'rel="prev"' not in link, "Link with next and no prev", link or "none")
    second, _ = probe.listing(("page", "2"), ("page_size", "1"))
    link = second.headers.get("link", "")
    second.must('rel="prev"' in link, "Link with prev", link or "none")
    total = answer.headers.get("x-total-count", "")
    offered(probe, "count", lambda: total)
    answer.must(total.isdecimal() and int(total) >= count(probe), "X-Total-Count", total or "none")


# --- Changes


@check("C264", needs="late_update")
def updated_after(probe: Probe) -> None:
    updates_offered(probe)
    request_id = require(probe.prepared.late_update)
    for answer, records in probe.listings(("updated_after", probe.ago(3))):
        answer.must(
            request_id in ids_of(records),
            f"{request_id}, although the request is old",
            "a list without this request",
        )


@check("C265", needs="open_request")
def updated_before(probe: Probe) -> None:
    updates_offered(probe)
    request_id = require(probe.prepared.open_request)
    updated = text_of(only(probe.request(request_id, probe.formats[-1])), "updated_datetime")
    moment = moment_of(updated)
    if moment is None:
        raise UnmetNeedError("updated_datetime cannot be read (see C220)")
    start = (moment - timedelta(days=1)).isoformat().replace("+00:00", "Z")
    for answer, records in probe.listings(("updated_after", start), ("updated_before", updated)):
        answer.must(
            request_id in ids_of(records),
            f"{request_id}, which changed at that time",
            "a list without this request",
        )
        late = [item for item in records if (moment_of(text_of(item, "updated_datetime")) or moment) > moment]
        answer.must(not late, f"nothing after {updated}", ids_of(late))


# --- Places


@check("C266", needs="open_request")
def circle(probe: Probe) -> None:
    circles_offered(probe)
    lat, long = place(probe)
    for answer, records in probe.listings(*circle_around(lat, long, 100)):
        answer.must(
            require(probe.prepared.open_request) in ids_of(records),
            "the request at this point",
            "only other requests",
        )
        far = [record for record in records if distance_m(record, lat, long) > 101]
        answer.must(not far, "requests within 100 m", ids_of(far))
    empty, records = probe.listing(*circle_around(*NOWHERE, 100))
    empty.must(not records, "no requests", len(records))


@check("C267", needs="open_request")
def radius_without_a_point(probe: Probe) -> None:
    circles_offered(probe)
    for answer in probe.both("requests", [("radius", "100")]):
        answer.must_be(400)


@check("C268", needs="open_request")
def rectangle(probe: Probe) -> None:
    boxes_offered(probe)
    lat, long = place(probe)
    box = f"{long - 0.001},{lat - 0.001},{long + 0.001},{lat + 0.001}"
    for answer, records in probe.listings(("bbox", box)):
        answer.must(
            require(probe.prepared.open_request) in ids_of(records), "the request in the box", "only other requests"
        )
        outside = [item for item in records if distance_m(item, lat, long) > 200]
        answer.must(not outside, "requests in the box", ids_of(outside))


@check("C269")
def rectangle_of_three(probe: Probe) -> None:
    boxes_offered(probe)
    for answer in probe.both("requests", [("bbox", "1,2,3")]):
        answer.must_be(400)


# --- Text and order


@check("C270")
def text_search(probe: Probe) -> None:
    words_offered(probe)
    word = word_to_find(probe)
    answer, records = probe.listing(("q", word))
    answer.must(records, f"requests that mention {word!r}", "none")
    empty, records = probe.listing(("q", NO_WORD))
    empty.must(not records, "no requests", len(records))


@check("C271")
def last_changed_first(probe: Probe) -> None:
    _, plain = probe.listing()
    answer, records = probe.listing(("sort", "-updated"))
    moments = [moment for record in records if (moment := moment_of(text_of(record, "updated_datetime")))]
    descending = moments == sorted(moments, reverse=True)
    offered(probe, "sort", lambda: ids_of(records) != ids_of(plain) and descending)
    answer.must(
        descending,
        "the request with the last change first",
        [text_of(item, "updated_datetime") for item in records[:3]],
    )


# --- More data


@check("C272")
def no_extension_without_extensions(probe: Probe) -> None:
    for answer in probe.both("requests"):
        names = {name for record in answer.records("requests") for name in record}
        extra = sorted(names & set(_EXTENSIONS))
        answer.must(not extra, "standard fields only", ", ".join(extra))


@check("C273", needs="open_request")
def extensions(probe: Probe) -> None:
    path = f"requests/{segment(require(probe.prepared.open_request))}"
    answers = list(probe.both(path, [("extensions", "true")]))
    records = [only(answer) for answer in answers]
    offered(probe, "extensions", lambda: any(record.get("extended_attributes") for record in records))
    for answer, record in zip(answers, records, strict=True):
        extended, notes = record.get("extended_attributes"), record.get("notes")
        # An empty XML element can be an empty object or an empty list. It is read as None.
        is_valid = isinstance(extended, dict | None) and isinstance(notes, list | None)
        answer.must(is_valid, "an object as extended_attributes and a list as notes", answer)
        names = list(record)
        standard = [names.index(name) for name in REQUEST.members if name in names]
        extra = [names.index(name) for name in _EXTENSIONS if name in names]
        answer.must(extra and min(extra) > max(standard), "extensions after all standard fields", ", ".join(names))


@check("C274")
def geojson(probe: Probe) -> None:
    answer = probe.get("requests.geojson")
    offered(probe, "geojson", lambda: answer.succeeded and b"FeatureCollection" in answer.body[:200])
    data = answer.must_be(200).must_be_json()
    features = data.get("features") if isinstance(data, dict) else None
    answer.must(isinstance(features, list) and data.get("type") == "FeatureCollection", "a FeatureCollection")
    places = _places(probe)
    for feature in features or ():
        request_id, geometry = _feature(answer, feature)
        if geometry is not None:
            answer.must(geometry.get("type") == "Point", "points", geometry.get("type"))
            expected, received = places.get(request_id), geometry.get("coordinates")
            answer.must(expected in (None, received), f"{expected}", f"{received}")


def _feature(answer: Answer, feature: object) -> tuple[str, Record | None]:
    """A feature's request id and geometry. Raises DeviationError if it is not a feature."""
    properties = feature.get("properties") if isinstance(feature, dict) else None
    geometry = feature.get("geometry") if isinstance(feature, dict) else None
    if not isinstance(feature, dict) or not isinstance(properties, dict) or not isinstance(geometry, dict | None):
        answer.fail("features, each with geometry and properties", str(feature))
    return text_of(feature, "id") or text_of(properties, "service_request_id"), geometry


def _places(probe: Probe) -> dict[str, list[float]]:
    """[longitude, latitude] of the listed requests, by id."""
    _, records = probe.listing()
    points = {text_of(record, "service_request_id"): point_of(record) for record in records}
    return {request_id: [point.long, point.lat] for request_id, point in points.items() if point}


# --- JSONP


def _is_call(answer: Answer) -> bool:
    """Whether the answer is a call of f. An empty comment may stand before it, to prevent content sniffing."""
    return answer.text.lstrip().removeprefix("/**/").lstrip().startswith("f(")


@check("C275")
def jsonp_off(probe: Probe) -> None:
    probe.json_offered()
    answer = probe.get("services.json", [("callback", "f")])
    if _is_call(answer):
        raise UnmetNeedError("JSONP is on")
    answer.must(answer.body == probe.services("json").body, "the plain answer")


def _jsonp(probe: Probe, name: str) -> Answer:
    at = probe.prepared.jsonp or probe.here
    answer = probe.get("services.json", [("callback", "f")], at=at)
    if not probe.prepared.jsonp and not _is_call(answer):
        raise UnmetNeedError("JSONP is off")
    return answer if name == "f" else probe.get("services.json", [("callback", name)], at=at)


@check("C276")
def jsonp_on(probe: Probe) -> None:
    answer = _jsonp(probe, "f").must_be(200)
    answer.must(_is_call(answer) and answer.text.rstrip().endswith(");"), "f([...]);")
    answer.must("application/javascript" in answer.content_type, "application/javascript", answer.content_type)


@check("C277")
def jsonp_with_a_bad_name(probe: Probe) -> None:
    _jsonp(probe, "alert(1)//").must_be(400)
