"""Updates of back offices are stored once and applied by the commands of staff. Their order does not matter."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as example_settings
from hypothesis import strategies as st

from open311.domain import commands
from open311.domain.access import SHELL
from open311.domain.case import RemoteUpdate
from open311.domain.deliveries import parked
from open311.domain.events import Erasable
from open311.domain.remote_updates import StoredUpdate, UpdateState
from open311.domain.remotes import Remote
from open311.domain.requests import MAX_DESCRIPTION_CHARACTERS, Progress, RequestRecord, Status, Visibility
from open311.domain.workflow import MEANINGS, CityState, Outcome, State, state_of
from open311.operations.delivery import applying
from open311.operations.delivery.applying import apply_next, apply_updates
from open311.operations.delivery.linking import link_case
from open311.operations.delivery.managing import Decision, decide
from open311.operations.delivery.quarantine import drop_quarantined, retry_quarantined
from open311.operations.delivery.storing import store_states, store_updates
from open311.operations.delivery.watching import watch_backends
from open311.operations.dispatch.dispatcher import dispatch
from open311.operations.platform import Platform
from open311.operations.upkeep.clean_up import clean_up
from open311.operations.upkeep.sync_catalogues import ensure_synced
from open311.operations.workflow.act import act
from open311.operations.workflow.erase_request import erase_from_request
from open311.operations.workflow.words import commands_for_word
from open311.plugins import BackendConfig, Destination
from open311.settings import Settings
from open311.storage import deliveries, external_ids, remote_updates, remotes
from tests import build
from tests.delivering import Clock, stored

PLACE = ("test.example", "works")


def served(settings: Settings, **changes: Any) -> Platform:
    """A platform whose only city has a back end that is never called."""
    states = changes.pop("states", ())
    config = BackendConfig(**{"name": "works", "kind": "open311"} | changes)
    to = (Destination(backends=("works",)),)
    platform = build.platform(settings, build.city(backends=(config,), destinations=to, states=states))
    ensure_synced(platform)
    return platform


@pytest.fixture
def platform(settings: Settings) -> Iterator[Platform]:
    platform = served(settings)
    yield platform
    platform.close()


@dataclass(frozen=True)
class Sent:
    """A request that the back office has. `remote_id`: its id there."""

    name: str
    number: int
    remote_id: str


def sent(platform: Platform, remote_id: str = "") -> Sent:
    name = build.submit(platform).service_request_id
    while dispatch(platform, build.NOON):
        continue
    number = build.load(platform, service_request_id=name).number
    remote_id = remote_id or f"W-{number}"
    with platform.database.transaction() as connection:
        external_ids.add(connection, *PLACE, remote_id, number=number, at=build.NOON)
    return Sent(name, number, remote_id)


def said(case: Sent, id: str = "1", *, at: float = 0, **changes: Any) -> RemoteUpdate:
    """An update of a case; `at` is in minutes."""
    values: dict[str, Any] = {
        "update_id": id,
        "remote_id": case.remote_id,
        "at": build.NOON + timedelta(minutes=at),
    }
    return RemoteUpdate(**values | changes)


def take(platform: Platform, *updates: RemoteUpdate, clock: Clock | None = None) -> list[str]:
    """Store updates and apply what is due.

    Returns the states of all stored updates, in the order of their arrival.
    """
    clock = clock or Clock()
    for update in updates:
        with platform.database.transaction() as connection:
            store_updates(connection, PLACE, [update], clock())
    apply_updates(platform, clock)
    return [one.state.value for one in kept(platform)]


def kept(platform: Platform) -> list[StoredUpdate]:
    with platform.database.reading() as connection:
        ids = connection.exec_driver_sql("SELECT id FROM remote_update ORDER BY id").scalars()
        found = [remote_updates.load(connection, PLACE[0], id) for id in list(ids)]
    return [one for one in found if one is not None]


def record(platform: Platform, case: Sent) -> RequestRecord:
    return build.load(platform, number=case.number)


def public(platform: Platform, case: Sent) -> list[tuple[str, str]]:
    """What the public reads of a request's changes."""
    statement = "SELECT status, description FROM public_update WHERE request_id = %s ORDER BY id"
    with platform.database.reading() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(statement, (case.number,))]


def test_an_update_that_closes_a_request_stores_its_note_and_outcome(platform: Platform) -> None:
    case = sent(platform)
    assert take(platform, said(case, status="FIXED", description="Filled.")) == ["applied"]
    after = record(platform, case)
    assert (after.status, after.outcome, after.status_notes) == (Status.CLOSED, Outcome.FIXED, "Filled.")
    assert public(platform, case) == [("fixed", "Filled.")]
    assert build.history(platform, after)[-1].actor == "system:works"


def test_update_ids_are_counted_for_each_case(platform: Platform) -> None:
    """A back office that numbers the updates of each case from 1 is understood."""
    first, second = sent(platform), sent(platform)
    updates = [said(case, "1", status="fixed", description="Filled.") for case in (first, second, first)]
    assert take(platform, *updates) == ["applied", "applied"]
    assert [record(platform, case).status for case in (first, second)] == [Status.CLOSED] * 2


def test_a_change_by_a_back_office_is_not_sent_back_to_it(platform: Platform) -> None:
    case = sent(platform)
    take(platform, said(case, status="fixed", description="Filled."))
    while dispatch(platform, build.NOON):
        continue
    with platform.database.reading() as connection:
        assert [one.subject for one in deliveries.of_requests(connection, PLACE[0], [case.number])] == ["case"]


def test_the_same_update_twice_counts_once(platform: Platform) -> None:
    case = sent(platform)
    update = said(case, description="We have seen it.")
    assert take(platform, update, update) == ["applied"]
    take(platform, update)
    assert public(platform, case) == [("open", "We have seen it.")]


def test_an_update_without_id_is_known_by_its_content(platform: Platform) -> None:
    case = sent(platform)
    update = said(case, "", description="We have seen it.")
    assert take(platform, update, update, said(case, "", description="We have begun.")) == ["applied"] * 2


@pytest.mark.parametrize(
    ("word", "state"), [("Open", "no_change"), ("CLOSED", "applied"), ("In Progress", "applied")]
)
def test_status_words_may_have_capitals_or_not(platform: Platform, word: str, state: str) -> None:
    assert take(platform, said(sent(platform), status=word)) == [state]


def test_a_closed_request_cannot_be_closed_again(platform: Platform) -> None:
    case = sent(platform)
    assert take(platform, said(case, status="fixed"), said(case, "2", at=1, status="closed")) == [
        "applied",
        "no_change",
    ]
    assert record(platform, case).outcome == Outcome.FIXED


def test_a_step_that_is_not_allowed_does_not_change_the_state_and_its_text_is_kept(platform: Platform) -> None:
    case = sent(platform)
    take(platform, said(case, status="in_progress"))
    states = take(platform, said(case, "2", at=1, status="investigating", description="We look at it."))
    assert states == ["applied", "no_change"]
    assert state_of(record(platform, case)) is State.IN_PROGRESS
    assert record(platform, case).status_notes == "We look at it."
    assert "no effect" in kept(platform)[-1].cause


def test_a_state_that_the_city_hides_has_no_effect(settings: Settings) -> None:
    platform = served(settings, states=(CityState(state=State.ON_HOLD, hidden=True),))
    assert take(platform, said(sent(platform), status="planned")) == ["no_change"]
    platform.close()


def test_the_citys_table_of_statuses_overrides_the_built_in_words(settings: Settings) -> None:
    platform = served(settings, statuses={"Work complete": "fixed", "Printed": "ignore", "open": "in_progress"})
    case = sent(platform)
    states = take(
        platform,
        said(case, status="printed", description="Not for citizens."),
        said(case, "2", at=1, status="OPEN"),
        said(case, "3", at=2, status="work complete"),
    )
    assert states == ["ignored", "applied", "applied"]
    assert record(platform, case).outcome == Outcome.FIXED
    assert "Not for citizens." not in str(public(platform, case))
    platform.close()


@pytest.mark.parametrize(
    ("rule", "state", "notes"),
    [("quarantine", "quarantined", ""), ("keep", "applied", "Hm."), ("ignore", "ignored", "")],
)
def test_an_unknown_status_is_treated_as_the_city_says(
    settings: Settings, rule: str, state: str, notes: str
) -> None:
    platform = served(settings, unknown_status=rule)
    case = sent(platform)
    assert take(platform, said(case, status="Erledigt", description="Hm.")) == [state]
    assert record(platform, case).status_notes == notes
    platform.close()


def test_an_update_that_was_sent_is_not_applied_when_it_comes_back(platform: Platform) -> None:
    case = sent(platform)
    build.change(platform, case.name, note="Ours.")
    while dispatch(platform, build.NOON):
        continue
    with platform.database.reading() as connection:
        own = deliveries.of_requests(connection, PLACE[0], [case.number])[-1].key
    version = record(platform, case).version
    echoes = [
        said(case, own, status="closed", description="Ours."),
        said(case, "2", status="closed", description="Ours.", is_echo=True),
    ]
    assert take(platform, *echoes) == ["echo", "echo"]
    assert take(platform, said(case, "3", description="Ours."))[-1] == "no_change", (
        "an echo is recognised even if the back office gave it another id"
    )
    assert record(platform, case).version == version


def test_an_older_update_does_not_change_the_state_nor_replace_the_newer_note(platform: Platform) -> None:
    case = sent(platform)
    states = take(
        platform,
        said(case, "9", at=10, status="fixed", description="Filled."),
        said(case, "8", at=5, status="in_progress", description="A crew is there."),
    )
    assert states == ["applied", "late"]
    after = record(platform, case)
    assert (after.status, after.status_notes) == (Status.CLOSED, "Filled.")
    assert public(platform, case) == [("fixed", "Filled."), ("fixed", "A crew is there.")]


def test_an_update_of_an_unknown_request_waits_until_the_id_comes(platform: Platform) -> None:
    name = build.submit(platform).service_request_id
    number = build.load(platform, service_request_id=name).number
    clock = Clock()
    case = Sent(name, number, "W-late")
    assert take(platform, said(case, status="fixed"), clock=clock) == ["quarantined"]
    assert kept(platform)[0].cause == applying.UNKNOWN_REQUEST
    clock.later(hours=2)
    assert take(platform, clock=clock) == ["quarantined"]
    with platform.database.transaction() as connection:
        external_ids.add(connection, *PLACE, "W-late", number=number, at=clock())
    clock.later(hours=2)
    assert take(platform, clock=clock) == ["applied"]
    assert record(platform, case).status is Status.CLOSED


def test_an_update_of_a_request_that_never_comes_is_not_tried_for_ever(platform: Platform) -> None:
    clock = Clock()
    take(platform, said(Sent("", 0, "nothing"), status="fixed"), clock=clock)
    for _ in range(120):
        clock.later(hours=1)
        apply_updates(platform, clock)
    [update] = kept(platform)
    assert (update.state, update.due_at) == (UpdateState.QUARANTINED, None)


def test_updates_that_are_applied_together_do_what_each_does_alone(platform: Platform) -> None:
    alone, together = ([sent(platform, f"{word}-{number}") for number in range(6)] for word in ("A", "B"))
    for cases in (alone, together):
        news = list(_news(cases))
        if cases is alone:
            for update in news:
                take(platform, update)
        else:
            take(platform, *news)
    states = [(one.state, one.status) for one in kept(platform)]
    assert states[: len(states) // 2] == states[len(states) // 2 :]
    for one, other in zip(alone, together, strict=True):
        assert public(platform, one) == public(platform, other)
        found = [
            (each.status, each.outcome, each.progress, each.status_notes) for each in _both(platform, one, other)
        ]
        assert found[0] == found[1]
    assert record(platform, together[1]).progress is Progress.IN_PROGRESS


def _news(cases: list[Sent]) -> Iterator[RemoteUpdate]:
    """Updates: one for each case, a second and an older one, one of an unknown case, one with an unknown status."""
    prefix = cases[0].remote_id[0]
    words = ("fixed", "in_progress", "investigating", "closed", "planned", "unchanged")
    for case, word in zip(cases, words, strict=True):
        yield said(case, f"{prefix}{case.remote_id}", status=word, description=f"It is {word}.", at=5)
    yield said(cases[2], f"{prefix}second", status="fixed", description="Done.", at=6)
    yield said(cases[3], f"{prefix}late", status="in_progress", description="Begun.", at=1)
    yield said(Sent("", 0, f"{prefix}-nobody"), f"{prefix}unknown", status="fixed")
    yield said(cases[4], f"{prefix}odd", status="painted", at=7)


def _both(platform: Platform, *cases: Sent) -> list[RequestRecord]:
    return [record(platform, case) for case in cases]


def test_updates_that_are_applied_together_bring_no_erased_text_back(platform: Platform) -> None:
    cases = [sent(platform) for _ in range(3)]
    take(platform, said(cases[0], "first", description="Ann Example called."))
    (city,) = platform.registry
    erase_from_request(platform, city, cases[0].name, [Erasable.NOTES], now=build.NOON)
    again = said(cases[0], "again", at=1, status="fixed", description="Ann Example called.")
    take(platform, again, *(said(case, f"{case.number}", status="fixed") for case in cases[1:]))
    assert "Ann Example" not in str(public(platform, cases[0]))
    assert [record(platform, case).status for case in cases] == [Status.CLOSED] * 3
    assert [bool(one.description) for one in kept(platform)] == [False] * 4


def test_a_fault_of_one_update_does_not_stop_the_others(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    cases = [sent(platform) for _ in range(4)]
    decide = commands_for_word

    def fail_for_second(before: RequestRecord, *words: Any, **named: Any) -> Any:
        if before.number == cases[1].number:
            raise RuntimeError("a fault")
        return decide(before, *words, **named)

    monkeypatch.setattr(applying, "commands_for_word", fail_for_second)
    states = take(platform, *(said(case, str(case.number), status="fixed", description="Ok.") for case in cases))
    assert states == ["applied", "new", "applied", "applied"]


def test_a_back_office_cannot_touch_a_request_that_it_was_not_sent(platform: Platform) -> None:
    name = build.submit(platform).service_request_id  # no delivery is made
    assert take(platform, RemoteUpdate(update_id="1", reference=name, status="fixed")) == ["quarantined"]
    assert build.load(platform, service_request_id=name).status is Status.OPEN


def test_a_back_office_may_use_our_own_name_of_a_request(platform: Platform) -> None:
    case = sent(platform)
    with platform.database.reading() as connection:
        key = deliveries.of_requests(connection, PLACE[0], [case.number])[0].key
    by_name = RemoteUpdate(update_id="1", reference=case.name, status="in_progress")
    by_key = RemoteUpdate(update_id="2", reference=key, status="fixed", at=build.NOON + timedelta(minutes=1))
    assert take(platform, by_name, by_key) == ["applied", "applied"]


def test_a_text_that_is_too_long_or_dirty_is_cut_and_cleaned(platform: Platform) -> None:
    case = sent(platform)
    take(platform, said(case, description="a\x00b" + "x" * 10_000))
    notes = record(platform, case).status_notes
    assert len(notes) == MAX_DESCRIPTION_CHARACTERS
    assert "\x00" not in notes
    assert "was cut to 4000" in kept(platform)[0].cause


def test_odd_ids_and_words_are_quarantined_without_an_error(platform: Platform) -> None:
    odd = "\x00\ud800" + "ä" * 5_000
    take(platform, RemoteUpdate(update_id=odd, remote_id=odd, reference=odd, status=odd, media_urls=(odd,) * 50))
    assert [one.state for one in kept(platform)] == [UpdateState.QUARANTINED]


def test_an_update_that_cannot_be_read_waits_for_a_person(platform: Platform) -> None:
    take(platform, RemoteUpdate(update_id="1", fault="it is not JSON", description="<html>"))
    [update] = kept(platform)
    assert (update.state, update.cause, update.description) == (UpdateState.QUARANTINED, "it is not JSON", "<html>")


@pytest.mark.parametrize("visibility", [Visibility.HELD, Visibility.WITHDRAWN, Visibility.PRIVATE])
def test_an_update_publishes_no_request_that_is_not_public(platform: Platform, visibility: Visibility) -> None:
    case = sent(platform)
    build.change(platform, case.name, visibility=visibility)
    assert take(platform, said(case, status="fixed", description="Filled.")) == ["applied"]
    assert record(platform, case).visibility is visibility
    assert public(platform, case) == []


def test_a_merged_request_keeps_its_status(platform: Platform) -> None:
    case, other = sent(platform), sent(platform)
    (city,) = platform.registry
    act(platform, city, case.name, [commands.Merge(into=other.name)], principal=SHELL, now=build.NOON)
    assert take(platform, said(case, status="fixed", description="Filled.")) == ["no_change"]
    assert record(platform, case).status is Status.OPEN


def test_a_wrong_clock_of_the_back_office_does_not_make_all_later_updates_late(platform: Platform) -> None:
    case = sent(platform)
    far = said(case, at=60 * 24 * 365 * 10, status="in_progress")
    assert take(platform, far) == ["applied"]
    clock = Clock(build.NOON + timedelta(minutes=5))
    assert take(platform, said(case, "2", at=4, status="fixed"), clock=clock)[-1] == "applied"


def test_a_fault_of_this_server_does_not_delay_other_updates(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, good = sent(platform), sent(platform)
    original, clock = commands_for_word, Clock()

    def faulty(before: RequestRecord, *arguments: Any, **options: Any) -> Any:
        if before.number == broken.number:
            raise ZeroDivisionError
        return original(before, *arguments, **options)

    monkeypatch.setattr(applying, commands_for_word.__name__, faulty)
    take(platform, said(broken, status="fixed"), said(good, "2", status="fixed"), clock=clock)
    assert [one.state.value for one in kept(platform)] == ["new", "applied"]
    monkeypatch.undo()
    clock.later(hours=1)
    assert take(platform, clock=clock) == ["applied", "applied"]


def test_a_worker_that_dies_between_storing_and_applying_loses_nothing(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = sent(platform)
    (city,) = platform.registry
    with platform.database.transaction() as connection:
        store_updates(connection, PLACE, [said(case, status="fixed")], build.NOON)
    monkeypatch.setattr(remote_updates, "save", _die)
    with pytest.raises(SystemExit):
        apply_next(platform, city, build.NOON)
    monkeypatch.undo()
    assert record(platform, case).status is Status.OPEN, "the transaction has failed as a whole"
    assert take(platform) == ["applied"]
    assert public(platform, case) == [("fixed", "The problem is fixed.")]


def _die(*_: object) -> None:
    raise SystemExit


def look(platform: Platform, case: Sent, status: str, notes: str = "", *, clock: Clock) -> None:
    with platform.database.transaction() as connection:
        state = RemoteUpdate(update_id="", remote_id=case.remote_id, status=status, description=notes)
        store_states(connection, PLACE, [state], clock())
    apply_updates(platform, clock)
    clock.later(minutes=5)


def test_a_polled_state_is_stored_only_if_it_differs_from_the_last_one(platform: Platform) -> None:
    case, clock = sent(platform), Clock()
    for status in ("open", "open", "closed", "closed", "open", "closed"):
        look(platform, case, status, "Filled." if status == "closed" else "", clock=clock)
    assert [one.status for one in kept(platform)] == ["open", "closed", "open", "closed"]
    assert [one.state.value for one in kept(platform)] == ["no_change", "applied", "applied", "applied"]
    assert record(platform, case).status is Status.CLOSED


def test_the_first_poll_does_not_reopen_a_request_that_was_closed_here(platform: Platform) -> None:
    case, clock = sent(platform), Clock()
    build.change(platform, case.name, status="closed", note="Done here.")
    look(platform, case, "open", clock=clock)
    assert record(platform, case).status is Status.CLOSED


def test_an_erasure_removes_the_texts_and_photos_that_back_offices_sent(platform: Platform) -> None:
    case = sent(platform)
    photo = "https://photos.example/1.jpg"
    take(
        platform,
        said(case, description="Ann was there.", media_urls=(photo,)),
        said(case, "2", status="Unknown", description="Ann again."),
    )
    with platform.database.transaction() as connection:
        [delivery] = deliveries.of_requests(connection, PLACE[0], [case.number])
        deliveries.save(connection, parked(delivery, "Ann is unknown here"))
    (city,) = platform.registry
    parts = (Erasable.NOTES, Erasable.MEDIA)
    erase_from_request(platform, city, case.name, parts, now=build.NOON)
    with platform.database.reading() as connection:
        causes = [one.cause for one in deliveries.of_requests(connection, PLACE[0], [case.number])]
    texts = "".join([*causes, *(one.description + one.cause for one in kept(platform))])
    assert "Ann" not in texts + record(platform, case).status_notes
    assert photo not in str(kept(platform))
    take(platform, said(case, description="Ann was there."))
    assert "Ann" not in record(platform, case).status_notes, (
        "the repeated update is recognised by its id and not stored again"
    )


# --- Any order

words = st.sampled_from([*MEANINGS, "closed", "open", "fixed", "in_progress"])
says = st.tuples(words, st.sampled_from(["", "", "One.", "Two.", "Three."]))


@given(story=st.lists(says, min_size=2, max_size=5), data=st.data())
@example_settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],  # a shrinking would take minutes
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_shuffled_and_repeated_updates_give_the_same_result_as_sorted_ones(
    platform: Platform, story: Sequence[tuple[str, str]], data: st.DataObject
) -> None:
    places = list(range(len(story)))
    shuffled = data.draw(st.permutations(places + data.draw(st.lists(st.sampled_from(places), max_size=3))))
    assert _end(platform, story, shuffled) == _end(platform, story, places)


def _end(platform: Platform, story: Sequence[tuple[str, str]], order: Iterable[int]) -> tuple[str, ...]:
    case, run = sent(platform), uuid4().hex
    for place in order:
        word, text = story[place]
        take(platform, said(case, f"{run}-{place}", at=place, status=word, description=text))
    after = record(platform, case)
    is_told = after.status is Status.CLOSED or after.status_notes in {text for _, text in story}
    return state_of(after), after.outcome, after.status_notes if is_told else ""


# --- What cannot be read, what was erased, and what was dropped


def unreadable(case: Sent, **changes: Any) -> RemoteUpdate:
    """An update whose text is the update itself, as a back end gives it."""
    raw = f"{case.remote_id};closed;31.02.2026;the caller is Ann"
    return said(case, status="closed", description=raw, fault="'31.02.2026' is no time", **changes)


def states_of(platform: Platform, *found: RemoteUpdate) -> int:
    """Store the current states of cases, and apply what is due. Returns how many states were new."""
    with platform.database.transaction() as connection:
        news = store_states(connection, PLACE, found, build.NOON)
    apply_updates(platform, Clock())
    return news


def unlinked(platform: Platform) -> Sent:
    """A request whose id in the back office is not known yet."""
    case = sent(platform)
    with platform.database.transaction() as connection:
        connection.exec_driver_sql("DELETE FROM external_id")
    return case


def link(platform: Platform, case: Sent) -> None:
    with platform.database.transaction() as connection:
        assert link_case(connection, PLACE, case.remote_id, number=case.number, now=build.NOON)


def test_an_update_that_cannot_be_read_is_not_published_when_its_request_becomes_known(platform: Platform) -> None:
    case = unlinked(platform)
    assert take(platform, unreadable(case)) == ["quarantined"]
    link(platform, case)
    assert take(platform) == ["quarantined"]
    assert (public(platform, case), record(platform, case).status) == ([], Status.OPEN)


def test_an_update_that_cannot_be_read_cannot_be_retried(platform: Platform) -> None:
    case = sent(platform)
    take(platform, unreadable(case))
    [one], (city,) = kept(platform), platform.registry
    assert not retry_quarantined(platform, city, [one.id], principal=SHELL, now=build.NOON)
    with platform.database.transaction() as connection:
        connection.exec_driver_sql("UPDATE remote_update SET due_at = received_at")
    assert take(platform) == ["quarantined"]
    assert public(platform, case) == []


@pytest.mark.parametrize("is_known", [True, False])
def test_an_erasure_reaches_texts_that_were_never_applied(platform: Platform, is_known: bool) -> None:
    case = sent(platform) if is_known else unlinked(platform)
    take(platform, unreadable(case), said(case, "2", description="Ann called", is_echo=True))
    if not is_known:
        link(platform, case)
    (city,) = platform.registry
    erase_from_request(platform, city, case.name, [Erasable.NOTES], now=build.NOON)
    assert [one.description for one in kept(platform)] == ["", ""]


def test_an_erased_state_does_not_come_back(platform: Platform) -> None:
    case = sent(platform)
    personal = said(case, "", status="open", description="Ann of Mill Lane 5 called")
    states_of(platform, replace(personal, description=""))
    assert states_of(platform, personal) == 1
    (city,) = platform.registry
    erase_from_request(platform, city, case.name, [Erasable.NOTES], now=build.NOON)
    assert states_of(platform, personal) == 0
    assert public(platform, case) == [("open", "")]


def test_an_erased_text_does_not_come_back_with_another_status(platform: Platform) -> None:
    case = sent(platform)
    take(platform, said(case, description="Ann of Mill Lane 5 called"))
    (city,) = platform.registry
    erase_from_request(platform, city, case.name, [Erasable.NOTES], now=build.NOON)
    take(platform, said(case, "2", at=1, status="fixed", description="Ann of Mill Lane 5 called"))
    assert record(platform, case).status == Status.CLOSED
    assert all("Ann" not in text for _, text in public(platform, case))
    assert "Ann" not in record(platform, case).status_notes
    assert [one.description for one in kept(platform)] == ["", ""]


def test_a_dropped_state_does_not_come_back(platform: Platform) -> None:
    case = sent(platform)
    state = said(case, "", status="Erledigt", description="secret", media_urls=("https://x.example/1.jpg",))
    assert states_of(platform, state) == 1
    [one], (city,) = kept(platform), platform.registry
    drop_quarantined(platform, city, [one.id], principal=SHELL, now=build.NOON, reason="ours")
    assert states_of(platform, state) == 0
    [one] = kept(platform)
    assert (one.state, one.description, one.media_urls) == ("ignored", "", ())


def test_an_update_is_applied_once_a_person_has_found_the_id(platform: Platform) -> None:
    case, clock = unlinked(platform), Clock()
    take(platform, said(case, status="fixed"), clock=clock)
    clock.later(days=4)
    assert take(platform, clock=clock) == ["quarantined"]
    [one] = kept(platform)
    assert one.due_at is None
    [delivery] = stored(platform)
    (city,) = platform.registry
    found = Decision(command="skip", reason="found there", external_id=case.remote_id)
    decide(platform, city, delivery.id, found, principal=SHELL, now=clock())
    assert take(platform, clock=clock) == ["applied"]


# --- Which request an update belongs to, and how long updates are kept


def test_an_update_of_a_neighbour_is_applied_by_a_process_that_has_not_read_the_neighbours(
    platform: Platform,
) -> None:
    case = sent(platform)
    own = Remote(jurisdiction_id=PLACE[0], name="north", url="http://127.0.0.1:9/v2", since=build.NOON)
    with platform.database.transaction() as connection:
        remotes.save(connection, own, build.NOON)
        external_ids.add(connection, PLACE[0], "north", "N-1", number=case.number, at=build.NOON)
        update = RemoteUpdate(update_id="1", remote_id="N-1", status="fixed")
        store_updates(connection, (PLACE[0], "north"), [update], build.NOON)
    apply_updates(platform, Clock())
    assert [one.state for one in kept(platform)] == ["applied"]


def test_an_update_of_a_city_without_back_ends_waits_for_a_person(settings: Settings) -> None:
    platform = build.platform(settings, build.city())
    ensure_synced(platform)
    with platform.database.transaction() as connection:
        store_updates(connection, PLACE, [RemoteUpdate(update_id="1", remote_id="1")], build.NOON)
    apply_updates(platform, Clock())
    [one] = kept(platform)
    assert (one.state, one.cause) == ("quarantined", "the city has no back end works any more")
    platform.close()


def test_an_update_waits_for_a_person_only_after_days_of_tries(platform: Platform) -> None:
    case, clock = unlinked(platform), Clock()

    def waiting() -> int:
        with platform.database.reading() as connection:
            [watched] = watch_backends(connection, platform, clock())
        return watched.quarantined

    take(platform, said(case, status="fixed"), clock=clock)
    assert waiting() == 0
    clock.later(days=4)
    take(platform, clock=clock)
    assert waiting() == 1


def test_old_updates_and_deliveries_of_changes_are_deleted(settings: Settings) -> None:
    platform = served(settings)
    still_open, closed = sent(platform), sent(platform)
    unknown = RemoteUpdate(update_id="u", remote_id="X-1", description="Somebody else", at=build.NOON)
    update = said(closed, "2", status="fixed", description="Filled.")
    take(platform, said(still_open, description="Seen."), update, unknown)
    clock = Clock()
    clock.later(days=4)
    take(platform, clock=clock)
    with platform.database.transaction() as connection:
        values = (
            f"jurisdiction_id, request_id, 1, backend, 'update', 'k', 'done', created_at, due_at, '{build.NOON}'"
        )
        connection.exec_driver_sql(
            "INSERT INTO delivery (jurisdiction_id, request_id, version, backend, subject, key, state, created_at,"
            f" due_at, ended_at) SELECT {values} FROM delivery"
        )
        connection.exec_driver_sql("UPDATE delivery SET state = 'done', ended_at = created_at")
    year = timedelta(days=365)
    done = clean_up(platform, build.NOON + year)
    assert (done["deliveries"], done["updates"]) == (0, 0)
    done = clean_up(platform, build.NOON + year + timedelta(seconds=1))
    assert (done["deliveries"], done["updates"]) == (2, 2)
    assert [one.description for one in kept(platform)] == ["Seen."]
    assert {one.subject.value for one in stored(platform)} == {"case"}
    clock = Clock(build.NOON + year + timedelta(seconds=1))
    take(platform, update, clock=clock)
    assert [one.description for one in kept(platform)] == ["Seen."]
    platform.close()
