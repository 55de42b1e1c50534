"""`open311 deliveries`: what it prints, and what it changes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from open311.clock import utc_now
from open311.federation.backends.open311 import Open311Config
from open311.operations.delivery.applying import apply_updates
from open311.operations.delivery.pulling import pull_all
from open311.operations.platform import Platform
from open311.operations.upkeep.sync_catalogues import ensure_synced
from open311.plugins import Destination, Secret
from open311.settings import Settings
from tests import build, world
from tests.cli.test_commands import Run, bare_run, printed, refusal, run
from tests.delivering import run as deliver

__all__ = ["bare_run", "run"]

CITY = """
id = "test.example"
name = "Testville"
time_zone = "UTC"
triage = "streets"

[[departments]]
code = "streets"
name = "Streets"

[[services]]
code = "potholes"
name = "Pothole"
"""


@pytest.fixture
def shell(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, neighbour: world.Neighbour) -> Run:
    """Runs commands for a city whose back ends are in a folder of the operator."""
    city, backends = tmp_path / "testville", tmp_path / "backends"
    city.mkdir()
    backends.mkdir()
    (city / "jurisdiction.toml").write_text(CITY)
    (backends / "test.example.toml").write_text(
        f'[[backends]]\nname = "works"\nkind = "open311"\nurl = "{neighbour.base_url}"\nshared = ["description"]\n'
        'api_key = { env = "WORKS_KEY" }\n[[destinations]]\nbackends = ["works"]\n'
    )
    monkeypatch.setenv("OPEN311_JURISDICTIONS", str(city))
    monkeypatch.setenv("OPEN311_BACKENDS_DIR", str(backends))
    return run


@pytest.fixture
def platform(settings: Settings, neighbour: world.Neighbour) -> Iterator[Platform]:
    config = Open311Config(
        name="works", kind="open311", url=neighbour.base_url, api_key=Secret(env="WORKS_KEY"), updates="updates"
    )
    platform = build.platform(
        settings, build.city(backends=(config,), destinations=(Destination(backends=("works",)),))
    )
    ensure_synced(platform)
    yield platform
    platform.close()


@pytest.fixture
def parked(platform: Platform, neighbour: world.Neighbour) -> list[str]:
    """Two requests that the back office has refused."""
    neighbour.retire_service("potholes")
    ids = [build.submit(platform).service_request_id for _ in range(2)]
    deliver(platform)
    return ids


def listed(shell: Run, *options: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(printed(shell("deliveries", "list", "--json", *options)))[
        "deliveries"
    ]
    return found


def test_the_list_and_one_delivery_can_be_read(shell: Run, parked: list[str]) -> None:
    table = printed(shell("deliveries", "list"))
    assert all(request_id in table for request_id in parked)
    assert "parked" in table
    [first, _] = listed(shell)
    shown = printed(shell("deliveries", "show", str(first["id"])))
    assert f"case of request {first['service_request_id']} to works, parked" in shown
    assert "you may       retry, skip" in shown
    assert "answered 404; it names service_code" in shown
    assert json.loads(printed(shell("deliveries", "show", str(first["id"]), "--json")))["commands"] == [
        "retry",
        "skip",
    ]
    request = printed(shell("requests", "show", str(first["service_request_id"])))
    assert f"{first['id']}, case to works, parked: " in request
    assert listed(shell, "--state", "done") == []
    assert len(listed(shell, "--request", parked[0])) == 1


def test_one_delivery_is_retried_and_skipped(shell: Run, parked: list[str]) -> None:
    first, second = (str(one["id"]) for one in listed(shell))
    assert printed(shell("deliveries", "retry", first, "--reason", "Mended.")) == f"Delivery {first} is waiting.\n"
    assert printed(shell("deliveries", "park", first, "--reason", "Wait.")) == f"Delivery {first} is parked.\n"
    printed(shell("deliveries", "skip", first, second, "--reason", "By phone."))
    assert listed(shell) == []
    shown = printed(shell("deliveries", "show", first))
    acts = [line.partition("  ")[2].split() for line in shown.splitlines()[-3:]]
    assert [(act[0], act[2].partition(":")[0], " ".join(act[3:])) for act in acts] == [
        ("retry", "shell", "Mended."),
        ("park", "shell", "Wait."),
        ("skip", "shell", "By phone."),
    ]
    assert "is skipped; retry is for" in refusal(shell("deliveries", "retry", first, "--reason", "Again."))


def test_retry_with_the_option_all_is_a_dry_run_without_the_option_apply(shell: Run, parked: list[str]) -> None:
    shown = printed(shell("deliveries", "retry", "--all", "--reason", "Mended."))
    assert "retry is for 2 deliveries. Nothing is changed." in shown
    assert len(listed(shell, "--state", "parked")) == 2
    done = printed(shell("deliveries", "retry", "--all", "--backend", "works", "--reason", "Mended.", "--apply"))
    assert "retry: 2 of 2 deliveries." in done
    assert len(listed(shell, "--state", "waiting")) == 2
    assert "is for 0 deliveries." in printed(shell("deliveries", "retry", "--all", "--reason", "Mended."))


def test_uncertain_deliveries_are_sent_again_only_with_the_option_yes(
    shell: Run, platform: Platform, neighbour: world.Neighbour
) -> None:
    neighbour.fault(world.fault("lose_answer", on="POST requests"))
    build.submit(platform)
    deliver(platform)
    [one] = listed(shell)
    assert "may double it" in refusal(shell("deliveries", "retry", str(one["id"]), "--reason", "Again."))
    shown = printed(shell("deliveries", "retry", "--all", "--state", "uncertain", "--reason", "Again."))
    assert "add --yes" in shown
    result = shell("deliveries", "retry", "--all", "--state", "uncertain", "--reason", "Again.", "--apply")
    assert (result.exit_code, "1 refused" in result.stdout) == (1, True)
    printed(shell("deliveries", "retry", str(one["id"]), "--reason", "It is not there.", "--yes"))
    assert [one["state"] for one in listed(shell)] == ["waiting"]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("retry", "--reason", "x"), "name some"),
        (("retry", "1", "--all", "--reason", "x"), "name some"),
        (("retry", "1", "--backend", "works", "--reason", "x"), "--backend: is for --all"),
        (("skip", "1", "--apply", "--reason", "x"), "--apply: is for --all"),
        (("skip", "1", "2", "--external-id", "W", "--reason", "x"), "one request"),
        (("skip", "1", "--reason", " "), "give a reason"),
        (("show", "77"), "77 is no delivery here. See `open311 deliveries list`."),
        (("list", "--state", "lost"), "--state: 'lost' is unknown"),
        (("list", "--request", "nothing"), "is not a request here"),
        (("test", "roads"), "there are: works"),
    ],
)
def test_the_error_names_the_mistake(shell: Run, arguments: tuple[str, ...], why: str) -> None:
    assert why in refusal(shell("deliveries", *arguments))


def test_a_dry_run_masks_fields_that_may_not_be_sent(
    shell: Run, platform: Platform, neighbour: world.Neighbour
) -> None:
    request_id = build.submit(platform, description="Deep hole", address_string="Ann's house").service_request_id
    shown = printed(shell("deliveries", "test", "works", "--request", request_id))
    assert "Deep hole" in shown
    assert "Ann's house" not in shown
    assert "(may not leave)" in shown
    assert "no fault found. Tried: its list of services" in shown
    neighbour.down()
    result = shell("deliveries", "test", "works")
    assert (result.exit_code, "nothing listens" in result.stderr) == (1, True)
    assert not neighbour.accepted


def test_the_command_plan_makes_deliveries_only_with_the_option_apply(shell: Run, platform: Platform) -> None:
    build.submit(platform)
    shown = printed(shell("deliveries", "plan"))
    assert "1 of 1 open requests lack a delivery." in shown
    assert listed(shell) == []
    assert "1 of 1 open requests got a delivery." in printed(shell("deliveries", "plan", "--apply"))
    assert len(listed(shell)) == 1
    assert "0 of 1 open requests lack a delivery." in printed(shell("deliveries", "plan"))


def test_an_update_that_cannot_be_applied_waits_for_a_person(
    shell: Run, platform: Platform, neighbour: world.Neighbour
) -> None:
    build.submit(platform)
    deliver(platform)
    neighbour.change(neighbour.accepted[0].service_request_id, status="strange", note="Odd.")
    pull_all(platform, utc_now)
    apply_updates(platform, utc_now)
    table = printed(shell("deliveries", "updates", "list"))
    assert "works" in table
    assert "strange" in table
    [update] = json.loads(printed(shell("deliveries", "updates", "list", "--json")))["updates"]
    number = str(update["id"])
    assert "is tried again" in printed(shell("deliveries", "updates", "retry", number, "--reason", "Try."))
    assert "do not wait" in refusal(shell("deliveries", "updates", "drop", number, "--reason", "No."))
