"""Modules that are imported when they are used."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from open311.later import imported_later


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A library that imports a module twice, as structlog imports asyncio."""
    package = tmp_path / "kit_library"
    package.mkdir()
    (package / "__init__.py").write_text("from kit_library import one, two\n")
    (package / "one.py").write_text("import kit_seldom\n\ndef use():\n    return kit_seldom.ANSWER\n")
    (package / "two.py").write_text("import kit_seldom\n")
    (tmp_path / "kit_seldom.py").write_text("ANSWER = 42\n")
    monkeypatch.syspath_prepend(tmp_path)
    names = ("kit_seldom", "kit_library", "kit_library.one", "kit_library.two")
    for name in names:
        monkeypatch.setitem(sys.modules, name, None)  # so that what the test imports is removed afterwards
        del sys.modules[name]


@pytest.mark.usefixtures("library")
def test_a_module_is_imported_when_it_is_used() -> None:
    with imported_later("kit_seldom"):
        import kit_library  # type: ignore[import-not-found]  # made by the fixture
    assert "kit_seldom" not in sys.modules
    assert kit_library.one.use() == 42
    assert sys.modules["kit_seldom"].ANSWER == 42


@pytest.mark.usefixtures("library")
def test_a_module_that_is_used_at_once_is_imported_at_once() -> None:
    with imported_later("kit_seldom"):
        from kit_seldom import ANSWER  # type: ignore[import-not-found]  # made by the fixture
    assert ANSWER == 42
    assert "kit_seldom" in sys.modules


def test_a_module_that_is_already_imported_stays() -> None:
    with imported_later("subprocess"):
        assert sys.modules["subprocess"] is subprocess
    assert sys.modules["subprocess"] is subprocess
