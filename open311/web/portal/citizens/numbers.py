"""Numbers about the city's work: how many reports, how old, how fast. They are those of stats.json."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from urllib.parse import urlencode

from open311.domain.statistics import Grouping, Row, Statistics
from open311.errors import Invalid
from open311.operations.statistics.answering import answer_of_minute
from open311.operations.statistics.questions import read_question
from open311.plugins import Jurisdiction
from open311.web.access import ANYBODY
from open311.web.calls import Answer, Call, PageFormat
from open311.web.endpoints import City, endpoint
from open311.web.languages import in_languages
from open311.web.portal.citizens.requests import FilterForm
from open311.web.portal.rendering import Frame, page
from open311.web.portal.wording import filter_faults
from open311.web.surfaces import BASE, PORTAL
from schemas.statistics import StatisticsArguments

MOST_ROWS = 20
"""How many services or areas a table shows. The same table as data has all."""
_IN_FORM = ("service_code", "area", "start_date", "end_date")
_CACHING = "public, max-age=60"
_GROUPINGS = (Grouping.ALL, Grouping.MONTH, Grouping.SERVICE, Grouping.AREA)


@endpoint(
    PORTAL,
    "/<jurisdiction_id>/numbers",
    reads=StatisticsArguments,
    access=ANYBODY,
    city=City.IN_PATH,
    output=PageFormat.HTML,
    gathers_problems=True,
)
def numbers_page(call: Call) -> Answer:
    """Numbers about a period, by default the last twelve months: reports, ages, hours to close, targets."""
    frame = Frame(call.request, call.city)
    form = FilterForm(call, frame)
    try:
        found = {grouping: _statistics(call, grouping) for grouping in _GROUPINGS}
    except Invalid as error:
        faults = filter_faults(error.problems, _IN_FORM)
        return page(call, "numbers.html", status=400, form=form, faults=faults, found=None)
    [total] = found[Grouping.ALL].rows
    return page(
        call,
        "numbers.html",
        cache_control=_CACHING,
        form=form,
        faults={},
        found=found[Grouping.ALL],
        total=total,
        ages=_ages(total),
        months=[Month(date.fromisoformat(row.key), row) for row in found[Grouping.MONTH].rows],
        services=_most(_named(found[Grouping.SERVICE].rows, call, frame)),
        areas=_most([(row.key, row) for row in found[Grouping.AREA].rows]),
        left_out=[name for name, _ in _named_codes(found[Grouping.ALL].left_out, call, frame)],
        data={grouping.value: _address(call, grouping) for grouping in _GROUPINGS},
    )


@dataclass(frozen=True)
class Month:
    """The numbers of a month. `first`: its first day."""

    first: date
    row: Row

    def at(self, city: Jurisdiction) -> datetime:
        """The begin of the month in the city."""
        return datetime.combine(self.first, time(12), city.zone)


def _statistics(call: Call, grouping: Grouping) -> Statistics:
    values = dict(call.values) | {"group_by": grouping.value, "start_date": _start(call)}
    asked = read_question(values, call.city, now=call.now, problems=call.problems)
    return answer_of_minute(call.platform, call.city, asked.question, now=call.now, live=asked.live)


def _start(call: Call) -> datetime | None:
    """The begin of the period; without one, the first day of the month eleven months before this month."""
    given: datetime | None = call.values["start_date"]
    if given is not None or call.values["end_date"] is not None:
        return given
    today = call.now.astimezone(call.city.zone).date()
    months = today.year * 12 + today.month - 1 - 11
    return datetime.combine(date(months // 12, months % 12 + 1, 1), time(), call.city.zone)


def _ages(row: Row) -> Sequence[int]:
    """The open requests by age, as in stats.json."""
    return (
        row.open_up_to_7_days,
        row.open_up_to_30_days,
        row.open_up_to_90_days,
        row.open_up_to_365_days,
        row.open_longer,
    )


def _named(rows: Sequence[Row], call: Call, frame: Frame) -> list[tuple[str, Row]]:
    names = dict(_named_codes_by_code([row.key for row in rows], call, frame))
    return [(names.get(row.key) or row.name or row.key, row) for row in rows]


def _named_codes(codes: Sequence[str], call: Call, frame: Frame) -> list[tuple[str, str]]:
    names = dict(_named_codes_by_code(codes, call, frame))
    return [(names.get(code, code), code) for code in codes]


def _named_codes_by_code(codes: Sequence[str], call: Call, frame: Frame) -> list[tuple[str, str]]:
    """Code and name of each service that the catalogue has, in the reader's language."""
    known = [service for code in codes if (service := call.city.service(code)) is not None and service.code == code]
    return [(one.code, one.name) for one in in_languages(known, call.city, frame.catalogue_languages)]


def _most(rows: Sequence[tuple[str, Row]]) -> Sequence[tuple[str, Row]]:
    """The rows with the most requests."""
    return sorted(rows, key=lambda row: -row[1].opened)[:MOST_ROWS]


def _address(call: Call, grouping: Grouping) -> str:
    """The address of the same numbers as CSV."""
    sent = call.request.args.items(multi=True)
    pairs = [(name, value) for name, value in sent if value.strip() and name not in _NOT_SENT]
    if not call.request.args.get("start_date") and (start := _start(call)) is not None:
        pairs.append(("start_date", str(start.date())))
    if grouping.value:
        pairs.append(("group_by", grouping.value))
    query = urlencode([("jurisdiction_id", call.city.id), *pairs])
    return f"{call.request.root_path}{BASE}/stats.csv?{query}"


_NOT_SENT = ("group_by", "locale", "langcode", "jurisdiction_id", "api_key")
