"""Cities and their areas as data (our extensions). They come from the plugins and change with them alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import orjson
from flask import Response
from shapely.geometry import mapping
from shapely.geometry.base import BaseGeometry

from open311.formats import JSON, Format, Shape, document, shape_of
from open311.formats.writing import Feed
from open311.plugins import Jurisdiction
from open311.web.answers import answer
from open311.web.context import platform
from open311.web.extensions import documented
from open311.web.georeport.blueprint import extensions
from open311.web.georeport.discovery import base_url
from open311.web.parsing import read_query
from open311.web.points import read_point
from schemas import AreaSchema, ErrorSchema, JurisdictionSchema, PlaceArguments

_ARGUMENTS = PlaceArguments()
_JURISDICTIONS = shape_of(JurisdictionSchema)
_AREAS = shape_of(AreaSchema)
_KEPT = "public, max-age=300"
FEATURES = {
    "type": "object",
    "properties": {
        "type": {"type": "string", "enum": ["FeatureCollection"]},
        "features": {"type": "array", "items": {"type": "object"}},
    },
}

Boundary = Callable[[BaseGeometry | None], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class _City:
    """A jurisdiction as its list shows it; `boundary` in the form of the format."""

    jurisdiction: Jurisdiction
    boundary: Any
    base: str

    def __getattr__(self, name: str) -> Any:
        return getattr(self.jurisdiction, name)

    def _url(self, call: str) -> str:
        return f"{self.base}/{call}.json?{urlencode({'jurisdiction_id': self.jurisdiction.id})}"

    @property
    def services_url(self) -> str:
        return self._url("services")

    @property
    def requests_url(self) -> str:
        return self._url("requests")

    @property
    def changes_url(self) -> str:
        return self._url("changes")

    @property
    def areas_url(self) -> str:
        return self._url("areas")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Area:
    """An area as its list shows it."""

    jurisdiction_id: str
    name: str
    boundary: Any


@extensions.call("/jurisdictions", takes=PlaceArguments, answers=JurisdictionSchema)
def list_jurisdictions(output: Format) -> Response:
    """List the cities that are served here (extension).

    With lat and long, those whose boundary holds the point: none is a possible answer.
    """
    return _listed(_JURISDICTIONS, _cities(_boundary(output)), output)


def map_jurisdictions() -> Response:
    """Map the cities that are served here, as GeoJSON (extension)."""
    return _mapped(_JURISDICTIONS, _cities(_geojson))


@extensions.call("/areas", takes=PlaceArguments, answers=AreaSchema)
def list_areas(output: Format) -> Response:
    """List a city's areas: wards, districts (extension).

    With lat and long, those that hold the point.
    """
    return _listed(_AREAS, _areas(_boundary(output)), output)


def map_areas() -> Response:
    """Map a city's areas, as GeoJSON (extension)."""
    return _mapped(_AREAS, _areas(_geojson))


for _rule, _view in (("/jurisdictions.geojson", map_jurisdictions), ("/areas.geojson", map_areas)):
    extensions.add_url_rule(
        _rule,
        _view.__name__,
        documented(
            _view,
            takes=PlaceArguments,
            answers={200: (Feed.GEOJSON.media_type, FEATURES)},
            errors=(400, 404, 503),
            error_body=ErrorSchema(many=True),
        ),
    )


def _cities(form: Boundary) -> list[_City]:
    values = read_query(_ARGUMENTS)
    registry, point = platform().registry, read_point(values)
    named = values["jurisdiction_id"]
    served = [registry.find(named)] if named else sorted(registry, key=lambda city: city.id)
    return [
        _City(jurisdiction=city, boundary=form(city.boundary), base=base_url())
        for city in served
        if point is None or city.covers(*point)
    ]


def _areas(form: Boundary) -> list[_Area]:
    values = read_query(_ARGUMENTS)
    city, point = platform().registry.find(values["jurisdiction_id"]), read_point(values)
    return [
        _Area(jurisdiction_id=city.id, name=name, boundary=form(boundary))
        for name, boundary in city.areas.items()
        if point is None or city.in_area(name, point)
    ]


def _boundary(output: Format) -> Boundary:
    return _geojson if output is JSON else _well_known_text


def _geojson(boundary: BaseGeometry | None) -> Any:
    return None if boundary is None else mapping(boundary)


def _well_known_text(boundary: BaseGeometry | None) -> str | None:
    return None if boundary is None else boundary.wkt


def _listed(shape: Shape, places: Iterable[Any], output: Format) -> Response:
    return answer(document(shape, shape.plain_list(places), output), output, cache_control=_KEPT)


def _mapped(shape: Shape, places: Iterable[Any]) -> Response:
    """A FeatureCollection (RFC 7946) with the list's fields as properties."""
    features = [_feature(shape.plain(place)) for place in places]
    body = orjson.dumps({"type": "FeatureCollection", "features": features})
    return answer(body, Feed.GEOJSON, cache_control=_KEPT)


def _feature(content: dict[str, Any]) -> dict[str, Any]:
    geometry = content.pop("boundary")
    return {"type": "Feature", "geometry": geometry, "properties": content}
