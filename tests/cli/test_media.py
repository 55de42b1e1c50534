"""`open311 media`: checks the store of photos, and adopts an empty one if the photos are lost for good."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from open311.cli import main
from open311.clock import utc_now
from open311.media.stores import MARKER
from open311.operations.media.files import own_store
from open311.operations.platform import open_platform
from open311.settings import Settings

Run = Callable[..., Result]


@pytest.fixture
def run(shell: None, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `open311 ARGUMENTS` with the tests' database and its photos in the folder `media`."""
    monkeypatch.setenv("OPEN311_MEDIA", "media")
    return lambda *arguments, typed="": CliRunner().invoke(main, list(arguments), input=typed, prog_name="open311")


def use_store() -> None:
    """Mark the store as that of this database, as the first photo does."""
    platform = open_platform(Settings.from_environ())
    own_store(platform, utc_now())
    platform.close()


def test_the_right_store_is_reported(run: Run) -> None:
    use_store()
    result = run("media", "check")
    assert (result.exit_code, "media: photos can be stored." in result.output) == (0, True)
    assert "Erased photos whose files the worker has still to delete: 0." in result.output


def test_an_empty_store_is_reported_and_can_be_adopted(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    use_store()
    monkeypatch.setenv("OPEN311_MEDIA", "new")
    result = run("media", "check")
    assert result.exit_code == 1
    assert "OPEN311_MEDIA is not where the photos of this database are" in result.output
    assert run("media", "adopt", typed="n\n").exit_code == 1
    assert run("media", "check").exit_code == 1
    assert run("media", "adopt", typed="y\n").exit_code == 0
    assert run("media", "check").exit_code == 0
    assert run("media", "adopt", "--yes").exit_code == 0, "a second adoption does no harm"


def test_the_store_of_another_database_cannot_be_adopted(run: Run) -> None:
    use_store()
    Path("media", MARKER).write_text("another")
    result = run("media", "adopt", "--yes")
    assert result.exit_code == 1
    assert "has the photos of another database; use an empty store" in result.output
    assert Path("media", MARKER).read_text() == "another"


def test_a_store_that_does_not_work_cannot_be_adopted(run: Run) -> None:
    Path("media").write_text("a file where the folder should be")
    result = run("media", "adopt", "--yes")
    assert result.exit_code == 1
    assert "Photos cannot be stored or read now" in result.output
