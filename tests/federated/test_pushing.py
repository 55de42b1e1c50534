"""Requests for a neighbour's territory are accepted here and passed on, and never come back."""

from __future__ import annotations

from datetime import timedelta

import pytest
import requests

from open311.domain import commands
from open311.domain.access import SHELL
from open311.domain.requests import Visibility
from open311.errors import Invalid
from open311.federation.backends.open311 import LOOP
from open311.operations.delivery.trying import find_backend, preview
from open311.operations.dispatch.dispatcher import dispatch
from open311.operations.federation.joining import join_remotes, with_neighbours
from open311.operations.federation.neighbours import parse_territory, remove_neighbour
from open311.operations.upkeep.readiness import check_background
from open311.operations.workflow.act import act
from open311.storage import external_ids
from tests import build
from tests.federated.towns import HERE, NORTH, SOUTH, Open, Town


def work(*towns: Town, rounds: int = 3) -> None:
    for _ in range(rounds):
        for town in towns:
            town.work()


def test_a_report_for_a_neighbour_is_passed_on_and_each_server_finds_it_by_both_ids(
    open_town: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = open_town("a"), open_town("b")
    changes = a.federate(b, monkeypatch, areas=("North",))
    assert {one.code for one in changes.new} == {"potholes", "trees", "hotline"}
    there, here = a.report(NORTH), a.report(HERE)
    work(a, b)
    [arrived] = b.listed()
    assert arrived["description"] == "Deep"
    [(number,)] = a.rows(f"SELECT id FROM service_request WHERE service_request_id = '{there}'")
    with a.platform.database.reading() as connection:
        assert external_ids.ids_of(connection, a.id, number) == {"b": arrived["service_request_id"]}
    query = {"service_request_id_ext": there, "api_key": b.key_for("a")[1]}
    found = requests.get(f"{b.url}/requests.json", params=query, timeout=30).json()
    assert [each["service_request_id"] for each in found] == [arrived["service_request_id"]]
    assert here in a.ids()


def test_a_change_without_a_text_reaches_a_neighbour(open_town: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = open_town("a"), open_town("b")
    a.federate(b, monkeypatch)
    name = a.report()
    work(a, b)
    act(a.platform, a.city, name, [commands.Start()], principal=SHELL, now=a.now())
    work(a, b)
    assert a.rows("SELECT subject, state, cause FROM delivery ORDER BY id") == [
        ("case", "done", ""),
        ("update", "done", ""),
    ]


def both_ways(open_town: Open, monkeypatch: pytest.MonkeyPatch) -> tuple[Town, Town]:
    """Two towns that pass requests on to each other."""
    a, b = open_town("a"), open_town("b")
    a.federate(b, monkeypatch)
    b.federate(a, monkeypatch)
    return a, b


def test_two_servers_that_federate_never_send_a_request_back(
    open_town: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = both_ways(open_town, monkeypatch)
    a.report()
    b.report(NORTH)
    work(a, b)
    assert len(a.ids()) == len(b.ids()) == 2
    assert sorted(a.rows("SELECT backend, state FROM delivery")) == [("b", "done")]
    assert sorted(b.rows("SELECT backend, state FROM delivery")) == [("a", "done")]


def test_a_preview_says_that_the_neighbour_had_the_request_before(
    open_town: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = both_ways(open_town, monkeypatch)
    a.report()
    work(a, b)
    city = with_neighbours(b.platform, b.city)
    found = preview(b.platform, city, find_backend(city, "a"), b.ids()[0], now=b.now())
    assert found.obstacles == ("this back end had it before this server, so it is not sent back",)


def test_a_request_reaches_each_city_of_a_triangle_once(open_town: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b, c = open_town("a"), open_town("b"), open_town("c")
    for one, other in ((a, b), (b, c), (c, a)):
        one.federate(other, monkeypatch)
    ids = [town.report() for town in (a, b, c)]
    assert len(ids) == 3
    work(a, b, c, rounds=5)
    assert [len(town.ids()) for town in (a, b, c)] == [3, 3, 3]
    for town in (a, b, c):
        assert set(town.rows("SELECT state FROM delivery")) == {("done",)}


def test_a_request_that_is_sent_back_to_its_origin_is_refused(
    open_town: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sender does not know the neighbour's federation_id. The same is true of a back end that is declared in
    the city's files.
    """
    a, b = open_town("a"), open_town("b")
    a.federate(b, monkeypatch)
    b.federate(a, monkeypatch, partner_key=0)
    with b.platform.database.transaction() as connection:
        connection.exec_driver_sql("UPDATE remote SET federation_id = 'unknown'")
    a.report()
    work(a, b)
    assert len(a.ids()) == len(b.ids()) == 1
    assert b.rows("SELECT state, cause FROM delivery") == [("skipped", LOOP)]


def test_a_request_that_comes_by_two_ways_is_stored_once(open_town: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b, c = open_town("a"), open_town("b"), open_town("c")
    a.federate(b, monkeypatch, areas=("North",))
    a.federate(c, monkeypatch, areas=("South",))
    c.federate(b, monkeypatch)
    b.federate(a, monkeypatch, pushes=False)
    b.federate(c, monkeypatch, pushes=False)
    first = a.report(NORTH)
    work(a, b)
    via = b.listed()[0]["extended_attributes"]["via"]
    assert via.endswith(f"={first}")
    data = {"service_code": "potholes", "lat": "60.07", "long": "24.94", "api_key": b.key_for("c")[1]}
    headers = {"Open311-Via": f"{via}, c-city=C1"}
    again = requests.post(f"{b.url}/requests.json", data=data, headers=headers, timeout=30)
    assert again.json()[0]["service_request_id"] == b.ids()[0]
    stranger = data | {"api_key": b.key_for("app")[1]}
    forged = requests.post(f"{b.url}/requests.json", data=stranger, headers=headers, timeout=30)
    assert forged.json()[0]["service_request_id"] != b.ids()[0]
    assert len(b.ids()) == 2
    [shown] = b.listed(service_request_id=forged.json()[0]["service_request_id"])
    assert shown["extended_attributes"]["via"] == f"~{via}, ~c-city=C1"


@pytest.mark.parametrize("via", ["nonsense", "a=1;b=2", "a" * 400 + "=1"])
def test_hops_that_cannot_be_read_get_400(open_town: Open, via: str) -> None:
    a = open_town("a")
    data = {"service_code": "potholes", "lat": "60.1", "long": "24.9", "api_key": a.key_for("app")[1]}
    answer = requests.post(f"{a.url}/requests.json", data=data, headers={"Open311-Via": via}, timeout=30)
    assert answer.status_code == 400
    assert "Open311-Via" in answer.json()[0]["description"]


def test_too_many_hops_get_400_and_the_sender_parks_the_request(
    open_town: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only a delivery in a loop is skipped. This one is parked, because no other city has the request."""
    a, b = open_town("a"), open_town("b")
    a.federate(b, monkeypatch)
    data = {"service_code": "potholes", "lat": str(NORTH[0]), "long": str(NORTH[1])}
    data["api_key"] = a.key_for("app")[1]
    via = [f"city{number}=1" for number in range(9)]
    for hops, status in ((via, 400), (via[:8], 200)):
        headers = {"Open311-Via": ", ".join(hops)}
        assert requests.post(f"{a.url}/requests.json", data=data, headers=headers, timeout=30).status_code == status
    work(a, b)
    [(state, cause)] = a.rows("SELECT state, cause FROM delivery")
    assert state == "parked"
    assert "passed 9 servers" in cause
    assert b.ids() == []


def test_nothing_is_sent_to_a_removed_neighbour(open_town: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = open_town("a"), open_town("b")
    a.federate(b, monkeypatch)
    a.report()
    work(a)
    assert remove_neighbour(a.platform, a.id, "b", now=a.now()) == 0
    a.report()
    work(a)
    assert len(b.ids()) == 1
    assert a.city.backends == ()


def test_deliveries_of_a_removed_neighbour_are_parked(open_town: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = open_town("a"), open_town("b")
    a.federate(b, monkeypatch)
    a.report()
    while dispatch(a.platform, a.now()):
        continue
    assert remove_neighbour(a.platform, a.id, "b", now=a.now()) == 1
    assert a.rows("SELECT state, cause, is_uncertain FROM delivery") == [
        ("parked", "the neighbour was removed", False)
    ]
    later = {one.name: one for one in check_background(a.platform, a.now() + timedelta(days=3))}
    assert later["deliveries"].is_ok
    assert "b of a.example" in later["back_offices"].detail


def test_deliveries_of_a_back_end_that_is_gone_are_reported(
    open_town: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = open_town("a"), open_town("b")
    a.federate(b, monkeypatch)
    a.report()
    while dispatch(a.platform, a.now()):
        continue
    with a.platform.database.transaction() as connection:
        # As if the back end had been declared in a file of the city, and then removed from the file.
        connection.exec_driver_sql("DELETE FROM remote")
    later = {one.name: one for one in check_background(a.platform, a.now() + timedelta(days=3))}
    assert later["deliveries"].is_ok
    assert "1 deliveries wait for b of a.example, which is not a back end any more" in later["back_offices"].detail


def test_adding_a_neighbour_again_keeps_the_time_from_which_requests_are_sent(
    open_town: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = open_town("a"), open_town("b")
    a.federate(b, monkeypatch, areas=("North",))
    held = a.report(NORTH)
    build.change(a.platform, held, visibility=Visibility.HELD, now=a.now())
    work(a)
    a.federate(
        b, monkeypatch, areas=("North",), shared=("description", "media"), since=a.now() + timedelta(hours=1)
    )
    build.change(a.platform, held, visibility=Visibility.PUBLIC, now=a.now())
    work(a)
    assert len(b.ids()) == 1


def test_the_cut_over_begins_when_requests_are_first_sent(open_town: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = open_town("a"), open_town("b")
    a.federate(b, monkeypatch, pushes=False)
    a.federate(b, monkeypatch, since=(begin := a.now() + timedelta(hours=1)))
    assert a.rows("SELECT since FROM remote") == [(begin,)]


def test_a_request_is_not_sent_back_to_a_neighbour_that_only_has_a_key(
    open_town: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server with other software sends neither its own id of a request nor the hops (Open311-Via)."""
    a, b = open_town("a"), open_town("b")
    a.federate(b, monkeypatch, areas=("North",))
    a.report(NORTH, api_key=a.key_for("b")[1])
    work(a)
    assert b.ids() == []
    assert a.rows("SELECT state FROM delivery") == []


def test_the_error_says_why_a_server_cannot_be_a_neighbour(
    open_town: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = open_town("a"), open_town("b")
    with pytest.raises(Invalid, match=r"is a\.example itself"):
        a.federate(a, monkeypatch)
    with pytest.raises(Invalid, match="small letters"):
        a.federate(b, monkeypatch, name="B!")
    with pytest.raises(Invalid, match="the neighbour has no service for potholes"):
        a.federate(b, monkeypatch, codes={"potholes": "nope"})
    with pytest.raises(Invalid, match="where the key is"):
        a.federate(b, monkeypatch, key_env="")
    with pytest.raises(Invalid, match="use some of area:Here"):
        parse_territory(a.city, ["area:Nowhere"])
    assert parse_territory(a.city, ["area:South", "service:potholes"]) == (("South",), ("potholes",))
    assert SOUTH


def test_a_process_sees_neighbours_that_another_process_has_added(
    open_town: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = open_town("a"), open_town("b")
    a.federate(b, monkeypatch)
    with a.platform.database.transaction() as connection:
        connection.exec_driver_sql("UPDATE remote SET areas = '{North}'")
    with a.platform.database.reading() as connection:
        join_remotes(a.platform, connection)
    assert a.city.backends_for("potholes", "streets", ("North",)) == ("b",)
    assert a.city.backends_for("potholes", "streets", ("South",)) == ()
