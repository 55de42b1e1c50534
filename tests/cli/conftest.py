"""The environment of commands in tests."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from open311.settings import Settings, variable


@pytest.fixture
def bare_shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty folder, and an environment without settings."""
    for row in fields(Settings):
        monkeypatch.delenv(variable(row), raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def shell(bare_shell: None, monkeypatch: pytest.MonkeyPatch, database_url: str, clean: None) -> None:
    """An empty folder, with settings for the tests' database and only the demo city."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("OPEN311_JURISDICTIONS", "demo")
