"""Tokens: C173 to C180."""

from __future__ import annotations

from spec.conformance.answers import UNKNOWN, Record, UnmetNeedError, text_of
from spec.conformance.probe import Probe, require
from spec.conformance.registry import check

_DAY_S = 86_400.0


def _pair(record: Record) -> tuple[str, str]:
    return text_of(record, "service_request_id"), text_of(record, "token")


@check("C173", needs="resolved_token")
def resolved_in_xml(probe: Probe) -> None:
    token = require(probe.prepared.resolved_token)
    answer = probe.token(token, "xml").must_be(200)
    records = answer.records("token")
    answer.must(len(records) == 1, "one request", len(records))
    request_id, received = _pair(records[0])
    answer.must(request_id and received == token, f"an id and the token {token}", (request_id, received))


@check("C174", needs="resolved_token")
def resolved_in_json(probe: Probe) -> None:
    probe.json_offered()
    token = require(probe.prepared.resolved_token)
    answer = probe.token(token, "json").must_be(200)
    data = answer.must_be_json()
    answer.must(isinstance(data, list) and len(data) == 1 and isinstance(data[0], dict), "an array of one")
    request_id, received = _pair(data[0])
    answer.must(request_id and received == token, f"an id and the token {token}", (request_id, received))


@check("C175", needs="pending_token")
def pending(probe: Probe) -> None:
    token = require(probe.prepared.pending_token)
    for format in probe.formats:
        answer = probe.token(token, format).must_be(200)
        records = answer.records("token")
        answer.must(len(records) == 1 and text_of(records[0], "token") == token, f"one item with {token}")
        answer.must("service_request_id" not in records[0], "no service_request_id", "one")


@check("C176")
def unknown_token(probe: Probe) -> None:
    for answer in probe.both(f"tokens/{UNKNOWN}"):
        answer.must_be(404)


@check("C177")
def no_token(probe: Probe) -> None:
    for answer in probe.both("tokens/"):
        answer.must_be(400)


def _resolved_id(probe: Probe) -> str:
    answer = probe.token(require(probe.prepared.resolved_token), probe.formats[-1], fresh=True)
    request_id = text_of((answer.records("token") or [{}])[0], "service_request_id")
    if not request_id:
        raise UnmetNeedError("the token gave no id (see C173)")
    return request_id


@check("C178", needs="resolved_token")
def resolved_id_can_be_read(probe: Probe) -> None:
    request_id = _resolved_id(probe)
    for format in probe.formats:
        probe.request(request_id, format).must_be(200)


@check("C179", needs="resolved_token advance_clock", disturbs=True)
def a_day_later(probe: Probe) -> None:
    before = _resolved_id(probe)
    require(probe.prepared.advance_clock)(_DAY_S)
    answer = probe.token(require(probe.prepared.resolved_token), probe.formats[-1], fresh=True).must_be(200)
    answer.must(_resolved_id(probe) == before, f"the id {before}")


@check("C180", needs="open_request")
def realtime_id_is_no_token(probe: Probe) -> None:
    """No id of a listed request is a token. This also holds for requests of batch services."""
    for answer in probe.both(f"tokens/{require(probe.prepared.open_request)}"):
        answer.must_be(404)
