"""The registry of jurisdictions. Each is loaded separately, so a broken jurisdiction does not affect the others."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from functools import lru_cache, partial
from importlib.metadata import EntryPoint, entry_points
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from threading import Lock

from open311.errors import Invalid, Misconfigured, NotFound, Unavailable
from open311.observe import cause_of
from open311.plugins import declared
from open311.plugins.interface import Jurisdiction
from open311.plugins.testing import find_faults
from open311.plugins.unused import unread_files, unused_code
from schemas.texts import tell

GROUP = "open311.jurisdictions"
NO_CITY = tell("No city is served now; the operator has to correct the configuration.")


@dataclass(frozen=True, slots=True)
class Fault:
    """The reasons why a jurisdiction is not served.

    name        the plugin's name
    why         a line for each reason
    is_foreign  whether `why` is an exception of the plugin's code, with its text, which the public must not see
    """

    name: str
    why: str
    is_foreign: bool = False

    @property
    def public_why(self) -> str:
        """The first reason, for /readyz."""
        if self.is_foreign:
            return "its code raises an exception; the log and `open311 jurisdictions check` name it"
        first, _, more = self.why.partition("\n")
        return f"{first} (and {len(more.splitlines())} more faults)" if more else first


class Layer(IntEnum):
    """What is added to a jurisdiction at runtime, in this order.

    OVERRIDES   texts and questions that admins of the city have changed
    NEIGHBOURS  back ends and destinations for the neighbours of the city
    """

    OVERRIDES = 1
    NEIGHBOURS = 2


Change = Callable[[Jurisdiction], Jurisdiction]


class _Layers:
    """The jurisdictions as their files declare them, and what was added to them."""

    def __init__(self, declared: Mapping[str, Jurisdiction]) -> None:
        self.declared = dict(declared)
        self.overridable = _overridable(self.declared)
        self.changes: dict[str, dict[Layer, Change]] = {}
        self.lock = Lock()
        self.generation = 0
        self.look: Callable[[], None] | None = None


def _overridable(declared: Mapping[str, Jurisdiction]) -> list[Jurisdiction]:
    return [city for city in declared.values() if city.overrides]


@dataclass(frozen=True)
class Registry:
    """The jurisdictions that are served, by id, and the faults of jurisdictions that could not be loaded.

    jurisdictions    the jurisdictions at the last look for changes. `get`, `find`, `generation` and the iteration
                     look for changes first; this mapping does not
    unused_maps      folders of the operator's maps that belong to no city that is served
    unused_backends  files of the operator's back ends that belong to no city that is served
    """

    jurisdictions: dict[str, Jurisdiction]
    faults: tuple[Fault, ...] = ()
    ignore_wrong_id: bool = False
    unused_maps: tuple[str, ...] = ()
    unused_backends: tuple[str, ...] = ()
    _layers: _Layers = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Remember the jurisdictions as they are declared."""
        object.__setattr__(self, "_layers", _Layers(self.jurisdictions))

    @property
    def declared(self) -> list[Jurisdiction]:
        """The jurisdictions as their files declare them."""
        return list(self._layers.declared.values())

    @property
    def overridable(self) -> Sequence[Jurisdiction]:
        """The jurisdictions whose files allow overrides, as the files declare them."""
        return self._layers.overridable

    @property
    def generation(self) -> int:
        """A number that grows with each change of a jurisdiction."""
        self._look()
        return self._layers.generation

    def look_with(self, look: Callable[[], None]) -> None:
        """Let `look` run whenever somebody asks for a jurisdiction. `look` may call `add_layer`."""
        self._layers.look = look

    def _look(self) -> None:
        if self._layers.look is not None:
            self._layers.look()

    @property
    def is_single(self) -> bool:
        """Whether jurisdiction_id may be left out (A58)."""
        return len(self.jurisdictions) == 1

    def __iter__(self) -> Iterator[Jurisdiction]:
        self._look()
        return iter(list(self.jurisdictions.values()))

    @property
    def reasons(self) -> list[str]:
        """A line for each reason why a plugin is not served, with the plugin's name."""
        return [f"{fault.name}: {reason}" for fault in self.faults for reason in fault.why.splitlines()]

    def get(self, jurisdiction_id: str) -> Jurisdiction | None:
        """The jurisdiction with exactly this id, or None."""
        self._look()
        return self.jurisdictions.get(jurisdiction_id)

    def renew(self, city: Jurisdiction) -> None:
        """Put `city` in the place of what the files declared before. The layers of the city are added again."""
        layers = self._layers
        with layers.lock:
            layers.declared[city.id] = city
            layers.overridable = _overridable(layers.declared)
            self._compose(city.id)

    def add_layer(self, jurisdiction_id: str, layer: Layer, change: Change) -> None:
        """Add something to a jurisdiction, in place of what the layer had before."""
        layers = self._layers
        with layers.lock:
            layers.changes.setdefault(jurisdiction_id, {})[layer] = change
            self._compose(jurisdiction_id)

    def _compose(self, jurisdiction_id: str) -> None:
        city = self._layers.declared[jurisdiction_id]
        for _, change in sorted(self._layers.changes.get(jurisdiction_id, {}).items()):
            city = change(city)
        self.jurisdictions[jurisdiction_id] = city
        self._layers.generation += 1

    def find(self, jurisdiction_id: str) -> Jurisdiction:
        """The jurisdiction that a caller names (A58). Case and a leading www. do not matter.

        Raises Invalid when several are served and none is named, NotFound when the name is unknown, and Unavailable
        when none is served.
        """
        if not self.jurisdictions:
            raise Unavailable(NO_CITY)
        self._look()
        wanted = jurisdiction_id.strip().lower().removeprefix("www.")
        if self.is_single and (not wanted or self.ignore_wrong_id):
            return next(iter(self.jurisdictions.values()))
        if not wanted:
            raise Invalid(tell("is missing; send one of {known}.", known=self._some_ids()), "jurisdiction_id")
        found = self.jurisdictions.get(wanted)
        if found is None:
            shown, known = jurisdiction_id[:60], self._some_ids()
            fault = tell("{value!r} is not served here; send one of {known}.", value=shown, known=known)
            raise NotFound(fault, "jurisdiction_id")
        return found

    def _some_ids(self) -> str:
        ids = sorted(self.jurisdictions)
        return ", ".join(ids[:12]) + (", …" if len(ids) > 12 else "")


def load_registry(
    names: Sequence[str], *, ignore_wrong_id: bool = False, maps: Path | None = None, backends: Path | None = None
) -> Registry:
    """Load the named jurisdictions, or all installed jurisdictions if no name is given.

    names     names of entry points, jurisdiction ids, or folders that hold a jurisdiction.toml
    maps      a folder that has, for each jurisdiction_id, a folder with maps to use instead of the city's own maps
    backends  a folder that has, for each jurisdiction_id, a file with back ends to use instead of backends.toml
    A broken plugin raises no error here; the registry's `faults` name it. Raises Misconfigured if the folder `maps`
    or `backends` is missing.
    """
    folders, files = _folders(maps), _backend_files(backends)
    loaders = dict(_loaders(names))
    served: dict[str, Jurisdiction] = {}
    faults: list[Fault] = []
    for name, loader in loaders.items():
        is_foreign = False
        try:
            jurisdiction = _with_backends(_with_maps(loader(), folders), files)
            why = _refusal(jurisdiction, served)
        except (
            Exception,
            SystemExit,
        ) as error:  # a plugin may raise anything; other cities are served
            is_foreign = not isinstance(error, Misconfigured)
            why = cause_of(error) if is_foreign else str(error)
        if why:
            faults.append(Fault(name, why, is_foreign))
        elif isinstance(jurisdiction, Jurisdiction):
            served[jurisdiction.id] = jurisdiction
    unused = tuple(str(folder) for name, folder in folders.items() if name not in served)
    unused_backends = tuple(str(file) for name, file in files.items() if name not in served)
    return Registry(served, tuple(faults), ignore_wrong_id, unused, unused_backends)


def _folders(maps: Path | None) -> dict[str, Path]:
    """The folders in `maps`, by name."""
    if maps is None:
        return {}
    if not maps.is_dir():
        raise Misconfigured(f"OPEN311_MAPS_DIR: there is no folder {maps}; make it, or leave the setting out.")
    return {folder.name: folder for folder in sorted(maps.iterdir()) if folder.is_dir()}


def _backend_files(folder: Path | None) -> dict[str, Path]:
    """The TOML files in `folder`, by name without suffix."""
    if folder is None:
        return {}
    if not folder.is_dir():
        raise Misconfigured(
            f"OPEN311_BACKENDS_DIR: there is no folder {folder}; make it, or leave the setting out."
        )
    return {file.stem: file for file in sorted(folder.glob("*.toml")) if file.is_file()}


def _with_backends(jurisdiction: object, files: Mapping[str, Path]) -> object:
    if not isinstance(jurisdiction, Jurisdiction) or jurisdiction.id not in files:
        return jurisdiction
    return declared.with_backends(jurisdiction, files[jurisdiction.id])


def _with_maps(jurisdiction: object, folders: Mapping[str, Path]) -> object:
    if not isinstance(jurisdiction, Jurisdiction) or jurisdiction.id not in folders:
        return jurisdiction
    return declared.with_maps(jurisdiction, folders[jurisdiction.id])


def _refusal(jurisdiction: object, served: Mapping[str, Jurisdiction]) -> str:
    """Why a jurisdiction cannot be served; "" if it can."""
    if not isinstance(jurisdiction, Jurisdiction):
        return "is not a Jurisdiction; export `jurisdiction = declared.load(__package__)`"
    if jurisdiction.id in served:
        return f"has the id {jurisdiction.id}, which another jurisdiction has already"
    return "\n".join(find_faults(jurisdiction))


def _loaders(names: Sequence[str]) -> Iterator[tuple[str, Callable[[], object]]]:
    installed = {point.name: partial(_installed, point) for point in _points(tuple(sys.path))}
    if not names:
        yield from sorted(installed.items())
    for name in names:
        if name in installed:
            yield name, installed[name]
        elif (Path(name) / "jurisdiction.toml").is_file():
            yield name, partial(_from_folder, Path(name))
        else:
            yield name, partial(_by_id, name)


@lru_cache(maxsize=1)
def _points(_path: tuple[str, ...]) -> tuple[EntryPoint, ...]:
    """The entry points of cities. Finding them reads the metadata of every package on the path.

    _path  sys.path, as the cache key
    """
    return tuple(entry_points(group=GROUP))


def _from_folder(folder: Path) -> Jurisdiction:
    """The jurisdiction in a folder. If the folder is a package, its Python runs, as in an installed city."""
    code = folder / "__init__.py"
    if not code.is_file():
        if any(folder.glob("*.py")):
            raise Misconfigured(
                f"{folder.name} has Python but no __init__.py with `jurisdiction = …`; add that file."
            )
        return declared.load(folder)
    name = f"open311_city_{hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16]}"
    spec = spec_from_file_location(name, code, submodule_search_locations=[str(folder.resolve())])
    if spec is None or spec.loader is None:
        raise Misconfigured(f"{folder.name}/__init__.py cannot be loaded.")
    module = sys.modules[name] = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    if not hasattr(module, "jurisdiction"):
        raise Misconfigured(f"{folder.name}/__init__.py must define `jurisdiction`; see jurisdictions/README.md.")
    modules = [loaded for key, loaded in sys.modules.items() if key == name or key.startswith(f"{name}.")]
    ignored = [*unread_files(folder, modules), *unused_code(modules)]
    if ignored:
        raise Misconfigured("\n".join(f"{folder.name}: {fault}" for fault in ignored))
    found: Jurisdiction = module.jurisdiction
    return found


def _installed(point: EntryPoint) -> object:
    """The object that an entry point names. Raises Misconfigured if its module has Python that nothing calls."""
    found = point.load()
    ignored = list(unused_code([sys.modules[point.module]]))
    if ignored:
        raise Misconfigured("\n".join(ignored))
    return found


def _by_id(wanted: str) -> Jurisdiction:
    """The installed jurisdiction with this jurisdiction_id. Raises Misconfigured if it is not installed."""
    for point in _points(tuple(sys.path)):
        try:
            jurisdiction = point.load()
        except (Exception, SystemExit):  # noqa: S112  # a broken plugin has no id, so it cannot be the wanted one
            continue
        if isinstance(jurisdiction, Jurisdiction) and jurisdiction.id == wanted.lower():
            return jurisdiction
    raise Misconfigured(f"no plugin or folder is called {wanted!r}; `open311 jurisdictions list` shows them.")
