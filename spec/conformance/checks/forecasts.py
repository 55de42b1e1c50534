"""Forecasts, an extension: H1 to H6 and H8 to H10."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import date, timedelta
from io import StringIO

from spec.conformance.answers import Answer, Record, UnmetNeedError, number_of, text_of
from spec.conformance.offers import offered
from spec.conformance.probe import Probe, moment_of
from spec.conformance.registry import check

_REASONS = ("few_requests", "short_history", "gap", "random_walk", "last_year_as_good", "interval_not_held")
_NO_DAYS = ("few_requests", "still_open", "closed_at_intake")
_METHODS = ("mean_and_last_year", "seasonal_level", "blend")
_NUMBERS = ("expected_requests", "low", "high")
_ERRORS = ("error", "last_year_error", "newest_error")
_RECENT = ("recent_count", "recent_expected", "recent_most")
_GRACE = timedelta(minutes=5)

Pair = tuple[str, str]


def _get(probe: Probe, *params: Pair, suffix: str = "json") -> Answer:
    """The answer of stats/forecast. Raises UnmetNeedError if the server does not offer it, or has none yet."""
    first = probe.get("stats/forecast.json")
    offered(probe, "forecasts", lambda: first.succeeded and b'"forecasts"' in first.body)
    if first.status == 503:
        raise UnmetNeedError("no forecasts have been made yet")
    return probe.get(f"stats/forecast.{suffix}", params).must_be(200)


def _rows(probe: Probe, *params: Pair) -> tuple[Answer, Record, list[Record]]:
    """The answer, its object, and its rows, each with a list of forecasts."""
    answer = _get(probe, *params)
    data = answer.must_be_json()
    found = data.get("rows") if isinstance(data, dict) else None
    sound = isinstance(found, list) and all(_has_forecasts(row) for row in found)
    answer.must(sound, "an object with a list of rows, each with a list of forecasts")
    return answer, data, list(found or ())


def _has_forecasts(row: object) -> bool:
    found = row.get("forecasts") if isinstance(row, dict) else None
    return isinstance(found, list) and all(isinstance(one, dict) for one in found)


def _forecasts_of(row: Record) -> list[Record]:
    """The forecasts of a row, which `_rows` has checked."""
    found = row["forecasts"]
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _forecasts(probe: Probe) -> Iterator[tuple[Answer, Record, Record]]:
    """Each forecast of the rows without a filter, with the answer and its row."""
    answer, _, found = _rows(probe)
    for row in found:
        for one in _forecasts_of(row):
            yield answer, row, one


def _published(probe: Probe) -> Iterator[tuple[Answer, Record]]:
    """Each forecast that is published."""
    return (
        (answer, one) for answer, _, one in _forecasts(probe) if number_of(one, "expected_requests") is not None
    )


@check("H1")
def three_formats(probe: Probe) -> None:
    names = ("service_code", "area", "period", "first_day", "reason")
    expected = [
        (*(text_of(row | one, name) for name in names), number_of(one, "expected_requests"))
        for _, row, one in _forecasts(probe)
    ]
    table = _get(probe, suffix="csv")
    lines = csv.DictReader(StringIO(table.text.removeprefix("\ufeff"), newline=""))
    received = [
        (*(line.get(name) or "" for name in names), _number(line.get("expected_requests"))) for line in lines
    ]
    table.must(received == expected, f"the forecasts of the JSON, {expected[:2]}", received[:2])
    xml = _get(probe, suffix="xml")
    received = [
        (
            *((one.findtext(name) or row.findtext(name) or "") for name in names),
            _number(one.findtext("expected_requests")),
        )
        for row in xml.must_be_xml().iterfind("rows/row")
        for one in row.iterfind("forecasts/forecast")
    ]
    xml.must(received == expected, f"the forecasts of the JSON, {expected[:2]}", received[:2])


def _number(text: str | None) -> float | None:
    return float(text) if text and text.isdecimal() else None


@check("H2")
def filters(probe: Probe) -> None:
    answer, _, whole = _rows(probe)
    cells = [(text_of(row, "service_code"), text_of(row, "area")) for row in whole]
    both = [cell for cell in cells if all(cell)]
    answer.must(not both, "without a filter, no row of a service in an area", both)
    for name, place in (("service_code", 0), ("area", 1)):
        known = next((cell[place] for cell in cells if cell[place]), None)
        if known is None:
            continue
        answer, _, found = _rows(probe, (name, known))
        values = {text_of(row, name) for row in found}
        answer.must(values == {known}, f"only rows with {name} {known}", values)
    answer, _, found = _rows(probe, ("service_code", "no-such-service-0"))
    answer.must(not found, "no row of an unknown service", found[:1])


@check("H3")
def periods(probe: Probe) -> None:
    answer, data, found = _rows(probe)
    today = text_of(data, "as_of")[:10]
    for row in found:
        forecasts = _forecasts_of(row)
        months = [one for one in forecasts if one.get("period") == "month"]
        weeks = [one for one in forecasts if one.get("period") == "week"]
        aheads = [number_of(one, "ahead") for one in months]
        answer.must(aheads == [1, 2, 3, 4, 5, 6], "months ahead 1 to 6", aheads)
        for one in months:
            first, last = _days(answer, one)
            is_month = first.day == 1 and (last + timedelta(days=1)).day == 1 and (last - first).days < 31
            answer.must(is_month, "a whole month", [str(first), str(last)])
        answer.must(len(weeks) == 1, "one week", len(weeks))
        first, last = _days(answer, weeks[0])
        is_week = (last - first).days == 6 and abs((first - date.fromisoformat(today)).days) <= 1
        answer.must(is_week, f"seven days from {today} on", [str(first), str(last)])


def _days(answer: Answer, one: Record) -> tuple[date, date]:
    texts = [text_of(one, name) for name in ("first_day", "last_day")]
    try:
        first, last = map(date.fromisoformat, texts)
    except ValueError:
        answer.fail("first_day and last_day, which are dates", str(texts))
    return first, last


@check("H4")
def numbers_or_a_reason(probe: Probe) -> None:
    for answer, _, one in _forecasts(probe):
        numbers, reason = [number_of(one, name) for name in _NUMBERS], one.get("reason")
        if reason is None:
            expected, low, high = (-1.0 if number is None else number for number in numbers)
            answer.must(0 <= low <= expected <= high, "0 <= low <= expected_requests <= high", one)
        else:
            answer.must(reason in _REASONS, f"a reason, one of {_REASONS}", reason)
            answer.must(numbers == [None, None, None], "no number of a forecast that is not published", numbers)


@check("H5")
def beats_simple_guesses(probe: Probe) -> None:
    for answer, one in _published(probe):
        error, by_year, by_newest = (number_of(one, name) for name in _ERRORS)
        is_better = None not in (error, by_year, by_newest) and (error or 0) < min(by_year or 0, by_newest or 0)
        answer.must(is_better, "an error below last_year_error and newest_error", one)
        answer.must(one.get("method") in _METHODS, f"a method, one of {_METHODS}", one.get("method"))
        answer.must((number_of(one, "tests") or 0) > 0, "tests", one.get("tests"))


@check("H6")
def intervals(probe: Probe) -> None:
    for answer, one in _published(probe):
        answer.must(0.7 <= (number_of(one, "coverage") or 0) <= 0.9, "a coverage from 0.7 to 0.9", one)
        tried, tests = (number_of(one, name) or 0 for name in ("intervals", "tests"))
        answer.must(0 < tried <= tests, "0 < intervals <= tests", one)


@check("H8")
def days_to_close(probe: Probe) -> None:
    answer, _, found = _rows(probe)
    for row in found:
        median, p80, reason = number_of(row, "median_days"), number_of(row, "p80_days"), row.get("days_reason")
        if reason is None:
            answer.must(
                median is not None and p80 is not None and 1 <= median <= p80, "1 <= median_days <= p80_days", row
            )
            answer.must((number_of(row, "closed") or 0) >= 50, "at least 50 closed requests", row.get("closed"))
        else:
            answer.must(reason in _NO_DAYS, f"a reason, one of {_NO_DAYS}", reason)
            answer.must(median is None and p80 is None, "no days that are not published", row)


@check("H9")
def hot_spots(probe: Probe) -> None:
    answer, _, found = _rows(probe)
    cells = [(text_of(row, "service_code"), text_of(row, "area")) for row in found]
    answer.must(cells == sorted(cells), "rows in the order of service_code and area", cells[:5])
    for row in found:
        count, expected, most = (number_of(row, name) for name in _RECENT)
        if count is None or not text_of(row, "area"):
            answer.must(row.get("is_hot_spot") is False, "no hot spot without a past of an area", row)
        else:
            is_above = count > max(expected or 0, most or 0)
            answer.must(is_above or row.get("is_hot_spot") is False, "a hot spot above recent_most", row)


@check("H10")
def as_of_and_caveat(probe: Probe) -> None:
    answer, data, _ = _rows(probe)
    moment = moment_of(text_of(data, "as_of"))
    answer.must(moment is not None and moment <= probe.now + _GRACE, "as_of, not in the future", data.get("as_of"))
    answer.must(len(text_of(data, "caveat")) > 20, "a caveat in words", data.get("caveat"))
    language = answer.headers.get("content-language", "")
    answer.must(language, "Content-Language of the caveat", language or "none")
