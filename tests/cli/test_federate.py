"""`open311 federate`: what an operator sees, also after mistakes."""

from __future__ import annotations

import pytest

from tests import world
from tests.cli.test_commands import Run, bare_run, printed, refusal, run
from tests.federated.stubs import POTHOLES, filed, stubbed

__all__ = ["bare_run", "run"]

CITY = ("--jurisdiction", "city.example")
pytestmark = pytest.mark.usefixtures("unpaced")


@pytest.fixture
def add(run: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("NORTH_KEY", "secret-of-north")

    def call(url: str, *arguments: str, **environment: str):  # type: ignore[no-untyped-def]
        return run("federate", "add", url, "--name", "north", *CITY, *arguments, **environment)

    return call


PUSH = ("--for", "service:potholes", "--key-env", "NORTH_KEY")


def test_a_neighbour_is_inspected_added_shown_synced_and_removed(run: Run, add: Run) -> None:
    with world.neighbour(dialect=world.LIKE_OURS) as city:
        said = printed(add(city.base_url, *PUSH, "--pull"))
        assert "new: potholes" in said
        assert "dialect:" in said
        assert "secret" not in said
        assert "north" in printed(run("federate", "list"))
        assert "north-trees" in printed(run("federate", "status", "north", *CITY))
        city.retire_service("trees")
        assert "north (open311): no fault found" in printed(run("deliveries", "test", "north", *CITY))
        synced = printed(run("federate", "sync", "north", *CITY))
        assert "vanished: trees" in synced
        assert "requests:" in synced
        assert "retired" in printed(run("federate", "status", "north", *CITY))
    assert "cannot be read, and all stays" in refusal(run("federate", "sync", "north", *CITY))
    assert "no neighbour" in printed(run("federate", "remove", "north", *CITY))
    assert "is not a neighbour" in refusal(run("federate", "remove", "north", *CITY))
    assert "is not a neighbour" in refusal(run("federate", "status", "north", *CITY))


def test_texts_of_a_neighbour_cannot_control_the_terminal_or_fill_it(run: Run, add: Run) -> None:
    odd = POTHOLES | {"service_name": "\x1b[2J\x9b31mPotholes\u202e" + "x" * 5_000, "group": "a\r\nb"}
    with stubbed(services=[odd]) as stub:
        said = printed(add(stub.url, "--no-push"))
        shown = printed(run("federate", "status", "north", *CITY))
    for text in (said, shown):
        assert not {"\x1b", "\x9b", "\u202e", "\r"} & set(text)
        assert "Potholes" in text
        assert len(text) < 5_000


def test_a_change_of_a_neighbour_lists_what_stops(run: Run, add: Run) -> None:
    with stubbed(requests=[filed("1"), filed("2")]) as one, stubbed() as other:
        assert "any more" not in printed(add(one.url, *PUSH, "--pull"))
        printed(run("federate", "sync", "north", *CITY))
        said = printed(add(other.url, *PUSH, "--pull", "--moved"))
        assert "copies of requests from the former address: 2; those that the new address does not have" in said
        said = printed(add(other.url, "--no-push"))
        assert "copies of its requests that stay here and are not changed any more: 2" in said
        assert "deliveries to it that are not sent any more: 0" in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "name what goes to it with --for"),
        (("--for", "area:Nowhere", "--key-env", "NORTH_KEY"), "no area or service"),
        (("--for", "service:potholes"), "where the key is"),
        ((*PUSH, "--map", "potholes"), "must be OURS=THEIRS"),
        ((*PUSH, "--map", "nope=1"), "'nope' is no service"),
        ((*PUSH, "--map", "potholes=nope"), "the neighbour has no service for potholes"),
        ((*PUSH, "--share", "secrets"), "holds 'secrets'"),
        ((*PUSH, "--partner-key", "99999999999999999999"), "partner-key"),
        ((*PUSH, "--partner-key", "-1"), "partner-key"),
        ((*PUSH, "--partner-key", "7777"), "7777 is no valid key"),
        (("--for", "service:potholes", "--key-env", "NO_SUCH_KEY"), "NO_SUCH_KEY is not set"),
    ],
)
def test_mistakes_are_reported_and_nothing_is_stored(
    run: Run, add: Run, arguments: tuple[str, ...], message: str
) -> None:
    with world.neighbour(dialect=world.LIKE_OURS) as city:
        assert message in refusal(add(city.base_url, *arguments))
    assert "north" not in printed(run("federate", "list"))


def test_a_server_that_cannot_be_reached_is_not_added(add: Run) -> None:
    assert "the server cannot be read" in refusal(add("http://127.0.0.1:9/v2", *PUSH))


def test_a_sync_that_cannot_read_the_requests_fails(run: Run, add: Run) -> None:
    with world.neighbour(dialect=world.LIKE_OURS) as city:
        add(city.base_url, "--no-push", "--pull")
        city.fault(world.fault("status", on="GET requests", times=world.FOREVER, status=500))
        synced = run("federate", "sync", "north", *CITY)
    assert synced.exit_code == 1
    assert "the requests could not be read to the end" in synced.stderr


def test_a_sync_of_a_neighbour_that_is_not_pulled_says_so(run: Run, add: Run) -> None:
    with world.neighbour(dialect=world.LIKE_OURS) as city:
        add(city.base_url, *PUSH)
        assert "its requests are not shown here" in printed(run("federate", "sync", "north", *CITY))
