"""Layers of assets: `layers/*.geojson`. Each feature has a geometry in degrees, (long, lat), WGS 84, and an id."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import shapely
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from open311.domain.assets import AssetLayer, LayerRule
from open311.plugins.declared.files import File
from open311.plugins.declared.keys import cut
from open311.plugins.declared.maps import UNREADABLE, features_of, range_fault

MAX_LAYER_MIB = 256
"""The size limit of a layer's file, which is enough for a million street lights."""
_MOST_FAULTS = 5


def read_layers(files: Iterable[tuple[LayerRule, File]]) -> dict[str, AssetLayer]:
    """The layers by name. A layer without a file has no assets."""
    return {rule.name: _layer(rule, file) for rule, file in files}


def _layer(rule: LayerRule, file: File) -> AssetLayer:
    items = (features_of(file) or []) if file.path.is_file() else []
    assets: dict[str, BaseGeometry] = {}
    faults: list[str] = []
    for number, item in enumerate(items, 1):
        asset_id, geometry, fault = _asset(item, rule.id)
        if not fault and asset_id in assets:
            fault = f"has the {rule.id} {cut(asset_id)!r}, which another feature has too"
        if fault or geometry is None:
            faults.append(f"feature no. {number} {fault}.")
        else:
            assets[asset_id] = geometry
    for fault in _first(faults):
        file.report(fault)
    return AssetLayer(rule, tuple(assets), tuple(assets.values()))


def _asset(item: Any, property_name: str) -> tuple[str, BaseGeometry | None, str]:
    """The id and the geometry of a feature, and its fault; "" if it has no fault."""
    properties = item.get("properties") if isinstance(item, dict) else None
    value = properties.get(property_name) if isinstance(properties, dict) else None
    asset_id = "" if isinstance(value, bool | list | dict | None) else str(value).strip()
    if not asset_id:
        return "", None, f"needs the property {property_name!r} with the asset's id"
    try:
        geometry = _geometry(item["geometry"])
    except UNREADABLE:
        return asset_id, None, "needs a geometry of [long, lat] pairs"
    if geometry.is_empty:
        return asset_id, None, "must not be empty"
    return asset_id, geometry, range_fault(geometry)


def _geometry(geometry: Any) -> BaseGeometry:
    if geometry["type"] == "Point":  # `shape` takes five times as long
        long, lat, *_ = geometry["coordinates"]
        return shapely.Point(long, lat)
    return shape(geometry)


def _first(faults: list[str]) -> Iterator[str]:
    yield from faults[:_MOST_FAULTS]
    if len(faults) > _MOST_FAULTS:
        yield f"{len(faults) - _MOST_FAULTS} more features have faults."
