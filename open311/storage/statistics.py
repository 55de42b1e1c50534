"""The queries of the statistics. All numbers come from what `counted_requests` and `open_counts` have stored.

Counts are sums of stored sums. An exact percentile needs two steps: the sums tell its bucket and its position in
this bucket. Then the request at this position is found, or the hours in this bucket are counted. The requests of a
live search are counted one by one.

All statements are compiled once for each kind of question. The statements that read sums are also prepared:
to plan them takes longer than to run them, because a row of sums can have more than a hundred columns.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import cache, lru_cache
from itertools import pairwise
from struct import Struct
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Date,
    Integer,
    Text,
    any_,
    bindparam,
    cast,
    func,
    literal_column,
    select,
    true,
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
from open311.storage.geometry import as_it_is, unseen
from open311.storage.hot.connections import Read
from open311.storage.hot.statements import Statement
from open311.storage.tables import (
    closed_count,
    counted_request,
    held_change,
    open_count,
    outbox,
    overdue_mark,
    statistics_check,
    support_change,
)

Tallies = dict[str, Tally]
"""Counts by the key of a group. With the grouping by group, the keys are codes of services."""
IN_ORDER = (Grouping.ALL, Grouping.SERVICE, Grouping.DEPARTMENT, Grouping.AREA)
"""An index has the requests of each group of these groupings in the order of their hours."""
MOST_HOURS = (1 << 31) - 1
"""More hours than any request takes."""
_COUNTED, _SUMMED = counted_request.c, closed_count.c
_SUMS = ("closed", "ended", "quick", "on_time", "late", "matched", "ambiguous", "not_managed")
_ANSWERS = ("asked", "solved", "partly", "not_solved")
_BUCKET_NAMES = tuple(f"bucket_{number}" for number in range(len(BUCKETS)))
_NAMES = (*_SUMS, *_ANSWERS, "supporters", *_BUCKET_NAMES)
_ARRAY_HEADER = 20
"""The length of what precedes the elements of a binary array with one dimension."""
_ELEMENTS = Struct(">" + "iq" * len(_NAMES))
"""The elements of a binary array of bigints: the length of each, and its value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The numbers of the requests that a live search has found.

    reported  those that were reported on the days of the question
    ended     those that may have been closed on these days
    """

    reported: Sequence[int]
    ended: Sequence[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """How far a city is counted.

    is_uncounted  whether the requests from before the statistics are still being counted
    waits_since   when the oldest change was written that is not counted yet; None if there is none
    mark          the sums count a request as overdue if it was due before this instant
    """

    is_uncounted: bool
    waits_since: datetime | None
    mark: datetime


def load_state(read: Read, jurisdiction_id: str) -> State:
    """The state of the counts of a city."""
    [(is_uncounted, waits_since, mark)] = read(_state(), {"city": jurisdiction_id}).rows()
    return State(is_uncounted=is_uncounted, waits_since=waits_since, mark=mark or open_counts.NEVER)


@cache
def _state() -> Statement:
    city: ColumnElement[str] = bindparam("city")
    checks = statistics_check.c
    is_uncounted = select(checks.checked_at).where(checks.jurisdiction_id == city, checks.checked_at.is_(None))
    waiting = select(func.min(outbox.c.written_at)).where(outbox.c.jurisdiction_id == city)
    held = select(func.min(held_change.c.written_at)).where(
        held_change.c.jurisdiction_id == city, held_change.c.consumer == literal_column(f"'{CONSUMER}'")
    )
    supported = select(func.min(support_change.c.written_at)).where(support_change.c.jurisdiction_id == city)
    mark = select(overdue_mark.c.due_before).where(overdue_mark.c.jurisdiction_id == city)
    return Statement.of(
        select(
            is_uncounted.exists(),
            func.least(*(part.scalar_subquery() for part in (waiting, held, supported))),
            mark.scalar_subquery(),
        ),
        is_prepared=True,
    )


def instant_services(read: Read, jurisdiction_id: str) -> list[tuple[str, int, int]]:
    """Each service with requests that were closed at once: code, how many are closed, how many of them at once."""
    return [(code, closed, quick) for code, closed, quick in read(_instant(), {"city": jurisdiction_id}).rows()]


@cache
def _instant() -> Statement:
    zero: ColumnElement[Any] = literal_column("0")
    closed, quick = func.sum(_SUMMED.closed), func.sum(_SUMMED.quick)
    query = (
        select(_SUMMED.service_code, closed, quick)
        .where(
            _SUMMED.jurisdiction_id == bindparam("city"),
            _SUMMED.cut == literal_column("'service'"),
            _SUMMED.grain == literal_column(f"'{Grain.EVER.value}'"),
            _SUMMED.closed > zero,
        )
        .group_by(_SUMMED.service_code)
        .having(quick > zero)
    )
    return Statement.of(query, is_prepared=True)


def tally(
    read: Read, question: Question, as_of: datetime, today: date, chosen: Chosen | None, mark: datetime
) -> Tallies:
    """The counts of each group.

    today   the city's day at `as_of`
    mark    the city's `State.mark`
    chosen  the requests of a live search; None for a question that the sums answer
    """
    found: Tallies = defaultdict(Tally)
    if question.has(Status.CLOSED):
        if chosen is None:
            _add_sums(read, question, found)
        else:
            _add_closed(read, question, chosen, found)
    if question.has(Status.OPEN):
        if chosen is None:
            _add_open_sums(read, question, today, found)
            _add_overdue(read, question, mark, as_of, found)
        else:
            _add_open(read, question, as_of, today, chosen, found)
    return found


@dataclass(frozen=True, slots=True)
class _Kind:
    """What decides the text of a statement. Questions of one kind have the same statements.

    is_live  whether the question is about requests that a search has found
    """

    grouping: Grouping
    has_codes: bool
    has_department: bool
    has_area: bool
    has_first: bool
    has_last: bool
    is_live: bool

    @classmethod
    def of(cls, question: Question, *, is_live: bool = False) -> _Kind:
        return cls(
            question.group_by,
            question.service_codes is not None,
            bool(question.department),
            bool(question.area),
            question.first is not None,
            question.last is not None,
            is_live,
        )

    @property
    def cut(self) -> str:
        """The cut with the fewest rows that has all columns by which the question filters or groups."""
        has_departments = self.has_department or self.grouping is Grouping.DEPARTMENT
        has_areas = self.has_area or self.grouping is Grouping.AREA
        if self.has_codes or self.grouping in (Grouping.SERVICE, Grouping.GROUP):
            return "service_area" if has_areas else "service"
        if has_areas:
            return "area_department" if has_departments else "area"
        return "department" if has_departments else "all"


def _values(question: Question, numbers: Sequence[int] | None = None) -> dict[str, Any]:
    """The values of the parameters of `_conditions`."""
    return {
        "city": question.jurisdiction_id,
        "codes": list(question.service_codes or ()),
        "department": question.department,
        "area": question.area,
        "first": question.first,
        "last": question.last,
        "numbers": _in_array(numbers or ()),
    }


def _in_array(numbers: Iterable[int]) -> str:
    """Integers as the text of an array, which fits arrays of any integer type. A list fits only one of them."""
    return f"{{{','.join(map(str, numbers))}}}"


def _array(name: str, kind: Any) -> ColumnElement[Any]:
    return cast(bindparam(name, type_=ARRAY(kind)), ARRAY(kind))


def find_hours(
    read: Read, question: Question, wanted: Mapping[str, Iterable[Place]], without: Sequence[str] = ()
) -> dict[tuple[str, Place], int]:
    """The hours at some places of some groups. The grouping is one of IN_ORDER.

    Much cheaper than `count_hours`, because an index is read only up to each place, and nothing is grouped.

    without  codes of services that are left out
    """
    rows = [(key, place) for key, places in wanted.items() for place in places]
    if not rows:
        return {}
    values = _values(question) | {
        "keys": [key for key, _ in rows],
        "leasts": _in_array(place.least for _, place in rows),
        "pasts": _in_array(_past(place) for _, place in rows),
        "skipped": _in_array(place.position - 1 for _, place in rows),
        "without": list(without),
    }
    statement = _hours_at(_Kind.of(question), has_without=bool(without))
    return {rows[number - 1]: hours for number, hours in read(statement, values).rows()}


def _past(place: Place) -> int:
    return MOST_HOURS if place.end is None else place.end


@lru_cache(maxsize=256)
def _hours_at(kind: _Kind, *, has_without: bool) -> Statement:
    arrays = {
        "group_key": ("keys", Text),
        "least": ("leasts", Integer),
        "past": ("pasts", Integer),
        "skipped": ("skipped", Integer),
    }
    function = func.unnest(*(_array(*one) for one in arrays.values()))
    asked = function.table_valued(*arrays, with_ordinality="number", name="asked").render_derived().c
    one = (
        select(_COUNTED.hours)
        .where(
            _is_of_group(kind.grouping, asked.group_key),
            _COUNTED.hours >= asked.least,
            _COUNTED.hours < asked.past,
            *_conditions(kind, _COUNTED.requested_on),
            *_without(has_without),
        )
        .order_by(_COUNTED.hours)
        .offset(asked.skipped)
        .limit(literal_column("1"))
        .lateral("one")
    )
    return Statement.of(select(asked.number, one.c.hours).join_from(asked.number.table, one, true()))


def _is_of_group(grouping: Grouping, key: ColumnElement[Any]) -> ColumnElement[bool]:
    """Whether a counted request belongs to the group with this key. Not for groups that are spans of time."""
    match grouping:
        case Grouping.SERVICE | Grouping.GROUP:
            return _COUNTED.service_code == key
        case Grouping.DEPARTMENT:
            return _COUNTED.department == key
        case Grouping.AREA:
            return _COUNTED.area == key
    return true()


def _without(has_without: bool) -> Iterator[ColumnElement[bool]]:
    if has_without:
        yield _COUNTED.service_code != func.all(_array("without", Text))


def count_hours(
    read: Read,
    question: Question,
    wanted: Mapping[str, Iterable[Place]],
    chosen: Chosen | None,
    without: Sequence[str] = (),
) -> dict[str, dict[int, int]]:
    """For each group, how many requests were closed after how many hours, within the buckets of some places.

    without  codes of services that are left out
    """
    rows = sorted(set(_ranges(question, wanted)), key=str)
    if not rows:
        return {}
    keys, days, leasts, pasts = (list(column) for column in zip(*rows, strict=True))
    values = _values(question, chosen.reported if chosen else None) | {
        "keys": keys,
        "days": days if question.group_by.is_span else [],
        "leasts": _in_array(leasts),
        "pasts": _in_array(pasts),
        "least": min(leasts),
        "past": max(pasts),
        "without": list(without),
    }
    found: dict[str, dict[int, int]] = defaultdict(dict)
    statement = _hours(_Kind.of(question, is_live=chosen is not None), has_without=bool(without))
    for group, hours, number in read(statement, values).rows():
        found[group][hours] = number
    return found


@lru_cache(maxsize=512)
def _hours(kind: _Kind, *, has_without: bool) -> Statement:
    arrays = {"group_key": ("keys", Text), "least": ("leasts", Integer), "past": ("pasts", Integer)}
    if kind.grouping.is_span:
        arrays["day"] = ("days", Date)
    asked = (
        func.unnest(*(_array(*one) for one in arrays.values()))
        .table_valued(*arrays, name="asked")
        .render_derived()
        .c
    )
    query = (
        select(asked.group_key, _COUNTED.hours, func.count())
        .join_from(asked.group_key.table, counted_request, true())
        .where(
            _is_of_group(kind.grouping, asked.group_key),
            *((_COUNTED.requested_on == asked.day,) if kind.grouping.is_span else ()),
            _COUNTED.hours >= asked.least,
            _COUNTED.hours < asked.past,
            # These bounds follow from the others. They help if the requests are read before the ranges.
            _COUNTED.hours >= bindparam("least", type_=Integer),
            _COUNTED.hours < bindparam("past", type_=Integer),
            *_conditions(kind, _COUNTED.requested_on),
            *_without(has_without),
        )
        .group_by(asked.group_key, _COUNTED.hours)
    )
    return Statement.of(query)


def _ranges(
    question: Question, wanted: Mapping[str, Iterable[Place]]
) -> Iterator[tuple[str, date | None, int, int]]:
    """(key, day, least hours, end of the hours) of each range to count. A span of time has a range for each day."""
    for key, places in wanted.items():
        days = days_of(question, key) if question.group_by.is_span else (None,)
        for place in places:
            yield from ((key, day, place.least, _past(place)) for day in days)


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


def _spans(kind: _Kind, columns: Any) -> tuple[Any, list[ColumnElement[bool]]]:
    """The spans of time to sum, as rows of the parameters; and the conditions that join the sums to them.

    The planner does not see the spans and the city (decision 0062): one plan is best for all of them, and to plan a
    hundred sums takes longer than to compute them for a whole city. With chosen services, the best index depends on
    the spans.
    """
    given = as_it_is if kind.has_codes else unseen
    names = {"grain": Text, "first": Date, "last": Date, "band": Integer}
    arrays = [given(_array(f"span_{name}s", column)) for name, column in names.items()]
    span = func.unnest(*arrays).table_valued(*names, name="span").render_derived().c
    return span, [
        columns.jurisdiction_id == given(bindparam("city", type_=Text)),
        columns.cut == literal_column(f"'{kind.cut}'"),
        columns.grain == span.grain,
        columns.period.between(span.first, span.last),
        *_kind_conditions(kind, columns),
    ]


def _span_values(spans: Iterable[tuple[Span, int]]) -> dict[str, Any]:
    """The values of the parameters of `_spans`, from each span with the number of its band."""
    rows = [(span.grain.value, span.first or date.min, span.last or date.max, band) for span, band in spans]
    grains, firsts, lasts, bands = (list(column) for column in zip(*rows, strict=True))
    return {"span_grains": grains, "span_firsts": firsts, "span_lasts": lasts, "span_bands": _in_array(bands)}


# --- Closed requests


def _add_sums(read: Read, question: Question, found: Tallies) -> None:
    """Add the stored sums."""
    values = _values(question) | _span_values((span, 0) for span in spans_of(question))
    result = read(_closed(_Kind.of(question)), values)
    for key, binary in zip(result.texts(0), result.binaries(1), strict=True):
        sums = _ELEMENTS.unpack_from(binary, _ARRAY_HEADER)[1::2]
        found[key.decode()] = _tally_of(sums)


def _tally_of(sums: Sequence[int]) -> Tally:
    """The counts of a group from its sums, in the order of _NAMES."""
    closed, ended, quick, on_time, late, matched, ambiguous, not_managed, *answers, supporters = sums[:13]
    return Tally(
        closed=closed,
        ended=ended,
        quick=quick,
        supporters=supporters,
        on_time=on_time,
        late=late,
        targets={
            Target.MATCHED: matched,
            Target.AMBIGUOUS: ambiguous,
            Target.NOT_MANAGED: not_managed,
            Target.NONE: closed - matched - ambiguous - not_managed,
        },
        answers=answers,
        buckets=list(sums[13:]),
    )


@lru_cache(maxsize=256)
def _closed(kind: _Kind) -> Statement:
    span, conditions = _spans(kind, _SUMMED)
    key = _key(kind.grouping, _SUMMED, _SUMMED.period).label("group_key")
    # The sums are one array, read as bytes, because an object for each of them takes longer than the statement.
    sums: ColumnElement[Any] = literal_column(
        f"ARRAY[{', '.join(f'coalesce(sum(closed_count.{name}), 0)' for name in _NAMES)}]"
    )
    query = select(key, sums).join_from(span.grain.table, closed_count, true()).where(*conditions).group_by(key)
    return Statement.of(query, is_prepared=True)


def _add_closed(read: Read, question: Question, chosen: Chosen, found: Tallies) -> None:
    """Count the closed requests of a live search one by one."""
    kind = _Kind.of(question, is_live=True)
    for group, hours, target, is_quick, is_on_time, number, supporters in read(
        _closed_live(kind), _values(question, chosen.reported)
    ).rows():
        buckets = [0] * len(BUCKETS)
        buckets[bucket_of(hours)] = number
        found[group].add(
            Tally(
                closed=number,
                quick=number * is_quick,
                supporters=supporters,
                on_time=number * (is_on_time is True),
                late=number * (is_on_time is False),
                targets=dict.fromkeys(Target, 0) | {Target(target): number},
                buckets=buckets,
            )
        )
    for group, number in read(_ended_live(kind), _values(question, chosen.ended)).rows():
        found[group].ended += number


@lru_cache(maxsize=256)
def _closed_live(kind: _Kind) -> Statement:
    key = _key(kind.grouping, _COUNTED, _COUNTED.requested_on).label("group_key")
    kinds = (_COUNTED.hours, _COUNTED.target, _COUNTED.is_quick, _COUNTED.is_on_time)
    query = (
        select(key, *kinds, func.count(), func.sum(_COUNTED.supporters))
        .where(_COUNTED.hours.is_not(None), *_conditions(kind, _COUNTED.requested_on))
        .group_by(key, *kinds)
    )
    return Statement.of(query)


@lru_cache(maxsize=256)
def _ended_live(kind: _Kind) -> Statement:
    key = _key(kind.grouping, _COUNTED, _COUNTED.closed_on).label("group_key")
    query = select(key, func.count()).where(_COUNTED.hours.is_not(None), *_conditions(kind, _COUNTED.closed_on))
    return Statement.of(query.group_by(key))


# --- Open requests


def _add_open_sums(read: Read, question: Question, today: date, found: Tallies) -> None:
    """Add the stored sums of open requests. A span of time is read for each band of ages."""
    bounds = _bounds(question)
    spans = [
        (span, band)
        for band, (first, last) in enumerate(_band_days(bounds, today))
        if (part := _within(question, first, last)) is not None
        for span in spans_of(part)
    ]
    if not spans:
        return
    for group, band, number, overdue, matched, ambiguous, not_managed, supporters in read(
        _open(_Kind.of(question)), _values(question) | _span_values(spans)
    ).rows():
        one = found[group]
        _add_band(question, bounds, band, one, number, overdue)
        one.supporters += supporters
        one.targets[Target.MATCHED] += matched
        one.targets[Target.AMBIGUOUS] += ambiguous
        one.targets[Target.NOT_MANAGED] += not_managed
        one.targets[Target.NONE] += number - matched - ambiguous - not_managed


@lru_cache(maxsize=256)
def _open(kind: _Kind) -> Statement:
    columns = open_count.c
    span, conditions = _spans(kind, columns)
    key = _key(kind.grouping, columns, columns.period).label("group_key")
    query = (
        select(key, span.band, *(func.sum(columns[name]) for name in open_counts.SUMS))
        .join_from(span.band.table, open_count, true())
        .where(*conditions)
        .group_by(key, span.band)
    )
    return Statement.of(query, is_prepared=True)


def _add_overdue(read: Read, question: Question, mark: datetime, as_of: datetime, found: Tallies) -> None:
    """Correct the sums by the requests that are due between the city's mark and the instant of the question."""
    begin, end = sorted((mark, as_of))
    values = _values(question) | {"begin": begin, "end": end}
    for group, number in read(_overdue(_Kind.of(question)), values).rows():
        found[group].overdue += number if mark < as_of else -number


@lru_cache(maxsize=256)
def _overdue(kind: _Kind) -> Statement:
    key = _key(kind.grouping, _COUNTED, _COUNTED.requested_on).label("group_key")
    query = select(key, func.count()).where(
        _COUNTED.hours.is_(None),
        _COUNTED.due_at >= bindparam("begin"),
        _COUNTED.due_at < bindparam("end"),
        *_conditions(kind, _COUNTED.requested_on),
    )
    return Statement.of(query.group_by(key), is_prepared=True)


def _bounds(question: Question) -> list[int]:
    """The greatest age of each band in days. The last band has all older requests."""
    return sorted({*AGE_BANDS, question.within_days})


def _band_days(bounds: Sequence[int], today: date) -> Iterator[tuple[date | None, date | None]]:
    """The first and the last day of the report of each band; None for no bound."""
    days = [today - timedelta(days=bound) for bound in bounds]
    yield days[0], None
    for younger, older in pairwise(days):
        yield older, younger - timedelta(days=1)
    yield None, days[-1] - timedelta(days=1)


def _within(question: Question, first: date | None, last: date | None) -> Question | None:
    """The question, limited to the days from `first` to `last`; None if it then has no days."""
    firsts = [day for day in (question.first, first) if day is not None]
    lasts = [day for day in (question.last, last) if day is not None]
    begin, end = max(firsts, default=None), min(lasts, default=None)
    return None if begin and end and begin > end else replace(question, first=begin, last=end)


def _add_band(
    question: Question, bounds: Sequence[int], band: int, found: Tally, number: int, overdue: int
) -> None:
    """Add open requests whose ages are in one of the bands."""
    found.open += number
    found.overdue += overdue
    found.waiting += number * (band > bounds.index(question.within_days))
    found.ages[sum(band > bounds.index(days) for days in AGE_BANDS)] += number


def _add_open(read: Read, question: Question, as_of: datetime, today: date, chosen: Chosen, found: Tallies) -> None:
    """Count the open requests of a live search by age and target, and add them up here."""
    bounds = _bounds(question)
    values = _values(question, chosen.reported) | {"today": today, "end": as_of}
    statement = _open_live(_Kind.of(question, is_live=True), tuple(bounds))
    for group, band, target, number, overdue, supporters in read(statement, values).rows():
        found[group].supporters += supporters
        _add_band(question, bounds, band, found[group], number, overdue)
        found[group].targets[Target(target)] += number


@lru_cache(maxsize=256)
def _open_live(kind: _Kind, bounds: tuple[int, ...]) -> Statement:
    ages: ColumnElement[Any] = literal_column(f"'{{{', '.join(str(days + 1) for days in bounds)}}}'::integer[]")
    age = cast(bindparam("today"), Date) - _COUNTED.requested_on
    key = _key(kind.grouping, _COUNTED, _COUNTED.requested_on).label("group_key")
    kinds = (func.width_bucket(age, ages).label("band"), _COUNTED.target)
    query = (
        select(
            key,
            *kinds,
            func.count(),
            func.count().filter(_COUNTED.due_at < bindparam("end")),
            func.sum(_COUNTED.supporters),
        )
        .where(_COUNTED.hours.is_(None), *_conditions(kind, _COUNTED.requested_on))
        .group_by(key, *kinds)
    )
    return Statement.of(query)


def _conditions(kind: _Kind, day: ColumnElement[Any]) -> Iterator[ColumnElement[bool]]:
    """The conditions on counted requests. `day`: the column that must be in the days of the question."""
    yield _COUNTED.jurisdiction_id == bindparam("city")
    if kind.is_live:
        yield _COUNTED.id == any_(_array("numbers", BigInteger))
    if not (kind.has_area or kind.grouping is Grouping.AREA):
        yield _COUNTED.place == literal_column("0")
    yield from _kind_conditions(kind, _COUNTED)
    if kind.has_first:
        yield day >= bindparam("first", type_=Date)
    if kind.has_last:
        yield day <= bindparam("last", type_=Date)


def _kind_conditions(kind: _Kind, columns: Any) -> Iterator[ColumnElement[bool]]:
    """The conditions on service, department and area."""
    if kind.has_codes:
        yield columns.service_code == any_(_array("codes", Text))
    if kind.has_department:
        yield columns.department == bindparam("department")
    if kind.has_area:
        yield columns.area == bindparam("area")
