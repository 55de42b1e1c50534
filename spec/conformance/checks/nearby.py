"""Nearby, an extension: N1 to N6."""

from __future__ import annotations

from datetime import timedelta

from spec.conformance.answers import Answer, Record, UnmetNeedError, ids_of, number_of, text_of
from spec.conformance.offers import NOWHERE, at, beside, distance_m, offered, place, records_in, rows, spot
from spec.conformance.preparation import Point
from spec.conformance.probe import Probe, created, given, moment_of, only, segment
from spec.conformance.registry import check

_WIDEST = (("radius", "1000"), ("days", "365"))
_GRACE = timedelta(minutes=5)
_MOST = 20
_AWAY_M = 80
"""The distance between the places where different checks file requests, so that these are no duplicates."""

Pair = tuple[str, str]


def _around(probe: Probe, *asked: Pair, suffix: str = "json") -> Answer:
    """The answer of requests/nearby, by default for service and point of the open request.

    Raises UnmetNeedError if the server does not offer the call.
    """
    usual = [("service_code", _code(probe)), *at(*place(probe))]
    widest = probe.get("requests/nearby.json", [*usual, *_WIDEST])
    offered(probe, "nearby", lambda: widest.succeeded and b'"distance"' in widest.body)
    names = {name for name, _ in asked}
    return probe.get(f"requests/nearby.{suffix}", [*(pair for pair in usual if pair[0] not in names), *asked])


def _code(probe: Probe, request_id: str = "") -> str:
    """The service code of a request, by default of the open request."""
    request_id = request_id or given(probe.prepared.open_request)
    return text_of(only(probe.request(request_id, probe.formats[-1])), "service_code")


def _found(probe: Probe, *asked: Pair) -> tuple[Answer, list[Record]]:
    answer = _around(probe, *asked).must_be(200)
    return answer, records_in(answer)


@check("N1", needs="open_request closed_request")
def same_service(probe: Probe) -> None:
    request_id, code = given(probe.prepared.open_request), _code(probe)
    answer, records = _found(probe, *_WIDEST)
    others = {text_of(record, "service_code") for record in records} - {code}
    answer.must(not others, f"requests of {code} only", others)
    is_there = request_id in ids_of(records) or len(records) == _MOST
    answer.must(is_there, f"{request_id}, which is at that place", ids_of(records))
    other = _code(probe, given(probe.prepared.closed_request))
    answer, records = _found(probe, *_WIDEST, ("service_code", other))
    answer.must(
        other == code or request_id not in ids_of(records), f"no {request_id}, which is of {code}", "it is listed"
    )
    answer, records = _found(probe, *_WIDEST, *at(*NOWHERE))
    answer.must(not records, "nothing in the middle of the ocean", ids_of(records))


@check("N2", needs="open_request")
def another_vicinity(probe: Probe) -> None:
    lat, long = place(probe)
    answer, records = _found(probe, ("radius", "30"), ("days", "365"))
    far = [record for record in records if distance_m(record, lat, long) > 30.5]
    answer.must(not far, "requests within 30 m", ids_of(far))
    answer, records = _found(probe, ("radius", "1000"), ("days", "1"))
    early = [record for record in records if not _is_of_a_day(probe, record)]
    answer.must(not early, "requests of the last day", ids_of(early))
    for asked in (("radius", "1001"), ("radius", "1.5"), ("days", "366"), ("days", "0")):
        _around(probe, asked).must_be(400)


def _is_of_a_day(probe: Probe, record: Record) -> bool:
    """Whether the request is at most a day old. The age of a closed one begins with its updated_datetime (A34)."""
    name = "updated_datetime" if text_of(record, "status") == "closed" else "requested_datetime"
    moment = moment_of(text_of(record, name))
    return moment is None or moment >= probe.now - timedelta(days=1) - _GRACE


@check("N3", needs="open_request")
def nearest_first(probe: Probe) -> None:
    lat, long = beside(probe)
    answer, records = _found(probe, *_WIDEST, *at(lat, long))
    answer.must(len(records) <= _MOST, f"at most {_MOST} requests", len(records))
    expected = [distance_m(record, lat, long) for record in records]
    came = [number_of(record, "distance") for record in records]
    close = all(
        one is not None and abs(one - two) <= 1 + two / 100 for one, two in zip(came, expected, strict=True)
    )
    answer.must(close, f"distances of {[round(each, 1) for each in expected]} m", came)
    known = [each for each in came if each is not None]
    answer.must(known == sorted(known), "the nearest first", came)
    _, listed = rows(probe, ("service_request_id", ",".join(ids_of(records))))
    plain = [{name: value for name, value in record.items() if name != "distance"} for record in records]
    differing = [record for record in listed if record not in plain]
    answer.must(not differing, "each as in the list, and distance", ids_of(differing))
    xml = _around(probe, *_WIDEST, *at(lat, long), suffix="xml").must_be(200)
    xml.must(ids_of(xml.records("requests")) == ids_of(records), f"{', '.join(ids_of(records))} in XML as well")


@check("N4", needs="open_request")
def only_with_its_suffix(probe: Probe) -> None:
    _around(probe)
    asked = [("service_code", _code(probe)), *at(*place(probe)), *_WIDEST]
    answer = probe.get("requests/nearby", asked)
    if answer.succeeded:
        ids = ids_of(answer.records("requests"))
        answer.must(ids == ["nearby"], "the request whose id is nearby, or none", ids)
    else:
        answer.must_be(404)


# --- Duplicates


def _file(probe: Probe, point: Point, **fields: str) -> str:
    """File a request for service P at a point. Returns its id."""
    form = probe.form(lat=str(point.lat), long=str(point.long), **fields)
    return text_of(created(probe.post(form)), "service_request_id")


def _original(probe: Probe, request_id: str) -> str:
    """The id in possible_duplicate_of of a new request; "" if there is none."""
    _, records = rows(probe, ("extensions", "true"), path=f"requests/{segment(request_id)}")
    extended = records[0].get("extended_attributes") if records else None
    return text_of(extended, "possible_duplicate_of") if isinstance(extended, dict) else ""


def _open_at(probe: Probe, point: Point) -> list[Record]:
    """The open requests of service P that a new request at this point may repeat, not from the cache."""
    asked = [("service_code", given(probe.prepared.plain_service)), *at(point.lat, point.long)]
    records = records_in(probe.get("requests/nearby.json", asked, fresh=True).must_be(200))
    return [record for record in records if text_of(record, "status") == "open"]


@check("N5", needs="open_request plain_service point", writes=True)
def duplicates(probe: Probe) -> None:
    _around(probe)
    point = spot(probe, _AWAY_M)
    _file(probe, point)
    before = _open_at(probe, point)
    if not before:
        raise UnmetNeedError("the city looks for no duplicates of this service")
    second = _file(probe, point)
    answer = probe.request(second, probe.formats[-1])
    earliest = min(text_of(record, "requested_datetime") for record in before)
    expected = ids_of(record for record in before if text_of(record, "requested_datetime") == earliest)
    came = _original(probe, second)
    answer.must(came in expected, f"possible_duplicate_of {' or '.join(expected)}", came or "none")


@check("N6", needs="open_request plain_service point test_key", writes=True)
def test_keys(probe: Probe) -> None:
    _around(probe)
    point = spot(probe, 2 * _AWAY_M)
    tested = _file(probe, point, api_key=given(probe.prepared.test_key))
    answer = probe.request(tested, probe.formats[-1])
    answer.must(tested not in ids_of(_open_at(probe, point)), f"no {tested}, filed with a test key", "it is there")
    public = _file(probe, point)
    named = _original(probe, public)
    answer.must(named != tested, f"{public} without {tested}, filed with a test key", named)
    again = _file(probe, point, api_key=given(probe.prepared.test_key))
    answer.must(not _original(probe, again), "no duplicate of a test", _original(probe, again))
