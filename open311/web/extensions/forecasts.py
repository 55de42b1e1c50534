"""Forecasts: how many requests to expect, and how many days they take (spec/extensions.md, H1 to H10)."""

from __future__ import annotations

from codecs import BOM_UTF8
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from open311.domain.outlooks import Outlook, PeriodForecast
from open311.domain.public_words import CAVEAT
from open311.errors import NotYet
from open311.formats import document, shape_of
from open311.formats.writing import Feed, csv_lines, harmless
from open311.operations.statistics.forecasting import find_forecasts
from open311.plugins import Jurisdiction
from open311.web.access import ANYBODY
from open311.web.calls import Answer, Call
from open311.web.endpoints import Media, endpoint
from open311.web.languages import caller_language, for_caller
from open311.web.surfaces import GEOREPORT
from open311.web.terms import term_headers
from schemas.forecasts import (
    ForecastArguments,
    ForecastsSchema,
    ForecastTableArguments,
    OutlookSchema,
    PeriodForecastSchema,
)
from schemas.texts import tell

_SHAPE = shape_of(ForecastsSchema)
_LISTS = ("rows", "forecasts")
_COLUMNS = [
    column.name
    for schema in (ForecastsSchema, OutlookSchema, PeriodForecastSchema)
    for column in shape_of(schema).columns
    if column.name not in _LISTS
]
NONE_YET = tell("The forecasts are made once a day, and there are none yet; try again in an hour.")
_KEPT = "public, max-age=300"
_FORECASTS: dict[str, Any] = {
    "access": ANYBODY,
    "is_extension": True,
    "headers": ("Content-Language", "Link", "X-Attribution"),
}


@endpoint(GEOREPORT, "/stats/forecast", reads=ForecastArguments, answers=ForecastsSchema, **_FORECASTS)
def show_forecasts(call: Call) -> Answer:
    """Say how many requests to expect in the next months, and within how many days they are closed (extension).

    Each forecast says how good it was on periods of the past. A forecast that is not published has a reason, for
    example that it is no better than a simple guess. Without a filter: the whole city, each service and each area.
    """
    body = document(_SHAPE, _SHAPE.plain(_View.of(call)), call.output)
    return _answer(call, body)


@endpoint(
    GEOREPORT,
    "/stats/forecast.csv",
    reads=ForecastTableArguments,
    answers=Media("text/csv", {"type": "string"}),
    output=Feed.CSV,
    **_FORECASTS,
)
def show_forecasts_as_csv(call: Call) -> Answer:
    """Say how many requests to expect, as CSV (RFC 4180) with the same numbers as stats/forecast.json.

    Each line is one forecast. It begins with the fields of the whole answer and those of the row that has this
    forecast in stats/forecast.json.
    """
    whole = _SHAPE.plain(_View.of(call))
    lines = [
        [harmless(fields[name]) for name in _COLUMNS]
        for row in whole["rows"]
        for forecast in row["forecasts"]
        for fields in [whole | row | forecast]
    ]
    table = csv_lines([_COLUMNS, *lines])
    return _answer(call, BOM_UTF8 + table if call.values["bom"] else table)


def _answer(call: Call, body: bytes) -> Answer:
    language = caller_language(call.request)
    return Answer(body=body, cache_control=_KEPT, headers=tuple(term_headers(call)), language=language)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """A row as the body shows it."""

    service_code: str
    service_name: str
    area: str
    closed: int
    open: int
    median_days: int | None
    p80_days: int | None
    days_reason: str
    recent_first_day: str
    recent_last_day: str
    recent_count: int | None
    recent_expected: int | None
    recent_most: int | None
    is_hot_spot: bool
    forecasts: tuple[PeriodForecast, ...]

    @classmethod
    def of(cls, outlook: Outlook, city: Jurisdiction) -> _Row:
        service = city.service(outlook.service_code)
        fields = {name: getattr(outlook, name) for name in cls.__slots__ if name != "service_name"}
        return cls(service_name=service.name if service else "", **fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class _View:
    """The forecasts as the body shows them."""

    as_of: datetime
    caveat: str
    without_row: int
    rows: tuple[_Row, ...]

    @classmethod
    def of(cls, call: Call) -> _View:
        """What a call asks for. An alias of a service's code finds the service."""
        city, codes = call.city, call.values["service_code"]
        if call.platform.settings.unknown_service_is_404:
            for code in codes:
                city.require_shown(code)
        own = [service.code if (service := city.service(code)) else code for code in codes]
        found = find_forecasts(call.platform, city, service_codes=tuple(own), area=call.values["area"])
        if found is None:
            raise NotYet(NONE_YET, retry_after_s=3_600)
        return cls(
            as_of=found.as_of,
            caveat=for_caller(CAVEAT, call.request),
            without_row=found.without_row,
            rows=tuple(_Row.of(row, city) for row in found.rows),
        )
