"""Statistics, an extension: Q1 to Q14."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO

from spec.conformance.answers import Answer, Record, UnmetNeedError, number_of, text_of
from spec.conformance.offers import offered, rows
from spec.conformance.probe import Probe, moment_of
from spec.conformance.registry import check

_AGES = (*(f"open_up_to_{days}_days" for days in (7, 30, 90, 365)), "open_longer")
_TARGETS = ("target_matched", "target_ambiguous", "target_not_managed", "target_none")
_BY_SERVICE = ("group_by", "service")
_MOST = 1_000
_GRACE = timedelta(minutes=5)

Pair = tuple[str, str]


def _get(probe: Probe, *params: Pair, suffix: str = "json") -> Answer:
    """The answer of stats. Raises UnmetNeedError if the server does not offer the call."""
    first = probe.get("stats.json", [_BY_SERVICE])
    offered(probe, "stats", lambda: first.succeeded and b'"closed_in_period"' in first.body)
    return probe.get(f"stats.{suffix}", params)


def _stats(probe: Probe, *params: Pair) -> tuple[Answer, Record, list[Record]]:
    """The answer, its object, and the rows in it."""
    answer = _get(probe, *params).must_be(200)
    data = answer.must_be_json()
    found = data.get("rows") if isinstance(data, dict) else None
    sound = isinstance(found, list) and all(isinstance(row, dict) for row in found)
    answer.must(sound, "an object with a list of rows")
    return answer, data, list(found or ())


def _whole(probe: Probe, *params: Pair) -> tuple[Answer, Record]:
    """The answer and its only row."""
    answer, _, found = _stats(probe, *params)
    answer.must(len(found) == 1, "one row", len(found))
    return answer, found[0]


def _of(row: Record, *names: str) -> list[float]:
    """Numbers of a row; 0 for one that is absent or null."""
    return [number_of(row, name) or 0 for name in names]


def _day(probe: Probe, ago: float) -> str:
    return probe.ago(ago)[:10]


_FEEDBACK = ("feedback_asked", "feedback_answered", "feedback_yes", "feedback_partly", "feedback_no")
_LEAST_ANSWERS = 5


@check("Q1")
def three_formats(probe: Probe) -> None:
    _, _, expected = _stats(probe, _BY_SERVICE)
    numbers = [(text_of(row, "key"), number_of(row, "opened"), number_of(row, "closed")) for row in expected]
    table = _get(probe, _BY_SERVICE, suffix="csv").must_be(200)
    lines = list(csv.DictReader(StringIO(table.text, newline="")))
    received = [(line.get("key", ""), _number(line.get("opened")), _number(line.get("closed"))) for line in lines]
    table.must(received == numbers, f"the numbers of stats.json, {numbers[:3]}", received[:3])
    xml = _get(probe, _BY_SERVICE, suffix="xml").must_be(200)
    items = list(xml.must_be_xml().iterfind("rows/row"))
    received = [
        (item.findtext("key") or "", _number(item.findtext("opened")), _number(item.findtext("closed")))
        for item in items
    ]
    xml.must(received == numbers, f"the numbers of stats.json, {numbers[:3]}", received[:3])


def _number(text: str | None) -> float | None:
    return float(text) if text and text.isdecimal() else None


@check("Q2")
def filters(probe: Probe) -> None:
    _, _, found = _stats(probe, _BY_SERVICE)
    row = next((row for row in found if number_of(row, "open") and number_of(row, "closed")), None)
    if row is None:
        raise UnmetNeedError("no service has both open and closed requests")
    only = ("service_code", text_of(row, "key"))
    answer, whole = _whole(probe, only)
    answer.must(
        _of(whole, "opened") == _of(row, "opened"), f"{_of(row, 'opened')[0]:g} opened", whole.get("opened")
    )
    answer, whole = _whole(probe, only, ("status", "open"))
    expected = [row.get("open"), row.get("open"), 0]
    received = [whole.get(name) for name in ("opened", "open", "closed")]
    answer.must(received == expected, f"opened, open and closed {expected}", received)


@check("Q3")
def days(probe: Probe) -> None:
    first, last = _day(probe, 60), _day(probe, 20)
    period = (("start_date", first), ("end_date", last))
    answer, data, found = _stats(probe, *period, ("group_by", "day"))
    received = [data.get("start_date"), data.get("end_date")]
    answer.must(received == [first, last], f"start_date and end_date {first}, {last}", received)
    outside = [text_of(row, "key") for row in found if not first <= text_of(row, "key") <= last]
    answer.must(not outside, f"days from {first} to {last}", outside)
    answer, whole = _whole(probe, *period)
    total = sum(number_of(row, "opened") or 0 for row in found)
    answer.must(whole.get("opened") == total, f"{total:g} opened, as day by day", whole.get("opened"))


@check("Q4")
def open_and_closed(probe: Probe) -> None:
    for answer, row in _each(probe):
        opened, closed, still_open = _of(row, "opened", "closed", "open")
        answer.must(opened == closed + still_open, "opened = closed + open", row)
        answer.must(sum(_of(row, *_AGES)) == still_open, "ages that add up to open", row)


def _each(probe: Probe) -> Iterator[tuple[Answer, Record]]:
    """The row for all requests, and a row for each service."""
    answer, whole = _whole(probe)
    yield answer, whole
    answer, _, found = _stats(probe, _BY_SERVICE)
    for row in found:
        yield answer, row


@check("Q5")
def hours(probe: Probe) -> None:
    for within_days in (7, 14, 30):
        answer, row = _whole(probe, ("within_days", str(within_days)))
        timed, within = _of(row, "timed", "within")
        median, p90 = number_of(row, "median_hours"), number_of(row, "p90_hours")
        if not timed:
            answer.must(median is None and p90 is None, "null hours where nothing is timed", row)
            return
        answer.must(median is not None and p90 is not None and median <= p90, "median_hours <= p90_hours", row)
        for hours, share in ((median or 0, 0.5), (p90 or 0, 0.9)):
            is_within = within >= share * timed - 1e-9
            answer.must(
                is_within == (hours < 24 * within_days),
                f"hours that agree with {within:g} of {timed:g} within {within_days} days",
                f"{hours:g} hours for a share of {share}",
            )


@check("Q6")
def within(probe: Probe) -> None:
    for answer, row in (*_each(probe), _whole(probe, ("within_days", "30"))):
        found, base, timed, still_open = _of(row, "within", "within_of", "timed", "open")
        answer.must(
            found <= timed <= base <= timed + still_open, "within <= timed <= within_of <= timed + open", row
        )
        _must_be_share(answer, row, "within")
    _get(probe, ("within_days", "8")).must_be(400)


def _must_be_share(answer: Answer, row: Record, name: str) -> None:
    part, base = _of(row, name, f"{name}_of")
    share = number_of(row, f"{name}_share")
    expected = part / base if base else None
    is_right = share is None if expected is None else share is not None and abs(share - expected) < 1e-4
    answer.must(is_right, f"{name}_share {expected}", share)


@check("Q7")
def targets(probe: Probe) -> None:
    for answer, row in _each(probe):
        answer.must(sum(_of(row, *_TARGETS)) == number_of(row, "opened"), "targets that add up to opened", row)
        part, base = _of(row, "on_time", "on_time_of")
        answer.must(part <= base, "on_time <= on_time_of", row)
        _must_be_share(answer, row, "on_time")
    answer, data, _ = _stats(probe, _BY_SERVICE)
    answer.must(data.get("days") == "calendar", "days: calendar", data.get("days"))
    known = (None, "calendar", "working", "both")
    answer.must(data.get("target_days") in known, f"target_days one of {known}", data.get("target_days"))


@check("Q8")
def left_out(probe: Probe) -> None:
    answer, data, found = _stats(probe, _BY_SERVICE)
    named = data.get("left_out")
    answer.must(isinstance(named, list), "a list left_out", named)
    codes = named if isinstance(named, list) else []
    for row in found:
        is_named = row.get("key") in codes
        answer.must(row.get("is_left_out") is is_named, f"is_left_out {is_named} for {row.get('key')}", row)
        if is_named:
            answer.must(not any(_of(row, "timed", "within_of", "on_time_of")), "no times of this service", row)


@check("Q9")
def as_of(probe: Probe) -> None:
    answer, data, _ = _stats(probe)
    moment = moment_of(text_of(data, "as_of"))
    is_past = moment is not None and moment <= probe.now + _GRACE
    answer.must(is_past, "as_of, a time that is not in the future", data.get("as_of"))
    kept = answer.headers.get("cache-control", "")
    answer.must("max-age=60" in kept, "Cache-Control: public, max-age=60", kept or "none")


@check("Q10")
def limits(probe: Probe) -> None:
    _get(probe, ("group_by", "colour")).must_be(400)
    _get(probe, ("group_by", "day")).must_be(400)
    _get(probe, ("group_by", "day"), ("start_date", _day(probe, 900)), ("end_date", _day(probe, 1))).must_be(400)


@check("Q11")
def areas(probe: Probe) -> None:
    _, whole = _whole(probe)
    answer, _, found = _stats(probe, ("group_by", "area"))
    for row in found:
        answer.must(_of(row, "opened") <= _of(whole, "opened"), "no area with more requests than the city", row)
    for row in [row for row in found if row.get("key")][:2]:
        answer, only = _whole(probe, ("area", text_of(row, "key")))
        answer.must(only.get("opened") == row.get("opened"), f"{row.get('opened')} opened", only.get("opened"))


@check("Q12")
def only_public_requests(probe: Probe) -> None:
    answer, whole = _whole(probe, ("start_date", _day(probe, 30)))
    _, listed = rows(probe, ("start_date", probe.ago(32)), ("page_size", str(_MOST)))
    if len(listed) >= _MOST:
        raise UnmetNeedError("more requests than fit on a page")
    opened = number_of(whole, "opened") or 0
    answer.must(opened <= len(listed), f"at most {len(listed)} opened, as many as are listed", f"{opened:g}")


@check("Q13")
def feedback(probe: Probe) -> None:
    for answer, row in _each(probe):
        found = [row.get(name) for name in (*_FEEDBACK, "feedback_share")]
        if row.get("feedback_answered") is None:
            answer.must(not any(one is not None for one in found), "no numbers about feedback, or all", row)
            continue
        asked, answered, yes, partly, no = _of(row, *_FEEDBACK)
        answer.must(answered >= _LEAST_ANSWERS, f"at least {_LEAST_ANSWERS} answers", row)
        answer.must(yes + partly + no == answered <= asked, "yes + partly + no = answered <= asked", row)
        share = number_of(row, "feedback_share")
        answer.must(share is not None and abs(share - yes / answered) < 1e-4, "the share of yes", row)


@check("Q14")
def supporters(probe: Probe) -> None:
    for status in ("open", "closed"):
        answer, row = _whole(probe, ("start_date", _day(probe, 30)), ("status", status))
        found = (("start_date", probe.ago(32)), ("status", status), ("extensions", "true"))
        _, listed = rows(probe, *found, ("page_size", str(_MOST)))
        if len(listed) >= _MOST:
            raise UnmetNeedError("more requests than fit on a page")
        shown = [one.get("extended_attributes") for one in listed]
        most = sum(number_of(one, "supporters") or 0 for one in shown if isinstance(one, dict))
        people = number_of(row, "supporters")
        is_right = people is not None and 0 <= people <= most
        answer.must(is_right, f"supporters, at most {most:g} as in the list", row.get("supporters"))
