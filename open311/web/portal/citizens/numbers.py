"""Numbers about the city's work: how many reports, how old, how fast. They are those of stats.json."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import partial
from http import HTTPStatus
from urllib.parse import urlencode

from open311.domain.statistics import Grouping, Row, Statistics, next_month
from open311.errors import Invalid
from open311.operations.statistics.answering import answers_of_minute
from open311.operations.statistics.questions import read_question
from open311.plugins import Jurisdiction
from open311.web.access import ANYBODY
from open311.web.calls import Answer, Call, PageFormat
from open311.web.endpoints import City, endpoint
from open311.web.languages import in_languages
from open311.web.portal.charts import bar, stack, trend
from open311.web.portal.filters import FilterForm
from open311.web.portal.rendering import Frame, page
from open311.web.portal.wording import filter_faults
from open311.web.surfaces import BASE, PORTAL
from schemas.arguments import means_key
from schemas.portal import NumbersArguments

MOST_ROWS = 20
"""How many services or areas a table shows. The CSV has all of them."""
MOST_SPANS = 60
"""How many months or weeks the page shows: the newest ones."""
_KEPT = 8
"""How many pages a process keeps. A page has some 70 kilobytes, and few are asked for twice in a minute."""
_IN_FORM = ("service_code", "area", "start_date", "end_date", "group_by")
_CACHING = "public, max-age=60"
_COMMON = (Grouping.ALL, Grouping.SERVICE)
_NOT_SENT = ("group_by", "locale", "langcode", "jurisdiction_id")
"""Parameters of the page that are not copied into the address of the CSV. The CSV has its own group_by."""


@endpoint(
    PORTAL,
    "/<jurisdiction_id>/numbers",
    reads=NumbersArguments,
    access=ANYBODY,
    city=City.IN_PATH,
    output=PageFormat.HTML,
    gathers_problems=True,
)
def numbers_page(call: Call) -> Answer:
    """Numbers about a period, by default the last twelve months: reports, ages, hours to close, targets.

    A process keeps a page for the rest of the minute, as it keeps the numbers.
    """
    frame = Frame(call.request, call.city)
    address = (call.request.root_path, call.request.path, call.request.query_string)
    languages = (frame.language, frame.locale, frame.catalogue_languages)
    kept = call.platform.process.kept_for_minute(
        "numbers", (address, languages), call.now, list[Answer], most=_KEPT
    )
    if not kept:
        answer = _page(call, frame)
        if answer.status != HTTPStatus.OK:
            return answer
        kept.append(answer)
    return kept[0]


def _page(call: Call, frame: Frame) -> Answer:
    form = FilterForm(call, frame, _IN_FORM)
    try:
        found = _numbers(call)
    except Invalid as error:
        faults = filter_faults(error.problems, _IN_FORM)
        return page(call, "numbers.html", status=400, form=form, faults=faults, found=None)
    whole, is_rtl = found[Grouping.ALL], frame.direction == "rtl"
    [total] = whole.rows
    spans = list(_spans(found[_span_of(call)], call.city))
    return page(
        call,
        "numbers.html",
        cache_control=_CACHING,
        form=form,
        faults={},
        found=whole,
        total=total,
        ages=_ages(total),
        age_parts=stack(_ages(total), is_rtl=is_rtl),
        found_span=str(_span_of(call)),
        spans=spans[-MOST_SPANS:],
        has_older=len(spans) > MOST_SPANS,
        trend=partial(trend, is_rtl=is_rtl),
        bar=partial(bar, is_rtl=is_rtl),
        services=_Table.of(_named(found[Grouping.SERVICE].rows, call, frame)),
        areas=_Table.of([(row.key, row) for row in found[Grouping.AREA].rows] if Grouping.AREA in found else []),
        left_out=_left_out(whole, call, frame),
        data={grouping.value: _address(call, grouping) for grouping in found},
    )


@dataclass(frozen=True)
class Span:
    """The numbers of a month or a week.

    first        its first day
    noon         noon of that day in the city
    is_whole     whether all of its days are over and within the period of the page
    """

    first: date
    noon: datetime
    is_whole: bool
    opened: int = 0
    closed: int = 0
    median_hours: int | None = None


@dataclass(frozen=True)
class _Table:
    """The rows of a table with their names: only those with the most requests.

    hidden  how many other rows there are, which the table does not show
    """

    rows: Sequence[tuple[str, Row]]
    hidden: int

    @classmethod
    def of(cls, rows: Sequence[tuple[str, Row]]) -> _Table:
        return cls(sorted(rows, key=lambda row: -row[1].opened)[:MOST_ROWS], max(0, len(rows) - MOST_ROWS))

    @property
    def most_hours(self) -> int:
        """The greatest `p90_hours` of the rows, as the scale of their bars; 0 if no row has one."""
        return max((row.p90_hours or 0 for _, row in self.rows), default=0)

    @property
    def with_targets(self) -> Sequence[tuple[str, Row]]:
        """The rows whose requests have a target."""
        return [(name, row) for name, row in self.rows if row.on_time_of or row.target]

    @property
    def with_answers(self) -> Sequence[tuple[str, Row]]:
        """The rows with enough answers of reporters."""
        return [(name, row) for name, row in self.rows if row.feedback_answered]


def _numbers(call: Call) -> Mapping[Grouping, Statistics]:
    """The numbers by each grouping of the page. Raises Invalid."""
    values = dict(call.values) | {"group_by": "", "start_date": _start(call)}
    asked = read_question(values, call.city, now=call.now, problems=call.problems)
    # Without areas, there is no table by area.
    groupings = (*_COMMON, *([Grouping.AREA] if call.city.areas else []), _span_of(call))
    return answers_of_minute(call.platform, call.city, asked.question, groupings, now=call.now, live=asked.live)


def _span_of(call: Call) -> Grouping:
    """The spans of time that the reader has chosen."""
    return Grouping(call.values["group_by"] or Grouping.MONTH)


def _spans(found: Statistics, city: Jurisdiction) -> Iterator[Span]:
    """All spans from the first one with requests to the end of the period, also those without requests."""
    question, today = found.question, found.as_of.astimezone(city.zone).date()
    rows = {row.key: row for row in found.rows}
    last = min(question.last or today, today)
    first = date.fromisoformat(min(rows, default=str(last)))
    while rows and first <= max(last, date.fromisoformat(max(rows))):
        after = next_month(first) if question.group_by is Grouping.MONTH else first + timedelta(days=7)
        is_whole = after <= today and question.includes(first) and question.includes(after - timedelta(days=1))
        noon, row = datetime.combine(first, time(12), city.zone), rows.get(str(first))
        if row is None:
            yield Span(first, noon, is_whole)
        else:
            yield Span(first, noon, is_whole, row.opened, row.closed_in_period, row.median_hours)
        first = after


def _start(call: Call) -> datetime | None:
    """The beginning of the period. By default, it is the first day of the month eleven months before this month.

    None, which is no limit, if the call has only an end.
    """
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


def _left_out(whole: Statistics, call: Call, frame: Frame) -> list[str]:
    """The names of the services whose requests are not counted in the times."""
    names = _names_of(whole.left_out, call, frame)
    return [names.get(code, code) for code in whole.left_out]


def _named(rows: Sequence[Row], call: Call, frame: Frame) -> list[tuple[str, Row]]:
    """The rows of services, each with the name of its service."""
    names = _names_of([row.key for row in rows], call, frame)
    return [(names.get(row.key) or row.name or row.key, row) for row in rows]


def _names_of(codes: Sequence[str], call: Call, frame: Frame) -> dict[str, str]:
    """Code and name of each service that the catalogue has, in the reader's language."""
    known = [service for code in codes if (service := call.city.service(code)) is not None and service.code == code]
    return {one.code: one.name for one in in_languages(known, call.city, frame.catalogue_languages)}


def _address(call: Call, grouping: Grouping) -> str:
    """The address of the same numbers as CSV."""
    sent = call.request.args.items(multi=True)
    kept = ((name, value) for name, value in sent if name not in _NOT_SENT and not means_key(name))
    pairs = [(name, value) for name, value in kept if value.strip()]
    if not call.request.args.get("start_date") and (start := _start(call)) is not None:
        pairs.append(("start_date", str(start.date())))
    if grouping.value:
        pairs.append(("group_by", grouping.value))
    query = urlencode([("jurisdiction_id", call.city.id), *pairs])
    return f"{call.request.root_path}{BASE}/stats.csv?{query}"
