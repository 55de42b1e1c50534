"""Jurisdictions declared in files: `jurisdiction.toml`, `backends.toml`, `languages/*.toml` and GeoJSON.

The GeoJSON files are the boundary, the areas and the layers. Files in `columns/*.toml` describe the columns of the
city's open data, `answers/*.md` are its articles, and `days.toml` has its collection days.
`jurisdictions/README.md` describes every key. An unknown key is an error, because it may be misspelt. A fault in an
article or in `days.toml` leaves out only that file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from open311.domain.assets import LayerRule
from open311.domain.services import Translation
from open311.errors import Misconfigured
from open311.formats.reading import ColumnMap
from open311.plugins.declared.articles import with_articles
from open311.plugins.declared.backends import BACKENDS
from open311.plugins.declared.columns import declared_map
from open311.plugins.declared.days import with_days
from open311.plugins.declared.files import MAX_MIB, File
from open311.plugins.declared.keys import cut
from open311.plugins.declared.layers import MAX_LAYER_MIB, read_layers
from open311.plugins.declared.maps import read_areas, read_boundary
from open311.plugins.declared.schemas import FORM, LANGUAGE
from open311.plugins.interface import Jurisdiction

_FILE_NAME = re.compile(r"[A-Za-z0-9_-]+")


def load(source: str | Path | None, kind: type[Jurisdiction] = Jurisdiction) -> Jurisdiction:
    """The jurisdiction declared in a package or a folder.

    source  a package's name (`__package__`) or a folder
    kind    a subclass of Jurisdiction. Its hooks have the rules that the files cannot express
    Raises Misconfigured with every fault of the files, except articles and `days.toml`, whose faults are in
    `left_out`. Each line names the file and the key.
    """
    if source is None:
        raise Misconfigured("declared.load needs the name of a package; call it as declared.load(__package__).")
    folder = source if isinstance(source, Path) else _package(source)
    faults: list[str] = []
    form = File(folder / "jurisdiction.toml", f"{folder.name}/jurisdiction.toml", faults).toml(FORM)
    rules = form["layers"] if form else ()
    faults += _layer_names(folder, rules)
    maps = read_maps(folder, form["area_name"] if form else "{name}", rules, faults)
    translations = _translations(folder, faults)
    column_maps = _column_maps(folder, faults)
    backends = read_backends(File(folder / "backends.toml", f"{folder.name}/backends.toml", faults))
    _refuse(faults)
    found = form | maps | backends
    city = kind(**found, translations=translations, column_maps=column_maps, source=folder)
    return with_days(with_articles(city, folder), folder)


def with_backends(city: Jurisdiction, path: Path) -> Jurisdiction:
    """The city with the back ends of another file instead of its own. Raises Misconfigured with its faults."""
    faults: list[str] = []
    found = read_backends(File(path, path.name, faults))
    _refuse(faults)
    return replace(city, **{"backends": (), "destinations": ()} | found)


def read_backends(file: File) -> dict[str, Any]:
    """The back ends and destinations of a file; {} if there is no such file, or after a fault."""
    return (file.toml(BACKENDS) if file.path.is_file() else None) or {}


def with_maps(city: Jurisdiction, folder: Path) -> Jurisdiction:
    """The city with the boundary, the areas and the layers of the files in `folder`, instead of its own.

    A file that is missing there, or is empty, changes nothing.
    Raises Misconfigured with every fault of these files.
    """
    faults: list[str] = []
    rules = tuple(layer.rule for layer in city.layers.values())
    maps = read_maps(folder, city.area_name, rules, faults)
    _refuse(faults)
    layers = dict(city.layers) | {name: layer for name, layer in maps["layers"].items() if layer.ids}
    found = {name: maps[name] for name in ("boundary", "areas") if maps[name]}
    return replace(city, layers=layers, **found)


def _layer_names(folder: Traversable, rules: Sequence[LayerRule]) -> Iterator[str]:
    """A fault for each name that cannot be a file's name, and for each name that several layers have."""
    names = [rule.name for rule in rules]
    where = f"{folder.name}/jurisdiction.toml: layer"
    for name in dict.fromkeys(names):
        if not _FILE_NAME.fullmatch(name):
            yield f"{where} {cut(name)}: name must have letters, digits, - and _ only, because it names a file."
        if names.count(name) > 1:
            yield f"{where} {cut(name)} is declared {names.count(name)} times."


def read_maps(
    folder: Traversable, area_name: str, layers: Iterable[LayerRule], faults: list[str]
) -> dict[str, Any]:
    """The boundary, the areas and the layers from the files of a folder."""

    def file(name: str, most: int = MAX_MIB) -> File:
        return File(folder.joinpath(*name.split("/")), f"{folder.name}/{name}", faults, most)

    return {
        "boundary": read_boundary(file("boundary.geojson")),
        "areas": read_areas(file("areas.geojson"), area_name),
        "layers": read_layers((rule, file(f"layers/{rule.name}.geojson", MAX_LAYER_MIB)) for rule in layers),
    }


def _refuse(faults: list[str]) -> None:
    if faults:
        raise Misconfigured("\n".join(" ".join(fault.split()) for fault in faults))


def _package(name: str) -> Traversable:
    try:
        return resources.files(name)
    except ModuleNotFoundError:
        raise Misconfigured(f"{name}: no package has this name.") from None


def _translations(folder: Traversable, faults: list[str]) -> dict[str, Translation]:
    """The translations of the catalogue, by language."""
    return {
        file.path.name.removesuffix(".toml"): file.toml(LANGUAGE) for file in _files(folder, "languages", faults)
    }


def _column_maps(folder: Traversable, faults: list[str]) -> tuple[ColumnMap, ...]:
    """The column maps of the city's open data, without the maps that have faults."""
    return tuple(filter(None, map(declared_map, _files(folder, "columns", faults))))


def _files(folder: Traversable, name: str, faults: list[str]) -> list[File]:
    """The TOML files of an inner folder, by their names."""
    inner = folder / name
    paths = [path for path in inner.iterdir() if path.name.endswith(".toml")] if inner.is_dir() else []
    paths.sort(key=lambda path: path.name)
    return [File(path, f"{folder.name}/{name}/{path.name}", faults) for path in paths]
