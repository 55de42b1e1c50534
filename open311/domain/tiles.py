"""Tiles of web maps: squares of the world in the Web Mercator projection, and the cells of a grid in them.

At zoom Z, the world is 2^Z tiles wide and high. Tiles are numbered from the north-west corner: x to the east, y to
the south. The world ends at 85.05 degrees north and south; places beyond are in no tile.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import atan, degrees, pi, sinh

from open311.domain.search import Box

MAX_ZOOM = 18
"""At this zoom, the smallest step in a tile is 4 cm. Maps scale its tiles up for closer views."""
FIRST_POINT_ZOOM = 12
"""From this zoom on, tiles show single requests; tiles of lower zooms show cells with counts."""
CELL_ZOOMS = (5, 7, 9, 11, 13, 15)
"""The zooms of the cells that are counted. A cell of the last zoom is at most 1223 m wide."""
CLOSE_ZOOM = 14
"""The zoom of the cells by which close tiles find requests. The database's function `close_cell` numbers them."""
EXTENT = 4_096
"""The width of a tile in the units of its points."""
BUFFER = 256
"""A tile also has what is up to this many units beyond its edges. So a map can draw a symbol across an edge."""


@dataclass(frozen=True, slots=True)
class Tile:
    """One tile. `zoom` is 0 to MAX_ZOOM, and x and y are 0 to 2^zoom - 1."""

    zoom: int
    x: int
    y: int

    @property
    def has_points(self) -> bool:
        """Whether the tile shows single requests, and not cells."""
        return self.zoom >= FIRST_POINT_ZOOM

    @property
    def cell_zoom(self) -> int:
        """The zoom of the cells that the tile shows. A tile is 16 or 32 of its cells wide."""
        return CELL_ZOOMS[self.zoom // 2]

    @property
    def cells_wide(self) -> int:
        """The number of cells from one edge of the tile to the other."""
        return 1 << self.cell_zoom - self.zoom

    @property
    def box(self) -> Box:
        """The tile with its buffer, in degrees. It may cross the antimeridian. Only for tiles with points."""
        reach = BUFFER / EXTENT
        west, east = (self._long(self.x - reach), self._long(self.x + 1 + reach))
        return Box(
            west + 360 if west < -180 else west,
            self._lat(self.y + 1 + reach),
            east - 360 if east > 180 else east,
            self._lat(self.y - reach),
        )

    def _long(self, x: float) -> float:
        return x / (1 << self.zoom) * 360 - 180

    def _lat(self, y: float) -> float:
        return degrees(atan(sinh(pi * (1 - 2 * y / (1 << self.zoom)))))
