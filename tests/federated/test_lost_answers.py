"""A lost answer between two servers of this kind: the request arrives once."""

from __future__ import annotations

from datetime import timedelta

import pytest

from open311.operations.dispatch.dispatcher import dispatch
from tests.federated.towns import NORTH, Open, Town

DIED = "UPDATE delivery SET state = 'sending', ended_at = NULL, due_at = now() - interval '1 minute'"


def die(town: Town) -> None:
    """The state after a worker has died while it was sending."""
    with town.platform.database.transaction() as connection:
        connection.exec_driver_sql(DIED)
        connection.exec_driver_sql("DELETE FROM external_id WHERE system NOT LIKE 'key:%%'")


def test_a_request_that_did_not_arrive_before_the_worker_died_is_sent(
    open_town: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = open_town("a"), open_town("b")
    a.federate(b, monkeypatch, areas=("North",))
    a.report(NORTH)
    while dispatch(a.platform, a.now()):
        continue
    die(a)
    a.work()
    assert (a.rows("SELECT state, cause FROM delivery"), len(b.ids())) == ([("done", "")], 1)


def test_a_request_that_arrived_before_the_worker_died_is_found_and_not_sent_again(
    open_town: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = open_town("a"), open_town("b")
    a.federate(b, monkeypatch, areas=("North",))
    a.report(NORTH)
    a.work()
    die(a)
    a.later += timedelta(minutes=5)
    a.work()
    assert (a.rows("SELECT state, cause FROM delivery"), len(b.ids())) == ([("done", "")], 1)
    assert a.rows("SELECT external_id FROM external_id WHERE system = 'b'") == [(b.ids()[0],)]
