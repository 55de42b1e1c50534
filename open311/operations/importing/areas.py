"""Finds the areas of many points at once."""

from __future__ import annotations

from collections.abc import Sequence

from shapely import STRtree, points

from open311.domain.places import Place
from open311.plugins import Jurisdiction


class AreaMap:
    """A spatial index of a city's areas."""

    def __init__(self, jurisdiction: Jurisdiction) -> None:
        self.jurisdiction = jurisdiction
        self._names = tuple(jurisdiction.areas)
        self._tree = STRtree(list(jurisdiction.areas.values()))

    def look_up(self, places: Sequence[Place]) -> list[tuple[str, ...]]:
        """For each place, the areas that `Jurisdiction.areas_at` returns."""
        found: list[list[int]] = [[] for _ in places]
        where = [index for index, place in enumerate(places) if self._names and place.has_point]
        if where:
            spots = points([places[index].point for index in where])
            for spot, area in self._tree.query(spots, predicate="intersects").T.tolist():
                found[where[spot]].append(area)
        return [self._named(place, areas) for place, areas in zip(places, found, strict=True)]

    def _named(self, place: Place, areas: list[int]) -> tuple[str, ...]:
        """The names of a place's areas. If several areas touch the point, the city decides which of them count."""
        return self.jurisdiction.areas_at(place) if len(areas) > 1 else tuple(self._names[area] for area in areas)
