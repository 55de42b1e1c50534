"""GeoJSON (RFC 7946): each request is a Feature with a (long, lat) point and the fields of requests.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import orjson


class GeoJsonWriter:
    """A FeatureCollection.

    members  more JSON members of the collection, written after `features`
    """

    def __init__(self, members: Mapping[str, Any] = MappingProxyType({})) -> None:
        self._members = members
        self._separator = b""

    def begin(self) -> bytes:
        """The start of the collection."""
        return b'{"type":"FeatureCollection","features":['

    def more(self, items: Sequence[bytes]) -> bytes:
        """The next features."""
        if not items:
            return b""
        features = b",".join(orjson.dumps(_feature(orjson.loads(item))) for item in items)
        features, self._separator = self._separator + features, b","
        return features

    def end(self) -> bytes:
        """The end of the collection."""
        return b"]" + (b"," + orjson.dumps(dict(self._members))[1:] if self._members else b"}")


def _feature(item: dict[str, Any]) -> dict[str, Any]:
    """A request as a Feature. Without a point, the geometry is null (RFC 7946, section 3.2)."""
    lat, long = item["lat"], item["long"]
    has_point = lat is not None and long is not None
    return {
        "type": "Feature",
        "id": item["service_request_id"],
        "geometry": {"type": "Point", "coordinates": [long, lat]} if has_point else None,
        "properties": item,
    }
