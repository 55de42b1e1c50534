"""Pictures of a city's map as SVG, drawn from its boundary and its areas. They need no script and no other host.

A picture is a part of the world in Web Mercator, the projection of most maps on the web. At zoom 0, the whole world
is 256 pixels wide, and each further zoom doubles it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import asinh, atan, cos, degrees, floor, log2, log10, pi, radians, sinh, tan
from types import MappingProxyType

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from open311.formats.markup import escaped
from open311.plugins import Jurisdiction

SIZE = 288
"""Width and height of a picture in pixels: it fits on a narrow phone beside the margins of the page."""
LEAST_ZOOM, MOST_ZOOM = 1, 19
CLOSER = 2
"""The surroundings of a point are shown this many zooms nearer than the whole city."""
_MOST_LAT = 85.0
"""Web Mercator ends near the poles."""
_TILE = 256
_MARGIN = 8
"""Lines are cut off this many pixels outside of the picture, so that no cut is seen."""
_LEAST_NAMED = 70
"""An area has its name in the picture only if it is this many pixels wide, or wider for a long name."""


@dataclass(frozen=True)
class MapView:
    """The part of the world that a picture shows: its centre in degrees, and its zoom."""

    long: float
    lat: float
    zoom: int

    def pixel(self, long: float, lat: float) -> tuple[float, float]:
        """Where a point is in the picture, from its left upper corner."""
        x, y = self._world(long, lat)
        left, top = self._corner
        return x - left, y - top

    def point(self, x: float, y: float) -> tuple[float, float]:
        """The (long, lat) of a pixel of the picture, to about a metre."""
        left, top = self._corner
        size = self.world_pixels
        lat = degrees(atan(sinh(pi * (1 - 2 * (top + y) / size))))
        long = (left + x) / size * 360 - 180
        return round((long + 180) % 360 - 180, 6), round(lat, 6)

    def moved(self, right: float, down: float) -> MapView:
        """The view after a move. `right` and `down` are parts of the picture's width."""
        long, lat = self.point(SIZE * (0.5 + right), SIZE * (0.5 + down))
        return MapView(long, _bounded(lat), self.zoom)

    def zoomed(self, by: int) -> MapView:
        """The view at another zoom."""
        return replace(self, zoom=min(MOST_ZOOM, max(LEAST_ZOOM, self.zoom + by)))

    @property
    def world_pixels(self) -> float:
        """The width of the whole world in pixels."""
        return float(_TILE * 2**self.zoom)

    @property
    def _corner(self) -> tuple[float, float]:
        x, y = self._world(self.long, self.lat)
        return x - SIZE / 2, y - SIZE / 2

    def _world(self, long: float, lat: float) -> tuple[float, float]:
        height = asinh(tan(radians(_bounded(lat)))) / pi
        return (long + 180) / 360 * self.world_pixels, (1 - height) / 2 * self.world_pixels

    def pixels(self, points: np.ndarray) -> np.ndarray:
        """Where many points are in the picture: an array of (long, lat) becomes one of (x, y)."""
        left, top = self._corner
        height = np.arcsinh(np.tan(np.radians(np.clip(points[:, 1], -_MOST_LAT, _MOST_LAT)))) / pi
        x = (points[:, 0] + 180) / 360 * self.world_pixels - left
        return np.column_stack((x, (1 - height) / 2 * self.world_pixels - top))


def whole_city(city: Jurisdiction) -> MapView:
    """The view that shows a whole city. The world, if the city has neither a boundary nor areas."""
    found = [shape for shape in (city.boundary, *city.areas.values()) if shape is not None]
    if not found:
        return MapView(0, 20, LEAST_ZOOM)
    west, south, east, north = shapely.total_bounds(found)
    middle = MapView((west + east) / 2, (_bounded(south) + _bounded(north)) / 2, 0)
    (left, top), (right, bottom) = middle.pixel(west, north), middle.pixel(east, south)
    extent = max(right - left, bottom - top, 1e-9)
    return middle.zoomed(floor(log2((SIZE - 2 * _MARGIN) / extent)))


def metres_across(view: MapView) -> float:
    """The width of the picture in metres, at its centre."""
    return 40_075_017 * cos(radians(view.lat)) * SIZE / view.world_pixels


def draw(
    city: Jurisdiction,
    view: MapView,
    pin: tuple[float, float] | None = None,
    numbered: Mapping[int, tuple[float, float]] = MappingProxyType({}),
) -> bytes:
    """The picture of a view.

    pin       a (long, lat) point to mark
    numbered  more points, each with the number that is written there
    """
    return "".join([*_parts(city, view, pin), *_numbers(view, numbered), "</svg>"]).encode()


def _parts(city: Jurisdiction, view: MapView, pin: tuple[float, float] | None) -> Iterator[str]:
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{SIZE}" height="{SIZE}" viewBox="0 0 {SIZE} {SIZE}"'
        ' font-family="system-ui, sans-serif" font-size="11">'
        f'<rect width="{SIZE}" height="{SIZE}" fill="#dfe6ec"/>'
    )
    if path := _path(city.boundary, view):
        yield f'<path d="{path}" fill="#fff" fill-rule="evenodd" stroke="#3c4a58" stroke-width="2"/>'
    names: list[str] = []
    for name, area in city.areas.items():
        if path := _path(area, view):
            yield f'<path d="{path}" fill="#fff" fill-opacity=".4" fill-rule="evenodd" stroke="#7d8b99"/>'
            names.append(_label(name, area, view))
    yield from names
    yield _scale(view)
    if pin is not None:
        x, y = view.pixel(*pin)
        yield (
            f'<g transform="translate({x:.0f} {y:.0f})">'
            '<path d="M0 0C-4-9-10-13-10-21a10 10 0 0 1 20 0C10-13 4-9 0 0Z" fill="#c2185b" stroke="#fff"'
            ' stroke-width="1.5"/><circle cy="-21" r="3.5" fill="#fff"/></g>'
        )


def _numbers(view: MapView, numbered: Mapping[int, tuple[float, float]]) -> Iterator[str]:
    """A disc with its number for each point in the picture; the lowest numbers are on top."""
    for number, point in sorted(numbered.items(), reverse=True):
        x, y = view.pixel(*point)
        if 0 <= x <= SIZE and 0 <= y <= SIZE:
            yield (
                f'<circle cx="{x:.0f}" cy="{y:.0f}" r="9" fill="#0a58b0" stroke="#fff"/>'
                f'<text x="{x:.0f}" y="{y + 4:.0f}" text-anchor="middle" fill="#fff">{number}</text>'
            )


def _scale(view: MapView) -> str:
    """A line in the left lower corner, with its length in metres or kilometres.

    The length is the greatest round one that is not more than a third of the picture's width.
    """
    metres_a_pixel = metres_across(view) / SIZE
    most = metres_a_pixel * SIZE / 3
    power = 10 ** floor(log10(most))
    metres = max(power * step for step in (1, 2, 5) if power * step <= most)
    text = f"{metres / 1_000:g} km" if metres >= 1_000 else f"{metres:g} m"
    right, bottom = 8 + round(metres / metres_a_pixel), SIZE - 8
    return (
        f'<path d="M8,{bottom - 5}V{bottom}H{right}V{bottom - 5}" fill="none" stroke="#33404d" stroke-width="1.5"/>'
        f'<text x="12" y="{bottom - 5}" fill="#33404d" stroke="#fff" stroke-width="3"'
        f' paint-order="stroke">{text}</text>'
    )


def _seen(shape: BaseGeometry, view: MapView) -> BaseGeometry:
    """The part of a shape that the picture shows, in pixels."""
    pixels = shapely.transform(shape, view.pixels)
    return shapely.clip_by_rect(pixels, -_MARGIN, -_MARGIN, SIZE + _MARGIN, SIZE + _MARGIN)


def _path(shape: BaseGeometry | None, view: MapView) -> str:
    """The outlines of a shape as a path of SVG; "" if the picture shows nothing of it."""
    if shape is None:
        return ""
    seen = shapely.simplify(_seen(shape, view), 0.7, preserve_topology=False)
    rings = shapely.get_rings(seen) if not shapely.is_empty(seen) else ()
    outlines = (shapely.get_coordinates(ring)[:-1].round().astype(int) for ring in rings)
    return "".join(f"M{' '.join(f'{x},{y}' for x, y in outline)}Z" for outline in outlines if len(outline) > 2)


def _label(name: str, area: BaseGeometry, view: MapView) -> str:
    """The name of an area in its middle, if it is wide enough."""
    seen = _seen(area, view)
    if shapely.is_empty(seen):
        return ""
    west, _, east, _ = shapely.bounds(seen)
    if east - west < max(_LEAST_NAMED, 6 * len(name)):
        return ""
    middle = shapely.point_on_surface(seen)
    x, y = round(shapely.get_x(middle)), round(shapely.get_y(middle))
    return (
        f'<text x="{x}" y="{y}" text-anchor="middle" fill="#33404d" stroke="#fff" stroke-width="3"'
        f' paint-order="stroke">{escaped(name)}</text>'
    )


def _bounded(lat: float) -> float:
    return min(_MOST_LAT, max(-_MOST_LAT, lat))
