"""Tiles of a city's map, with single requests or with the numbers of requests in the cells of a grid."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from open311.domain.search import RequestSearch, Window
from open311.domain.tiles import FIRST_POINT_ZOOM, MAX_ZOOM, Tile
from open311.errors import Invalid, Problem
from open311.operations.platform import Platform
from open311.storage.hot import tiles
from open311.storage.hot.changes import find_last_transaction
from open311.storage.hot.tiles import FoundTile
from schemas.extensions import TileArguments
from schemas.texts import Message, tell

CELL_PARAMETERS = ("jurisdiction_id", "locale", "service_code", "group", "keyword", "status")
"""The parameters of tiles with cells. The cells are counted by service and status only."""
_NUMBER = re.compile(r"0|[1-9][0-9]{0,6}")


def read_tile(z: str, x: str, y: str) -> Tile:
    """The tile that a path names. Raises Invalid if there is no such tile."""
    zoom = int(z) if _NUMBER.fullmatch(z) else -1
    if not 0 <= zoom <= MAX_ZOOM:
        raise Invalid(_out_of_range(MAX_ZOOM), "z")
    last = (1 << zoom) - 1
    places = (("x", x), ("y", y))
    wrong = [name for name, sent in places if not _NUMBER.fullmatch(sent) or int(sent) > last]
    if wrong:
        raise Invalid.of(Problem(name, _out_of_range(last)) for name in wrong)
    return Tile(zoom, int(x), int(y))


def _out_of_range(last: int) -> Message:
    return tell("is not a tile's number here; send a whole number from 0 to {last}.", last=last)


def needs_points(values: Mapping[str, Any]) -> list[str]:
    """The filters of a call that tiles with cells cannot apply."""
    parameters = TileArguments().parameters
    return [
        name
        for name, parameter in parameters.items()
        if name not in CELL_PARAMETERS and values[name] != parameter.default
    ]


def filter_problems(tile: Tile, values: Mapping[str, Any]) -> Iterator[Problem]:
    """A problem for each filter that the tile cannot apply."""
    for name in () if tile.has_points else needs_points(values):
        how = tell("filters tiles from zoom {zoom} on; leave it out for lower zooms.", zoom=FIRST_POINT_ZOOM)
        yield Problem(name, how)


def find_tile_validator(platform: Platform, tile: Tile, search: RequestSearch) -> str:
    """The validator of a tile. For equal searches, it is computed once until something public has changed.

    Returns "" if the validator must be made from the tile itself. The cells are updated a little later than the
    requests, so the last transaction does not show whether a tile with cells has changed. A search by words, or by
    the time of the last change, can find other requests while the last transaction is the same.
    """
    if not tile.has_points or search.words or search.changed != Window():
        return ""
    last = find_last_transaction(platform.database.hot, search.jurisdiction_id)
    return "" if last is None else platform.process.cached(_validator_at)(platform, tile, search, last)


def _validator_at(platform: Platform, tile: Tile, search: RequestSearch, _: tuple[int, int]) -> str:
    """The validator of a tile, cached. The last parameter, the last transaction, is only part of the cache key."""
    return find_tile(platform, tile, search).validator


def find_tile(platform: Platform, tile: Tile, search: RequestSearch) -> FoundTile:
    """The tile with what a search finds: requests from FIRST_POINT_ZOOM on, cells at lower zooms."""
    hot = platform.database.hot
    if tile.has_points:
        return tiles.find_points(hot, tile, search)
    status = search.statuses[0] if len(set(search.statuses)) == 1 else None
    return tiles.find_cells(hot, search.jurisdiction_id, tile, search.service_codes, status)


def cut_points(tile: FoundTile) -> Message | None:
    """A sentence if a tile does not have all requests; None if it has all."""
    if not tile.is_cut:
        return None
    return tell("this tile has the newest {most} requests only; zoom in or send filters", most=tile.shown)
