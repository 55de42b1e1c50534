"""The format of map tiles. PostGIS encodes them."""

from __future__ import annotations

from enum import StrEnum

from open311.formats.documents import JSON, Format


class TileFormat(StrEnum):
    """A format of tiles, named by the suffix of the path: Mapbox Vector Tile 2.1."""

    MVT = "mvt"

    @property
    def media_type(self) -> str:
        """The value of Content-Type."""
        return "application/vnd.mapbox-vector-tile"

    @property
    def error_format(self) -> Format:
        """The format of error answers."""
        return JSON
