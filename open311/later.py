"""Modules that a library imports at once, although this server seldom or never uses them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any


@contextmanager
def imported_later(*names: str) -> Iterator[None]:
    """During the block, an import of one of these modules gives a stand-in, which imports the module at its use.

    So the library that is imported in the block works as usual, but needs less memory. `LazyLoader` of the standard
    library does not help: Python 3.11 loads its module as soon as the module is imported a second time.
    """
    stand_ins = {name: _StandIn(name) for name in names if name not in sys.modules}
    sys.modules.update(stand_ins)
    try:
        yield
    finally:
        for stand_in in stand_ins.values():
            stand_in.end()


class _StandIn(ModuleType):
    def end(self) -> None:
        """From now on, an import gives the module itself."""
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]

    def __getattr__(self, name: str) -> Any:
        self.end()
        return getattr(import_module(self.__name__), name)
