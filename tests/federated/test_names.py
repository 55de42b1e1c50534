"""The name of a neighbour belongs to one server, and a server has one name."""

from __future__ import annotations

from dataclasses import replace

import pytest

from open311.clock import utc_now
from open311.domain.remotes import Remote
from open311.errors import Invalid
from open311.operations.federation.joining import join_remotes
from open311.operations.federation.neighbours import add_neighbour, remove_neighbour
from tests.federated.test_pushing import work
from tests.federated.towns import NORTH, Open, Town


def test_the_name_of_a_removed_neighbour_stays_with_its_server(
    open_town: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise ids of the first server would be read as ids of the second."""
    a, b, c = open_town("a"), open_town("b"), open_town("c")
    a.federate(b, monkeypatch, name="north")
    a.report(NORTH)
    work(a, b)
    remove_neighbour(a.platform, a.id, "north", now=a.now())
    with pytest.raises(Invalid, match="belongs to another server"):
        a.federate(c, monkeypatch, name="north")
    a.federate(b, monkeypatch, name="north")
    with pytest.raises(Invalid, match="belongs to another server"):
        a.federate(c, monkeypatch, name="north")
    assert a.rows("SELECT url FROM remote") == [(b.url,)]


def test_the_name_of_a_neighbour_gets_another_address_only_with_is_moved(
    open_town: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b, c = open_town("a"), open_town("b"), open_town("c")
    a.federate(b, monkeypatch, name="north", pushes=False)
    moved = Remote(jurisdiction_id=a.id, name="north", url=c.url, since=utc_now(), pushes=False)
    add_neighbour(a.platform, moved, now=a.now(), is_moved=True)
    with pytest.raises(Invalid, match="belongs to another server"):
        add_neighbour(a.platform, replace(moved, url=b.url), now=a.now())


def test_the_name_of_a_former_back_end_is_no_name_for_a_neighbour(
    open_town: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b, c = open_town("a"), open_town("b"), open_town("c")
    a.federate(b, monkeypatch, name="works")
    a.report(NORTH)
    work(a, b)
    with a.platform.database.transaction() as connection:
        connection.exec_driver_sql("DELETE FROM remote")
        connection.exec_driver_sql("DELETE FROM remote_name")
        join_remotes(a.platform, connection)
    with pytest.raises(Invalid, match="belongs to another server"):
        a.federate(c, monkeypatch, name="works")


def test_a_server_cannot_be_two_neighbours(open_town: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = open_town("a"), open_town("b")
    a.federate(b, monkeypatch, name="north")
    with pytest.raises(Invalid, match="is that of north"):
        a.federate(b, monkeypatch, name="north2")
    assert _names(a) == ["north"]


def _names(town: Town) -> list[str]:
    return [name for (name,) in town.rows("SELECT name FROM remote")]
