"""Assets of a city, such as street lights, with their ids and positions. An answer can be the id of an asset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import cos, radians
from typing import Any, Literal

import shapely
from shapely.geometry.base import BaseGeometry

_DEGREE_M = 111_195.0
"""The length of a degree of latitude on a sphere, in metres."""

Coordinates = tuple[float, float]
"""(long, lat) in degrees, WGS 84."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerRule:
    """How the ids of one layer are used.

    name        the name of the layer and of its file
    id          the property of a feature that holds the asset's id
    radius_m    how far an asset may be from the point of a request, in metres
    unknown_id  an id that the layer does not have near the point: `refuse` answers 400, `warn` stores the id
    fill        whether the server gives the answer if there is exactly one asset within the radius
    """

    name: str
    id: str = "id"
    radius_m: int = 30
    unknown_id: Literal["refuse", "warn"] = "refuse"
    fill: bool = False


@dataclass(frozen=True, eq=False)
class AssetLayer:
    """The assets of one kind. `ids` and `geometries` have the same order. Both are empty if there is no file."""

    rule: LayerRule
    ids: Sequence[str] = ()
    geometries: Sequence[BaseGeometry] = ()

    def has(self, asset_id: str) -> bool:
        """Whether an asset has this id."""
        return asset_id in self._places

    def distance_m(self, asset_id: str, point: Coordinates) -> float:
        """The distance of an asset from a point, in metres. Raises KeyError for an unknown id."""
        return float(self._distances([self._places[asset_id]], point)[0])

    def near(self, point: Coordinates) -> list[str]:
        """Ids of the assets within the layer's radius, the nearest first."""
        long, lat = point
        high = self.rule.radius_m / _DEGREE_M
        wide = high / _shrinkage(lat)
        found = self._tree.query(shapely.box(long - wide, lat - high, long + wide, lat + high))
        distances = zip(self._distances(found, point), found, strict=True)
        return [self.ids[place] for distance, place in sorted(distances) if distance <= self.rule.radius_m]

    @cached_property
    def _places(self) -> dict[str, int]:
        return {asset_id: place for place, asset_id in enumerate(self.ids)}

    @cached_property
    def _tree(self) -> shapely.STRtree:
        return shapely.STRtree(self.geometries)

    def _distances(self, places: Sequence[int], point: Coordinates) -> Any:
        """Distances in metres: each geometry is moved so that the point is 0, 0, and its degrees become metres."""
        scale = (_DEGREE_M * _shrinkage(point[1]), _DEGREE_M)
        moved = shapely.transform(
            [self.geometries[place] for place in places], lambda degrees: (degrees - point) * scale
        )
        return shapely.distance(moved, shapely.Point(0, 0))


def _shrinkage(lat: float) -> float:
    """The length of a degree of longitude divided by the length of a degree of latitude."""
    return max(cos(radians(lat)), 0.001)
