"""Listing requests: C181 to C216."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta

from spec.conformance.answers import UNKNOWN, Answer, Record, UnmetNeedError, ids_of, text_of
from spec.conformance.preparation import Endpoint
from spec.conformance.probe import Probe, moment_of, only, require, stamp
from spec.conformance.registry import check

_GRACE = timedelta(minutes=5)
_WINDOW = timedelta(days=90)
_MOST = 1000

Pair = tuple[str, str]


@check("C181")
def xml_structure(probe: Probe) -> None:
    answer = probe.get("requests.xml").must_be(200)
    root = answer.must_be_xml()
    answer.must(root.tag == "service_requests", "the root service_requests", f"<{root.tag}>")
    others = {child.tag for child in root} - {"request"}
    answer.must(not others, "request children only", sorted(others))


@check("C182")
def json_structure(probe: Probe) -> None:
    probe.json_offered()
    answer = probe.get("requests.json").must_be(200)
    answer.must(isinstance(answer.must_be_json(), list), "a bare array")


@check("C183")
def nothing_matches(probe: Probe) -> None:
    """A list of requests from the year 1900 is empty."""
    window = [("start_date", "1900-01-01T00:00:00Z"), ("end_date", "1900-02-01T00:00:00Z")]
    xml = probe.get("requests.xml", window).must_be(200)
    xml.must(len(xml.document().root) == 0, "an empty root")
    if "json" in probe.formats:
        json = probe.get("requests.json", window).must_be(200)
        json.must(json.data("requests") == [], "[]")


def _is_within(record: Record, start: datetime, end: datetime) -> bool:
    """Whether the request is in the window, or has a time that cannot be read, which another check reports."""
    moment = moment_of(text_of(record, "requested_datetime"))
    return moment is None or start <= moment <= end


@check("C184")
def last_ninety_days(probe: Probe) -> None:
    for answer, records in probe.listings():
        late = [record for record in records if not _is_recent(probe, record)]
        answer.must(not late, "requests of the last 90 days", _when(late))
        for name in ("open_request", "closed_request"):
            request_id = getattr(probe.prepared, name)
            if request_id and not _is_incomplete(probe, answer, records):
                answer.must(
                    request_id in ids_of(records), f"{request_id} in the list", "a list without this request"
                )


def _is_recent(probe: Probe, record: Record) -> bool:
    moment = moment_of(text_of(record, "requested_datetime"))
    return moment is None or moment >= probe.now - _WINDOW - _GRACE


def _is_incomplete(probe: Probe, answer: Answer, records: list[Record]) -> bool:
    """Whether more requests may follow.

    The answer says so, or it has at least 20 requests and no fewer than a list without arguments.
    """
    _, plain = probe.listing()
    return 'rel="next"' in answer.headers.get("link", "") or len(records) >= max(20, len(plain))


def _when(records: Iterable[Record]) -> str:
    return ", ".join(text_of(record, "requested_datetime") for record in list(records)[:3])


def _check_statuses(probe: Probe, params: Iterable[Pair], allowed: set[str]) -> None:
    """Check that the list has only these statuses, and, if it is complete, those of the prepared requests."""
    for answer, records in probe.listings(*params):
        statuses = {text_of(record, "status").lower() for record in records}
        answer.must(statuses <= allowed, f"{' and '.join(sorted(allowed))} only", sorted(statuses))
        wanted = {"open": probe.prepared.open_request, "closed": probe.prepared.closed_request}
        for status in allowed:
            if wanted[status] and not _is_incomplete(probe, answer, records):
                answer.must(status in statuses, f"{status} requests", "none")


@check("C185", needs="open_request")
def status_open(probe: Probe) -> None:
    _check_statuses(probe, [("status", "open")], {"open"})


@check("C186", needs="closed_request")
def status_closed(probe: Probe) -> None:
    _check_statuses(probe, [("status", "closed")], {"closed"})


@check("C187", needs="open_request closed_request")
def status_list(probe: Probe) -> None:
    _check_statuses(probe, [("status", "open,closed")], {"open", "closed"})


@check("C188", needs="open_request closed_request")
def status_repeated(probe: Probe) -> None:
    _check_statuses(probe, [("status", "open"), ("status", "closed")], {"open", "closed"})


@check("C189", needs="open_request closed_request")
def status_in_capitals(probe: Probe) -> None:
    _check_statuses(probe, [("status", "OPEN, closed")], {"open", "closed"})


@check("C190")
def unknown_status(probe: Probe) -> None:
    for answer in probe.both("requests", [("status", "bogus")]):
        answer.must_be(400)


def _codes(probe: Probe) -> tuple[str, str]:
    """The service codes of the open and the closed request. Raises UnmetNeedError if they are equal."""
    format = probe.formats[-1]
    both = [require(request_id) for request_id in (probe.prepared.open_request, probe.prepared.closed_request)]
    codes = [text_of(only(probe.request(request_id, format)), "service_code") for request_id in both]
    if codes[0] == codes[1]:
        raise UnmetNeedError("the open and the closed request belong to the same service")
    return codes[0], codes[1]


def _check_codes(probe: Probe, allowed: set[str], *params: Pair) -> None:
    for answer, records in probe.listings(*params):
        codes = {text_of(record, "service_code") for record in records}
        answer.must(codes <= allowed, f"requests of {' and '.join(sorted(allowed))} only", sorted(codes))
        if not _is_incomplete(probe, answer, records):
            answer.must(codes == allowed, f"requests of {' and '.join(sorted(allowed))}", sorted(codes))


@check("C191", needs="open_request closed_request")
def service_code(probe: Probe) -> None:
    first, _ = _codes(probe)
    _check_codes(probe, {first}, ("service_code", first))


@check("C192", needs="open_request closed_request")
def service_code_list(probe: Probe) -> None:
    first, second = _codes(probe)
    _check_codes(probe, {first, second}, ("service_code", f"{first},{second}"))


@check("C193", needs="open_request closed_request")
def service_code_repeated(probe: Probe) -> None:
    first, second = _codes(probe)
    _check_codes(probe, {first, second}, ("service_code", first), ("service_code", second))


@check("C194")
def unknown_service_code(probe: Probe) -> None:
    for answer in probe.both("requests", [("service_code", UNKNOWN)]):
        answer.must_be(200).must(not answer.records("requests"), "no requests")


def _check_bounds(probe: Probe, start_days: float, end_days: float, *params: Pair) -> None:
    """Every request of the list lies within the bounds, which are in days before now."""
    first, last = (probe.now.replace(microsecond=0) - timedelta(days=days) for days in (start_days, end_days))
    for answer, records in probe.listings(*params):
        outside = [record for record in records if not _is_within(record, first, last)]
        answer.must(not outside, f"requests from {stamp(first)} to {stamp(last)}", _when(outside))


@check("C195")
def window(probe: Probe) -> None:
    _check_bounds(probe, 35, 5, ("start_date", probe.ago(35)), ("end_date", probe.ago(5)))


@check("C196", needs="open_request")
def bounds_are_included(probe: Probe) -> None:
    request_id = require(probe.prepared.open_request)
    record = only(probe.request(request_id, probe.formats[-1]))
    moment = moment_of(text_of(record, "requested_datetime"))
    if moment is None:
        raise UnmetNeedError("requested_datetime cannot be read (see C220)")
    exactly, hour = stamp(moment), timedelta(hours=1)
    for params in (
        [("start_date", exactly), ("end_date", stamp(moment + hour))],
        [("start_date", stamp(moment - hour)), ("end_date", exactly)],
    ):
        for answer, records in probe.listings(*params):
            answer.must(
                request_id in ids_of(records) or _is_incomplete(probe, answer, records),
                f"{request_id} in the list",
                "it is not",
            )


def _check_same(probe: Probe, one: Iterable[Pair], other: Iterable[Pair]) -> None:
    """Two spellings of the same query give the same list."""
    for (_, expected), (answer, received) in zip(probe.listings(*one), probe.listings(*other), strict=True):
        answer.must(
            Counter(ids_of(expected)) == Counter(ids_of(received)),
            f"the {len(expected)} requests of the other spelling",
            f"{len(received)} requests",
        )


@check("C197")
def zulu_is_zero(probe: Probe) -> None:
    start, end = probe.ago(35), probe.ago(5)
    plus = [("start_date", start.replace("Z", "+00:00")), ("end_date", end.replace("Z", "+00:00"))]
    _check_same(probe, [("start_date", start), ("end_date", end)], plus)


@check("C198")
def plus_as_a_blank(probe: Probe) -> None:
    start, end = (probe.ago(days).replace("Z", "+02:00") for days in (35, 5))
    blank = [("start_date", start.replace("+", " ")), ("end_date", end.replace("+", " "))]
    _check_same(probe, [("start_date", start), ("end_date", end)], blank)


@check("C199")
def lenient_dates(probe: Probe) -> None:
    start, end = probe.ago(35)[:10], probe.ago(5)[:10]
    for time in ("", "T00:00:00", "T00:00:00.123Z", " 00:00:00 UTC", "T00:00:00+00"):
        params = [("start_date", start + time), ("end_date", end + time)]
        probe.get(f"requests.{probe.formats[-1]}", params).must_be(200)


@check("C200")
def no_date(probe: Probe) -> None:
    for answer in probe.both("requests", [("start_date", "yesterday")]):
        answer.must_be(400).must_say("start_date")


@check("C201")
def start_after_end(probe: Probe) -> None:
    for answer in probe.both("requests", [("start_date", probe.ago(5)), ("end_date", probe.ago(35))]):
        answer.must_be(400)


@check("C202")
def exactly_ninety_days(probe: Probe) -> None:
    for answer in probe.both("requests", [("start_date", probe.ago(100)), ("end_date", probe.ago(10))]):
        answer.must_be(200)


@check("C203")
def ninety_one_days(probe: Probe) -> None:
    for answer in probe.both("requests", [("start_date", probe.ago(101)), ("end_date", probe.ago(10))]):
        answer.must_be(400).must_say("90")


@check("C204")
def start_alone(probe: Probe) -> None:
    _check_bounds(probe, 200, 110, ("start_date", probe.ago(200)))


@check("C205")
def end_alone(probe: Probe) -> None:
    _check_bounds(probe, 290, 200, ("end_date", probe.ago(200)))


@check("C206")
def at_most_a_thousand(probe: Probe) -> None:
    crowded = probe.prepared.crowded
    for format in probe.readings():
        answer = probe.get(f"requests.{format}", at=crowded)
        count = len(answer.records("requests"))
        answer.must(count <= _MOST, f"at most {_MOST} requests", count)
        if crowded:
            answer.must(count == _MOST, f"the first {_MOST} requests", count)
        elif count < _MOST:
            raise UnmetNeedError(f"the list has only {count} requests, so the limit cannot be seen")


@check("C207")
def newest_first(probe: Probe) -> None:
    orders = []
    for answer in probe.both("requests"):
        records = answer.records("requests")
        moments = [moment_of(text_of(record, "requested_datetime")) for record in records]
        times = [moment for moment in moments if moment]
        answer.must(times == sorted(times, reverse=True), "the newest first", _when(records))
        orders.append(ids_of(records))
    if len(orders[0]) < 2:
        raise UnmetNeedError("fewer than two requests are listed")
    # Compare only the requests in both answers: a request that is sent between the calls is in one answer only.
    common = set(orders[0]) & set(orders[-1])
    xml, json = ([each for each in order if each in common] for order in (orders[0], orders[-1]))
    for expected, received in zip(xml, json, strict=False):
        answer.must(expected == received, f"{expected} at the same position as in XML", received)


def _check_ids(probe: Probe, params: str, expected: list[str], *more: Pair) -> None:
    for answer, records in probe.listings(("service_request_id", params), *more):
        answer.must_be(200)
        wanted = ", ".join(expected) or "no requests"
        answer.must(sorted(ids_of(records)) == sorted(expected), wanted, ids_of(records))


@check("C208", needs="open_request old_request")
def list_of_ids(probe: Probe) -> None:
    ids = [require(probe.prepared.open_request), require(probe.prepared.old_request)]
    _check_ids(probe, ",".join(ids), ids)


@check("C209", needs="closed_request")
def ids_override_status(probe: Probe) -> None:
    request_id = require(probe.prepared.closed_request)
    _check_ids(probe, request_id, [request_id], ("status", "open"))


@check("C210", needs="open_request")
def ids_override_dates(probe: Probe) -> None:
    request_id = require(probe.prepared.open_request)
    dates = [("start_date", "1999-01-01T00:00:00Z"), ("end_date", "1999-02-01T00:00:00Z")]
    _check_ids(probe, request_id, [request_id], *dates)


@check("C211", needs="open_request")
def unknown_ids_among_others(probe: Probe) -> None:
    request_id = require(probe.prepared.open_request)
    _check_ids(probe, f"{request_id},{UNKNOWN}", [request_id])


@check("C212")
def only_unknown_ids(probe: Probe) -> None:
    _check_ids(probe, UNKNOWN, [])


@check("C213", needs="open_request")
def repeated_ids(probe: Probe) -> None:
    request_id = require(probe.prepared.open_request)
    _check_ids(probe, f"{request_id},{request_id}", [request_id])


@check("C214", needs="several")
def ids_of_another_jurisdiction(probe: Probe) -> None:
    several = require(probe.prepared.several)
    at = Endpoint(several.base_url, several.first.jurisdiction_id)
    for format in probe.readings():
        answer = probe.get(f"requests.{format}", [("service_request_id", several.second.request_id)], at=at)
        answer.must_be(200).must(not answer.records("requests"), "no requests")


@check("C215", needs="private_request")
def private_request(probe: Probe) -> None:
    request_id = require(probe.prepared.private_request)
    for answer in probe.both("requests"):
        answer.must(request_id not in ids_of(answer.records("requests")), f"no {request_id}", "it is listed")
    for answer in probe.both(f"requests/{request_id}"):
        answer.must_be(404)


@check("C216", needs="pending_token")
def batch_request_without_id(probe: Probe) -> None:
    for answer in probe.both("requests"):
        blank = [record for record in answer.records("requests") if not text_of(record, "service_request_id")]
        answer.must(not blank, "no request without an id", f"{len(blank)} requests without an id")
        token = require(probe.prepared.pending_token)
        answer.must(token not in answer.text, f"no token {token}", "a list with this token")
