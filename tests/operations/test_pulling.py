"""A neighbour that closes a request also closes our request, even after broken answers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from open311.domain.case import RemoteUpdate
from open311.domain.remote_updates import UpdateState
from open311.domain.requests import Status
from open311.domain.workflow import Outcome
from open311.operations.delivery.applying import apply_updates
from open311.operations.delivery.pulling import pull, pull_all
from open311.operations.platform import Platform
from open311.plugins.backends import Page, sound_page
from open311.settings import Settings
from open311.storage import remote_updates
from tests import build, world
from tests.delivering import Clock, run, served
from tests.operations.test_remote_updates import PLACE, kept


class Place:
    """Our platform and its neighbour, with one clock."""

    def __init__(self, platform: Platform, city: world.Neighbour, clock: Clock) -> None:
        self.platform, self.city, self.clock = platform, city, clock

    def send(self) -> tuple[str, str]:
        """Submit a request and deliver it. Returns our id and the neighbour's id."""
        name = build.submit(self.platform, now=self.clock()).service_request_id
        run(self.platform, self.clock)
        return name, self.city.accepted[-1].service_request_id

    def news(self, **later: float) -> list[str]:
        """Read and apply what is due after a while. Returns the states of all stored updates."""
        self.clock.later(**(later or {"minutes": 6}))
        pull_all(self.platform, self.clock)
        apply_updates(self.platform, self.clock)
        run(self.platform, self.clock)
        return [one.state.value for one in kept(self.platform)]

    def status(self, name: str) -> tuple[Status, str, str]:
        found = build.load(self.platform, service_request_id=name)
        return found.status, found.outcome, found.status_notes

    def pull(self) -> remote_updates.Pull:
        with self.platform.database.reading() as connection:
            return remote_updates.load_pull(connection, PLACE)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def neighbour(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[world.Neighbour]:
    """The neighbour has our clock."""
    with world.neighbour(dialect=world.LIKE_OURS, clock=clock) as city:
        monkeypatch.setenv("WORKS_KEY", city.api_key)
        yield city


@pytest.fixture(params=["updates", "requests"])
def place(
    request: pytest.FixtureRequest, settings: Settings, neighbour: world.Neighbour, clock: Clock
) -> Iterator[Place]:
    """A place that reads request updates, then one that reads the requests themselves."""
    platform = served(settings, neighbour, updates=request.param, shared=("notes",))
    yield Place(platform, neighbour, clock)
    platform.close()


@pytest.fixture
def updating(settings: Settings, neighbour: world.Neighbour, clock: Clock) -> Iterator[Place]:
    """A place that reads the neighbour's request updates."""
    platform = served(settings, neighbour, updates="updates", shared=("notes",))
    yield Place(platform, neighbour, clock)
    platform.close()


def test_a_request_that_the_neighbour_closes_is_closed_here_and_nothing_is_sent_back(place: Place) -> None:
    name, there = place.send()
    place.news()
    place.city.close(there, note="Filled.")
    place.news()
    assert place.status(name) == (Status.CLOSED, Outcome.UNKNOWN, "Filled.")
    place.news()
    assert place.city.received == []


def test_a_status_in_mysocietys_words_sets_the_outcome(updating: Place) -> None:
    name, there = updating.send()
    updating.city.close(there, status="fixed", note="Filled.")
    updating.news()
    assert updating.status(name) == (Status.CLOSED, Outcome.FIXED, "Filled.")


def test_an_update_that_we_have_sent_comes_back_as_an_echo(updating: Place) -> None:
    name, _ = updating.send()
    build.change(updating.platform, name, note="Ours.", now=updating.clock())
    run(updating.platform, updating.clock)
    assert [one.description for one in updating.city.received] == ["Ours."]
    assert updating.news() == ["echo"]


@pytest.mark.parametrize("fault", ["repeat", "reverse"])
def test_repeated_or_reversed_lists_give_the_same_final_state(updating: Place, fault: str) -> None:
    name, there = updating.send()
    for minute, (word, note) in enumerate([("in_progress", "Begun."), ("open", "Waiting."), ("fixed", "Filled.")]):
        updating.city.change(there, status=word, note=note, at=updating.clock() + timedelta(minutes=minute))
    updating.city.fault(world.fault(fault, on="GET servicerequestupdates"))
    assert len(updating.news()) == 3
    assert updating.status(name) == (Status.CLOSED, Outcome.FIXED, "Filled.")


@pytest.mark.parametrize("fault", ["page", "cut", "wrong_encoding", "status", "drop"])
def test_a_broken_answer_is_read_again_later(place: Place, fault: str) -> None:
    name, there = place.send()
    place.city.close(there, note="Filled.")
    place.city.fault(world.fault(fault, on="GET"))
    place.news()
    assert place.pull().failures == 1
    assert place.pull().cause
    place.news(hours=1)
    assert place.pull().failures == 0
    assert place.status(name)[0] is Status.CLOSED


def test_an_update_that_is_recorded_late_or_by_a_slow_clock_is_found_and_changes_no_state(updating: Place) -> None:
    name, there = updating.send()
    updating.city.close(there, status="fixed", note="Filled.")
    updating.news()
    updating.city.turn_clock(-1_800)
    updating.city.change(there, status="in_progress", note="A crew is there.")
    assert updating.news() == ["applied", "late"]
    assert updating.status(name) == (Status.CLOSED, Outcome.FIXED, "Filled.")


def test_the_daily_reading_finds_an_update_from_days_ago(updating: Place) -> None:
    _, there = updating.send()
    updating.news()
    updating.city.change(there, note="Seen.", at=updating.clock() - timedelta(days=3))
    assert updating.news() == []
    assert updating.news(days=1) == ["applied"]


def test_no_update_is_missed_if_the_neighbours_clock_is_ahead(updating: Place) -> None:
    name, there = updating.send()
    updating.city.turn_clock(2_400)
    updating.city.close(there, note="Filled.")
    updating.news()
    assert updating.status(name)[0] is Status.CLOSED


def test_500_updates_of_a_neighbour_that_was_down_for_a_week_are_read_at_once(updating: Place) -> None:
    name, there = updating.send()
    updating.news()
    updating.city.down()
    for _ in range(14):
        updating.news(hours=12)
    begun = updating.clock() - timedelta(days=6)
    for number in range(499):
        updating.city.change(there, status="in_progress", at=begun + timedelta(minutes=number))
    updating.city.close(there, status="fixed", note="Filled.", at=begun + timedelta(minutes=500))
    updating.city.up()
    assert len(updating.news(hours=2)) == 500
    assert updating.status(name) == (Status.CLOSED, Outcome.FIXED, "Filled.")


@pytest.mark.parametrize("cursor", ["", "nonsense", "2999-01-01T00:00:00+00:00 x", "9" * 50])
def test_a_lost_or_wrong_cursor_begins_a_week_back(updating: Place, cursor: str) -> None:
    _, there = updating.send()
    updating.city.change(there, note="Seen.", at=updating.clock() - timedelta(days=6))
    with updating.platform.database.transaction() as connection:
        remote_updates.claim_pull(connection, PLACE, updating.clock())
        remote_updates.save_pull(connection, PLACE, remote_updates.Pull(cursor=cursor))
    assert updating.news() == ["applied"]


def test_requests_that_we_did_not_ask_for_have_no_effect_on_ours(place: Place) -> None:
    name, _ = place.send()
    other = place.city.file("potholes", lat="60.17", long="24.94")
    place.city.close(other.service_request_id, note="Not yours.")
    place.news()
    assert place.status(name)[0] is Status.OPEN
    assert {one.state for one in kept(place.platform)} <= {UpdateState.QUARANTINED, UpdateState.NO_CHANGE}


def test_many_open_requests_are_asked_for_in_turns(settings: Settings, neighbour: world.Neighbour) -> None:
    platform, clock = served(settings, neighbour, updates="requests", ids_at_once=1), Clock()
    place = Place(platform, neighbour, clock)
    names = [place.send() for _ in range(3)]
    for _, there in names:
        neighbour.close(there, note="Filled.")
    place.news()
    assert [place.status(name)[0] for name, _ in names] == [Status.CLOSED] * 3
    platform.close()


def test_two_workers_do_not_read_at_the_same_time(updating: Place) -> None:
    for _ in range(2):  # the first reading makes the row that is locked below
        updating.news()
    updating.clock.later(hours=1)
    calls = len(updating.city.calls)
    with updating.platform.database.transaction() as connection:
        assert remote_updates.claim_pull(connection, PLACE, updating.clock()) is not None
        assert pull_all(updating.platform, updating.clock) == 0
    assert len(updating.city.calls) == calls


UNSOUND = {
    "a time without a zone": Page([RemoteUpdate(update_id="1", at=datetime(2026, 3, 1))], ""),  # noqa: DTZ001
    "no text": Page([RemoteUpdate(update_id="1", description=None)], ""),
    "no update": Page(["1"], ""),  # type: ignore[list-item]
    "no cursor": Page([], None),
    "no page": None,
}


@pytest.mark.parametrize("page", UNSOUND.values(), ids=list(UNSOUND))
def test_a_page_that_cannot_be_stored_is_refused(page: object) -> None:
    with pytest.raises(TypeError):
        sound_page(page)


def alter(place: Place, change: str) -> None:
    with place.platform.database.transaction() as connection:
        connection.exec_driver_sql(f"ALTER TABLE remote_update {change}")


def test_updates_that_the_database_does_not_take_are_a_failure_that_the_operator_sees(updating: Place) -> None:
    _, there = updating.send()
    updating.city.close(there, note="Filled.")
    alter(updating, "ADD CONSTRAINT poison CHECK (description <> 'Filled.')")
    try:
        updating.news()
    finally:
        alter(updating, "DROP CONSTRAINT poison")
    assert updating.pull().failures == 1
    assert "could not be stored" in updating.pull().cause


def test_a_reading_ends_when_the_worker_ends(updating: Place) -> None:
    _, there = updating.send()
    updating.city.close(there, note="Filled.")
    updating.clock.later(minutes=6)
    assert pull(updating.platform, PLACE, updating.clock, is_stopping=lambda: True) == 0
    assert pull(updating.platform, PLACE, updating.clock) > 0
