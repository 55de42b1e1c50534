"""Jurisdictions declared in files: `jurisdiction.toml`, boundary and areas as GeoJSON, `languages/*.toml`.

Files in `columns/*.toml` describe the columns of the city's open data. `jurisdictions/README.md` describes every
key. An unknown key is an error, because it may be a misspelt one.
"""

from __future__ import annotations

from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from open311.domain.services import Translation
from open311.errors import Misconfigured
from open311.formats.reading import ColumnMap
from open311.plugins.declared.columns import declared_map
from open311.plugins.declared.files import File
from open311.plugins.declared.maps import read_areas, read_boundary
from open311.plugins.declared.schemas import FORM, LANGUAGE
from open311.plugins.interface import Jurisdiction


def load(source: str | Path | None, kind: type[Jurisdiction] = Jurisdiction) -> Jurisdiction:
    """The jurisdiction declared in a package or a folder.

    source  a package's name (`__package__`) or a folder
    kind    a subclass of Jurisdiction, whose hooks do what the files cannot express
    Raises Misconfigured with every fault of the files. Each line names the file and the key.
    """
    if source is None:
        raise Misconfigured("declared.load needs the name of a package; call it as declared.load(__package__).")
    folder = source if isinstance(source, Path) else _package(source)
    faults: list[str] = []
    form = File(folder / "jurisdiction.toml", f"{folder.name}/jurisdiction.toml", faults).toml(FORM)
    boundary = read_boundary(File(folder / "boundary.geojson", f"{folder.name}/boundary.geojson", faults))
    areas = read_areas(File(folder / "areas.geojson", f"{folder.name}/areas.geojson", faults))
    translations = _translations(folder, faults)
    column_maps = _column_maps(folder, faults)
    if faults:
        raise Misconfigured("\n".join(" ".join(fault.split()) for fault in faults))
    return kind(
        **form,
        boundary=boundary,
        areas=areas,
        translations=translations,
        column_maps=column_maps,
        source=folder,
    )


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
    """The maps of the city's open data, those that are sound."""
    return tuple(filter(None, map(declared_map, _files(folder, "columns", faults))))


def _files(folder: Traversable, name: str, faults: list[str]) -> list[File]:
    """The TOML files of an inner folder, by their names."""
    inner = folder / name
    paths = [path for path in inner.iterdir() if path.name.endswith(".toml")] if inner.is_dir() else []
    paths.sort(key=lambda path: path.name)
    return [File(path, f"{folder.name}/{name}/{path.name}", faults) for path in paths]
