"""The sums over open requests, by the day of the report, and how many of them are past their due date.

What is overdue changes without a change of the request. So a sum counts as overdue what was due before the city's
mark, which the worker moves. A question about another instant counts the requests that are due in between.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import orjson
from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    Select,
    Text,
    and_,
    bindparam,
    cast,
    delete,
    func,
    literal_column,
    select,
)
from sqlalchemy.dialects.postgresql import JSON, Insert, array, insert
from sqlalchemy.sql.dml import Delete

from open311.domain.statistics import Grain, Target
from open311.storage.cuts import CUTS, KEYS, KINDS, Counted, Sums, cells_of, no_sums, period_of
from open311.storage.tables import counted_request, open_count, overdue_mark

GRAINS = (Grain.DAY, Grain.MONTH)
SUMS = ("open", "overdue", "matched", "ambiguous", "not_managed", "supporters")
NEVER = datetime(2, 1, 1, tzinfo=UTC)
"""The mark of a city that the worker has not marked yet."""
_STORED_TARGETS = frozenset({Target.MATCHED, Target.AMBIGUOUS, Target.NOT_MANAGED})
_MOST_MARKED = 5_000
"""About how many requests become overdue in one transaction."""


def sums_of(rows: Iterable[Counted], mark: datetime) -> Sums:
    """What these requests add to the sums. Closed requests add nothing."""
    found = no_sums()
    for row in rows:
        if row.hours is not None:
            continue
        names = ["open"]
        if row.due_at is not None and row.due_at < mark:
            names.append("overdue")
        if row.target in _STORED_TARGETS:
            names.append(row.target)
        _add(found, row, {**dict.fromkeys(names, 1), "supporters": row.supporters})
    return found


def _add(found: Sums, row: Counted, numbers: Mapping[str, int]) -> None:
    periods = [(grain.value, period_of(grain, row.requested_on)) for grain in GRAINS]
    for cut, service, department, area in cells_of(row):
        for grain, period in periods:
            sums = found[(row.jurisdiction_id, cut, grain, service, department, area, period)]
            for name, number in numbers.items():
                sums[name] += number


def add(connection: Connection, sums: Sums) -> None:
    """Add to the sums. A row whose sums become 0 is deleted. The caller must have the outbox's lock."""
    changed = {key: counts for key, counts in sums.items() if any(counts.values())}
    if changed:
        connection.execute(_upsert(), {"rows": _as_json(changed)})
    if less := {key: counts for key, counts in changed.items() if counts["open"] < 0}:
        connection.execute(_delete_empty(), {"rows": _as_json(less)})


def _as_json(sums: Sums) -> str:
    rows = [
        dict(zip(KEYS, key, strict=True)) | {name: counts.get(name, 0) for name in SUMS}
        for key, counts in sums.items()
    ]
    return orjson.dumps(rows).decode()


def load_mark(connection: Connection, jurisdiction_id: str) -> datetime:
    """A city's mark. The sums count a request as overdue if it was due before this instant."""
    query = select(overdue_mark.c.due_before).where(overdue_mark.c.jurisdiction_id == jurisdiction_id)
    return connection.execute(query).scalar_one_or_none() or NEVER


def move_mark(connection: Connection, jurisdiction_id: str, now: datetime) -> bool:
    """Let the sums count as overdue what was due before `now`. Returns whether the mark has reached `now`.

    If very many requests have become overdue, the mark moves only a part of the way. The caller must have the
    outbox's lock.
    """
    columns, before = counted_request.c, load_mark(connection, jurisdiction_id)
    first, last = sorted((before, now))
    ours = (columns.jurisdiction_id == jurisdiction_id, columns.hours.is_(None))
    if before < now:
        due = select(columns.due_at).where(*ours, columns.due_at >= first, columns.due_at < last)
        reached = connection.execute(
            due.order_by(columns.due_at).offset(_MOST_MARKED).limit(1)
        ).scalar_one_or_none()
        last = last if reached is None else reached + timedelta(microseconds=1)
    sums = no_sums()
    due_between = (columns.due_at >= first, columns.due_at < last)
    for row in connection.execute(select(*columns).where(*ours, *due_between)):
        _add(sums, Counted(**row._mapping), {"overdue": 1 if before < now else -1})
    add(connection, sums)
    mark = last if before < now else now
    values = {"due_before": mark}
    statement = insert(overdue_mark).values(jurisdiction_id=jurisdiction_id, **values)
    connection.execute(statement.on_conflict_do_update(constraint=overdue_mark.primary_key, set_=values))
    return mark == now


def forget(connection: Connection, jurisdiction_id: str) -> None:
    """Delete all sums of a city. The caller must have the outbox's lock."""
    connection.execute(delete(open_count).where(open_count.c.jurisdiction_id == jurisdiction_id))


def find_wrong(connection: Connection, jurisdiction_id: str) -> Sums:
    """The differences that correct the stored sums of a city, so that they agree with its counted requests."""
    found = no_sums()
    values = {"city": jurisdiction_id, "mark": load_mark(connection, jurisdiction_id)}
    for cut in CUTS:
        for grain, *keys, period, counts in connection.execute(_wrong(cut), values):
            found[(jurisdiction_id, cut, grain, *keys, period)] |= dict(zip(SUMS, counts, strict=True))
    return found


@cache
def _wrong(cut: str) -> Select[Any]:
    """(grain, service, department, area, period, differences of SUMS) of each wrong row of one cut."""
    counted, stored = counted_request.c, open_count.c
    keys = {name: counted[name] if name in CUTS[cut] else literal_column("''", Text) for name in KINDS}
    mine = [counted.jurisdiction_id == bindparam("city"), counted.hours.is_(None)]
    if "area" not in CUTS[cut]:
        mine.append(counted.place == literal_column("0"))
    is_one: dict[str, ColumnElement[Any]] = {
        "open": literal_column("true"),
        "overdue": counted.due_at < bindparam("mark"),
        **{name: counted.target == literal_column(f"'{name}'") for name in sorted(_STORED_TARGETS)},
    }
    numbers = {
        **{name: cast(func.coalesce(one, literal_column("false")), Integer) for name, one in is_one.items()},
        "supporters": counted.supporters,
    }
    parts = []
    for grain in GRAINS:
        period = func.date_trunc(literal_column(f"'{grain.value}'"), counted.requested_on)
        parts.append(
            select(
                literal_column(f"'{grain.value}'", Text).label("grain"),
                *(column.label(name) for name, column in keys.items()),
                cast(period, open_count.c.period.type).label("period"),
                *(numbers[name].label(name) for name in SUMS),
            ).where(*mine)
        )
    parts.append(
        select(
            stored.grain, *(stored[name] for name in KINDS), stored.period, *(-stored[name] for name in SUMS)
        ).where(stored.jurisdiction_id == bindparam("city"), stored.cut == literal_column(f"'{cut}'"))
    )
    both = parts[0].union_all(*parts[1:]).subquery("both")
    group = [both.c[name] for name in ("grain", *KINDS, "period")]
    totals = [cast(func.sum(both.c[name]), Integer) for name in SUMS]
    zero: ColumnElement[Any] = literal_column("0")
    is_right = and_(*(total == zero for total in totals))
    return select(*group, array(totals)).group_by(*group).having(~is_right)


def _rows() -> Any:
    """The rows of a statement, which come as JSON."""
    made = func.json_populate_recordset(
        literal_column("NULL::open_count"), cast(bindparam("rows", type_=Text), JSON)
    )
    return made.table_valued(*(column.name for column in open_count.c), name="added")


@cache
def _upsert() -> Insert:
    rows, names = _rows(), [column.name for column in open_count.c]
    statement = insert(open_count).from_select(names, select(*(rows.c[name] for name in names)))
    return statement.on_conflict_do_update(
        constraint=open_count.primary_key,
        set_={name: open_count.c[name] + statement.excluded[name] for name in SUMS},
    )


@cache
def _delete_empty() -> Delete:
    rows, stored = _rows(), open_count.c
    zero: ColumnElement[Any] = literal_column("0")
    return delete(open_count).where(
        *(stored[name] == rows.c[name] for name in KEYS), *(stored[name] == zero for name in SUMS)
    )
