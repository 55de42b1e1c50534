"""Answers of a broken or hostile neighbour do no harm."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from open311.domain.origins import hop
from open311.domain.requests import Visibility
from open311.observe import configure_logs, logger
from open311.operations.federation import pulling
from tests import build
from tests.federated.stubs import POTHOLES, Stub, filed, stubbed
from tests.federated.test_pulling import pull_from
from tests.federated.towns import NORTH, Open, Town
from tests.federation.scripted import as_json
from tests.world.serving import Asked, Reply


@pytest.mark.parametrize("id", ["a\0b", "a\ud800b", "a\nb", "\0"])
def test_a_record_with_a_bad_id_does_not_stop_the_others(
    open_town: Open, monkeypatch: pytest.MonkeyPatch, id: str
) -> None:
    a = open_town("a")
    with stubbed(
        requests=[filed("1"), filed(id), filed("3", service_code=id), filed("4", status_notes=id)]
    ) as north:
        north.join(a, monkeypatch)
        pull_from(a, "north")
        assert {"north-1", "north-4"} <= set(a.ids()) <= {"north-1", "north-3", "north-4"}
        assert a.rows("SELECT pull_failures FROM remote") == [(0,)]


def test_records_that_are_left_out_are_counted_in_the_status_and_the_log(
    open_town: Open, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    a = open_town("a")
    bad = [filed(str(number), requested_datetime="yesterday, says Jo Doe") for number in (2, 3)]
    with stubbed(requests=[filed("1"), *bad, filed(["no id"]), "no record", filed("9" * 300)]) as north:
        north.join(a, monkeypatch)
        configure_logs("info")
        monkeypatch.setattr(pulling, "log", logger("pulling"))  # the logger of earlier tests keeps their level
        assert len(pull_from(a, "north").refused) == 5
        output = "".join(capsys.readouterr())
        causes = [line["cause"] for line in map(json.loads, output.splitlines()) if "left out" in line["event"]]
        assert len(causes) == len(set(causes)) >= 3
        assert "Jo Doe" not in output
        [(failures, cause)] = a.rows("SELECT pull_failures, cause FROM remote")
        assert failures == 0
        assert cause.startswith("5 requests are left out: requested_datetime cannot be used (2), ")
        north.requests = [filed("1")]
        pull_from(a, "north")
        assert a.rows("SELECT cause FROM remote") == [("",)]


def test_a_link_to_an_invalid_address_is_stored_as_a_failure(
    open_town: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    a = open_town("a")
    with stubbed(requests=[filed("1")], headers={"Link": '<http://[bad>; rel="next"'}) as north:
        north.join(a, monkeypatch)
        pull_from(a, "north")
        [(failures, cause)] = a.rows("SELECT pull_failures, cause FROM remote")
        assert failures == 1
        assert "Link" in cause


def test_a_service_with_a_bad_code_is_left_out(open_town: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    a = open_town("a")
    odd = [POTHOLES | {"service_code": "a\0b"}, POTHOLES | {"service_code": "c", "service_name": "\0\ud800"}]
    with stubbed(services=[POTHOLES, *odd]) as north:
        north.join(a, monkeypatch)
        assert a.rows("SELECT code FROM remote_service ORDER BY code") == [("c",), ("potholes",)]


def test_no_text_of_another_server_gets_into_causes(
    open_town: Open, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Such a text may repeat what a citizen sent, in any form."""

    def repeat(asked: Asked) -> Reply:
        sent = dict(asked.form)
        output = f"api_key {sent['api_key'][:8]}: description '{sent['description'][:20]}…' of {sent['lat']} is bad"
        return as_json([{"code": "Neighbour", "description": f"{output.upper()} {output}"}], 400)

    a = open_town("a")
    with stubbed(on_post=repeat) as north:
        north.join(a, monkeypatch)
        a.report(NORTH, description="My neighbour John Doe beats his dog each evening")
        a.work()
        [(state, cause)] = a.rows("SELECT state, cause FROM delivery")
        assert state == "parked"
        assert cause == f"POST {north.url}/requests.json answered 400; it names api_key, description"
    assert "neighbour jo" not in capfd.readouterr().err.lower()


@pytest.mark.parametrize(("status", "state"), [(501, "waiting"), (503, "waiting"), (500, "uncertain")])
def test_a_request_waits_for_another_try_only_if_the_answer_says_that_nothing_was_taken(
    open_town: Open, monkeypatch: pytest.MonkeyPatch, status: int, state: str
) -> None:
    a = open_town("a")
    with stubbed(on_post=lambda _: as_json([{"code": str(status), "description": "Down."}], status)) as north:
        north.join(a, monkeypatch)
        a.report(NORTH)
        a.work()
        assert a.rows("SELECT state FROM delivery") == [(state,)]


# --- A neighbour that says that it has another neighbour's request


def listed_from(stub: Stub, id: str, via: str = "", **changes: Any) -> dict[str, Any]:
    """A request in the list of a stub that says where it was before."""
    extended = {"extended_attributes": {"via": via}} if via else {}
    return filed(id, description=f"{stub.url} {id}", **extended, **changes)


@contextmanager
def two_neighbours(town: Town, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Stub, Stub]]:
    """The neighbours `north` and `liar` of a town. Both are pulled."""
    with stubbed() as north, stubbed() as liar:
        north.join(town, monkeypatch)
        liar.join(town, monkeypatch, name="liar")
        yield north, liar


def hop_at(town: Town, name: str, id: str) -> str:
    [(federation_id,)] = town.rows(f"SELECT federation_id FROM remote WHERE name = '{name}'")
    return hop(federation_id, id)


def pull_all_of(town: Town, *names: str) -> None:
    for name in names:
        pull_from(town, name, is_whole=True)


@pytest.mark.parametrize("order", [("north", "liar"), ("liar", "north")])
def test_a_forged_via_hides_no_request_of_another_neighbour(
    open_town: Open, monkeypatch: pytest.MonkeyPatch, order: tuple[str, str]
) -> None:
    a = open_town("a")
    with two_neighbours(a, monkeypatch) as (north, liar):
        north.requests = [listed_from(north, "5")]
        liar.requests = [listed_from(liar, "7", hop_at(a, "north", "5"))]
        for _ in range(3):
            pull_all_of(a, *order)
        assert a.ids() == ["north-5"]
        assert [one["description"] for one in a.listed()] == [f"{north.url} 5"]


def test_if_two_neighbours_name_each_other_as_the_origin_the_first_record_stays(
    open_town: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    a = open_town("a")
    with two_neighbours(a, monkeypatch) as (north, liar):
        north.requests = [listed_from(north, "5", hop_at(a, "liar", "7"))]
        liar.requests = [listed_from(liar, "7", hop_at(a, "north", "5"))]
        for _ in range(3):
            pull_all_of(a, "liar", "north")
            assert a.ids() == ["liar-7"]


def test_a_request_from_a_neighbour_in_between_is_replaced_by_the_record_of_the_origin(
    open_town: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    a = open_town("a")
    with two_neighbours(a, monkeypatch) as (north, between):
        between.requests = [listed_from(between, "7", hop_at(a, "north", "5"))]
        pull_all_of(a, "liar", "north")
        assert a.ids() == ["liar-7"]
        north.requests = [listed_from(north, "5")]
        pull_all_of(a, "north", "liar")
        assert a.ids() == ["north-5"]
        north.requests = []
        between.requests = []
        pull_all_of(a, "north", "liar")
        assert a.ids() == []


def test_a_copy_that_a_moderator_has_withdrawn_does_not_return_by_another_neighbour(
    open_town: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    a = open_town("a")
    with two_neighbours(a, monkeypatch) as (north, between):
        between.requests = [listed_from(between, "7", hop_at(a, "north", "5"))]
        pull_all_of(a, "liar")
        build.change(a.platform, "liar-7", visibility=Visibility.WITHDRAWN, now=a.now())
        north.requests = [listed_from(north, "5")]
        pull_all_of(a, "north", "liar")
        assert a.ids() == []
