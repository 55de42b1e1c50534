"""What a process concludes from the standings of primary and replica."""

from __future__ import annotations

from dataclasses import replace

import pytest

from open311.operations.replica import View, judged
from open311.storage.replication import Standing

PRIMARY = Standing(system="7", is_replica=False, timeline=2, position=900, started_at="one")
REPLICA = replace(PRIMARY, is_replica=True, position=800, started_at="two")


def view_of(
    primary: Standing | None, replica: Standing | None, *, is_down: bool = False, lag_s: float | None = 1
) -> View:
    """The view, if a replica may be ten seconds behind."""
    return judged(primary, replica, is_primary_down=is_down, most_lag_s=10, lag_s=lag_s)


def test_a_replica_that_is_hardly_behind_answers() -> None:
    view = view_of(PRIMARY, REPLICA)
    assert (view.fault, view.may_answer, view.answers_alone) == ("", True, False)


@pytest.mark.parametrize(
    ("replica", "lag_s", "fault"),
    [
        (None, None, "it does not answer"),
        (REPLICA, 11, "it is 11 s behind; 10 s are allowed"),
        (REPLICA, None, "it is unknown time behind; 10 s are allowed"),
        (replace(REPLICA, system="8"), 0, "it is no replica of the database in DATABASE_URL"),
        (replace(REPLICA, timeline=1), 0, "it does not follow timeline 2 of the primary yet"),
        (replace(REPLICA, timeline=3), 0, "it has become a primary, but DATABASE_URL leads to another one"),
        (replace(REPLICA, is_replica=False), 0, "it takes writes itself, as the primary does; stop one of them"),
    ],
)
def test_a_fault_of_the_replica_leaves_all_reads_to_the_primary(
    replica: Standing | None, lag_s: float | None, fault: str
) -> None:
    view = view_of(PRIMARY, replica, lag_s=lag_s)
    assert (view.fault, view.may_answer, view.answers_alone) == (fault, False, False)


def test_one_server_with_both_addresses_answers_as_the_primary() -> None:
    assert view_of(PRIMARY, PRIMARY, lag_s=0).may_answer


@pytest.mark.parametrize(
    ("replica", "lag_s", "answers"),
    [
        (REPLICA, 10, True),
        (REPLICA, 11, False),
        (REPLICA, None, False),
        (replace(REPLICA, is_replica=False, timeline=3), 0, True),
        (replace(REPLICA, timeline=1), 0, False),
        (replace(REPLICA, system="8"), 0, False),
        (None, None, False),
    ],
)
def test_without_the_primary_only_a_replica_of_its_history_that_was_hardly_behind_answers(
    replica: Standing | None, lag_s: float | None, answers: bool
) -> None:
    view = view_of(PRIMARY, replica, is_down=True, lag_s=lag_s)
    assert (view.may_answer, view.answers_alone, view.lag_s) == (False, answers, None)


def test_an_old_view_of_the_replica_does_not_let_it_answer() -> None:
    view = replace(view_of(PRIMARY, REPLICA), at=0.0)
    assert not view.may_answer
