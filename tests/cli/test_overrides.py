"""The commands about overrides: overrides are checked, exported and dropped."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from open311.cli import main
from open311.clock import utc_now
from open311.domain.access import SHELL
from open311.operations.overriding.editing import put_override
from open311.operations.platform import open_platform
from open311.settings import Settings

DEMO = Path(__file__).parent.parent.parent / "jurisdictions" / "demo"
ITEM = "service:en:potholes"
Run = Callable[..., Result]


@pytest.fixture
def run(shell: None) -> Run:
    """Runs a command."""
    return lambda *arguments: CliRunner().invoke(main, arguments)


def printed(result: Result) -> str:
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture
def city(tmp_path: Path, shell: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a city that allows overrides, one of which is stored."""
    folder = Path(shutil.copytree(DEMO, tmp_path / "city", ignore=shutil.ignore_patterns("*.py", "__pycache__")))
    path = folder / "jurisdiction.toml"
    path.write_text(path.read_text().replace("due_soon_hours = 24", "due_soon_hours = 24\noverrides = true"))
    monkeypatch.setenv("OPEN311_JURISDICTIONS", str(folder))
    platform = open_platform(Settings.from_environ())
    (served,) = platform.registry
    put_override(platform, served, ITEM, {"name": "Hole"}, seen=None, principal=SHELL, now=utc_now())
    platform.close()
    return path


def test_an_override_can_be_dropped_once_the_files_have_the_exported_text(city: Path, run: Run) -> None:
    assert "look at" not in printed(run("jurisdictions", "check"))
    text = printed(run("jurisdictions", "export-overrides"))
    assert text.startswith("# --- jurisdiction.toml\n")
    city.write_text(text)
    assert f"override '{ITEM}' says the same" in printed(run("jurisdictions", "check"))
    assert run("jurisdictions", "export-overrides").stdout == ""
    assert printed(run("jurisdictions", "drop-overrides")) == f"Dropped: {ITEM}.\n"
    assert printed(run("jurisdictions", "drop-overrides")) == "No override says the same as the files.\n"
    assert "look at" not in printed(run("jurisdictions", "check"))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('name = "Pothole"', 'name = "Crater"', "still counts, but the files say something else"),
        ("overrides = true", "overrides = false", "does not count, because the files do not have overrides"),
    ],
)
def test_the_check_tells_if_the_files_have_changed(city: Path, run: Run, old: str, new: str, said: str) -> None:
    city.write_text(city.read_text().replace(old, new))
    assert said in printed(run("jurisdictions", "check"))


def test_the_check_says_if_the_database_does_not_answer(
    city: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")
    assert "overrides are not checked" in printed(run("jurisdictions", "check"))
