"""What to expect: how many reports in the next months, how many days until they are closed, and which areas have
more reports than usual for them.

The numbers are those of stats/forecast.json.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from functools import partial
from urllib.parse import urlencode

from open311.domain.closing_times import NoDays
from open311.domain.forecasts import MONTHS, WEEKS, Reason
from open311.domain.outlooks import Outlook, PeriodForecast
from open311.domain.public_words import CAVEAT
from open311.operations.statistics.forecasting import find_forecasts
from open311.plugins import Jurisdiction
from open311.web.access import ANYBODY
from open311.web.calls import Answer, Call, PageFormat
from open311.web.endpoints import City, endpoint
from open311.web.portal.charts import trend
from open311.web.portal.filters import FilterForm
from open311.web.portal.rendering import Frame, page
from open311.web.surfaces import BASE, PORTAL
from schemas.portal import OutlookArguments
from schemas.texts import Message, tell

MOST_ROWS = 50
"""How many rows a table shows. The CSV has all of them."""
_NEXT_WHOLE = 1
"""The index of the forecast that tables show: the forecast of the first month that has not begun."""
_IN_FORM = ("service_code", "area")
_CACHING = "public, max-age=300"
REASONS: Mapping[str, Message] = {
    Reason.FEW: tell("There are too few reports for a forecast."),
    Reason.SHORT_HISTORY: tell("The city has had these numbers for too short a time to try forecasts on the past."),
    Reason.GAP: tell("Some of the newest numbers are missing."),
    Reason.RANDOM_WALK: tell("The numbers change without a pattern, so the newest number is as good a guess."),
    Reason.LAST_YEAR: tell("No forecast was nearer to the truth than the number of the same time last year."),
    Reason.INTERVAL: tell("In the past, the ranges of such forecasts held too seldom, or they were too wide."),
}
NO_DAYS: Mapping[str, Message] = {
    NoDays.FEW: tell("Too few reports were closed in the last year."),
    NoDays.STILL_OPEN: tell("Too many reports of the last year are still open."),
    NoDays.CLOSED_AT_INTAKE: tell("These are closed as soon as they come."),
}
"""Why there are no numbers, in sentences for people."""


@endpoint(
    PORTAL,
    "/<jurisdiction_id>/outlook",
    reads=OutlookArguments,
    access=ANYBODY,
    city=City.IN_PATH,
    output=PageFormat.HTML,
)
def outlook_page(call: Call) -> Answer:
    """What to expect of the whole city, a service, an area, or a service in an area."""
    frame = Frame(call.request, call.city)
    form = FilterForm(call, frame, _IN_FORM)
    code, area = _code(call), call.values["area"]
    found = find_forecasts(call.platform, call.city, service_codes=(code,) if code else (), area=area)
    rows = found.rows if found else ()
    head = next((row for row in rows if (row.service_code, row.area) == (code, area)), None)
    names = form.services
    return page(
        call,
        "outlook.html",
        cache_control=_CACHING,
        form=form,
        faults={},
        caveat=CAVEAT,
        found=found,
        head=head,
        months=_months(head, call.city),
        week=_week(head),
        noon=partial(_noon, city=call.city),
        reasons=REASONS,
        no_days=NO_DAYS,
        services=_Table.of([(names[row.service_code], row) for row in _inside(rows, names, code, area)]),
        areas=_Table.of([(row.area, row) for row in rows if row.area and not area and row.service_code == code]),
        hot_spots=[(names.get(row.service_code, ""), row) for row in rows if row.is_hot_spot],
        trend=partial(trend, is_rtl=frame.direction == "rtl"),
        data=_address(call),
    )


@dataclass(frozen=True)
class Month:
    """A month whose forecast is published. `noon`: noon of its first day in the city."""

    noon: datetime
    forecast: PeriodForecast


@dataclass(frozen=True)
class _Table:
    """The rows of a table with their names, in the order of the names, and how many are not shown.

    The rows are never sorted by a number: a list of areas by number would show where people send most reports, and
    not where most problems are.
    """

    rows: Sequence[tuple[str, Outlook, PeriodForecast]]
    hidden: int

    @classmethod
    def of(cls, rows: Sequence[tuple[str, Outlook]]) -> _Table:
        ordered = sorted(rows, key=lambda row: row[0].casefold())
        shown = [(name, row, row.forecasts[_NEXT_WHOLE]) for name, row in ordered[:MOST_ROWS]]
        return cls(shown, max(0, len(rows) - MOST_ROWS))

    @property
    def month(self) -> PeriodForecast | None:
        """The month of the forecasts in the table; None if the table has no rows."""
        return self.rows[0][2] if self.rows else None


def _inside(rows: Sequence[Outlook], names: Mapping[str, str], code: str, area: str) -> Iterator[Outlook]:
    """The rows of the services in the chosen area; none if a service is chosen."""
    return (row for row in rows if not code and row.service_code in names and row.area == area)


def _code(call: Call) -> str:
    """The code of the chosen service, also if an alias of the code was sent."""
    code: str = call.values["service_code"]
    service = call.city.service(code)
    return service.code if service else code


def _months(head: Outlook | None, city: Jurisdiction) -> list[Month]:
    """The months whose forecasts are published."""
    return [
        Month(_noon(one.first_day, city), one)
        for one in (head.forecasts if head else ())
        if one.period == MONTHS.name and one.is_published
    ]


def _week(head: Outlook | None) -> PeriodForecast | None:
    """The forecast for the next seven days; None if it is not published."""
    return next(
        (one for one in (head.forecasts if head else ()) if one.period == WEEKS.name and one.is_published), None
    )


def _noon(day: str, city: Jurisdiction) -> datetime:
    return datetime.combine(date.fromisoformat(day), time(12), city.zone)


def _address(call: Call) -> str:
    """The address of the same numbers as CSV."""
    sent = [(name, value) for name in _IN_FORM if (value := call.values[name])]
    query = urlencode([("jurisdiction_id", call.city.id), *sent])
    return f"{call.request.root_path}{BASE}/stats/forecast.csv?{query}"
