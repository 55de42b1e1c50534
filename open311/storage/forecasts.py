"""The counts of the statistics from which forecasts are made, and the stored forecasts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Date,
    Integer,
    Select,
    and_,
    bindparam,
    cast,
    delete,
    func,
    literal_column,
    or_,
    select,
    union_all,
)
from sqlalchemy.dialects.postgresql import insert

from open311.domain.outlooks import Outlook, Outlooks
from open311.domain.statistics import DAY_HOURS, Grain
from open311.storage.copying import insert_rows
from open311.storage.tables import closed_count, counted_request, forecast, forecast_run

Cell = tuple[str, str]
"""The code of a service and the name of an area; "" for all services, and for all areas."""
CUTS: dict[str, tuple[str, ...]] = {
    "all": (),
    "service": ("service_code",),
    "area": ("area",),
    "service_area": ("service_code", "area"),
}
"""The cuts of the statistics that have forecasts, and the columns by which each cut groups the requests."""
_NONE: ColumnElement[str] = literal_column("''")


def reported(
    connection: Connection, jurisdiction_id: str, *, by: str, since: date, last: date
) -> dict[Cell, dict[int, int]]:
    """How many requests were reported in each cell and period. Closed and open requests count.

    by     "month", numbered as in domain.gaps.month_of, or "week", as in week_of
    since  the first day that counts
    last   the last day that counts
    Only this function and `reported_by_day` tell forecasts how many requests were reported.
    """
    parts = [part for cut in CUTS for part in _reported(cut, by)]
    rows = union_all(*parts).subquery("rows")
    names = (rows.c.service_code, rows.c.area, rows.c.period)
    query = select(*names, cast(func.sum(rows.c.number), Integer)).group_by(*names)
    bound = {"city": jurisdiction_id, "since": since, "last": last}
    found: dict[Cell, dict[int, int]] = defaultdict(dict)
    for service_code, area, period, number in connection.execute(query, bound):
        if number:
            found[(service_code, area)][period] = number
    return found


def reported_by_day(connection: Connection, jurisdiction_id: str, last: date) -> dict[date, int]:
    """How many requests of a city were reported on each day up to `last`."""
    rows = union_all(*_reported("all", "day")).subquery("rows")
    query = select(rows.c.period, func.sum(rows.c.number)).group_by(rows.c.period)
    bound = {"city": jurisdiction_id, "since": date.min, "last": last}
    return {day: int(number) for day, number in connection.execute(query, bound) if number}


def _reported(cut: str, by: str) -> Iterable[Select[Any]]:
    """(service_code, area, period, number) of the closed requests of a cut, and of the open ones."""
    stored, counted = closed_count.c, counted_request.c
    grain = Grain.MONTH if by == "month" else Grain.DAY
    first: ColumnElement[date] = bindparam("since", type_=Date)
    if by == "month":
        first = cast(func.date_trunc(literal_column("'month'"), first), Date)
    yield select(
        *_keys(cut, stored), _period(by, stored.period).label("period"), stored.closed.label("number")
    ).where(
        stored.jurisdiction_id == bindparam("city"),
        stored.cut == literal_column(f"'{cut}'"),
        stored.grain == literal_column(f"'{grain.value}'"),
        stored.period >= first,
        stored.period <= bindparam("last", type_=Date),
    )
    period = _period(by, counted.requested_on).label("period")
    keys = _keys(cut, counted)
    yield (
        select(*keys, period, func.count().label("number"))
        .where(
            counted.jurisdiction_id == bindparam("city"),
            counted.hours.is_(None),
            counted.requested_on >= first,
            counted.requested_on <= bindparam("last", type_=Date),
            *(() if "area" in CUTS[cut] else (counted.place == literal_column("0"),)),
        )
        .group_by(*(counted[name] for name in CUTS[cut]), period)
    )


def _keys(cut: str, columns: Any) -> list[Any]:
    return [(columns[name] if name in CUTS[cut] else _NONE).label(name) for name in ("service_code", "area")]


def _period(by: str, day: ColumnElement[date]) -> ColumnElement[Any]:
    """The number of a day's period; the day itself for days."""
    if by == "day":
        return day
    if by == "week":
        return -((bindparam("last", type_=Date) - day) // literal_column("7", Integer))
    year, month = (cast(func.extract(name, day), Integer) for name in ("year", "month"))
    return year * literal_column("12", Integer) + month - literal_column("1", Integer)


def closing_days(
    connection: Connection, jurisdiction_id: str, *, since: date, today: date
) -> tuple[dict[Cell, dict[int, int]], dict[Cell, dict[int, int]]]:
    """For each cell, the numbers of closed and of open requests among those that were reported since a day.

    Closed requests are counted by the day of the closing, which is 1 for the first 24 hours. Open requests are
    counted by their age in days at `today`.
    """
    counted = counted_request.c
    closed: dict[Cell, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    still_open: dict[Cell, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    day = counted.hours // literal_column(str(DAY_HOURS), Integer) + literal_column("1", Integer)
    age = bindparam("today", type_=Date) - counted.requested_on
    for number, found, is_timed in ((day, closed, True), (age, still_open, False)):
        key = cast(number, Integer).label("day")
        is_first = (counted.place == literal_column("0")).label("is_first")
        query = (
            select(counted.service_code, counted.area, is_first, key, func.count())
            .where(
                counted.jurisdiction_id == bindparam("city"),
                counted.requested_on >= bindparam("since", type_=Date),
                counted.hours.is_not(None) if is_timed else counted.hours.is_(None),
            )
            .group_by(counted.service_code, counted.area, is_first, key)
        )
        bound = {"city": jurisdiction_id, "since": since} | ({} if is_timed else {"today": today})
        for service_code, area, first, at, count in connection.execute(query, bound):
            cells = [("", area), (service_code, area)] if area else []
            if first:
                cells += [("", ""), (service_code, "")]
            for cell in cells:
                found[cell][at] += count
    return closed, still_open


def save(connection: Connection, jurisdiction_id: str, found: Outlooks) -> bool:
    """Replace the forecasts of a city. Returns False, and changes nothing, if newer ones are stored.

    Two runs at the same time wait for each other here.
    """
    values = {"as_of": found.as_of, "without_row": found.without_row}
    statement = (
        insert(forecast_run)
        .values(jurisdiction_id=jurisdiction_id, **values)
        .on_conflict_do_update(
            constraint=forecast_run.primary_key, set_=values, where=forecast_run.c.as_of <= found.as_of
        )
        .returning(forecast_run.c.jurisdiction_id)
    )
    if connection.execute(statement).one_or_none() is None:
        return False
    connection.execute(delete(forecast).where(forecast.c.jurisdiction_id == jurisdiction_id))
    rows = [
        {
            "jurisdiction_id": jurisdiction_id,
            "service_code": one.service_code,
            "area": one.area,
            "outlook": one.to_json(),
        }
        for one in found.rows
    ]
    insert_rows(connection, forecast, rows)
    return True


def made_at(connection: Connection, jurisdiction_id: str) -> datetime | None:
    """The `as_of` of a city's forecasts: every change before it is counted. None if the city has no forecasts."""
    columns = forecast_run.c
    found: datetime | None = connection.execute(
        select(columns.as_of).where(columns.jurisdiction_id == jurisdiction_id)
    ).scalar_one_or_none()
    return found


def load(
    connection: Connection, jurisdiction_id: str, *, service_codes: Iterable[str] = (), area: str = ""
) -> Outlooks | None:
    """The forecasts of a city, by service and area; None if there are none.

    Without a filter, these are the forecasts of the city, of each service, and of each area. With a filter, these
    are the forecasts that match: a service with its areas, an area with its services, or a service in an area. All
    are read from one snapshot.
    """
    run, stored, codes = forecast_run.c, forecast.c, list(service_codes)
    conditions: list[ColumnElement[bool]] = []
    if codes:
        conditions.append(stored.service_code.in_(codes))
    if area:
        conditions.append(stored.area == area)
    if not conditions:
        conditions.append(or_(stored.service_code == _NONE, stored.area == _NONE))
    matches = and_(stored.jurisdiction_id == run.jurisdiction_id, *conditions)
    query = (
        select(run.as_of, run.without_row, stored.outlook)
        .join_from(forecast_run, forecast, matches, isouter=True)
        .where(run.jurisdiction_id == jurisdiction_id)
        .order_by(stored.service_code, stored.area)
    )
    rows = connection.execute(query).all()
    if not rows:
        return None
    found = tuple(Outlook.from_json(row.outlook) for row in rows if row.outlook is not None)
    return Outlooks(as_of=rows[0].as_of, without_row=rows[0].without_row, rows=found)


def load_near(
    connection: Connection, jurisdiction_id: str, service_code: str, areas: Iterable[str]
) -> dict[str, Outlook]:
    """The outlooks of a service by area: in these areas, and under "" in the whole city."""
    stored = forecast.c
    query = select(stored.area, stored.outlook).where(
        stored.jurisdiction_id == jurisdiction_id,
        stored.service_code == service_code,
        stored.area.in_(["", *areas]),
    )
    return {row.area: Outlook.from_json(row.outlook) for row in connection.execute(query)}
