"""Tiles of the map, which PostGIS encodes as Mapbox Vector Tiles.

A tile of a close zoom has single requests, read from publications. Other tiles have cells with numbers, read from
`map_cell`. Both have what is in the buffer around the tile, also across the 180th meridian.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from hashlib import blake2b
from typing import Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Double,
    Integer,
    LargeBinary,
    Subquery,
    Text,
    any_,
    bindparam,
    case,
    cast,
    func,
    literal_column,
    select,
    true,
)

from open311.domain.requests import Status
from open311.domain.search import RequestSearch, halves
from open311.domain.tiles import BUFFER, CELL_ZOOMS, EXTENT, Tile
from open311.storage.geometry import box_values, in_bounds, in_box, in_small_box, world_x, world_y
from open311.storage.hot.connections import HotConnections
from open311.storage.hot.kinds import SearchKind
from open311.storage.hot.searching import values_of
from open311.storage.hot.selects import conditions
from open311.storage.hot.statements import Statement
from open311.storage.tables import map_cell, publication

MOST_POINTS = 500
"""A tile has at most so many requests, the newest ones."""
_ENTRIES_PER_FETCH = 30
"""To fetch a row takes as long as to skip so many entries of an index."""


@dataclass(frozen=True, slots=True)
class FoundTile:
    """An encoded tile. `is_cut` says whether more requests match than the tile has."""

    body: bytes
    is_cut: bool = False

    @property
    def validator(self) -> str:
        """Changes exactly when the tile changes."""
        return blake2b(self.body, digest_size=12).hexdigest()


def find_points(hot: HotConnections, tile: Tile, search: RequestSearch) -> FoundTile:
    """The requests in a tile that a search finds. If the search has a box, they are in both."""
    if search.is_void:
        return FoundTile(b"")
    is_dense = _is_dense(hot, search.jurisdiction_id, tile)
    [(count, points, notice)] = hot.rows(*points_query(tile, search, is_dense=is_dense))
    is_cut = count > MOST_POINTS
    return FoundTile(points + notice if is_cut else points, is_cut)


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


def points_query(tile: Tile, search: RequestSearch, *, is_dense: bool) -> tuple[Statement, dict[str, Any]]:
    """The statement for the requests in a tile.

    is_dense  whether to read the city's newest requests until enough of them are in the tile. Otherwise, all
              requests in the tile are fetched by their places, and sorted
    """
    inside = replace(search, box=tile.box)
    values = values_of(inside, rows=MOST_POINTS + 1) | _numbers(tile)
    if search.box:
        values |= box_values("asked", search.box)
    asked_parts = len(halves(search.box)) if search.box else 0
    tile_parts = len(halves(tile.box))
    kind = SearchKind.of(replace(search, box=None))
    return _points(kind, tile_parts, asked_parts, is_dense=is_dense and tile_parts == 1), values


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


def _is_dense(hot: HotConnections, jurisdiction_id: str, tile: Tile) -> bool:
    """Whether a scan in the order of time finds MOST_POINTS requests sooner than a fetch of all in the tile.

    Of a city's N requests, n are in the tile. The scan skips N / n entries of an index for each that it finds.
    Tiles that are smaller than a cell count as sparse, because it is unknown how many requests they have.
    """
    wider = CELL_ZOOMS[-1] - tile.zoom
    if wider < 0:
        return False
    values = {
        "jurisdiction_id": jurisdiction_id,
        "west": tile.x << wider,
        "east": ((tile.x + 1) << wider) - 1,
        "north": tile.y << wider,
        "south": ((tile.y + 1) << wider) - 1,
    }
    [(here, everywhere)] = hot.rows(_counted(), values)
    return bool(here > MOST_POINTS and _ENTRIES_PER_FETCH * here**2 > MOST_POINTS * everywhere)


def _numbers(tile: Tile) -> dict[str, Any]:
    return {"tile_x": tile.x, "tile_y": tile.y, "tiles": 1 << tile.zoom}


def _cells_of(tile: Tile) -> dict[str, Any]:
    """The numbers of the cells in a tile and its buffer: the first and the last.

    first_shift, last_shift  by how many cells a row of the table is moved, in steps of `world`: beyond the 180th
                             meridian, the world begins again
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


@lru_cache(maxsize=512)
def _points(kind: SearchKind, tile_parts: int, asked_parts: int, *, is_dense: bool) -> Statement:
    """The number of requests, the tile of the first MOST_POINTS, and the layer that says that there are more.

    tile_parts, asked_parts  in how many parts the 180th meridian divides the tile, and the box of the call
    """
    columns = publication.c
    wanted = ("id", "requested_at", "updated_at", "service_request_id", "service_code", "status", "lat", "long")
    query = select(*(columns[name] for name in wanted)).where(*conditions(kind))
    if is_dense:
        query = query.where(in_bounds(columns.lat, columns.long, "box"))
        query = query.order_by(columns.requested_at.desc(), columns.id.desc())
    else:
        query = query.where(in_small_box(columns.point, columns.lat, columns.long, "box", tile_parts))
        # Without the addition, PostgreSQL may read an index in the order of time up to its end.
        at = columns.requested_at + literal_column("interval '0'")
        query = query.order_by(at.desc(), columns.id.desc())
    if asked_parts:
        query = query.where(in_box(columns.point, "asked", asked_parts))
    found = query.limit(literal_column(str(MOST_POINTS + 1))).cte("found")
    order = (found.c.requested_at.desc(), found.c.id.desc())
    first = select(found).order_by(*order).limit(literal_column(str(MOST_POINTS))).subquery("first")
    shown = select(
        _point(_across(world_x(first.c.long)), _down(world_y(first.c.lat))),
        first.c.service_request_id,
        first.c.service_code,
        first.c.status,
        _instant(first.c.updated_at).label("updated"),
    ).subquery("shown")
    middle = literal_column(str(EXTENT // 2), type_=Double)
    notice = select(_point(middle, middle), literal_column(str(MOST_POINTS)).label("shown")).subquery("notice")
    count = select(func.count()).select_from(found).scalar_subquery()
    return Statement.of(select(count, _layer(shown, "requests"), _layer(notice, "cut")))


@cache
def _counted() -> Statement:
    columns = map_cell.c
    count = select(func.coalesce(func.sum(columns.opened + columns.closed), literal_column("0"))).where(
        columns.jurisdiction_id == bindparam("jurisdiction_id"), columns.service_code == literal_column("''")
    )
    here = count.where(
        columns.zoom == literal_column(str(CELL_ZOOMS[-1])),
        columns.x.between(bindparam("west", type_=Integer), bindparam("east", type_=Integer)),
        columns.y.between(bindparam("north", type_=Integer), bindparam("south", type_=Integer)),
    )
    everywhere = count.where(columns.zoom == literal_column(str(CELL_ZOOMS[0])))
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
    """A tile with one layer, without features if there are no rows. Several of them in a row are one tile."""
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
