"""Parameters and bodies of the forecasts (spec/extensions.md, H1 to H10)."""

from __future__ import annotations

from marshmallow import fields

from schemas.arguments import JurisdictionArguments
from schemas.base import Body, Instant, OptionalText, Ratio, Share, Text, describe
from schemas.parameters import FlagParameter, ListParameter, TextParameter

PERIODS = ("month", "week")
METHODS = ("mean_and_last_year", "seasonal_level", "blend")
REASONS = ("few_requests", "short_history", "gap", "random_walk", "last_year_as_good", "interval_not_held")
NO_DAYS = ("few_requests", "still_open", "closed_at_intake")


class ForecastArguments(JurisdictionArguments):
    """The parameters of the forecasts."""

    service_code = ListParameter(
        "Service codes, comma-separated or repeated: rows of these services, in the whole city and in each area."
    )
    area = TextParameter("Name of an area, as `areas` lists them: its row, and those of the services in it.")


class ForecastTableArguments(ForecastArguments):
    """The parameters of the forecasts as CSV."""

    bom = FlagParameter("true: the file begins with a byte order mark, for Excel.", default=False)


def _number(text: str, example: int) -> fields.Integer:
    return fields.Integer(allow_none=True, metadata=describe(text, example))


def _count(text: str, example: int) -> fields.Integer:
    return fields.Integer(metadata=describe(text, example))


class PeriodForecastSchema(Body):
    """The forecast for one month or for seven days, and how it did in the past."""

    xml_item = "forecast"

    period = Text(metadata=describe("`month`, or `week`: the seven days that begin today.", "month"))
    ahead = _count("1 for the first month that is not over, 2 for the next one, and so on.", 1)
    first_day = Text(metadata=describe("The first day of the period.", "2026-04-01"))
    last_day = Text(metadata=describe("The last day of the period.", "2026-04-30"))
    expected_requests = fields.Integer(
        allow_none=True,
        attribute="expected",
        metadata=describe("How many requests to expect; null if that is not published.", 1200),
    )
    low = _number("The lower end of the interval in which eight of ten such numbers lie.", 1050)
    high = _number("The upper end of the interval.", 1340)
    reason = OptionalText(
        metadata=describe(
            "Why it is not published; null if it is. One of few_requests, short_history, gap, random_walk,"
            " last_year_as_good and interval_not_held."
        )
    )
    method = OptionalText(
        metadata=describe(
            "mean_and_last_year, seasonal_level or blend; null if nothing could be tested.", "seasonal_level"
        )
    )
    tests = _count("How many periods of the past were forecast in the same way.", 84)
    error = Ratio(
        metadata=describe("The sum of the errors of these forecasts, divided by the sum of the true numbers.", 0.09)
    )
    last_year_error = Ratio(
        metadata=describe("The same if each period is expected to be as the same one a year earlier.", 0.13)
    )
    newest_error = Ratio(
        metadata=describe("The same if each period is expected to be as the newest one that was known.", 0.12)
    )
    intervals = _count("How many intervals of the past were tried.", 74)
    coverage = Share(
        metadata=describe("The share of these intervals that had the true number; null if none was tried.", 0.81)
    )


class OutlookSchema(Body):
    """What is to be expected of all requests, a service, an area, or a service in an area."""

    xml_item = "row"

    service_code = OptionalText(metadata=describe("The code of the service; null for all services.", "pothole"))
    service_name = OptionalText(metadata=describe("The name of the service.", "Pothole"))
    area = OptionalText(metadata=describe("The name of the area; null for the whole city.", "Harbour"))
    closed = _count("Requests of the last year that are closed.", 900)
    open = _count("Requests of the last year that are open.", 100)
    median_days = _number("Half are closed within so many days of 24 hours; null if that is not published.", 4)
    p80_days = _number("Four of five are closed within so many days.", 11)
    days_reason = OptionalText(
        metadata=describe(
            "Why the days are not published; null if they are. One of few_requests, still_open, closed_at_intake."
        )
    )
    recent_first_day = OptionalText(metadata=describe("The first of the newest 28 days of an area.", "2026-02-20"))
    recent_last_day = OptionalText(metadata=describe("The last of these days.", "2026-03-19"))
    recent_count = _number("The requests of these days; null for the whole city, and after a short past.", 64)
    recent_expected = _number("How many requests are to be expected after the area's own past.", 40)
    recent_most = _number("The most that the area's own past explains.", 55)
    is_hot_spot = fields.Boolean(
        metadata=describe("Whether recent_count is above recent_most, so clearly that it is not by chance.", True)
    )
    forecasts = fields.List(
        fields.Nested(PeriodForecastSchema), metadata=describe("The next six months, and the next seven days.")
    )


class ForecastsSchema(Body):
    """The forecasts of a city, and what they do not tell."""

    xml_root = "forecasts"

    as_of = Instant(metadata=describe("Every change before this time is counted.", "2026-03-20T05:13:00Z"))
    caveat = Text(
        metadata=describe(
            "What these numbers do not tell, in the caller's language.",
            "These numbers are about reports, not about problems.",
        )
    )
    without_row = _count("Pairs of a service and an area that have no row, because they have few requests.", 12)
    rows = fields.List(
        fields.Nested(OutlookSchema), metadata=describe("By service_code and area; the whole city is first.")
    )
