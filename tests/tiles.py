"""Reads map tiles, and computes where a place is in a tile. The server computes it with other formulas."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from math import floor, log, pi, radians, tan
from typing import Any

import mapbox_vector_tile
from flask.testing import FlaskClient

from open311.domain.requests import RequestRecord

Tile = tuple[int, int, int]
"""Zoom, column and row."""
Units = tuple[int, int]
"""A place in a tile: units to the east and to the south of its north-west corner."""

PATH = "/open311/v2/tiles"
EXTENT, BUFFER = 4096, 256
CELL_ZOOM = {zoom: 5 + 2 * (zoom // 2) for zoom in range(12)}


def layer(body: bytes, name: str) -> list[tuple[Units, dict[str, Any]]]:
    """The features of a layer: each point in units from the tile's north-west corner, and its properties."""
    if not body:
        return []
    layers = mapbox_vector_tile.decode(body, default_options={"y_coord_down": True})
    return [
        ((feature["geometry"]["coordinates"][0], feature["geometry"]["coordinates"][1]), feature["properties"])
        for feature in layers.get(name, {"features": []})["features"]
    ]


def fetch(client: FlaskClient, tile: Tile, query: str = "") -> bytes:
    """The body of a tile."""
    zoom, x, y = tile
    answer = client.get(f"{PATH}/{zoom}/{x}/{y}.mvt?{query}")
    assert answer.status_code == 200, answer.text
    assert answer.content_type == "application/vnd.mapbox-vector-tile"
    body: bytes = answer.data
    return body


def world(long: float, lat: float, zoom: int) -> tuple[float, float]:
    """A place as a column and a row of tiles, with fractions."""
    size = 2**zoom
    return (long + 180) / 360 * size, (1 - log(tan(radians(lat) / 2 + pi / 4)) / pi) / 2 * size


def tile_at(long: float, lat: float, zoom: int) -> Tile:
    """The tile that contains a place."""
    x, y = world(long, lat, zoom)
    return zoom, floor(x) % 2**zoom, floor(y)


def units(tile: Tile, long: float, lat: float) -> list[Units]:
    """Where a place is in a tile with its buffer.

    At zoom 0, a place near the edge is there twice, because the buffer repeats the opposite side of the world.
    """
    zoom, column, row = tile
    x, y = world(long, lat, zoom)
    down = floor((y - row) * EXTENT)
    places = ((floor((x + turn * 2**zoom - column) * EXTENT), down) for turn in (-1, 0, 1))
    return [place for place in places if all(-BUFFER <= part <= EXTENT + BUFFER for part in place)]


def cells_of(tile: Tile, records: Iterable[RequestRecord]) -> dict[Units, tuple[int, int]]:
    """The numbers of open and of closed requests in each cell of a tile, by the middle of the cell."""
    zoom, column, row = tile
    cell_zoom, per_tile = CELL_ZOOM[zoom], 2 ** (CELL_ZOOM[zoom] - zoom)
    numbers: Counter[tuple[Units, str]] = Counter()
    for record in records:
        if record.place.point is None:
            continue
        _, x, y = tile_at(*record.place.point, cell_zoom)
        for turn in (-1, 0, 1):
            place = (x + turn * 2**cell_zoom + 0.5) / per_tile - column, (y + 0.5) / per_tile - row
            middle = floor(place[0] * EXTENT), floor(place[1] * EXTENT)
            if all(-BUFFER <= part < EXTENT + BUFFER for part in middle):
                numbers[middle, record.status] += 1
    return {middle: (numbers[middle, "open"], numbers[middle, "closed"]) for middle, _ in numbers}
