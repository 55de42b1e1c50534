"""The queries of the statistics. They read only what `counted_requests` has stored.

Counts are sums of stored sums. An exact percentile needs two steps: the sums tell its bucket, and then the hours in
this bucket are counted. The requests that a live search has found are counted one by one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Connection,
    Date,
    Integer,
    Select,
    Text,
    any_,
    bindparam,
    cast,
    func,
    literal_column,
    select,
    true,
    union_all,
)
from sqlalchemy.dialects.postgresql import TIMESTAMP

from open311.domain.requests import Status
from open311.domain.statistics import (
    AGE_BANDS,
    BUCKETS,
    Grain,
    Grouping,
    Place,
    Question,
    Span,
    Tally,
    Target,
    bucket_of,
    days_of,
    spans_of,
)
from open311.storage import open_counts
from open311.storage.counted_requests import CONSUMER
from open311.storage.tables import closed_count, counted_request, held_change, open_count, outbox

Tallies = dict[str, Tally]
"""Counts by the key of a group. With the grouping by group, the keys are codes of services."""
MOST_HOURS = (1 << 31) - 1
"""More hours than any request takes."""
_COUNTED, _SUMMED = counted_request.c, closed_count.c
_SUMS = ("closed", "ended", "quick", "on_time", "late", "matched", "ambiguous", "not_managed")
_BUCKET_NAMES = tuple(f"bucket_{number}" for number in range(len(BUCKETS)))
_NAMES = (*_SUMS, *_BUCKET_NAMES)
# The columns are one text, because an object for each of them takes longer than the statement.
_ALL_SUMS: ColumnElement[Any] = literal_column(", ".join(f"closed_count.{name}" for name in _NAMES))


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The numbers of the requests that a live search has found. `ended`: those that may be closed in the days."""

    reported: Sequence[int]
    ended: Sequence[int]


def oldest_uncounted(connection: Connection, jurisdiction_id: str) -> datetime | None:
    """When the oldest change was written that is not counted yet; None if there is none."""
    waiting = select(func.min(outbox.c.written_at)).where(outbox.c.jurisdiction_id == jurisdiction_id)
    held = select(func.min(held_change.c.written_at)).where(
        held_change.c.jurisdiction_id == jurisdiction_id, held_change.c.consumer == CONSUMER
    )
    oldest = func.least(waiting.scalar_subquery(), held.scalar_subquery())
    found: datetime | None = connection.execute(select(oldest)).scalar_one()
    return found


def instant_services(connection: Connection, jurisdiction_id: str) -> list[tuple[str, int, int]]:
    """Each service with closed requests: code, number of closed ones, number of those that were closed at once."""
    sums = (func.sum(_SUMMED.closed), func.coalesce(func.sum(_SUMMED.quick), literal_column("0")))
    query = (
        select(_SUMMED.service_code, *sums)
        .where(
            _SUMMED.jurisdiction_id == jurisdiction_id,
            _SUMMED.cut == "service",
            _SUMMED.grain == Grain.EVER.value,
            _SUMMED.closed > 0,
        )
        .group_by(_SUMMED.service_code)
    )
    return [(code, closed, quick) for code, closed, quick in connection.execute(query)]


def tally(
    connection: Connection,
    question: Question,
    as_of: datetime,
    today: date,
    chosen: Chosen | None,
    mark: datetime = open_counts.NEVER,
) -> Tallies:
    """The counts of each group.

    today   the city's day at `as_of`
    mark    the city's `open_counts.load_mark`
    chosen  the requests of a live search; None for a question that the sums answer
    """
    found: Tallies = defaultdict(Tally)
    if question.has(Status.CLOSED):
        if chosen is None:
            _add_sums(connection, question, found)
        else:
            _add_closed(connection, question, chosen, found)
    if question.has(Status.OPEN):
        if chosen is None:
            _add_open_sums(connection, question, today, found)
            _add_overdue(connection, question, mark, as_of, found)
        else:
            _add_open(connection, question, as_of, today, chosen, found)
    return found


def count_hours(
    connection: Connection,
    question: Question,
    wanted: Mapping[str, Iterable[Place]],
    chosen: Chosen | None,
    without: Sequence[str] = (),
) -> dict[str, dict[int, int]]:
    """For each group, how many requests were closed after how many hours, within the buckets of some places.

    without  codes of services that are left out
    """
    names = {"group_key": Text, "day": Date, "least": Integer, "past": Integer}
    rows = sorted(set(_ranges(question, wanted)), key=str)
    if not rows:
        return {}
    arrays: list[ColumnElement[Any]] = [
        cast(bindparam(None, list(values), ARRAY(kind)), ARRAY(kind))
        for values, kind in zip(zip(*rows, strict=True), names.values(), strict=True)
    ]
    asked = func.unnest(*arrays).table_valued(*names, name="asked").render_derived().c
    same = {
        Grouping.ALL: true(),
        Grouping.SERVICE: _COUNTED.service_code == asked.group_key,
        Grouping.GROUP: _COUNTED.service_code == asked.group_key,
        Grouping.DEPARTMENT: _COUNTED.department == asked.group_key,
        Grouping.AREA: _COUNTED.area == asked.group_key,
    }
    query = (
        select(asked.group_key, _COUNTED.hours, func.count())
        .join_from(asked.group_key.table, counted_request, true())
        .where(
            same.get(question.group_by, _COUNTED.requested_on == asked.day),
            _COUNTED.hours >= asked.least,
            _COUNTED.hours < asked.past,
            # These bounds follow from the others. They help if the requests are read before the ranges.
            _COUNTED.hours >= min(least for _, _, least, _ in rows),
            _COUNTED.hours < max(past for *_, past in rows),
            *_conditions(question, _COUNTED.requested_on, chosen.reported if chosen else None),
            *((_COUNTED.service_code.not_in(without),) if without else ()),
        )
        .group_by(asked.group_key, _COUNTED.hours)
    )
    found: dict[str, dict[int, int]] = defaultdict(dict)
    for group, hours, number in connection.execute(query):
        found[group][hours] = number
    return found


def _ranges(
    question: Question, wanted: Mapping[str, Iterable[Place]]
) -> Iterator[tuple[str, date | None, int, int]]:
    """(key, day, least hours, end of the hours) of each range to count. A span of time has a range for each day."""
    for key, places in wanted.items():
        days = days_of(question, key) if question.group_by.is_span else (None,)
        for place in places:
            end = MOST_HOURS if place.end is None else place.end
            yield from ((key, day, place.least, end) for day in days)


def _key(grouping: Grouping, columns: Any, day: ColumnElement[Any]) -> Any:
    """The key of the group of a row, as text."""
    match grouping:
        case Grouping.ALL:
            return cast(literal_column("''"), Text)
        case Grouping.SERVICE | Grouping.GROUP:
            return columns.service_code
        case Grouping.DEPARTMENT:
            return columns.department
        case Grouping.AREA:
            return columns.area
        case Grouping.DAY:
            return cast(day, Text)
        case Grouping.WEEK | Grouping.MONTH:
            begin = func.date_trunc(literal_column(f"'{grouping.value}'"), cast(day, TIMESTAMP))
            return cast(cast(begin, Date), Text)


# --- Closed requests


def _add_sums(connection: Connection, question: Question, found: Tallies) -> None:
    """Add the stored sums."""
    cut = _cut(question)
    parts = [_span_select(question, cut, span) for span in spans_of(question)]
    rows = union_all(*parts).subquery("rows")
    totals = literal_column(f"ARRAY[{', '.join(f'sum(rows.{name})' for name in _NAMES)}]", ARRAY(BigInteger))
    for key, values in connection.execute(select(rows.c.group_key, totals).group_by(rows.c.group_key)):
        sums = dict(zip(_NAMES, (value or 0 for value in values), strict=True))
        targets = {target: sums[target] for target in (Target.MATCHED, Target.AMBIGUOUS, Target.NOT_MANAGED)}
        found[key].add(
            Tally(
                closed=sums["closed"],
                ended=sums["ended"],
                quick=sums["quick"],
                on_time=sums["on_time"],
                late=sums["late"],
                targets=targets | {Target.NONE: sums["closed"] - sum(targets.values())},
                buckets=[sums[name] for name in _BUCKET_NAMES],
            )
        )


def _cut(question: Question) -> str:
    """The cut with the fewest rows that tells apart what the question does."""
    has_departments = bool(question.department) or question.group_by is Grouping.DEPARTMENT
    if question.has_services:
        return "service_area" if question.has_areas else "service"
    if question.has_areas:
        return "area_department" if has_departments else "area"
    return "department" if has_departments else "all"


def _span_select(question: Question, cut: str, span: Span) -> Select[Any]:
    """The stored sums of one span, with the key of their group."""
    conditions = [
        _SUMMED.jurisdiction_id == question.jurisdiction_id,
        _SUMMED.cut == literal_column(f"'{cut}'"),
        _SUMMED.grain == literal_column(f"'{span.grain.value}'"),
        *_kind_conditions(question, _SUMMED),
        *_between(_SUMMED.period, span.first, span.last),
    ]
    key = _key(question.group_by, _SUMMED, _SUMMED.period).label("group_key")
    return select(key, _ALL_SUMS).where(*conditions)


def _add_closed(connection: Connection, question: Question, chosen: Chosen, found: Tallies) -> None:
    """Count the closed requests of a live search one by one."""
    key = _key(question.group_by, _COUNTED, _COUNTED.requested_on).label("group_key")
    kinds = (_COUNTED.hours, _COUNTED.target, _COUNTED.is_quick, _COUNTED.is_on_time)
    query = (
        select(key, *kinds, func.count())
        .where(_COUNTED.hours.is_not(None), *_conditions(question, _COUNTED.requested_on, chosen.reported))
        .group_by(key, *kinds)
    )
    for group, hours, target, is_quick, is_on_time, number in connection.execute(query):
        buckets = [0] * len(BUCKETS)
        buckets[bucket_of(hours)] = number
        found[group].add(
            Tally(
                closed=number,
                quick=number * is_quick,
                on_time=number * (is_on_time is True),
                late=number * (is_on_time is False),
                targets={Target(target): number},
                buckets=buckets,
            )
        )
    ended_key = _key(question.group_by, _COUNTED, _COUNTED.closed_on).label("group_key")
    ended = (
        select(ended_key, func.count())
        .where(_COUNTED.hours.is_not(None), *_conditions(question, _COUNTED.closed_on, chosen.ended))
        .group_by(ended_key)
    )
    for group, number in connection.execute(ended):
        found[group].ended += number


# --- Open requests


def _add_open_sums(connection: Connection, question: Question, today: date, found: Tallies) -> None:
    """Add the stored sums of open requests. A span of time is read for each band of ages."""
    bounds = _bounds(question)
    rows = [
        (span.grain.value, span.first or date.min, span.last or date.max, band)
        for band, (first, last) in enumerate(_band_days(bounds, today))
        if (part := _within(question, first, last)) is not None
        for span in spans_of(part)
    ]
    if not rows:
        return
    kinds = {"grain": Text, "first": Date, "last": Date, "band": Integer}
    arrays: list[ColumnElement[Any]] = [
        cast(bindparam(None, list(values), ARRAY(kind)), ARRAY(kind))
        for values, kind in zip(zip(*rows, strict=True), kinds.values(), strict=True)
    ]
    span = func.unnest(*arrays).table_valued(*kinds, name="span").render_derived().c
    columns = open_count.c
    key = _key(question.group_by, columns, columns.period).label("group_key")
    query = (
        select(key, span.band, *(func.sum(columns[name]) for name in open_counts.SUMS))
        .join_from(span.band.table, open_count, true())
        .where(
            columns.jurisdiction_id == question.jurisdiction_id,
            columns.cut == literal_column(f"'{_cut(question)}'"),
            columns.grain == span.grain,
            columns.period.between(span.first, span.last),
            *_kind_conditions(question, columns),
        )
        .group_by(key, span.band)
    )
    for group, band, number, overdue, *targets in connection.execute(query):
        _add_band(question, bounds, band, found[group], number, overdue)
        kept = dict(zip((Target.MATCHED, Target.AMBIGUOUS, Target.NOT_MANAGED), targets, strict=True))
        found[group].add(Tally(targets=kept | {Target.NONE: number - sum(targets)}))


def _add_overdue(
    connection: Connection, question: Question, mark: datetime, as_of: datetime, found: Tallies
) -> None:
    """Correct the sums by the requests that are due between the city's mark and the instant of the question."""
    key = _key(question.group_by, _COUNTED, _COUNTED.requested_on).label("group_key")
    first, last = sorted((mark, as_of))
    query = (
        select(key, func.count())
        .where(
            _COUNTED.hours.is_(None),
            _COUNTED.due_at >= first,
            _COUNTED.due_at < last,
            *_conditions(question, _COUNTED.requested_on, None),
        )
        .group_by(key)
    )
    for group, number in connection.execute(query):
        found[group].overdue += number if mark < as_of else -number


def _bounds(question: Question) -> list[int]:
    """The greatest age of each band in days. A last band has the older requests."""
    return sorted({*AGE_BANDS, question.within_days})


def _band_days(bounds: Sequence[int], today: date) -> Iterator[tuple[date | None, date | None]]:
    """The first and the last day of the report of each band; None for no bound."""
    days = [today - timedelta(days=bound) for bound in bounds]
    yield days[0], None
    for younger, older in pairwise(days):
        yield older, younger - timedelta(days=1)
    yield None, days[-1] - timedelta(days=1)


def _within(question: Question, first: date | None, last: date | None) -> Question | None:
    """The question about the days that are also from `first` to `last`; None if there are none."""
    firsts = [day for day in (question.first, first) if day is not None]
    lasts = [day for day in (question.last, last) if day is not None]
    begin, end = max(firsts, default=None), min(lasts, default=None)
    return None if begin and end and begin > end else replace(question, first=begin, last=end)


def _add_band(
    question: Question, bounds: Sequence[int], band: int, found: Tally, number: int, overdue: int
) -> None:
    """Add open requests whose ages are in one of the bands."""
    is_older = [band > bounds.index(days) for days in AGE_BANDS]
    found.open += number
    found.overdue += overdue
    found.waiting += number * (band > bounds.index(question.within_days))
    found.ages[sum(is_older)] += number


def _add_open(
    connection: Connection, question: Question, as_of: datetime, today: date, chosen: Chosen, found: Tallies
) -> None:
    """Count the open requests of a live search by age and target, and add them up here."""
    bounds = _bounds(question)
    ages: ColumnElement[Any] = literal_column(f"'{{{', '.join(str(days + 1) for days in bounds)}}}'::integer[]")
    age = cast(bindparam("today", today), Date) - _COUNTED.requested_on
    key = _key(question.group_by, _COUNTED, _COUNTED.requested_on).label("group_key")
    kinds = (func.width_bucket(age, ages).label("band"), _COUNTED.target)
    query = (
        select(key, *kinds, func.count(), func.count().filter(_COUNTED.due_at < as_of))
        .where(_COUNTED.hours.is_(None), *_conditions(question, _COUNTED.requested_on, chosen.reported))
        .group_by(key, *kinds)
    )
    for group, band, target, number, overdue in connection.execute(query):
        _add_band(question, bounds, band, found[group], number, overdue)
        found[group].targets[Target(target)] += number


def _conditions(
    question: Question, day: ColumnElement[Any], numbers: Sequence[int] | None
) -> Iterator[ColumnElement[bool]]:
    """The conditions on counted requests. `numbers`: those of a live search; None for all."""
    yield _COUNTED.jurisdiction_id == question.jurisdiction_id
    if numbers is not None:
        yield _COUNTED.id == any_(bindparam(None, list(numbers), ARRAY(BigInteger)))
    if not question.has_areas:
        yield _COUNTED.place == literal_column("0")
    yield from _kind_conditions(question, _COUNTED)
    yield from _between(day, question.first, question.last)


def _kind_conditions(question: Question, columns: Any) -> Iterator[ColumnElement[bool]]:
    """The conditions on service, department and area."""
    codes = question.service_codes
    if codes is not None:
        yield columns.service_code == any_(bindparam(None, list(codes), ARRAY(Text)))
    if question.department:
        yield columns.department == question.department
    if question.area:
        yield columns.area == question.area


def _between(day: ColumnElement[Any], first: date | None, last: date | None) -> Iterator[ColumnElement[bool]]:
    if first is not None:
        yield day >= first
    if last is not None:
        yield day <= last
