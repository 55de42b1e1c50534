"""The numbers of public requests in the cells of the map.

`mapped_request` says where each request is counted. If its publication differs, the numbers change accordingly.
An event cannot say where a request was, because events have no places.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    ColumnElement,
    Connection,
    FromClause,
    Integer,
    Select,
    Text,
    and_,
    any_,
    bindparam,
    case,
    cast,
    delete,
    func,
    literal_column,
    or_,
    select,
    true,
    union_all,
)
from sqlalchemy.dialects.postgresql import Insert, array, insert

from open311.domain.tiles import CELL_ZOOMS
from open311.storage.geometry import cell_x, cell_y
from open311.storage.outbox import RequestKey
from open311.storage.public_facts import PublicFacts
from open311.storage.tables import held_change, map_cell, mapped_request, outbox, publication

CONSUMER = "map"
"""The name of the consumer that keeps the numbers. Changes that it failed on are stored with this name."""

_SMALLEST = CELL_ZOOMS[-1]
_KEYS = ("jurisdiction_id", "zoom", "service_code", "x", "y")


def update(
    connection: Connection, jurisdiction_id: str, numbers: Sequence[int], facts: Iterable[PublicFacts]
) -> None:
    """Count requests as their publications are now, in one statement.

    facts  the facts of those requests that are public
    Idempotent. The caller need not know what has changed, but must have the outbox's lock.
    """
    shown = [one for one in facts if one.cell is not None]
    values = {
        "jurisdiction_id": jurisdiction_id,
        "numbers": sorted(set(numbers)),
        "shown": [one.number for one in shown],
        "xs": [one.cell[0] for one in shown if one.cell],
        "ys": [one.cell[1] for one in shown if one.cell],
        "opens": [one.closed_at is None for one in shown],
        "codes": [one.service_code for one in shown],
    }
    connection.execute(_update(), values)


def find_wrong_requests(connection: Connection) -> list[RequestKey]:
    """The requests that are not counted as their publications are, apart from those with a waiting change."""
    shown, counted = _shown().subquery("shown"), mapped_request.c
    is_same = and_(counted.jurisdiction_id == shown.c.jurisdiction_id, counted.request_id == shown.c.request_id)
    city = func.coalesce(shown.c.jurisdiction_id, counted.jurisdiction_id).label("jurisdiction_id")
    number = func.coalesce(shown.c.request_id, counted.request_id).label("request_id")
    names = ("x", "y", "is_open", "service_code")
    differs = or_(*(shown.c[name].is_distinct_from(counted[name]) for name in names))
    wrong = (
        select(city, number)
        .select_from(shown.outerjoin(mapped_request, is_same, full=True))
        .where(differs)
        .subquery("wrong")
    )
    is_waiting = (
        select(source.c.id)
        .where(
            source.c.jurisdiction_id == wrong.c.jurisdiction_id,
            source.c.request_id == wrong.c.request_id,
            *([source.c.consumer == CONSUMER] if source is held_change else ()),
        )
        .exists()
        for source in (outbox, held_change)
    )
    found = connection.execute(select(wrong).where(~or_(*is_waiting)))
    return [(row.jurisdiction_id, row.request_id) for row in found]


def find_wrong_cells(connection: Connection) -> list[dict[str, Any]]:
    """The differences that correct the cells, as rows of `map_cell`, so that they agree with `mapped_request`."""
    counted = mapped_request.c
    sums = _spread(
        select(
            counted.jurisdiction_id,
            counted.x,
            counted.y,
            counted.service_code,
            *_ones(counted.is_open, literal_column("1")),
        )
    )
    stored = select(*(map_cell.c[name] for name in _KEYS), -map_cell.c.opened, -map_cell.c.closed)
    both = union_all(sums, stored).subquery("both")
    found = connection.execute(_summed(both, *(both.c[name] for name in _KEYS)))
    return [dict(row._mapping) for row in found]


def add(connection: Connection, differences: Sequence[dict[str, Any]]) -> None:
    """Add differences to the numbers of cells."""
    if differences:
        connection.execute(_or_added(insert(map_cell)), differences)


@cache
def _update() -> Insert:
    """Subtract each request where it was counted, and add it where it belongs now.

    Both parts, and the row that says where the request is counted, come from one snapshot.
    """
    city, numbers = bindparam("jurisdiction_id", type_=Text), bindparam("numbers", type_=ARRAY(BigInteger))
    table, columns = mapped_request, mapped_request.c
    kinds: dict[str, Any] = {"shown": BigInteger, "xs": Integer, "ys": Integer, "opens": Boolean, "codes": Text}
    arrays: list[ColumnElement[Any]] = [
        cast(bindparam(name, type_=ARRAY(kind)), ARRAY(kind)) for name, kind in kinds.items()
    ]
    names = ("request_id", "x", "y", "is_open", "service_code")
    facts = func.unnest(*arrays).table_valued(*names, name="facts").render_derived().c
    after = select(city.label("jurisdiction_id"), *(facts[name] for name in names)).cte("after")
    ours = (columns.jurisdiction_id == city, columns.request_id == any_(numbers))
    kept = insert(table).from_select([column.name for column in after.c], select(after))
    changes = {name: kept.excluded[name] for name in ("x", "y", "is_open", "service_code")}
    keeping = kept.on_conflict_do_update(constraint=table.primary_key, set_=changes).cte("keeping")
    is_shown = select(after.c.request_id).where(after.c.request_id == columns.request_id).exists()
    leaving = delete(table).where(*ours, ~is_shown).cte("leaving")
    moves = union_all(*(_move(*part) for part in ((columns, "-1", ours), (after.c, "1", ())))).subquery("moves")
    spread = _spread(select(moves)).subquery("spread")
    sums = _summed(spread, *(spread.c[name] for name in _KEYS))
    added = _or_added(insert(map_cell).from_select([*_KEYS, "opened", "closed"], sums))
    return added.add_cte(keeping, leaving)


def _move(columns: Any, sign: str, conditions: Sequence[ColumnElement[bool]]) -> Select[Any]:
    keys = (columns.jurisdiction_id, columns.x, columns.y, columns.service_code)
    return select(*keys, *_ones(columns.is_open, literal_column(sign))).where(*conditions)


def _ones(is_open: ColumnElement[bool], one: ColumnElement[int]) -> tuple[ColumnElement[int], ColumnElement[int]]:
    """The number to add to open requests, and the number to add to closed ones: `one` for the status, else 0."""
    zero: ColumnElement[int] = literal_column("0")
    return case((is_open, one), else_=zero).label("opened"), case((is_open, zero), else_=one).label("closed")


def _shown() -> Select[Any]:
    """How requests are to be counted: all public ones with a point, as `mapped_request` has them."""
    columns = publication.c
    return select(
        columns.jurisdiction_id,
        columns.id.label("request_id"),
        cell_x(columns.long, _SMALLEST).label("x"),
        cell_y(columns.lat, _SMALLEST).label("y"),
        (columns.status == literal_column("'open'")).label("is_open"),
        columns.service_code,
    ).where(columns.visibility == literal_column("'public'"), columns.point.is_not(None))


def _spread(counted: Select[Any]) -> Select[Any]:
    """Rows of the smallest cells as rows of the cells of each zoom, for the service and for all services."""
    rows = counted.subquery("counted")
    zoom_array = array([literal_column(str(zoom), type_=Integer) for zoom in CELL_ZOOMS])
    codes: list[Any] = [literal_column("''", type_=Text), rows.c.service_code]
    zooms = func.unnest(zoom_array).table_valued("zoom").render_derived()
    services = func.unnest(array(codes, type_=Text)).table_valued("code").render_derived()
    up: ColumnElement[int] = literal_column(str(_SMALLEST)) - zooms.c.zoom
    return select(
        rows.c.jurisdiction_id,
        zooms.c.zoom,
        services.c.code.label("service_code"),
        rows.c.x.bool_op(">>")(up).label("x"),
        rows.c.y.bool_op(">>")(up).label("y"),
        rows.c.opened,
        rows.c.closed,
    ).select_from(rows.join(zooms, true()).join(services, true()))


def _summed(rows: FromClause, *keys: ColumnElement[Any]) -> Select[Any]:
    """The sums of each cell, without cells where both are 0. They are sorted, to avoid deadlocks."""
    opened, closed = func.sum(rows.c.opened), func.sum(rows.c.closed)
    zero: ColumnElement[int] = literal_column("0")
    sums = (cast(opened, BigInteger).label("opened"), cast(closed, BigInteger).label("closed"))
    return select(*keys, *sums).group_by(*keys).having(or_(opened != zero, closed != zero)).order_by(*keys)


def _or_added(statement: Insert) -> Insert:
    new = statement.excluded
    changes = {name: map_cell.c[name] + new[name] for name in ("opened", "closed")}
    return statement.on_conflict_do_update(constraint=map_cell.primary_key, set_=changes)
