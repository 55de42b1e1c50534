"""Nearby, an extension: N1 to N6."""

from __future__ import annotations

from datetime import timedelta

from spec.conformance.answers import Answer, Record, UnmetNeedError, ids_of, number_of, text_of
from spec.conformance.offers import NOWHERE, at, beside, distance_m, offered, place, records_in, rows, spot
from spec.conformance.preparation import Point
from spec.conformance.probe import Probe, created, moment_of, only, require, segment
from spec.conformance.registry import check

_WIDEST = (("radius", "1000"), ("days", "365"))
_GRACE = timedelta(minutes=5)
_MOST = 20
_AWAY_M = 80
"""Metres between the places that two checks use. Requests of different checks must not become duplicates."""

Pair = tuple[str, str]


def _around(probe: Probe, *params: Pair, suffix: str = "json") -> Answer:
    """The answer of requests/nearby, by default for service and point of the open request.

    Raises UnmetNeedError if the server does not offer the call.
    """
    defaults = [("service_code", _code(probe)), *at(*place(probe))]
    widest = probe.get("requests/nearby.json", [*defaults, *_WIDEST])
    offered(probe, "nearby", lambda: widest.succeeded and b'"distance"' in widest.body)
    names = {name for name, _ in params}
    return probe.get(f"requests/nearby.{suffix}", [*(pair for pair in defaults if pair[0] not in names), *params])


def _code(probe: Probe, request_id: str = "") -> str:
    """The service code of a request, by default of the open request."""
    request_id = request_id or require(probe.prepared.open_request)
    return text_of(only(probe.request(request_id, probe.formats[-1])), "service_code")


def _nearby_records(probe: Probe, *params: Pair) -> tuple[Answer, list[Record]]:
    answer = _around(probe, *params).must_be(200)
    return answer, records_in(answer)


@check("N1", needs="open_request closed_request")
def same_service(probe: Probe) -> None:
    request_id, code = require(probe.prepared.open_request), _code(probe)
    answer, records = _nearby_records(probe, *_WIDEST)
    others = {text_of(record, "service_code") for record in records} - {code}
    answer.must(not others, f"requests of {code} only", others)
    is_there = request_id in ids_of(records) or len(records) == _MOST
    answer.must(is_there, f"{request_id}, which is at this place", ids_of(records))
    other = _code(probe, require(probe.prepared.closed_request))
    answer, records = _nearby_records(probe, *_WIDEST, ("service_code", other))
    answer.must(
        other == code or request_id not in ids_of(records),
        f"no {request_id}, which is of {code}",
        "a list with this request",
    )
    answer, records = _nearby_records(probe, *_WIDEST, *at(*NOWHERE))
    answer.must(not records, "no request in the middle of the ocean", ids_of(records))


@check("N2", needs="open_request")
def another_vicinity(probe: Probe) -> None:
    lat, long = place(probe)
    answer, records = _nearby_records(probe, ("radius", "30"), ("days", "365"))
    far = [record for record in records if distance_m(record, lat, long) > 30.5]
    answer.must(not far, "requests within 30 m", ids_of(far))
    answer, records = _nearby_records(probe, ("radius", "1000"), ("days", "1"))
    early = [record for record in records if not _is_from_last_day(probe, record)]
    answer.must(not early, "requests of the last day", ids_of(early))
    for params in (("radius", "1001"), ("radius", "1.5"), ("days", "366"), ("days", "0")):
        _around(probe, params).must_be(400)


def _is_from_last_day(probe: Probe, record: Record) -> bool:
    """Whether the request is at most a day old. The age of a closed request counts from updated_datetime."""
    name = "updated_datetime" if text_of(record, "status") == "closed" else "requested_datetime"
    moment = moment_of(text_of(record, name))
    return moment is None or moment >= probe.now - timedelta(days=1) - _GRACE


@check("N3", needs="open_request")
def nearest_first(probe: Probe) -> None:
    lat, long = beside(probe)
    answer, records = _nearby_records(probe, *_WIDEST, *at(lat, long))
    answer.must(len(records) <= _MOST, f"at most {_MOST} requests", len(records))
    expected = [distance_m(record, lat, long) for record in records]
    received = [number_of(record, "distance") for record in records]
    is_close = all(
        one is not None and abs(one - two) <= 1 + two / 100 for one, two in zip(received, expected, strict=True)
    )
    answer.must(is_close, f"distances of {[round(each, 1) for each in expected]} m", received)
    known = [each for each in received if each is not None]
    answer.must(known == sorted(known), "the nearest first", received)
    _, listed = rows(probe, ("service_request_id", ",".join(ids_of(records))))
    plain = [{name: value for name, value in record.items() if name != "distance"} for record in records]
    differing = [record for record in listed if record not in plain]
    answer.must(not differing, "each request as in the list, with distance added", ids_of(differing))
    xml = _around(probe, *_WIDEST, *at(lat, long), suffix="xml").must_be(200)
    xml.must(ids_of(xml.records("requests")) == ids_of(records), f"{', '.join(ids_of(records))} in XML as well")


@check("N4", needs="open_request")
def only_with_its_suffix(probe: Probe) -> None:
    _around(probe)
    params = [("service_code", _code(probe)), *at(*place(probe)), *_WIDEST]
    answer = probe.get("requests/nearby", params)
    if answer.succeeded:
        ids = ids_of(answer.records("requests"))
        answer.must(ids == ["nearby"], "the request whose id is nearby, or none", ids)
    else:
        answer.must_be(404)


# --- Duplicates


def _send(probe: Probe, point: Point, **fields: str) -> str:
    """Send a new request for service P at a point. Returns its id."""
    form = probe.form(lat=str(point.lat), long=str(point.long), **fields)
    return text_of(created(probe.post(form)), "service_request_id")


def _original(probe: Probe, request_id: str) -> str:
    """The id in possible_duplicate_of of a new request; "" if there is none."""
    _, records = rows(probe, ("extensions", "true"), path=f"requests/{segment(request_id)}")
    extended = records[0].get("extended_attributes") if records else None
    return text_of(extended, "possible_duplicate_of") if isinstance(extended, dict) else ""


def _open_at(probe: Probe, point: Point) -> list[Record]:
    """The open requests of service P that a new request at this point may repeat, not from the cache."""
    params = [("service_code", require(probe.prepared.plain_service)), *at(point.lat, point.long)]
    records = records_in(probe.get("requests/nearby.json", params, fresh=True).must_be(200))
    return [record for record in records if text_of(record, "status") == "open"]


@check("N5", needs="open_request plain_service point", writes=True)
def duplicates(probe: Probe) -> None:
    _around(probe)
    point = spot(probe, _AWAY_M)
    _send(probe, point)
    before = _open_at(probe, point)
    if not before:
        raise UnmetNeedError("the city does not search for duplicates of this service")
    second = _send(probe, point)
    answer = probe.request(second, probe.formats[-1])
    earliest = min(text_of(record, "requested_datetime") for record in before)
    expected = ids_of(record for record in before if text_of(record, "requested_datetime") == earliest)
    received = _original(probe, second)
    answer.must(received in expected, f"possible_duplicate_of {' or '.join(expected)}", received or "none")


@check("N6", needs="open_request plain_service point test_key", writes=True)
def test_keys(probe: Probe) -> None:
    _around(probe)
    point = spot(probe, 2 * _AWAY_M)
    test_id = _send(probe, point, api_key=require(probe.prepared.test_key))
    answer = probe.request(test_id, probe.formats[-1])
    answer.must(
        test_id not in ids_of(_open_at(probe, point)),
        f"no {test_id}, sent with a test key",
        "a list with this request",
    )
    public = _send(probe, point)
    named = _original(probe, public)
    answer.must(named != test_id, f"{public} without {test_id}, sent with a test key", named)
    second_test = _send(probe, point, api_key=require(probe.prepared.test_key))
    answer.must(not _original(probe, second_test), "no duplicate of a test", _original(probe, second_test))
