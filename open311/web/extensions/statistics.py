"""Statistics: how many requests, how old, how fast, and how often on time (spec/extensions.md, Q1 to Q14)."""

from __future__ import annotations

from codecs import BOM_UTF8
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from open311.domain.statistics import Row, Statistics
from open311.formats import document, shape_of
from open311.formats.writing import Feed, csv_lines, harmless
from open311.operations.statistics.answering import answers_of_minute
from open311.operations.statistics.questions import read_question
from open311.web.access import ANYBODY
from open311.web.calls import Answer, Call
from open311.web.endpoints import Media, endpoint
from open311.web.surfaces import GEOREPORT
from open311.web.terms import term_headers
from schemas.statistics import (
    StatisticsArguments,
    StatisticsRowSchema,
    StatisticsSchema,
    StatisticsTableArguments,
)
from schemas.texts import Message

_SHAPE = shape_of(StatisticsSchema)
_ROW_NAMES = [column.name for column in shape_of(StatisticsRowSchema).columns]
_KEPT = "public, max-age=60"
_STATISTICS: dict[str, Any] = {
    "access": ANYBODY,
    "is_extension": True,
    "gathers_problems": True,
    "headers": ("Link", "X-Attribution"),
}


@endpoint(GEOREPORT, "/stats", reads=StatisticsArguments, answers=StatisticsSchema, **_STATISTICS)
def show_statistics(call: Call) -> Answer:
    """Count requests: opened, closed and open, how old, how fast closed, and how many on time (extension).

    The filters are those of requests.json, without its window of 90 days. Medians and percentiles are exact to the
    hour. `days` and `target_days` say which days are counted.
    """
    found, headers, warnings = _found(call)
    body = document(_SHAPE, _SHAPE.plain(found), call.output)
    return Answer(body=body, cache_control=_KEPT, headers=headers, warnings=warnings)


@endpoint(
    GEOREPORT,
    "/stats.csv",
    reads=StatisticsTableArguments,
    answers=Media("text/csv", {"type": "string"}),
    output=Feed.CSV,
    **_STATISTICS,
)
def show_statistics_as_csv(call: Call) -> Answer:
    """Count requests, as CSV (RFC 4180) with the same numbers as stats.json.

    Each line begins with the fields that are common to all rows.
    """
    found, headers, warnings = _found(call)
    whole = _SHAPE.plain(found)
    common = [name for name in whole if name != "rows"]
    lines = [
        [harmless(value) for value in (*(whole[name] for name in common), *row.values())] for row in whole["rows"]
    ]
    table = csv_lines([[*common, *_ROW_NAMES], *lines])
    body = BOM_UTF8 + table if call.values["bom"] else table
    return Answer(body=body, cache_control=_KEPT, headers=headers, warnings=warnings)


def _found(call: Call) -> tuple[_View, tuple[tuple[str, str], ...], tuple[Message, ...]]:
    """The numbers that a call asks for, with headers and warnings."""
    asked = read_question(call.values, call.city, now=call.now, problems=call.problems)
    if call.platform.settings.unknown_service_is_404:
        for code in call.values["service_code"]:
            call.city.require_shown(code)
    question, by = asked.question, asked.question.group_by
    found = answers_of_minute(call.platform, call.city, question, [by], now=call.now, live=asked.live)
    return _View.of(found[by]), tuple(term_headers(call)), asked.warnings


@dataclass(frozen=True, slots=True, kw_only=True)
class _View:
    """The numbers as the body shows them."""

    as_of: datetime
    group_by: str
    start_date: str
    end_date: str
    within_days: int
    days: str
    target_days: str
    left_out: tuple[str, ...]
    rows: tuple[Row, ...]

    @classmethod
    def of(cls, found: Statistics) -> _View:
        question = found.question
        return cls(
            as_of=found.as_of,
            group_by=question.group_by,
            start_date=str(question.first or ""),
            end_date=str(question.last or ""),
            within_days=question.within_days,
            days="calendar",
            target_days=found.target_days,
            left_out=found.left_out,
            rows=found.rows,
        )
