"""`open311 reporters`: what an operator sees, is asked, and gets in a file."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from flask import Flask

from open311.cli import main
from open311.domain.requests import Reporter
from open311.operations.platform import Platform
from open311.settings import Settings
from tests import build
from tests.photos import Sender, jpeg, prepare_all
from tests.stored import dump

Run = Callable[..., Result]
JANE = {"email": "jane@mail.example", "first_name": "Jane-first", "phone": "+1 555 0142"}


@pytest.fixture
def run(shell: None) -> Run:
    """Runs `open311 reporters ARGUMENTS` in an empty folder, with only the demo city."""

    def invoke(*arguments: str, typed: str = "") -> Result:
        return CliRunner().invoke(main, ["reporters", *arguments], input=typed, prog_name="open311")

    return invoke


def submit(platform: Platform) -> str:
    return build.submit(platform, reporter=Reporter(**JANE), description="Deep").service_request_id


def test_an_erasure_shows_what_it_would_do_and_asks(run: Run, platform: Platform) -> None:
    name = submit(platform)
    refused = run("erase", "--email", "JANE@mail.example", typed="n\n")
    assert refused.exit_code == 1
    assert f"Data in 1 request would be erased: {name}." in refused.stdout
    assert JANE["email"] in dump(platform)
    assert run("erase", "--email", "jane@mail.example").exit_code == 1, "nobody answers the question"
    assert JANE["email"] in dump(platform)
    done = run("erase", "--email", "jane@mail.example", typed="y\n")
    assert done.exit_code == 0, done.output
    assert f"Data in 1 request were erased: {name}." in done.stdout
    assert "The audit trail has this as " in done.stdout
    assert "jane" not in done.stdout.lower()
    assert [value for value in JANE.values() if value in dump(platform)] == []


def test_an_erasure_with_the_option_yes_does_not_ask(run: Run, platform: Platform) -> None:
    submit(platform)
    assert "would be erased" in run("erase", "--phone", "15550142", "--dry-run", "--yes").stdout
    assert JANE["email"] in dump(platform)
    done = run("erase", "--phone", "15550142", "--texts", "--yes")
    assert "service_request" in done.stdout
    again = run("erase", "--phone", "15550142", "--yes")
    assert again.exit_code == 0
    assert again.stdout.startswith("Nothing of this person was found. Try ")


@pytest.mark.parametrize("spelling", ["040 1234567", "+358 40 1234567", "00358401234567", "+358 (0)40-123 4567"])
@pytest.mark.parametrize("stored", ["+358 40 1234567", "0401234567", "358401234567"])
def test_a_phone_of_the_citys_country_is_found_in_each_spelling(
    run: Run, platform: Platform, spelling: str, stored: str
) -> None:
    name = build.submit(platform, reporter=Reporter(phone=stored), description="Deep").service_request_id
    build.submit(platform, reporter=Reporter(phone="+46 40 1234567"), description="Deep")
    found = json.loads(run("export", "--phone", spelling).stdout)["requests"]
    assert [one["service_request_id"] for one in found] == [name]
    assert f"Data in 1 request would be erased: {name}." in run("erase", "--phone", spelling, "--dry-run").stdout


def test_an_export_that_finds_nothing_says_how_to_look_again(run: Run) -> None:
    empty = run("export", "--phone", "040 7654321")
    assert json.loads(empty.stdout)["requests"] == []
    assert "Nothing of this person was found. Try " in " ".join(empty.stderr.split())


def test_a_second_erasure_is_in_the_trail_with_no_requests(run: Run, platform: Platform) -> None:
    submit(platform)
    for _ in range(2):
        run("erase", "--email", "jane@mail.example", "--yes")
    message = CliRunner().invoke(main, ["staff", "audit"], prog_name="open311").output
    assert "requests: all" not in " ".join(message.split())
    assert "none" in message


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "--email: is missing; send at least one of email, phone, device_id, account_id."),
        (("--email", ""), "--email: is empty, which would fit everybody without one"),
        (("--device-id", " "), "--device-id: is empty"),
        (("--phone", "x"), "--phone: has fewer than 5 digits"),
        (("--email", "j@x.example", "--reason", "J@x.example"), "--reason: names the person"),
    ],
)
def test_the_error_for_a_faulty_call_names_the_option(run: Run, arguments: tuple[str, ...], message: str) -> None:
    for command in ("export", "erase"):
        result = run(command, *arguments)
        assert result.exit_code == 1
        assert message in " ".join(result.stderr.split())


def test_an_export_is_json_on_the_screen_or_in_a_private_file(run: Run, platform: Platform, tmp_path: Path) -> None:
    name = submit(platform)
    shown = json.loads(run("export", "--email", "jane@mail.example").stdout)
    assert [one["service_request_id"] for one in shown["requests"]] == [name]
    written = run("export", "--email", "jane@mail.example", "--output", "jane.json")
    assert written.stdout == "jane.json: written; only you can read it.\n"
    file = tmp_path / "jane.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert json.loads(file.read_text(encoding="utf-8"))["requests"] == shown["requests"]
    again = run("export", "--email", "jane@mail.example", "--output", "jane.json")
    assert again.exit_code == 1
    assert "--output: jane.json cannot be made: File exists." in again.stderr
    assert json.loads(run("export", "--email", "bo@mail.example").stdout)["requests"] == []


def test_an_export_can_have_the_files_of_the_photos(
    run: Run, app: Flask, settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("OPEN311_MEDIA", settings.media)
    sender = Sender(app)
    sender.post(("media", jpeg()), email="jane@mail.example")
    prepare_all(sender.platform)
    order = ("export", "--email", "jane@mail.example", "--output")
    assert run(*order, "jane.json", "--files", "photos").stderr == ""
    [request] = json.loads((tmp_path / "jane.json").read_text(encoding="utf-8"))["requests"]
    [photo] = request["photos"]
    [file] = (tmp_path / "photos").iterdir()
    assert file.name == f"{photo['id']}.jpg"
    assert [stat.S_IMODE(path.stat().st_mode) for path in (file.parent, file)] == [0o700, 0o600]
    assert file.read_bytes() == sender.get(sender.path()).data
    again = run(*order, "again.json", "--files", "photos")
    assert again.exit_code == 1
    assert "--files: photos cannot be made: File exists." in again.stderr
    monkeypatch.setenv("OPEN311_MEDIA", "elsewhere")
    lost = run(*order, "lost.json", "--files", "lost")
    assert f"not in the media store: {photo['id']}.jpg; is OPEN311_MEDIA set" in " ".join(lost.stderr.split())
