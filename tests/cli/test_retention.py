"""`open311 retention`: what an operator sees before and after an erasure of data whose time is over."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from click.testing import CliRunner, Result

from open311.cli import main
from open311.cli import retention as module
from open311.clock import utc_now
from open311.domain.requests import Reporter
from open311.domain.retention import Retention
from open311.operations.platform import Platform
from open311.plugins import Jurisdiction
from tests import build
from tests.stored import dump

Run = Callable[..., Result]
EMAIL = "jane@mail.example"
PHOTO = "https://photos.example/hole.jpg"


@pytest.fixture
def run(shell: None) -> Run:
    """Runs `open311 retention ARGUMENTS` in an empty folder, with only the demo city."""
    return lambda *arguments: CliRunner().invoke(main, ["retention", *arguments], prog_name="open311")


def submit(platform: Platform) -> str:
    reporter = Reporter(email=EMAIL)
    return build.submit(platform, reporter=reporter, media_urls=(PHOTO,)).service_request_id


def test_a_city_without_times_keeps_everything(run: Run, platform: Platform) -> None:
    submit(platform)
    assert run().stdout.splitlines() == [
        "city.example: keeps reporters for ever; its jurisdiction.toml has no reporter_days in [retention].",
        "city.example: keeps photos for ever; its jurisdiction.toml has no photo_days in [retention].",
    ]
    assert PHOTO in dump(platform)


def test_the_report_has_a_line_for_each_kind_of_data_and_service(
    run: Run, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    def with_retention(platform: Platform, name: str) -> list[Jurisdiction]:
        found = platform.registry.find(name)
        object.__setattr__(found, "retention", Retention(reporter_days=30, photo_days=60))
        return [found]

    monkeypatch.setattr(module, "chosen_cities", with_retention)
    now = utc_now()
    ages = (61, 31, 0)
    for days in ages:
        build.change(platform, submit(platform), status="closed", note="Done.", now=now - timedelta(days=days))
    options = ("--jurisdiction", "city.example")
    tried = run(*options, "--dry-run").stdout.splitlines()
    assert [line.split() for line in (*tried[:2], *tried[3:5])] == [
        ["data", "service", "days", "due", "not", "due"],
        ["reporters", "potholes", "30", "2", "1"],
        ["data", "service", "days", "due", "not", "due"],
        ["photos", "potholes", "60", "1", "2"],
    ]
    assert tried[2] == "city.example: the reporters of 2 requests would be erased; open or not yet due: 1."
    assert tried[5] == "city.example: the photos of 1 request would be erased; open or not yet due: 2."
    assert dump(platform).count(PHOTO) > 2
    done = run(*options).stdout.splitlines()
    assert done[2] == "city.example: the reporters of 2 requests were erased; open or not yet due: 1."
    assert done[5] == "city.example: the photos of 1 request were erased; open or not yet due: 2."
    again = run(*options).stdout
    assert "the reporters of 0 requests were erased" in again
    assert "the photos of 0 requests were erased" in again
    text = dump(platform)
    assert EMAIL in text, "the request that is not yet due still has it"
    assert PHOTO in text


def test_an_unknown_city_is_refused(run: Run, platform: Platform) -> None:
    result = run("--jurisdiction", "nowhere.example")
    assert result.exit_code == 1
    assert "nowhere.example" in result.stderr
