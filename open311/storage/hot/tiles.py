"""Tiles of the map, which PostGIS encodes as Mapbox Vector Tiles.

A tile of a close zoom has single requests, read from publications. Other tiles have cells with numbers, read from
`map_cell`. Both have what is in the buffer around the tile, also across the 180th meridian.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from functools import cache, lru_cache
from hashlib import blake2b
from typing import Any

import orjson
from sqlalchemy import (
    ARRAY,
    CTE,
    ColumnElement,
    Double,
    FromClause,
    Integer,
    LargeBinary,
    Select,
    Subquery,
    Text,
    any_,
    bindparam,
    case,
    cast,
    func,
    literal_column,
    or_,
    select,
    true,
)

from open311.domain.requests import Status
from open311.domain.search import RequestSearch, halves
from open311.domain.tiles import BUFFER, CELL_ZOOMS, CLOSE_ZOOM, EXTENT, Tile
from open311.storage.geometry import box_values, in_bounds, in_box, in_small_box, world_x, world_y
from open311.storage.hot.connections import HotConnections
from open311.storage.hot.kinds import SearchKind
from open311.storage.hot.searching import values_of
from open311.storage.hot.selects import conditions, has_words
from open311.storage.hot.statements import Statement
from open311.storage.tables import close_cell, map_cell, publication

MOST_POINTS = 500
"""A tile has at most this many requests: the newest ones."""
MOST_SEARCHED = 200
"""Frequent words are looked for only in this many requests of a tile: the newest ones."""
RARE = 1_000
"""Words are looked up in their index if PostgreSQL estimates that at most this many requests have them."""
_MOST_BY_CELL = 16
"""Up to this zoom, the requests of a tile may be found by cells. Closer tiles are much smaller than a cell."""

_LIMIT: ColumnElement[int] = literal_column(str(MOST_POINTS + 1))
_OF_POINTS = ("id", "requested_at", "updated_at", "service_request_id", "service_code", "status", "lat", "long")


@dataclass(frozen=True, slots=True)
class FoundTile:
    """An encoded tile.

    is_cut  whether more requests may match than the tile has
    shown   how many requests it has, if it is cut
    """

    body: bytes
    is_cut: bool = False
    shown: int = 0

    @property
    def validator(self) -> str:
        """Changes exactly when the tile changes."""
        return blake2b(self.body, digest_size=12).hexdigest()


def find_points(hot: HotConnections, tile: Tile, search: RequestSearch) -> FoundTile:
    """The requests in a tile that a search finds. If the search has a box, they are in the tile and in the box."""
    if search.is_void:
        return FoundTile(b"")
    [(count, has_more, points, notice)] = hot.rows(*points_query(tile, search, _way(hot, tile, search)))
    is_cut = count > MOST_POINTS or has_more
    return FoundTile(points + notice if is_cut else points, is_cut, min(count, MOST_POINTS))


def find_cells(
    hot: HotConnections, jurisdiction_id: str, tile: Tile, services: Sequence[str] | None, status: Status | None
) -> FoundTile:
    """The cells of a tile with the numbers of public requests, open and closed.

    services  only the requests of these services; None for all
    status    only the requests with this status; None for both
    """
    if services is not None and not services:
        return FoundTile(b"")
    [(body,)] = hot.rows(*cells_query(jurisdiction_id, tile, services, status))
    return FoundTile(body)


class Way(Enum):
    """How the requests of a tile are found. All ways but SOME find the same.

    CELL   by the cells that the tile touches: the newest of each
    SOME   like CELL, but words are looked for in the newest MOST_SEARCHED requests of the tile only
    TIME   from the city's newest request on
    PLACE  by the index of places: all that are in the tile
    """

    CELL = auto()
    SOME = auto()
    TIME = auto()
    PLACE = auto()


def points_query(tile: Tile, search: RequestSearch, way: Way) -> tuple[Statement, dict[str, Any]]:
    """The statement for the requests in a tile. A tile across the 180th meridian is read by PLACE only."""
    inside = replace(search, box=tile.box)
    values = values_of(inside, rows=MOST_POINTS + 1) | _numbers(tile) | _close_cells_of(tile)
    if search.box:
        values |= box_values("asked", search.box)
    asked_parts = len(halves(search.box)) if search.box else 0
    kind = SearchKind.of(replace(search, box=None))
    most = MOST_SEARCHED if way is Way.SOME else MOST_POINTS
    return _points(
        kind, len(halves(tile.box)), asked_parts, way, _most_of_each(values["inner_cells"], most)
    ), values


def cells_query(
    jurisdiction_id: str, tile: Tile, services: Sequence[str] | None, status: Status | None
) -> tuple[Statement, dict[str, Any]]:
    """The statement for the cells of a tile."""
    values = _numbers(tile) | {
        "jurisdiction_id": jurisdiction_id,
        "cell_zoom": tile.cell_zoom,
        "services": [""] if services is None else list(services),
        **_cells_of(tile),
    }
    return _cells(status), values


def _way(hot: HotConnections, tile: Tile, search: RequestSearch) -> Way:
    """The quickest way for a search.

    The index of words has no places and no order. So to find frequent words in a tile, PostgreSQL would have to
    fetch all requests with these words, or all requests from the newest one on. SOME avoids both.
    """
    if tile.zoom > _MOST_BY_CELL or len(halves(tile.box)) > 1:
        return Way.PLACE
    if search.words:
        return Way.PLACE if _has_rare_words(hot, search) else Way.SOME
    return Way.TIME if _is_rare(hot, tile, search) else Way.CELL


def _has_rare_words(hot: HotConnections, search: RequestSearch) -> bool:
    """Whether few requests of the city have the words, as PostgreSQL estimates when it plans a statement."""
    words = _only_words(search)
    [plan] = hot.read(_words_plan(SearchKind.of(words)), values_of(words, rows=1)).texts(0)
    return bool(orjson.loads(plan)[0]["Plan"]["Plan Rows"] <= RARE)


def _only_words(search: RequestSearch) -> RequestSearch:
    return RequestSearch(
        jurisdiction_id=search.jurisdiction_id,
        words=search.words,
        words_id=search.words_id,
        language=search.language,
    )


@lru_cache(maxsize=8)
def _words_plan(kind: SearchKind) -> Statement:
    found = Statement.of(select(publication.c.id).where(*conditions(kind)))
    explain = "EXPLAIN (FORMAT JSON) "
    return replace(found, text=explain + found.text, numbered=explain.encode() + found.numbered)


def _is_rare(hot: HotConnections, tile: Tile, search: RequestSearch) -> bool:
    """Whether a search is for one service that has fewer requests in the whole city than all services in the tile.

    False for a tile that is smaller than the cells of the table, because such a tile has few requests.
    """
    wider = CELL_ZOOMS[-1] - tile.zoom
    if wider < 0 or search.service_codes is None or len(search.service_codes) != 1:
        return False
    values = {
        "jurisdiction_id": search.jurisdiction_id,
        "service_code": search.service_codes[0],
        "west": tile.x << wider,
        "east": ((tile.x + 1) << wider) - 1,
        "north": tile.y << wider,
        "south": ((tile.y + 1) << wider) - 1,
    }
    [(here, everywhere)] = hot.rows(_counted(), values)
    return bool(everywhere < here)


def _close_cells_of(tile: Tile) -> dict[str, Any]:
    """The numbers of the cells of CLOSE_ZOOM that a tile touches, and of those that it touches with its buffer.

    The arithmetic is that of `close_cell`. A tile beyond the 180th meridian does not use these numbers.
    """
    world = 1 << CLOSE_ZOOM

    def cells(buffer: int) -> list[int]:
        def reach(tile_number: int) -> range:
            """The columns or rows of cells that the tile and `buffer` units around it touch."""
            first, past = (tile_number * EXTENT - buffer, (tile_number + 1) * EXTENT + buffer)
            side = EXTENT << tile.zoom
            return range(max(0, first * world // side), min(world - 1, (past * world - 1) // side) + 1)

        return [(x << CLOSE_ZOOM) + y for x in reach(tile.x) for y in reach(tile.y)]

    return {"inner_cells": cells(0), "cells": cells(BUFFER)}


def _numbers(tile: Tile) -> dict[str, Any]:
    return {"tile_x": tile.x, "tile_y": tile.y, "tiles": 1 << tile.zoom}


def _cells_of(tile: Tile) -> dict[str, Any]:
    """The numbers of the cells in a tile and its buffer: the first and the last.

    Beyond the 180th meridian, the world begins again. So a row of the table is moved by `first_shift`, by
    `last_shift`, and by the steps of `world` between them.
    """
    wide, world = tile.cells_wide, 1 << tile.cell_zoom
    reach = max(1, BUFFER * wide // EXTENT)
    west, north = tile.x * wide - reach, tile.y * wide - reach
    east, south = west + wide + 2 * reach - 1, north + wide + 2 * reach - 1
    return {
        "cells_wide": wide,
        "west": west,
        "east": east,
        "north": max(0, north),
        "south": min(world - 1, south),
        "first_shift": -world if west < 0 else 0,
        "last_shift": world if east >= world else 0,
        "world": world,
    }


def _most_of_each(cells: Sequence[int], most: int) -> int:
    """How many requests of each cell are read to find the time since which all cells together have `most`.

    Any number gives a right result. If the requests are spread unevenly, a small number gives too early a time.
    """
    return min(most + 1, 4 * most // len(cells))


@lru_cache(maxsize=512)
def _points(kind: SearchKind, tile_parts: int, asked_parts: int, way: Way, most_of_each: int) -> Statement:
    """The requests of a tile: their number, whether older ones were left out, the layer of the first MOST_POINTS of
    them, and the layer that says that there are more.

    tile_parts    in how many parts the 180th meridian divides the tile
    asked_parts   in how many parts the 180th meridian divides the box of the call
    most_of_each  the result of `_most_of_each`
    """
    columns = publication.c
    wanted = [columns[name] for name in _OF_POINTS]
    boxes = [in_box(columns.point, "asked", asked_parts)] if asked_parts else []
    chosen = [*conditions(kind), *boxes]
    has_more: ColumnElement[bool] = literal_column("false")
    match way:
        case Way.CELL:
            found = _by_cell(wanted, chosen, most_of_each)
        case Way.SOME:
            rest = [*conditions(replace(kind, language="")), *boxes]
            has_more, found = _some_by_cell(wanted, rest, most_of_each, has_words(kind))
        case Way.TIME:
            inside = in_bounds(columns.lat, columns.long, "box")
            found = select(*wanted).where(*chosen, inside).order_by(*_newest(columns)).limit(_LIMIT).cte("found")
        case Way.PLACE:
            inside = in_small_box(columns.point, columns.lat, columns.long, "box", tile_parts)
            # Without the addition, PostgreSQL may read an index in the order of time up to its end.
            at = columns.requested_at + literal_column("interval '0'")
            order = (at.desc(), columns.id.desc())
            found = select(*wanted).where(*chosen, inside).order_by(*order).limit(_LIMIT).cte("found")
    first = select(found).order_by(*_newest(found.c)).limit(literal_column(str(MOST_POINTS))).subquery("first")
    shown = select(
        _point(_across(world_x(first.c.long)), _down(world_y(first.c.lat))),
        first.c.service_request_id,
        first.c.service_code,
        first.c.status,
        _instant(first.c.updated_at).label("updated"),
    ).subquery("shown")
    middle = literal_column(str(EXTENT // 2), type_=Double)
    count = select(func.count()).select_from(found).scalar_subquery()
    number = func.least(cast(count, Integer), literal_column(str(MOST_POINTS)))
    notice = select(_point(middle, middle), number.label("shown")).subquery("notice")
    tile = select(count, has_more, _layer(shown, "requests"), _layer(notice, "cut"))
    return Statement.of(tile, is_prepared=way in (Way.CELL, Way.SOME))


def _by_cell(wanted: Sequence[ColumnElement[Any]], chosen: Sequence[ColumnElement[bool]], most_of_each: int) -> CTE:
    """The newest requests of the cells of a tile, at most one more than MOST_POINTS.

    First, an index-only scan finds the time since which the tile without its buffer has enough requests. So no more
    requests than needed are fetched, and the cells of the buffer are read only since that time.
    """
    start = _start(wanted, chosen, most_of_each, MOST_POINTS).scalar_subquery()
    since = func.coalesce(start, literal_column("'-infinity'::timestamptz"))
    source, of_one = _of_each("cells", wanted, chosen, MOST_POINTS + 1, publication.c.requested_at >= since)
    return select(of_one).select_from(source).order_by(*_newest(of_one)).limit(_LIMIT).cte("found")


def _some_by_cell(
    wanted: Sequence[ColumnElement[Any]],
    chosen: Sequence[ColumnElement[bool]],
    most_of_each: int,
    is_match: ColumnElement[bool],
) -> tuple[ColumnElement[bool], CTE]:
    """Whether requests were left out, and those of the newest MOST_SEARCHED requests of a tile that match.

    The start is the time since which the tile without its buffer has more than MOST_SEARCHED requests. Requests in
    the buffer are also read from this start on. The requests of each cell are limited too, because the start is not
    known if nearly all requests of a tile are in one cell.
    """
    since = _start(wanted, chosen, most_of_each, MOST_SEARCHED).cte("since")
    start = func.coalesce(select(since).scalar_subquery(), literal_column("'-infinity'::timestamptz"))
    # The subquery has the words as a column and not as a condition. So its limit comes first, and PostgreSQL does
    # not read the index of words.
    columns = [*wanted, is_match.label("is_match"), close_cell.label("cell")]
    source, of_one = _of_each("cells", columns, chosen, MOST_SEARCHED + 1, publication.c.requested_at >= start)
    read = select(of_one).select_from(source).cte("read").prefix_with("MATERIALIZED", dialect="postgresql")
    most: ColumnElement[int] = literal_column(str(MOST_SEARCHED))
    full = select(read.c.cell).group_by(read.c.cell).having(func.count() > most)
    found = select(read).where(read.c.is_match).order_by(*_newest(read.c)).limit(_LIMIT).cte("found")
    return or_(select(since).exists(), full.exists()), found


def _of_each(
    name: str,
    wanted: Sequence[ColumnElement[Any]],
    chosen: Sequence[ColumnElement[bool]],
    most: int,
    *conditions: ColumnElement[bool],
) -> tuple[FromClause, Any]:
    """The newest requests of each of some cells: the FROM clause, and the columns."""
    columns = publication.c
    cells = cast(bindparam(name, type_=ARRAY(Integer)), ARRAY(Integer))
    cell = func.unnest(cells).table_valued("number", name=f"one_of_{name}").render_derived()
    in_tile = (*chosen, in_bounds(columns.lat, columns.long, "box"))
    newest = select(*wanted).where(*in_tile, close_cell == cell.c.number, *conditions)
    here = newest.order_by(*_newest(columns)).limit(literal_column(str(most))).lateral(f"in_{name}")
    return cell.join(here, true()), here.c


def _start(
    wanted: Sequence[ColumnElement[Any]], chosen: Sequence[ColumnElement[bool]], most_of_each: int, most: int
) -> Select[Any]:
    """The time since which a tile without its buffer has more than `most` requests; no row if it has fewer."""
    source, of_one = _of_each("inner_cells", wanted, chosen, most_of_each)
    times = select(of_one.requested_at).select_from(source).order_by(of_one.requested_at.desc())
    return times.offset(literal_column(str(most))).limit(literal_column("1"))


def _newest(columns: Any) -> tuple[ColumnElement[Any], ...]:
    return columns.requested_at.desc(), columns.id.desc()


@cache
def _counted() -> Statement:
    """How many requests of all services are in the tile, and how many of one service are in the whole city."""
    columns = map_cell.c
    total = func.coalesce(func.sum(columns.opened + columns.closed), literal_column("0"))
    count = select(total).where(columns.jurisdiction_id == bindparam("jurisdiction_id"))
    here = count.where(
        columns.service_code == literal_column("''"),
        columns.zoom == literal_column(str(CELL_ZOOMS[-1])),
        columns.x.between(bindparam("west", type_=Integer), bindparam("east", type_=Integer)),
        columns.y.between(bindparam("north", type_=Integer), bindparam("south", type_=Integer)),
    )
    everywhere = count.where(
        columns.service_code == bindparam("service_code"), columns.zoom == literal_column(str(CELL_ZOOMS[0]))
    )
    return Statement.of(select(here.scalar_subquery(), everywhere.scalar_subquery()), is_prepared=True)


@cache
def _cells(status: Status | None) -> Statement:
    columns = map_cell.c
    steps = (cast(bindparam(name), Integer) for name in ("first_shift", "last_shift", "world"))
    worlds = func.generate_series(*steps).table_valued("shift", name="worlds").render_derived()
    shift = worlds.c.shift
    x = columns.x + shift
    sums = {
        name: literal_column("0") if status not in (None, shown) else cast(func.sum(columns[name]), Integer)
        for name, shown in (("opened", Status.OPEN), ("closed", Status.CLOSED))
    }
    west, east = (bindparam(name, type_=Integer) for name in ("west", "east"))
    summed = (
        select(x.label("x"), columns.y, *(value.label(name) for name, value in sums.items()))
        .select_from(map_cell.join(worlds, true()))
        .where(
            columns.jurisdiction_id == bindparam("jurisdiction_id"),
            columns.zoom == bindparam("cell_zoom", type_=Integer),
            columns.service_code == any_(bindparam("services", type_=ARRAY(Text))),
            columns.x.between(west - shift, east - shift),
            columns.y.between(bindparam("north", type_=Integer), bindparam("south", type_=Integer)),
        )
        .group_by(x, columns.y)
        .order_by(columns.y, x)
        .subquery("summed")
    )
    half, wide = literal_column("0.5", type_=Double), bindparam("cells_wide", type_=Double)
    middle_x, middle_y = (
        _in_units((cast(value, Double) + half) / wide - bindparam(f"tile_{axis}", type_=Double))
        for axis, value in (("x", summed.c.x), ("y", summed.c.y))
    )
    count = summed.c.opened + summed.c.closed
    shown = (
        select(
            _point(middle_x, middle_y),
            count.label("count"),
            summed.c.opened.label("open"),
            summed.c.closed.label("closed"),
        )
        .where(count > literal_column("0"))
        .subquery("shown")
    )
    return Statement.of(select(_layer(shown, "cells")), is_prepared=True)


def _layer(rows: Subquery, name: str) -> Any:
    """A tile with one layer, without features if there are no rows.

    The bytes of several layers, one after the other, are one tile.
    """
    encoded = func.ST_AsMVT(
        literal_column(rows.name), literal_column(f"'{name}'"), literal_column(str(EXTENT)), type_=LargeBinary
    )
    return select(encoded).select_from(rows).scalar_subquery()


def _point(x: ColumnElement[Any], y: ColumnElement[Any]) -> Any:
    return func.ST_MakePoint(x, y).label("geom")


def _across(x: ColumnElement[Any]) -> ColumnElement[Any]:
    """The distance from the tile's western edge. Of all copies of the world, take the nearest."""
    tiles, tile_x = bindparam("tiles", type_=Double), bindparam("tile_x", type_=Double)
    tiles_away = x * tiles - tile_x
    half = tiles / literal_column("2", type_=Double)
    return _in_units(
        case(
            (tiles_away > half, tiles_away - tiles),
            (tiles_away < -half, tiles_away + tiles),
            else_=tiles_away,
        )
    )


def _down(y: ColumnElement[Any]) -> ColumnElement[Any]:
    return _in_units(y * bindparam("tiles", type_=Double) - bindparam("tile_y", type_=Double))


def _in_units(tiles: ColumnElement[Any]) -> ColumnElement[Any]:
    return func.floor(tiles * literal_column(str(EXTENT), type_=Double), type_=Double)


def _instant(at: ColumnElement[Any]) -> ColumnElement[str]:
    """An instant as in the list, in whole seconds and UTC."""
    in_utc = func.timezone(literal_column("'UTC'"), at)
    return func.to_char(in_utc, literal_column("""'YYYY-MM-DD"T"HH24:MI:SS"Z"'"""), type_=Text)
