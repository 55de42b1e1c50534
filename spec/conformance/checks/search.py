"""Search and warnings, extensions: S1 to S13."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from spec.conformance.answers import UNKNOWN, Answer, Record, UnmetNeedError, ids_of, text_of
from spec.conformance.offers import (
    NO_WORD,
    boxes_offered,
    circle_around,
    circles_offered,
    count,
    found_ids,
    offered,
    place,
    rows,
    updates_offered,
    word_to_find,
    words_offered,
)
from spec.conformance.probe import Probe, created, moment_of, require
from spec.conformance.registry import check

_ORDERS = {
    "requested": ("requested_datetime", False),
    "-requested": ("requested_datetime", True),
    "updated": ("updated_datetime", False),
    "-updated": ("updated_datetime", True),
}
"""The field of each sort order, and whether the order is descending."""

Pair = tuple[str, str]


def _is_refused(probe: Probe, *params: Pair) -> None:
    probe.get(f"requests.{probe.formats[-1]}", params).must_be(400)


@check("S1", needs="late_update")
def last_change(probe: Probe) -> None:
    """`updated_after` alone removes the window of 90 days. With `start_date`, the window stays."""
    updates_offered(probe)
    request_id = require(probe.prepared.late_update)
    changed = ("updated_after", probe.ago(3))
    for answer, records in probe.listings(changed):
        answer.must(
            request_id in ids_of(records),
            f"{request_id}, although the request is old",
            "a list without this request",
        )
    for answer, records in probe.listings(changed, ("start_date", probe.ago(60))):
        answer.must(
            request_id not in ids_of(records),
            f"no {request_id}, which is older than start_date",
            "a list with this request",
        )
    for answer, records in probe.listings(("updated_before", probe.ago(3)), ("start_date", probe.ago(190))):
        answer.must(
            request_id not in ids_of(records),
            f"no {request_id}, which changed after updated_before",
            "a list with this request",
        )


@check("S2", needs="open_request")
def circle(probe: Probe) -> None:
    circles_offered(probe)
    lat, long = place(probe)
    for radius_m in ("0", "-5", "50001", "wide"):
        _is_refused(probe, *circle_around(lat, long, radius_m))
    _is_refused(probe, ("lat", str(lat)), ("radius", "50"))
    for answer, records in probe.listings(*circle_around(lat, long, 50_000)):
        answer.must(
            require(probe.prepared.open_request) in ids_of(records),
            "the request at this point",
            "only other requests",
        )
        pointless = [item for item in records if not text_of(item, "lat")]
        answer.must(not pointless, "requests with a point only", ids_of(pointless))


@check("S3", needs="open_request")
def rectangle(probe: Probe) -> None:
    boxes_offered(probe)
    request_id = require(probe.prepared.open_request)
    lat, long = place(probe)
    beyond = (long + 181) % 360 - 180  # a degree to the east, also across 180°
    boxes = {
        f"{long},{lat},{long},{lat}": True,
        f"{beyond},{lat - 1},{long},{lat + 1}": True,
        f"{beyond},{lat - 1},{beyond},{lat + 1}": False,
    }
    for box, is_inside in boxes.items():
        answer, records = probe.listing(("bbox", box))
        is_right = (request_id in ids_of(records)) == is_inside
        answer.must(is_right, f"{_with(is_inside)} {request_id} in the box {box}", ids_of(records))
    for box in (f"{long},{lat + 1},{long},{lat}", f"{long},-91,{long},0", f"{long},0,{long},91"):
        _is_refused(probe, ("bbox", box))


def _with(is_inside: bool) -> str:
    return "with" if is_inside else "without"


@check("S4")
def words(probe: Probe) -> None:
    words_offered(probe)
    word = word_to_find(probe)
    expected = Counter(found_ids(probe, ("q", word)))
    same = (word.upper(), f'"{word}"', f"{word} OR {NO_WORD}", f"{NO_WORD} OR {word}", f"{word} -{NO_WORD}")
    for text in same:
        answer, records = rows(probe, ("q", text))
        answer.must(Counter(ids_of(records)) == expected, f"what q={word} finds", ids_of(records))
    for text in (f"{word} {NO_WORD}", f"{word} -{word}"):
        answer, records = rows(probe, ("q", text))
        answer.must(not records, "no requests", ids_of(records))


# --- Groups, keywords, agencies and areas


@check("S5")
def group_and_keyword(probe: Probe) -> None:
    _, plain = probe.listing()
    offered(probe, "group", lambda: count(probe, ("group", UNKNOWN)) == 0 < len(plain))
    group, codes = _shared(probe, plain, "group")
    answer, records = probe.listing(("group", group))
    _check_services(answer, records, plain, codes)
    keyword, codes = _shared(probe, plain, "keywords")
    answer, records = probe.listing(("keyword", keyword.upper()))
    _check_services(answer, records, plain, codes)


def _shared(probe: Probe, plain: list[Record], member: str) -> tuple[str, set[str]]:
    """A group or keyword of a service with listed requests, and the codes of all services with the same value."""
    codes_by_value: dict[str, set[str]] = {}
    for service in probe.services(probe.formats[-1]).records("services"):
        for value in text_of(service, member).split(","):
            codes_by_value.setdefault(value.strip(), set()).add(text_of(service, "service_code"))
    reported = {text_of(record, "service_code") for record in plain}
    for value, codes in codes_by_value.items():
        if value and codes & reported and reported - codes:
            return value, codes
    raise UnmetNeedError(f"no listed request belongs to a service whose {member} differs from other services")


def _check_services(answer: Answer, records: list[Record], plain: list[Record], codes: set[str]) -> None:
    """Check that the list has all requests of these services that the plain list has, and no others."""
    others = {text_of(record, "service_code") for record in records} - codes
    answer.must(not others, f"services {', '.join(sorted(codes))} only", sorted(others))
    expected = ids_of(record for record in plain if text_of(record, "service_code") in codes)
    missing = set(expected) - set(ids_of(records))
    answer.must(not missing, f"{', '.join(sorted(missing))} as well", ids_of(records))


@check("S6")
def agency_and_area(probe: Probe) -> None:
    names = ("agency_responsible", "area")
    offered(probe, "agency_area", lambda: all(count(probe, (name, UNKNOWN)) == 0 < count(probe) for name in names))
    _, plain = rows(probe, ("extensions", "true"))
    searches = [(name, value) for name in names if (value := next(_shown_values(plain, name), ""))]
    for name, value in searches:
        _finds_exactly(probe, plain, name, value)
    if not searches:
        raise UnmetNeedError("no listed request shows an agency or an area")


def _finds_exactly(probe: Probe, plain: list[Record], name: str, value: str) -> None:
    """Check that a filter finds the requests of the plain list that show this value, and no others."""
    answer, records = rows(probe, ("extensions", "true"), (name, value))
    others = [record for record in records if value not in _shown_values([record], name)]
    answer.must(not others, f"requests with {name} {value} only", ids_of(others))
    expected = set(ids_of(record for record in plain if value in _shown_values([record], name)))
    missing = expected - set(ids_of(records))
    answer.must(not missing, f"{', '.join(sorted(missing))} as well", ids_of(records))


def _shown_values(records: list[Record], name: str) -> Iterator[str]:
    """The agencies, areas or codes of departments that these requests show."""
    for record in records:
        extended = record.get("extended_attributes")
        more = extended if isinstance(extended, dict) else {}
        areas = more.get("areas")
        if name == "area":
            values = areas if isinstance(areas, list) else []
        else:
            values = [(more if name == "department" else record).get(name)]
        yield from (value for value in values if isinstance(value, str) and value)


@check("S13")
def department(probe: Probe) -> None:
    offered(probe, "department", lambda: count(probe, ("department", UNKNOWN)) == 0 < count(probe))
    _, plain = rows(probe, ("extensions", "true"))
    code = next(_shown_values(plain, "department"), "")
    if not code:
        raise UnmetNeedError("no listed request shows the code of its department")
    _finds_exactly(probe, plain, "department", code)
    answer, records = probe.listing(("department", UNKNOWN))
    warning = answer.headers.get("warning", "")
    answer.must(not records, "no requests of an unknown department", ids_of(records))
    answer.must(code in warning, f"a Warning that names the codes, such as {code}", warning or "no Warning")


@check("S7")
def photos(probe: Probe) -> None:
    _, plain = probe.listing()
    answer, without = probe.listing(("has_photo", "false"))
    _, having = probe.listing(("has_photo", "true"))
    offered(probe, "has_photo", lambda: len(without) < len(plain) or len(having) < len(plain))
    blank = [record for record in having if not text_of(record, "media_url")]
    answer.must(not blank, "requests with a media_url only", ids_of(blank))
    shown = [record for record in without if text_of(record, "media_url")]
    answer.must(not shown, "requests without a media_url only", ids_of(shown))
    missing = set(ids_of(plain)) - set(ids_of([*having, *without]))
    answer.must(not missing, "each request in one of the two lists", sorted(missing))


@check("S8")
def orders(probe: Probe) -> None:
    _, plain = probe.listing()
    offered(probe, "sort", lambda: _ids(probe, "requested") == ids_of(plain)[::-1] != ids_of(plain))
    for order, (field, descends) in _ORDERS.items():
        answer, records = probe.listing(("sort", order))
        times = [moment for record in records if (moment := moment_of(text_of(record, field)))]
        answer.must(times == sorted(times, reverse=descends), f"the order of {field}", _times(records, field))


def _ids(probe: Probe, order: str) -> list[str]:
    _, records = probe.listing(("sort", order))
    return ids_of(records)


def _times(records: list[Record], field: str) -> list[str]:
    return [text_of(record, field) for record in records[:4]]


@check("S9")
def misspelt_parameters(probe: Probe) -> None:
    _, plain = probe.listing()
    near = (("lng", "long"), ("startDate", "start_date"), ("start-date", "start_date"), ("group_by", "group"))
    for wrong, right in near:
        answer, records = probe.listing((wrong, "1"))
        warning = answer.headers.get("warning", "")
        offered(probe, "warnings", lambda: warning)  # noqa: B023 - offered() calls it immediately
        expected = f'299 - "{wrong} is ignored; did you mean {right}?"'
        answer.must(expected in warning, f"Warning: {expected}", warning or "no Warning")
        answer.must(ids_of(records) == ids_of(plain), "the same list as without the parameter", ids_of(records))
    answer, _ = probe.listing(("no_such_parameter", "1"))
    answer.must(
        "warning" not in answer.headers, "no Warning for a name that resembles no parameter", answer.headers
    )


@check("S10", needs="plain_service point", writes=True)
def unknown_in_a_post(probe: Probe) -> None:
    answer = probe.post([*probe.form(), ("no_such_parameter", "1"), ("attribute[NO_SUCH_ATTRIBUTE]", "1")])
    created(answer)
    warning = answer.headers.get("warning", "")
    offered(probe, "warnings", lambda: warning)
    for name in ("no_such_parameter", "NO_SUCH_ATTRIBUTE"):
        answer.must(name in warning, f"a Warning that names {name}", warning or "no Warning")


@check("S11")
def cut_and_ignored(probe: Probe) -> None:
    beside = (("service_request_id", UNKNOWN), ("status", "open"))
    for asked, name in (((("page_size", "5000"),), "page_size"), (beside, "status"), ((("lat", "1"),), "lat")):
        answer, _ = probe.listing(*asked)
        warning = answer.headers.get("warning", "")
        offered(probe, "warnings", lambda: warning)  # noqa: B023 - offered() calls it immediately
        answer.must(name in warning, f"a Warning about {name}", warning or "no Warning")


@check("S12")
def start_alone(probe: Probe) -> None:
    answer, _ = probe.listing(("start_date", probe.ago(200)))
    warning, end = answer.headers.get("warning", ""), probe.ago(110)
    offered(probe, "warnings", lambda: warning)
    answer.must(f"start_date={end}" in warning, f"a Warning with start_date={end}", warning or "no Warning")
    recent, _ = probe.listing(("start_date", probe.ago(30)))
    recent.must("warning" not in recent.headers, "no Warning where the list ends now", recent.headers)
