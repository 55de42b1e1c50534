"""Map tiles, an extension: G1, G2, G4, G6 and G7."""

from __future__ import annotations

from math import asinh, floor, pi, radians, tan
from typing import Any

from spec.conformance.answers import Answer, Call
from spec.conformance.offers import NO_WORD, NOWHERE, offered, place
from spec.conformance.probe import Probe, only, require
from spec.conformance.registry import check

_MEDIA_TYPE = "application/vnd.mapbox-vector-tile"
_CLOSE, _FAR = 15, 9
Pair = tuple[str, str]


def _path(lat: float, long: float, zoom: int) -> str:
    """The address of the tile at a point."""
    x = floor((long + 180) / 360 * 2**zoom)
    y = floor((1 - asinh(tan(radians(lat))) / pi) / 2 * 2**zoom)
    return f"tiles/{zoom}/{x}/{y}.mvt"


def _described(probe: Probe, *asked: Pair) -> tuple[Answer, dict[str, Any]]:
    """The TileJSON. Raises UnmetNeedError if the server does not offer tiles."""
    answer = probe.get("tiles.json", asked)
    offered(probe, "tiles", lambda: answer.succeeded and b'"tilejson"' in answer.body)
    data = answer.must_be(200).must_be_json()
    answer.must(isinstance(data, dict), "an object")
    return answer, data


def _tile(probe: Probe, zoom: int, *asked: Pair) -> Answer:
    """The tile at the place of the open request."""
    _described(probe)
    return probe.get(_path(*place(probe), zoom), asked)


def _has(answer: Answer, text: str) -> bool:
    """Whether a tile has a text. A tile has the names of layers and members, and their texts, as plain bytes."""
    return text.encode() in answer.must_be(200).body


@check("G1", needs="open_request")
def numbers_of_tiles(probe: Probe) -> None:
    found = _tile(probe, _CLOSE).must_be(200)
    found.must(found.content_type == _MEDIA_TYPE, _MEDIA_TYPE, found.content_type)
    for path in ("19/0/0", "3/8/0", "3/0/8", "3/0/x"):
        probe.get(f"tiles/{path}.mvt").must_be(400)
    lat, long = map(float, NOWHERE)
    nothing = probe.get(_path(lat, long, _CLOSE)).must_be(200)
    nothing.must(nothing.body == b"", "an empty body where no request is", f"{len(nothing.body)} bytes")
    nothing.must("etag" in nothing.headers, "an ETag of the empty tile", "none")


@check("G2", needs="open_request")
def requests_in_close_tiles(probe: Probe) -> None:
    request_id = require(probe.prepared.open_request)
    found = _tile(probe, _CLOSE)
    found.must(_has(found, "requests"), "the layer requests", "none")
    found.must(_has(found, request_id), f"{request_id}, which is in this tile", "a tile without it")
    code = str(only(probe.request(request_id, probe.formats[-1]))["service_code"])
    same = _tile(probe, _CLOSE, ("service_code", code), ("status", "open"))
    same.must(_has(same, request_id), f"{request_id}, which is open and of {code}", "a tile without it")
    for asked in (("status", "closed"), ("q", NO_WORD)):
        other = _tile(probe, _CLOSE, asked)
        other.must(not _has(other, request_id), f"no {request_id} with {asked[0]}={asked[1]}", "a tile with it")


@check("G4", needs="open_request")
def cells_in_far_tiles(probe: Probe) -> None:
    found = _tile(probe, _FAR, ("status", "open"))
    for name in ("cells", "count", "open", "closed"):
        found.must(_has(found, name), f"the layer cells with {name}", "a tile without it")
    request_id = require(probe.prepared.open_request)
    found.must(not _has(found, request_id), "no single request", request_id)
    _tile(probe, _FAR, ("q", NO_WORD)).must_be(400).must_say("q", "12")


@check("G6", needs="open_request")
def tiles_are_revalidated(probe: Probe) -> None:
    for zoom in (_CLOSE, _FAR):
        found = _tile(probe, zoom).must_be(200)
        tag = found.headers.get("etag", "")
        found.must(tag.startswith('"'), "a strong ETag", tag or "none")
        found.must(found.headers.get("access-control-allow-origin") == "*", "CORS for every page", "none")
        call = probe.call("GET", _path(*place(probe), zoom), headers={"If-None-Match": tag})
        probe.client.send(call).must_be(304)


@check("G7", needs="open_request")
def description_of_tiles(probe: Probe) -> None:
    answer, found = _described(probe)
    answer.must(found.get("tilejson") == "3.0.0", "TileJSON 3.0.0", found.get("tilejson"))
    missing = {"tiles", "minzoom", "maxzoom", "bounds", "attribution", "vector_layers"} - found.keys()
    answer.must(not missing, "all members of G7", missing)
    layers = {str(layer.get("id")) for layer in found["vector_layers"]}
    answer.must({"requests", "cells"} <= layers, "the layers requests and cells", layers)
    answer, found = _described(probe, ("status", "closed"), ("q", NO_WORD))
    answer.must(found["minzoom"] == 12, "minzoom 12 with q", found["minzoom"])
    url = str(found["tiles"][0])
    answer.must("status=closed" in url and NO_WORD in url, "the filters in the address of the tiles", url)
    _, z, x, y = _path(*place(probe), _CLOSE).removesuffix(".mvt").split("/")
    tile = probe.client.get(Call("GET", url.replace("{z}", z).replace("{x}", x).replace("{y}", y)))
    tile.must_be(200).must(tile.body == b"", "an empty tile with these filters", f"{len(tile.body)} bytes")
