"""Python code of a city that nothing calls. Such code is a fault, because its author believes that it works."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from inspect import isclass, isfunction
from pathlib import Path
from types import ModuleType

from open311.plugins.interface import HOOKS, Jurisdiction


def unread_files(folder: Path, modules: Iterable[ModuleType]) -> Iterator[str]:
    """Python files of a city's folder that its `__init__.py` does not import.

    Tests and hidden files are left out.
    """
    read = {Path(module.__file__).resolve() for module in modules if module.__file__}
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder).parts
        is_test = path.name.startswith("test_") or path.name == "conftest.py"
        is_hidden = any(part.startswith((".", "__pycache__")) for part in parts)
        if not (is_test or is_hidden or path.resolve() in read):
            yield f"nothing imports {'/'.join(parts)}; import it in __init__.py, or delete it."


def unused_code(modules: Sequence[ModuleType]) -> Iterator[str]:
    """Subclasses of Jurisdiction without an instance, and functions outside classes with the name of a hook."""
    values = [(module, name, value) for module in modules for name, value in vars(module).items()]
    cities = [value for _, _, value in values if isinstance(value, Jurisdiction)]
    for module, name, value in values:
        if getattr(value, "__module__", "") != module.__name__:
            continue
        if (
            isclass(value)
            and issubclass(value, Jurisdiction)
            and not any(isinstance(city, value) for city in cities)
        ):
            yield f"class {name} is not used; write jurisdiction = declared.load(__package__, kind={name})."
        elif isfunction(value) and name in HOOKS:
            yield f"function {name} is never called; make it a method of a subclass of Jurisdiction."
