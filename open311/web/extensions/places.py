"""Cities and their areas (J1 to J8 of spec/extensions.md)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import orjson
from shapely.geometry import mapping
from shapely.geometry.base import BaseGeometry

from open311.formats import JSON, Shape, document, shape_of
from open311.formats.writing import Feed
from open311.operations.reading.federation_ids import federation_ids
from open311.operations.upkeep.sync_catalogues import ensure_synced
from open311.plugins import Jurisdiction
from open311.web.access import ANYBODY
from open311.web.calls import Answer, Call
from open311.web.endpoints import City, Media, endpoint
from open311.web.surfaces import GEOREPORT
from schemas.extensions import AreaSchema, JurisdictionSchema, PlaceArguments

_JURISDICTIONS = shape_of(JurisdictionSchema)
_AREAS = shape_of(AreaSchema)
_KEPT = "public, max-age=300"
_FEATURES = Media(
    Feed.GEOJSON.media_type,
    {
        "type": "object",
        "properties": {
            "type": {"type": "string", "enum": ["FeatureCollection"]},
            "features": {"type": "array", "items": {"type": "object"}},
        },
    },
)
_PLACES: dict[str, Any] = {"reads": PlaceArguments, "access": ANYBODY, "is_extension": True}

Boundary = Callable[[BaseGeometry | None], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class _City:
    """A jurisdiction as the list shows it. `boundary` is GeoJSON or well-known text, as the format needs."""

    id: str
    name: str
    time_zone: str
    languages: Sequence[str]
    services_url: str
    requests_url: str
    changes_url: str
    areas_url: str
    boundary: Any
    federation_id: str

    @classmethod
    def of(cls, city: Jurisdiction, base: str, form: Boundary, federation_id: str) -> _City:
        query = urlencode({"jurisdiction_id": city.id})
        return cls(
            id=city.id,
            name=city.name,
            time_zone=city.time_zone,
            languages=city.languages,
            services_url=f"{base}/services.json?{query}",
            requests_url=f"{base}/requests.json?{query}",
            changes_url=f"{base}/changes.json?{query}",
            areas_url=f"{base}/areas.json?{query}",
            boundary=form(city.boundary),
            federation_id=federation_id,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Area:
    """An area as the list shows it."""

    jurisdiction_id: str
    name: str
    boundary: Any


@endpoint(GEOREPORT, "/jurisdictions", answers=JurisdictionSchema, city=City.OPTIONAL, **_PLACES)
def list_jurisdictions(call: Call) -> Answer:
    """List the cities that are served here (extension).

    With lat and long, only cities whose boundary contains the point. The list may be empty.
    """
    return _listed(call, _JURISDICTIONS, _cities(call, _boundary(call)))


@endpoint(
    GEOREPORT, "/jurisdictions.geojson", answers=_FEATURES, output=Feed.GEOJSON, city=City.OPTIONAL, **_PLACES
)
def map_jurisdictions(call: Call) -> Answer:
    """List the cities that are served here as GeoJSON, for maps (extension)."""
    return _mapped(_JURISDICTIONS, _cities(call, _geojson))


@endpoint(GEOREPORT, "/areas", answers=AreaSchema, **_PLACES)
def list_areas(call: Call) -> Answer:
    """List a city's areas, such as wards or districts (extension).

    With lat and long, only areas that contain the point.
    """
    return _listed(call, _AREAS, _areas(call, _boundary(call)))


@endpoint(GEOREPORT, "/areas.geojson", answers=_FEATURES, output=Feed.GEOJSON, **_PLACES)
def map_areas(call: Call) -> Answer:
    """List a city's areas as GeoJSON, for maps (extension)."""
    return _mapped(_AREAS, _areas(call, _geojson))


def _cities(call: Call, form: Boundary) -> list[_City]:
    ensure_synced(call.platform)  # this gives each city its federation id
    point, named = call.point, call.named_city
    served = [named] if named else sorted(call.platform.registry, key=lambda city: city.id)
    names = federation_ids(call.platform)
    return [
        _City.of(city, call.base_url(), form, names.get(city.id, ""))
        for city in served
        if point is None or city.covers(*point)
    ]


def _areas(call: Call, form: Boundary) -> list[_Area]:
    city, point = call.city, call.point
    return [
        _Area(jurisdiction_id=city.id, name=name, boundary=form(boundary))
        for name, boundary in city.areas.items()
        if point is None or city.in_area(name, point)
    ]


def _boundary(call: Call) -> Boundary:
    return _geojson if call.output is JSON else _well_known_text


def _geojson(boundary: BaseGeometry | None) -> Any:
    return None if boundary is None else mapping(boundary)


def _well_known_text(boundary: BaseGeometry | None) -> str | None:
    return None if boundary is None else boundary.wkt


def _listed(call: Call, shape: Shape, places: Iterable[Any]) -> Answer:
    return Answer(body=document(shape, shape.plain_list(places), call.output), cache_control=_KEPT)


def _mapped(shape: Shape, places: Iterable[Any]) -> Answer:
    """A FeatureCollection (RFC 7946). The properties of a feature are the fields of the list."""
    features = [_feature(shape.plain(place)) for place in places]
    body = orjson.dumps({"type": "FeatureCollection", "features": features})
    return Answer(body=body, cache_control=_KEPT)


def _feature(content: dict[str, Any]) -> dict[str, Any]:
    geometry = content.pop("boundary")
    return {"type": "Feature", "geometry": geometry, "properties": content}
