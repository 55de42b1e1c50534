"""How each public request is counted for the statistics, and the sums over closed requests.

A table keeps how each request is counted now. So a change takes out exactly what was counted before, and counting a
request again changes nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

import orjson
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
    case,
    cast,
    delete,
    func,
    literal_column,
    select,
    true,
    tuple_,
    union,
    union_all,
)
from sqlalchemy.dialects.postgresql import JSON, TIMESTAMP, Insert, insert

from open311.domain.statistics import BUCKETS, Grain, Target, bucket_of
from open311.storage import open_counts
from open311.storage.copying import insert_rows
from open311.storage.cuts import CUTS, KEYS, KINDS, Counted, Sums, cells_of, no_sums, period_of
from open311.storage.tables import (
    closed_count,
    counted_request,
    publication,
    statistics_check,
    support_change,
)

CONSUMER = "statistics"
"""The name of the consumer that counts. Changes that it failed on are stored with this name."""
_SUMS = tuple(column.name for column in closed_count.c if column.name not in KEYS)
_COLUMNS = tuple(counted_request.c)
_STORED_TARGETS = frozenset({Target.MATCHED, Target.AMBIGUOUS, Target.NOT_MANAGED})


def replace_counted(
    connection: Connection, jurisdiction_id: str, numbers: Sequence[int], wanted: Iterable[Counted]
) -> int:
    """Count these requests exactly as `wanted` says. Returns how many requests were counted differently before.

    The caller must have the outbox's lock, so that nobody else counts at the same time.
    """
    old, new = _by_request(_load_counted(connection, jurisdiction_id, numbers)), _by_request(wanted)
    changed = [number for number in sorted({*old, *new}) if old.get(number) != new.get(number)]
    if not changed:
        return 0
    columns = counted_request.c
    connection.execute(
        delete(counted_request).where(
            columns.jurisdiction_id == jurisdiction_id,
            columns.id == any_(bindparam(None, changed, ARRAY(BigInteger))),
        )
    )
    before = [row for number in changed for row in old.get(number, ())]
    after = [row for number in changed for row in new.get(number, ())]
    insert_rows(connection, counted_request, [_values(row) for row in after])
    add_sums(connection, _differences(_sums_of(before), _sums_of(after)))
    mark = open_counts.load_mark(connection, jurisdiction_id)
    open_counts.add(connection, _differences(*(open_counts.sums_of(rows, mark) for rows in (before, after))))
    return len(changed)


def _differences(before: Sums, after: Sums) -> Sums:
    """The differences that turn the sums `before` into the sums `after`. Changes and returns `after`."""
    for key, counts in before.items():
        for name, number in counts.items():
            after[key][name] -= number
    return after


def _load_counted(connection: Connection, jurisdiction_id: str, numbers: Sequence[int]) -> Iterator[Counted]:
    columns = counted_request.c
    query = select(*_COLUMNS).where(
        columns.jurisdiction_id == jurisdiction_id,
        columns.id == any_(bindparam(None, list(numbers), ARRAY(BigInteger))),
    )
    for row in connection.execute(query):
        yield Counted(**row._mapping)


def _by_request(rows: Iterable[Counted]) -> dict[int, list[Counted]]:
    found: dict[int, list[Counted]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: row.place):
        found[row.id].append(row)
    return found


def _values(row: Counted) -> dict[str, Any]:
    return {column.name: getattr(row, column.name) for column in _COLUMNS}


def _sums_of(rows: Iterable[Counted]) -> Sums:
    """What these requests add to the sums. Open requests add nothing."""
    found = no_sums()
    for row in rows:
        if row.closed_on is None or row.hours is None:
            continue
        names = _names_of(row, row.hours)
        requested = [(grain.value, period_of(grain, row.requested_on)) for grain in Grain]
        closed = [(grain.value, period_of(grain, row.closed_on)) for grain in Grain]
        for cut, service, department, area in cells_of(row):
            for grain, period in requested:
                sums = found[(row.jurisdiction_id, cut, grain, service, department, area, period)]
                for name in names:
                    sums[name] += 1
                sums["supporters"] += row.supporters
            for grain, period in closed:
                found[(row.jurisdiction_id, cut, grain, service, department, area, period)]["ended"] += 1
    return found


def _names_of(row: Counted, hours: int) -> list[str]:
    """The names of the sums to which a closed request adds 1, in the periods in which it was reported."""
    names = ["closed", f"bucket_{bucket_of(hours)}"]
    if row.is_quick:
        names.append("quick")
    if row.is_on_time is not None:
        names.append("on_time" if row.is_on_time else "late")
    if row.target in _STORED_TARGETS:
        names.append(row.target)
    if row.feedback is not None:
        names += ["asked", row.feedback] if row.feedback else ["asked"]
    return names


def add_sums(connection: Connection, sums: Sums) -> None:
    """Add to the sums, in one statement. A row whose sums become 0 is not deleted.

    The caller must have the outbox's lock.
    """
    rows = []
    for key, counts in sums.items():
        if changed := {name: number for name, number in counts.items() if number}:
            rows.append(dict(zip(KEYS, key, strict=True)) | changed)
    if rows:
        connection.execute(_upsert_sums(), {"rows": orjson.dumps(rows).decode()})


@cache
def _upsert_sums() -> Insert:
    """The rows come as JSON, because most of their many sums are NULL. JSONB would take 1.5 times as long."""
    rows = func.json_populate_recordset(
        literal_column("NULL::closed_count"), cast(bindparam("rows", type_=Text), JSON)
    ).table_valued(*(column.name for column in closed_count.c), name="added")
    names = [column.name for column in closed_count.c]
    statement = insert(closed_count).from_select(names, select(*(rows.c[name] for name in names)))
    return statement.on_conflict_do_update(
        constraint=closed_count.primary_key,
        set_={name: _sum(closed_count.c[name], statement.excluded[name]) for name in _SUMS},
    )


def _sum(stored: ColumnElement[Any], added: ColumnElement[Any]) -> ColumnElement[Any]:
    zero: ColumnElement[Any] = literal_column("0")
    return func.nullif(func.coalesce(stored, zero) + func.coalesce(added, zero), zero)


# --- Changes that are no events


def note_support(connection: Connection, jurisdiction_id: str, numbers: Iterable[int]) -> None:
    """Store that the numbers of supporters of these requests change, so that the dispatcher counts them again.

    The caller must have locked the requests.
    """
    rows = [{"jurisdiction_id": jurisdiction_id, "request_id": number} for number in sorted(set(numbers))]
    if rows:
        connection.execute(insert(support_change), rows)


def take_support(connection: Connection, rows: int) -> dict[str, list[int]]:
    """Delete the oldest rows that `note_support` has stored, and return their requests by city.

    The caller must have the outbox's lock.
    """
    columns = support_change.c
    oldest = select(columns.jurisdiction_id, columns.id).order_by(columns.id).limit(rows)
    taken = delete(support_change).where(tuple_(columns.jurisdiction_id, columns.id).in_(oldest))
    found: dict[str, set[int]] = defaultdict(set)
    for row in connection.execute(taken.returning(columns.jurisdiction_id, columns.request_id)):
        found[row.jurisdiction_id].add(row.request_id)
    return {city: sorted(numbers) for city, numbers in sorted(found.items())}


# --- The check of all requests


@dataclass(frozen=True, slots=True)
class Check:
    """How far the check of all requests has come.

    checked_until  the number of the last request that the check has reached
    checked_at     when a whole check last ended; None for never
    """

    checked_until: int
    checked_at: datetime | None


def load_check(connection: Connection, jurisdiction_id: str) -> Check | None:
    """The state of the check; None if none is stored. Then all requests of the city are counted already."""
    columns = statistics_check.c
    row = connection.execute(
        select(columns.checked_until, columns.checked_at).where(columns.jurisdiction_id == jurisdiction_id)
    ).one_or_none()
    return None if row is None else Check(*row)


# --- The check of all sums


def find_wrong_sums(connection: Connection, jurisdiction_id: str) -> Sums:
    """The differences that correct the stored sums of a city, so that they agree with its counted requests.

    Requests and sums are changed in one transaction, so the result is right in any snapshot.
    """
    found = no_sums()
    for cut in CUTS:
        for grain, *keys, period, name, number in connection.execute(_wrong_sums(cut), {"city": jurisdiction_id}):
            found[(jurisdiction_id, cut, grain, *keys, period)][name] = number
    return found


@cache
def _wrong_sums(cut: str) -> Select[Any]:
    """(grain, service, department, area, period, name of a sum, difference) of each wrong sum of one cut.

    Each number that a request adds is a row here, for its day, its month and all time. Each stored sum is a row
    with the negative number, so correct sums add up to 0.
    """
    counted, stored = counted_request.c, closed_count.c
    keys = {name: counted[name] if name in CUTS[cut] else literal_column("''", Text) for name in KINDS}
    mine = [counted.jurisdiction_id == bindparam("city"), counted.hours.is_not(None)]
    if "area" not in CUTS[cut]:
        mine.append(counted.place == literal_column("0"))
    one: ColumnElement[int] = literal_column("1", Integer)

    def rows(
        period: ColumnElement[Any], name: ColumnElement[Any], *conditions: ColumnElement[bool], n: Any = one
    ) -> Select[Any]:
        named = (column.label(key) for key, column in keys.items())
        return select(*named, period.label("period"), name.label("name"), n.label("n")).where(*mine, *conditions)

    def sum_of(name: str, *conditions: ColumnElement[bool], day: ColumnElement[Any] = counted.requested_on) -> Any:
        return rows(day, literal_column(f"'{name}'", Text), *conditions)

    bounds: ColumnElement[Any] = literal_column(f"'{{{', '.join(map(str, BUCKETS))}}}'::integer[]")
    number = cast(func.width_bucket(counted.hours, bounds) - one, Text)
    parts = [
        sum_of("closed"),
        sum_of("ended", day=counted.closed_on),
        rows(counted.requested_on, literal_column("'bucket_'").concat(number)),
        sum_of("quick", counted.is_quick),
        sum_of("on_time", counted.is_on_time),
        sum_of("late", ~counted.is_on_time),
        rows(counted.requested_on, counted.target, counted.target.in_(sorted(_STORED_TARGETS))),
        sum_of("asked", counted.feedback.is_not(None)),
        rows(counted.requested_on, counted.feedback, counted.feedback != literal_column("''")),
        rows(counted.requested_on, literal_column("'supporters'", Text), n=counted.supporters),
    ]
    right = union_all(*parts).subquery("right_rows")
    names = literal_column(f"ARRAY[{', '.join(repr(name) for name in _SUMS)}]", ARRAY(Text))
    values = literal_column(f"ARRAY[{', '.join(f'closed_count.{name}' for name in _SUMS)}]", ARRAY(Integer))
    sums = func.unnest(names, values).table_valued("name", "n", name="sums").render_derived().lateral()
    kept = (
        select(stored.grain, *(stored[name] for name in KINDS), stored.period, sums.c.name, sums.c.n)
        .join_from(closed_count, sums, true())
        .where(stored.jurisdiction_id == bindparam("city"), stored.cut == literal_column(f"'{cut}'"))
        .where(sums.c.n.is_not(None))
        .subquery("kept")
    )
    grains = func.unnest(literal_column("ARRAY['day', 'month', 'ever']", ARRAY(Text)))
    grain = grains.table_valued("grain", name="grains").render_derived()
    period = case(
        (grain.c.grain == literal_column("'day'"), right.c.period),
        (
            grain.c.grain == literal_column("'month'"),
            cast(func.date_trunc(literal_column("'month'"), cast(right.c.period, TIMESTAMP)), Date),
        ),
        else_=literal_column("date '0001-01-01'", Date),
    )
    wanted = select(
        grain.c.grain, *(right.c[name] for name in KINDS), period.label("period"), right.c.name, right.c.n
    ).join_from(right, grain, true())
    minus = select(kept.c.grain, *(kept.c[name] for name in KINDS), kept.c.period, kept.c.name, -kept.c.n)
    both = union_all(wanted, minus).subquery("both")
    group = [both.c[name] for name in ("grain", *KINDS, "period", "name")]
    total = func.sum(both.c.n)
    return select(*group, cast(total, Integer)).group_by(*group).having(total != literal_column("0"))


def save_check(connection: Connection, jurisdiction_id: str, check: Check) -> None:
    """Store how far the check has come."""
    values = {"checked_until": check.checked_until, "checked_at": check.checked_at}
    statement = insert(statistics_check).values(jurisdiction_id=jurisdiction_id, **values)
    connection.execute(statement.on_conflict_do_update(constraint=statistics_check.primary_key, set_=values))


def forget(connection: Connection, jurisdiction_id: str) -> None:
    """Delete all counts of a city. The check then counts all requests. The caller must have the outbox's lock."""
    for table in (counted_request, closed_count):
        connection.execute(delete(table).where(table.c.jurisdiction_id == jurisdiction_id))
    open_counts.forget(connection, jurisdiction_id)
    save_check(connection, jurisdiction_id, Check(0, None))


def next_numbers(connection: Connection, jurisdiction_id: str, *, after: int, rows: int) -> list[int]:
    """The numbers of the next requests that are published or counted, in order."""
    tables = (publication.c, counted_request.c)
    parts = [
        select(columns.id)
        .where(columns.jurisdiction_id == jurisdiction_id, columns.id > after)
        .order_by(columns.id)
        .limit(rows)
        .subquery()
        for columns in tables
    ]
    both = union(*(select(part.c.id) for part in parts)).subquery()
    return list(connection.execute(select(both.c.id).order_by(both.c.id).limit(rows)).scalars())
