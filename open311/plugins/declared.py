"""Jurisdictions declared in files: `jurisdiction.toml`, boundary and areas as GeoJSON, `languages/*.toml`.

The form is described key by key in `jurisdictions/README.md`. Unknown keys are errors, so that a misspelling
never silently changes a city.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import shapely
import tomli
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from open311.domain.routing import Rule
from open311.domain.services import (
    Attribute,
    AttributeTranslation,
    Datatype,
    Department,
    Service,
    ServiceTranslation,
    ServiceType,
    Translation,
    Value,
    Vicinity,
)
from open311.errors import Misconfigured
from open311.plugins.interface import Jurisdiction
from schemas.limits import MAX_VICINITY_DAYS, MAX_VICINITY_M


class Declaration:
    """One TOML table being read; remembers where it is, and which keys nobody asked for."""

    def __init__(self, table: Mapping[str, Any], where: str) -> None:
        self._table = dict(table)
        self._where = where

    def take(self, key: str, kind: type, default: Any = None) -> Any:
        """The value of a key, removed; Misconfigured if it is of another kind or missing without default."""
        if key not in self._table:
            if default is None:
                raise Misconfigured(f"{self._where}: {key} is missing.")
            return default
        value = self._table.pop(key)
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise Misconfigured(f"{self._where}: {key} must be a {_kind_name(kind)}, not {value!r}.")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of strings; a lone string stands for a list of one."""
        value = self._table.pop(key, [])
        values = [value] if isinstance(value, str) else value
        if not isinstance(values, list) or not all(isinstance(item, str) for item in values):
            raise Misconfigured(f"{self._where}: {key} must be a string or a list of strings.")
        return tuple(values)

    def tables(self, key: str) -> list[Mapping[str, Any]]:
        """A list of tables, empty if absent."""
        value = self.take(key, list, [])
        if not all(isinstance(item, dict) for item in value):
            raise Misconfigured(f"{self._where}: {key} must be a list of tables ([[{key}]]).")
        return list(value)

    def tables_by_code(self, key: str) -> dict[str, Mapping[str, Any]]:
        """A table of tables, empty if absent."""
        value = self.take(key, dict, {})
        if not all(isinstance(item, dict) for item in value.values()):
            raise Misconfigured(f"{self._where}: {key} must hold tables ([{key}.CODE]).")
        return dict(value)

    def mapping(self, key: str) -> dict[str, str]:
        """A table of strings, empty if absent."""
        value = self.take(key, dict, {})
        if not all(isinstance(item, str) for item in value.values()):
            raise Misconfigured(f"{self._where}: {key} must hold strings only.")
        return dict(value)

    def choice(self, key: str, choices: Any, default: Any) -> Any:
        """One of an enum's or tuple's values."""
        value = self.take(key, str, str(default))
        if value not in tuple(choices):
            known = ", ".join(map(str, choices))
            raise Misconfigured(f"{self._where}: {key} must be one of {known}, not {value!r}.")
        return value

    def done(self) -> None:
        """Misconfigured if keys are left over."""
        if self._table:
            raise Misconfigured(
                f"{self._where}: unknown key {sorted(self._table)[0]!r}; see jurisdictions/README.md."
            )


def load(source: str | Path | None, kind: type[Jurisdiction] = Jurisdiction) -> Jurisdiction:
    """The jurisdiction declared in a package or a folder.

    source  a package's name (`__package__`) or a folder
    kind    a subclass of Jurisdiction whose hooks say what the files cannot
    Raises Misconfigured, naming the file and the key.
    """
    if source is None:
        raise Misconfigured("declared.load wants a package's name; call it as declared.load(__package__).")
    folder = source if isinstance(source, Path) else _package(source)
    where = f"{folder.name}/jurisdiction.toml"
    declared = Declaration(_toml(folder / "jurisdiction.toml", where), where)
    jurisdiction = kind(
        id=declared.take("id", str).lower(),
        name=declared.take("name", str),
        time_zone=declared.take("time_zone", str),
        languages=declared.texts("languages") or ("en",),
        contact=declared.take("contact", str, ""),
        credit=declared.take("credit", str, ""),
        outside=declared.choice("outside", ("refuse", "flag"), "flag"),
        id_pattern=declared.take("id_pattern", str, "{number}"),
        triage=declared.take("triage", str),
        duplicates=_vicinity(declared.take("duplicates", dict, {}), f"{where}: duplicates"),
        aliases=declared.mapping("aliases"),
        departments=tuple(_department(table, where) for table in declared.tables("departments")),
        services=tuple(_service(table, where) for table in declared.tables("services")),
        rules=tuple(_rule(table, where) for table in declared.tables("routes")),
        boundary=_boundary(folder / "boundary.geojson"),
        areas=_areas(folder / "areas.geojson"),
        translations=_translations(folder / "languages"),
    )
    declared.done()
    return jurisdiction


def _package(name: str) -> Traversable:
    try:
        return resources.files(name)
    except ModuleNotFoundError:
        raise Misconfigured(f"{name}: no package has this name.") from None


def _department(table: Mapping[str, Any], where: str) -> Department:
    declared = Declaration(table, f"{where}: department {table.get('code', '?')}")
    department = Department(declared.take("code", str), declared.take("name", str))
    declared.done()
    return department


def _service(table: Mapping[str, Any], where: str) -> Service:
    where = f"{where}: service {table.get('code', '?')}"
    declared = Declaration(table, where)
    duplicates = declared.take("duplicates", dict, {})
    service = Service(
        code=declared.take("code", str),
        name=declared.take("name", str),
        description=declared.take("description", str, ""),
        group=declared.take("group", str, ""),
        keywords=declared.texts("keywords"),
        type=ServiceType(declared.choice("type", ServiceType, ServiceType.REALTIME)),
        department=declared.take("department", str, ""),
        notice=declared.take("notice", str, ""),
        attributes=tuple(_attribute(item, where) for item in declared.tables("attributes")),
        duplicates=_vicinity(duplicates, f"{where}: duplicates") if duplicates else None,
    )
    declared.done()
    return service


def _vicinity(table: Mapping[str, Any], where: str) -> Vicinity:
    declared = Declaration(table, where)
    usual = Vicinity()
    found = Vicinity(declared.take("radius_m", int, int(usual.radius_m)), declared.take("days", int, usual.days))
    declared.done()
    if not 0 <= found.radius_m <= MAX_VICINITY_M or not 1 <= found.days <= MAX_VICINITY_DAYS:
        raise Misconfigured(
            f"{where}: radius_m must be 0 to {MAX_VICINITY_M} metres, days 1 to {MAX_VICINITY_DAYS}."
        )
    return found


def _attribute(table: Mapping[str, Any], where: str) -> Attribute:
    where = f"{where}: attribute {table.get('code', '?')}"
    declared = Declaration(table, where)
    attribute = Attribute(
        code=declared.take("code", str),
        description=declared.take("description", str),
        datatype=Datatype(declared.choice("datatype", Datatype, Datatype.STRING)),
        required=declared.take("required", bool, False),
        variable=declared.take("variable", bool, True),
        datatype_description=declared.take("datatype_description", str, ""),
        values=tuple(_value(item, where) for item in declared.take("values", list, [])),
        public=declared.take("public", bool, False) if "public" in table else None,
    )
    declared.done()
    return attribute


def _value(item: Any, where: str) -> Value:
    """`{ key = "brick", name = "Brick" }`, or a bare string that is key and name at once."""
    if isinstance(item, str):
        return Value(item, item)
    if not isinstance(item, dict):
        raise Misconfigured(f"{where}: a value must be a string or {{ key = …, name = … }}, not {item!r}.")
    declared = Declaration(item, f"{where}: value")
    value = Value(declared.take("key", str), declared.take("name", str))
    declared.done()
    return value


def _rule(table: Mapping[str, Any], where: str) -> Rule:
    where = f"{where}: route to {table.get('department', '?')}"
    declared = Declaration(table, where)
    answers = Declaration(declared.take("answers", dict, {}), where)
    rule = Rule(
        department=declared.take("department", str),
        service=declared.take("service", str, ""),
        answers={code: answers.texts(code) for code in dict(table.get("answers", {}))},
        area=declared.take("area", str, ""),
    )
    declared.done()
    return rule


def _toml(file: Traversable, where: str) -> dict[str, Any]:
    try:
        return tomli.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Misconfigured(f"{where}: the file is missing.") from None
    except (tomli.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Misconfigured(f"{where}: is not TOML in UTF-8: {error}.") from error


def _features(file: Traversable) -> list[tuple[str, BaseGeometry]]:
    """(name, geometry) of each feature; empty without a file."""
    if not file.is_file():
        return []
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
        features = document["features"] if document.get("type") == "FeatureCollection" else [document]
        found = [(_name(item), shape(item["geometry"])) for item in features]
    except (ValueError, KeyError, TypeError, AttributeError, shapely.errors.ShapelyError) as error:
        raise Misconfigured(f"{file.name}: is not GeoJSON with polygon features: {error!r}.") from error
    for name, geometry in found:
        fault = _shape_fault(geometry)
        if fault:
            raise Misconfigured(f"{file.name}: {name or 'the geometry'} {fault}.")
        shapely.prepare(geometry)
    return found


def _shape_fault(geometry: BaseGeometry) -> str:
    """Why a geometry cannot be a boundary or an area; "" if it can."""
    if geometry.geom_type not in ("Polygon", "MultiPolygon") or geometry.is_empty or not geometry.is_valid:
        return "must be a valid Polygon or MultiPolygon"
    west, south, east, north = geometry.bounds
    if west < -180 or east > 180 or south < -90 or north > 90:
        return "must be in degrees, (long, lat), WGS 84"
    return ""


def _name(feature: Mapping[str, Any]) -> str:
    """A feature's name, "" without one; GeoJSON allows null properties."""
    return str((feature.get("properties") or {}).get("name") or "")


def _boundary(file: Traversable) -> BaseGeometry | None:
    if not file.is_file():
        return None
    found = _features(file)
    if len(found) != 1:
        raise Misconfigured(f"{file.name}: must hold one feature; use a MultiPolygon for several parts.")
    return found[0][1]


def _areas(file: Traversable) -> dict[str, BaseGeometry]:
    found = _features(file)
    areas = dict(found)
    if "" in areas or len(areas) < len(found):
        raise Misconfigured(f"{file.name}: each feature needs a `name` property of its own.")
    return areas


def _translations(folder: Traversable) -> dict[str, Translation]:
    if not folder.is_dir():
        return {}
    files = {file.name: file for file in folder.iterdir() if file.name.endswith(".toml")}
    return {name.removesuffix(".toml"): _translation(files[name]) for name in sorted(files)}


def _translation(file: Traversable) -> Translation:
    where = f"languages/{file.name}"
    declared = Declaration(_toml(file, where), where)
    translation = Translation(
        groups=declared.mapping("groups"),
        services={
            code: _service_texts(table, f"{where}: {code}")
            for code, table in declared.tables_by_code("services").items()
        },
    )
    declared.done()
    return translation


def _service_texts(table: Mapping[str, Any], where: str) -> ServiceTranslation:
    declared = Declaration(table, where)
    texts = ServiceTranslation(
        name=declared.take("name", str, ""),
        description=declared.take("description", str, ""),
        notice=declared.take("notice", str, ""),
        keywords=declared.texts("keywords"),
        attributes={
            code: _attribute_texts(item, f"{where}: {code}")
            for code, item in declared.tables_by_code("attributes").items()
        },
    )
    declared.done()
    return texts


def _attribute_texts(table: Mapping[str, Any], where: str) -> AttributeTranslation:
    declared = Declaration(table, where)
    texts = AttributeTranslation(
        description=declared.take("description", str, ""),
        datatype_description=declared.take("datatype_description", str, ""),
        values=declared.mapping("values"),
    )
    declared.done()
    return texts


def _kind_name(kind: type) -> str:
    names = {str: "string", list: "list", dict: "table", bool: "true or false", int: "whole number"}
    return names.get(kind, kind.__name__)
