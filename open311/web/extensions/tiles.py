"""Tiles for web maps, and the document by which maps find them (G1 to G7 of spec/extensions.md)."""

from __future__ import annotations

from html import escape
from typing import Any
from urllib.parse import urlencode

import orjson

from open311.domain.search import RequestSearch
from open311.domain.tiles import FIRST_POINT_ZOOM, MAX_ZOOM
from open311.errors import Problem
from open311.formats import JSON
from open311.formats.writing import TileFormat
from open311.operations.reading.find_tile import (
    cut_points,
    filter_problems,
    find_tile,
    find_tile_validator,
    needs_points,
    read_tile,
)
from open311.operations.reading.searches import read_undated_search, unknown_department
from open311.operations.upkeep.dumps import terms
from open311.web.access import ANYBODY
from open311.web.calls import Answer, Call, unchanged
from open311.web.endpoints import Media, endpoint
from open311.web.parsing import read_query
from open311.web.surfaces import TILES
from open311.web.terms import term_headers
from schemas.extensions import TileArguments

_WORLD = (-180.0, -85.051129, 180.0, 85.051129)
_KEPT = "public, max-age=300"
_TEXTS = {"type": "array", "items": {"type": "string"}}
_TILEJSON: dict[str, Any] = {
    "type": "object",
    "required": ["tilejson", "tiles", "vector_layers"],
    "properties": {
        "tilejson": {"type": "string", "description": "The version of TileJSON, 3.0.0."},
        "name": {"type": "string", "description": "The city's name."},
        "tiles": _TEXTS | {"description": "The address of the tiles, with {z}, {x} and {y}."},
        "minzoom": {"type": "integer", "description": "The lowest zoom that has tiles with these filters."},
        "maxzoom": {"type": "integer", "description": "The highest zoom that has tiles."},
        "bounds": {
            "type": "array",
            "items": {"type": "number"},
            "description": "West, south, east and north of the city; of the world if it has no boundary.",
        },
        "attribution": {"type": "string", "description": "The source of the data, as HTML."},
        "scheme": {"type": "string", "description": "Always xyz: rows are counted from the north."},
        "vector_layers": {
            "type": "array",
            "items": {"type": "object"},
            "description": "The layers and their fields.",
        },
    },
}
_LAYERS: list[dict[str, Any]] = [
    {
        "id": "cells",
        "description": "The middles of the cells of a grid, with the numbers of requests in them",
        "minzoom": 0,
        "maxzoom": FIRST_POINT_ZOOM - 1,
        "fields": {"count": "requests", "open": "open requests", "closed": "closed requests"},
    },
    {
        "id": "requests",
        "description": "Service requests",
        "minzoom": FIRST_POINT_ZOOM,
        "maxzoom": MAX_ZOOM,
        "fields": {
            "service_request_id": "identifies the request",
            "service_code": "the service",
            "status": "open or closed",
            "updated": "updated_datetime",
        },
    },
    {
        "id": "cut",
        "description": "One point in the middle of a tile that may not have all requests",
        "minzoom": FIRST_POINT_ZOOM,
        "maxzoom": MAX_ZOOM,
        "fields": {"shown": "the number of requests in the tile; they are the newest ones"},
    },
]
_TILES: dict[str, Any] = {
    "reads": TileArguments,
    "access": ANYBODY,
    "is_extension": True,
    "gathers_problems": True,
    "headers": ("Link", "X-Attribution"),
}


@endpoint(
    TILES,
    "/<z>/<x>/<y>.mvt",
    answers=Media(TileFormat.MVT.media_type, {"type": "string", "format": "binary"}),
    output=TileFormat.MVT,
    **_TILES,
)
def get_tile(call: Call, z: str, x: str, y: str) -> Answer:
    """Get a tile of the city's map as Mapbox Vector Tile.

    From zoom 12 on, the layer `requests` has single requests, with the filters of requests.json but without its
    window of 90 days. A tile has at most 500 requests, the newest ones; if there may be more, the layer `cut` has a
    point. Tiles of lower zooms have the layer `cells`, with the numbers of requests; their only filters are
    service_code, group, keyword and status.
    """
    tile = read_tile(z, x, y)
    search = _search(call, *filter_problems(tile, call.values))
    if "If-None-Match" in call.request.headers:
        validator = find_tile_validator(call.platform, tile, search)
        if validator and call.has_unchanged(validator):
            return unchanged(validator)
    found = find_tile(call.platform, tile, search)
    sentences = (cut_points(found), unknown_department(call.values["department"], call.city))
    return Answer(
        body=found.body,
        validator=found.validator,
        headers=tuple(term_headers(call)),
        warnings=tuple(filter(None, sentences)),
    )


@endpoint(TILES, ".json", answers=Media("application/json", _TILEJSON), output=JSON, **_TILES)
def describe_tiles(call: Call) -> Answer:
    """Describe the city's map tiles as TileJSON 3.0, for maps.

    The filters of the call are in the address of the tiles. With filters that only work from zoom 12 on, minzoom is
    12.
    """
    _search(call)
    city, (_, attribution) = call.city, terms(call.platform, call.city)
    body = {
        "tilejson": "3.0.0",
        "name": city.name,
        "tiles": [f"{call.base_url()}/tiles/{{z}}/{{x}}/{{y}}.mvt?{urlencode(_filters(call))}"],
        "minzoom": FIRST_POINT_ZOOM if needs_points(call.values) else 0,
        "maxzoom": MAX_ZOOM,
        "bounds": city.boundary.bounds if city.boundary is not None else _WORLD,
        "attribution": escape(attribution),
        "scheme": "xyz",
        "vector_layers": _LAYERS,
    }
    return Answer(body=orjson.dumps(body), headers=tuple(term_headers(call)), cache_control=_KEPT)


def _search(call: Call, *problems: Problem) -> RequestSearch:
    """The search of a call. Raises Invalid with all problems.

    Raises NotFound for an unknown service if the operator wants 404 for it.
    """
    search = read_undated_search(call.values, call.city, now=call.now, problems=(*call.problems, *problems))
    if call.platform.settings.unknown_service_is_404:
        for code in search.service_codes or ():
            call.city.require_shown(code)
    return search


def _filters(call: Call) -> list[tuple[str, str]]:
    """The city and the filters of a call, for the address of its tiles."""
    schema = TileArguments()
    sent = [(name, value) for name, values in read_query(call.request.query_string).items() for value in values]
    is_filter = set(schema.parameters) - {"jurisdiction_id", "locale"}
    return [
        ("jurisdiction_id", call.city.id),
        *((name, value) for name, value in sent if schema.own_name(name) in is_filter),
    ]
