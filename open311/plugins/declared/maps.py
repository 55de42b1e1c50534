"""A city's boundary and areas. They are GeoJSON features: polygons in degrees, (long, lat), WGS 84."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import shapely
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from open311.plugins.declared.files import File
from open311.plugins.declared.keys import cut

UNREADABLE = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, shapely.errors.ShapelyError)
"""Errors that Shapely raises for coordinates that it cannot read."""


_PROPERTY = re.compile(r"\{([^{}]+)\}")


class Feature(NamedTuple):
    """A feature.

    name      the property `name`; "" if there is none
    geometry  None if the geometry has a fault
    """

    name: str
    geometry: BaseGeometry | None


def read_boundary(file: File) -> BaseGeometry | None:
    """The city's boundary; None if there is no file, or after a fault."""
    if not file.path.is_file():
        return None
    found = _features(file)
    if found is not None and len(found) != 1:
        file.report(f"must hold one feature, not {len(found)}; use a MultiPolygon for several parts.")
    return found[0].geometry if found else None


def read_areas(file: File, area_name: str = "{name}") -> dict[str, BaseGeometry]:
    """The city's areas without faults, by name; empty if there is no file.

    area_name  the name of an area, with properties of its feature in braces
    """
    found = (_features(file, area_name) or []) if file.path.is_file() else []
    areas: dict[str, BaseGeometry | None] = {}
    for number, (name, geometry) in enumerate(found, 1):
        if not name or name in areas:
            file.report(f"feature {cut(name) or f'no. {number}'} needs {_name_parts(area_name)} of its own.")
        areas[name] = geometry
    return {name: geometry for name, geometry in areas.items() if geometry is not None}


def _name_parts(area_name: str) -> str:
    """The properties that make an area's name, for a message."""
    names = [f"`{name}`" for name in _PROPERTY.findall(area_name)]
    if len(names) == 1:
        return f"a {names[0]} property"
    return f"properties {' and '.join(names)}"


def _features(file: File, name: str = "{name}") -> list[Feature] | None:
    """The features of a file; None if it cannot be read as GeoJSON."""
    items = features_of(file)
    return None if items is None else [_feature(file, item, name, number) for number, item in enumerate(items, 1)]


def features_of(file: File) -> list[Any] | None:
    """The features of a file, unchecked; None if it cannot be read as GeoJSON."""
    document = file.geojson()
    if document is None:
        return None
    items = document.get("features") if document.get("type") == "FeatureCollection" else [document]
    if not isinstance(items, list):
        file.report("is not GeoJSON: a FeatureCollection must have a list of features.")
        return None
    return items


def _feature(file: File, item: Any, template: str, number: int) -> Feature:
    name = _name(item, template)
    try:
        geometry = shape(item["geometry"])
    except UNREADABLE:
        fault = (
            "is not GeoJSON: it must be a Feature whose geometry is a Polygon or MultiPolygon of [long, lat] pairs"
        )
    else:
        fault = _fault(geometry)
    if fault:
        file.report(f"feature {cut(name) or f'no. {number}'} {fault}.")
        return Feature(name, None)
    shapely.prepare(geometry)
    return Feature(name, geometry)


def _fault(geometry: BaseGeometry) -> str:
    """Why a geometry cannot be a boundary or an area; "" if it can."""
    if geometry.geom_type not in ("Polygon", "MultiPolygon"):
        return f"must be a Polygon or MultiPolygon, not a {geometry.geom_type}"
    if geometry.is_empty:
        return "must not be empty"
    if not geometry.is_valid:
        return f"must be valid: {shapely.is_valid_reason(geometry)}"
    return range_fault(geometry)


def range_fault(geometry: BaseGeometry) -> str:
    """Why the coordinates of a geometry cannot be degrees; "" if they can."""
    west, south, east, north = geometry.bounds
    if west < -180 or east > 180 or south < -90 or north > 90:
        return "must be in degrees, (long, lat), WGS 84"
    return ""


def _name(item: Any, template: str) -> str:
    """A feature's name, or "" if it lacks a property of the template. GeoJSON allows `properties` to be null."""
    properties = item.get("properties") if isinstance(item, dict) else None
    known = properties if isinstance(properties, dict) else {}
    values = {name: _text(known.get(name)) for name in _PROPERTY.findall(template)}
    return _PROPERTY.sub(lambda match: values[match[1]], template) if all(values.values()) else ""


def _text(value: Any) -> str:
    """A property as text; "" if it is null or no name. A whole number has no decimal point."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value) if isinstance(value, str | int | float) else ""
