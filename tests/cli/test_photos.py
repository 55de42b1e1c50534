"""`open311 photos`: an operator looks at photos that are held, and releases or withdraws photos."""

from __future__ import annotations

import io
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from flask import Flask
from PIL import Image

from jurisdictions.demo import jurisdiction as demo
from open311.cli import main
from open311.cli import photos as module
from open311.domain.photos import new_id
from open311.domain.services import PhotoRule
from tests.photos import BASE, Sender, jpeg, prepare_all

Run = Callable[..., Result]
REASON = ("--reason", "It shows nobody.")


@pytest.fixture
def sender(make_app: Callable[..., Flask], tmp_path: Path) -> Sender:
    """A client of a demo city that holds photos until somebody releases them."""
    return Sender(make_app(replace(demo, photos=PhotoRule.HELD), media=str(tmp_path / "media")))


@pytest.fixture
def run(sender: Sender, shell: None, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `open311 photos ARGUMENTS` in an empty folder."""
    monkeypatch.setenv("OPEN311_MEDIA", sender.platform.settings.media)
    return lambda *arguments: CliRunner().invoke(main, ["photos", *arguments], prog_name="open311")


def held(sender: Sender, run: Run, *pictures: bytes) -> list[tuple[str, str]]:
    """Send a report with photos that are held. Returns the ids of each listed photo and its request."""
    sender.post(*(("media", picture) for picture in pictures))
    prepare_all(sender.platform)
    lines = run("list").stdout.splitlines()[1:]
    return [(line.split()[0], line.split()[1]) for line in lines]


def test_no_id_of_a_photo_looks_like_an_option() -> None:
    ids = [new_id() for _ in range(1_000)]
    assert {len(one) for one in ids} == {22}
    assert [one for one in ids if one.startswith("-")] == []


def test_nothing_is_held_at_first(run: Run) -> None:
    assert run("list").stdout == "No photo is held.\n"


def test_a_held_photo_is_listed_saved_and_released(sender: Sender, run: Run, tmp_path: Path) -> None:
    [(photo, request)] = held(sender, run, jpeg())
    assert request == sender.newest()["service_request_id"]
    assert sender.urls() == []
    saved = run("save", request, photo, "look.jpg")
    assert saved.stdout == "look.jpg: written; only you can read it.\n"
    file = tmp_path / "look.jpg"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert Image.open(io.BytesIO(file.read_bytes())).size == (64, 48)
    done = run("release", request, photo, *REASON)
    assert done.exit_code == 0, done.output
    assert photo in sender.path()
    assert run("list").stdout == "No photo is held.\n"
    again = run("release", request, photo, *REASON)
    assert again.exit_code == 1
    assert "is ready, and not held" in again.stderr


def test_a_shown_or_held_photo_is_withdrawn(sender: Sender, run: Run) -> None:
    (first, request), (second, _) = held(sender, run, jpeg("red"), jpeg("blue"))
    assert run("release", request, first, *REASON).exit_code == 0
    path = sender.path()
    for photo in (first, second):
        assert run("withdraw", request, photo, "--reason", "It shows a face.").exit_code == 0
    assert sender.urls() == []
    assert sender.get(path).status_code == 404
    assert sender.get(f"{BASE}/media/city.example/{second}.jpg").status_code == 404


def test_the_list_has_all_pages(sender: Sender, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AT_ONCE", 1)
    assert len(held(sender, run, jpeg("red"), jpeg("blue"), jpeg("green"))) == 3


def test_faulty_calls_are_refused_with_the_reason(sender: Sender, run: Run) -> None:
    [(photo, request)] = held(sender, run, jpeg())
    for arguments, message in (
        (("release", request, "unknown", *REASON), "'unknown' is not a photo of this request"),
        (("withdraw", "unknown", photo, *REASON), "'unknown' is not a request here"),
        (("release", request, photo, "--reason", " "), "--reason: is missing; say why the photo is released."),
        (("save", request, photo, "nowhere/look.jpg"), "FILE: nowhere/look.jpg cannot be made: No such file"),
        (("save", request, photo, "look.jpg", "--original"), "is not kept as it was sent"),
    ):
        result = run(*arguments)
        assert result.exit_code == 1
        assert message in " ".join(result.stderr.split())
    assert run("release", request, photo).exit_code == 2
    assert sender.urls() == []
