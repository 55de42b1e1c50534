"""Deliveries to a neighbour's server: each request arrives once, in order, and with permitted data only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from shapely import box

from open311.domain import commands
from open311.domain.access import SHELL
from open311.domain.deliveries import DeliveryState
from open311.domain.photos import SentPhoto
from open311.domain.requests import Reporter
from open311.operations.delivery import sending
from open311.operations.delivery.sending import Line
from open311.operations.dispatch.dispatcher import dispatch
from open311.operations.platform import Platform
from open311.operations.workflow.act import act
from open311.plugins import Destination
from open311.settings import Settings
from open311.storage import external_ids
from tests import build, world
from tests.delivering import Clock, run, served, states, stored
from tests.photos import jpeg, prepare_waiting


@pytest.fixture
def platform(settings: Settings, neighbour: world.Neighbour) -> Iterator[Platform]:
    platform = served(settings, neighbour)
    yield platform
    platform.close()


def test_a_request_arrives_and_the_ids_of_both_servers_are_linked(
    platform: Platform, neighbour: world.Neighbour
) -> None:
    receipt = build.submit(platform, description="Deep hole", reporter=Reporter(email="ann@example.org"))
    run(platform)
    [filed] = neighbour.accepted
    assert (filed.get("service_code"), filed.get("lat")) == ("potholes", "60.1718")
    assert [one.state for one in stored(platform)] == [DeliveryState.DONE]
    number = build.load(platform, service_request_id=receipt.service_request_id).number
    with platform.database.reading() as connection:
        ids = external_ids.ids_of(connection, "test.example", number)
        assert ids == {"works": filed.service_request_id}
        assert external_ids.number_of(connection, "test.example", "works", filed.service_request_id) == number


@pytest.mark.parametrize("shared", [("media",), ()])
def test_a_request_waits_for_its_photos_if_the_back_office_gets_them(
    settings: Settings, neighbour: world.Neighbour, tmp_path: Path, shared: tuple[str, ...]
) -> None:
    platform = served(replace(settings, media=str(tmp_path)), neighbour, shared=shared)
    photo = SentPhoto(media_type="image/jpeg", data=jpeg())
    build.submit(platform, photos=(photo,), own_address="https://311.city.example")
    run(platform)
    assert len(neighbour.accepted) == (0 if shared else 1)
    prepare_waiting(platform, build.NOON)
    run(platform)
    [filed] = neighbour.accepted
    address = filed.get("media_url")
    assert bool(address) is bool(shared)
    assert not address or address.startswith("https://311.city.example/open311/v2/media/test.example/")
    platform.close()


def test_a_request_is_sent_without_photos_that_nobody_prepares(
    settings: Settings, neighbour: world.Neighbour, tmp_path: Path
) -> None:
    platform = served(replace(settings, media=str(tmp_path)), neighbour, shared=("media",))
    build.submit(platform, photos=(SentPhoto(media_type="image/jpeg", data=jpeg()),))
    clock = Clock()
    run(platform, clock)
    assert not neighbour.accepted
    clock.later(minutes=2)
    run(platform, clock)
    assert len(neighbour.accepted) == 1
    platform.close()


def test_personal_data_and_free_text_are_sent_only_if_the_allow_list_names_them(
    platform: Platform, neighbour: world.Neighbour
) -> None:
    build.submit(
        platform,
        description="My name is Ann",
        address_string="Ann's house",
        media_urls=("https://photos.example/1.jpg",),
        reporter=Reporter(email="ann@example.org", phone="555"),
    )
    run(platform)
    [filed] = neighbour.accepted
    assert {name for name, _ in filed.parameters} == {"service_code", "lat", "long"}


def test_fields_that_the_allow_list_names_are_sent(settings: Settings, neighbour: world.Neighbour) -> None:
    platform = served(settings, neighbour, shared=("description", "address", "media"))
    build.submit(
        platform, description="Deep", address_string="5 Mill Lane", media_urls=("https://p.example/1.jpg",)
    )
    run(platform)
    [filed] = neighbour.accepted
    found = {name: filed.get(name) for name in ("description", "address_string", "media_url", "email")}
    assert found == {
        "description": "Deep",
        "address_string": "5 Mill Lane",
        "media_url": "https://p.example/1.jpg",
        "email": "",
    }
    platform.close()


def test_later_changes_arrive_in_order(settings: Settings, neighbour: world.Neighbour) -> None:
    platform = served(settings, neighbour, shared=("notes",))
    request_id = build.submit(platform).service_request_id
    build.change(platform, request_id, note="Seen today.")
    build.change(platform, request_id, status="closed", note="Filled.")
    run(platform)
    assert [(one.status.lower(), one.description) for one in neighbour.received] == [
        ("open", "Seen today."),
        ("closed", "Filled."),
    ]
    assert set(states(platform)) == {"done"}
    platform.close()


def test_after_a_lost_answer_the_request_is_looked_up(settings: Settings, neighbour: world.Neighbour) -> None:
    platform = served(settings, neighbour, reference_name="service_request_id_ext", looks_up=True)
    neighbour.fault(world.fault("lose_answer", on="POST requests"))
    build.submit(platform)
    clock = Clock()
    run(platform, clock)
    [waiting] = stored(platform)
    assert (waiting.state, waiting.is_uncertain) == (DeliveryState.WAITING, True)
    clock.later(hours=1)
    run(platform, clock)
    assert len(neighbour.accepted) == 1
    assert states(platform) == ["done"]
    platform.close()


def test_after_a_lost_answer_the_request_is_sent_again_to_a_server_that_honours_keys(
    settings: Settings, neighbour: world.Neighbour
) -> None:
    platform = served(settings, neighbour, honours_keys=True)
    neighbour.fault(world.fault("lose_answer", on="POST requests"))
    build.submit(platform)
    clock = Clock()
    run(platform, clock)
    clock.later(hours=1)
    run(platform, clock)
    assert len(neighbour.accepted) == 1
    assert states(platform) == ["done"]
    platform.close()


def test_after_a_lost_answer_of_any_other_server_the_delivery_waits_for_a_person(
    platform: Platform, neighbour: world.Neighbour
) -> None:
    neighbour.fault(world.fault("lose_answer", on="POST requests"))
    build.submit(platform)
    clock = Clock()
    for _ in range(3):
        run(platform, clock)
        clock.later(days=1)
    [delivery] = stored(platform)
    assert delivery.state is DeliveryState.UNCERTAIN
    assert "may double it" in delivery.cause
    assert len(neighbour.accepted) == 1


def test_if_a_worker_dies_while_it_sends_the_delivery_is_uncertain(
    platform: Platform, neighbour: world.Neighbour, monkeypatch: pytest.MonkeyPatch
) -> None:
    build.submit(platform)
    while dispatch(platform, build.NOON):
        continue
    monkeypatch.setattr(sending, "_call", _die)
    (city,) = platform.registry
    line = Line(platform, city, city.backends[0])
    with pytest.raises(SystemExit):
        line.deliver(Clock())
    monkeypatch.undo()
    monkeypatch.setenv("WORKS_KEY", neighbour.api_key)
    clock = Clock()
    run(platform, clock)
    assert states(platform) == ["sending"], "the lease has not ended"
    clock.later(minutes=10)
    run(platform, clock)
    assert states(platform) == ["uncertain"]
    assert not neighbour.accepted


def _die(*_: object) -> None:
    raise SystemExit


def test_a_rejected_request_is_parked_with_the_reason(platform: Platform, neighbour: world.Neighbour) -> None:
    neighbour.retire_service("potholes")
    build.submit(platform)
    run(platform)
    [delivery] = stored(platform)
    assert delivery.state is DeliveryState.PARKED
    assert "service_code" in delivery.cause


def test_no_delivery_is_lost_while_the_back_office_is_down_for_a_week(
    platform: Platform, neighbour: world.Neighbour
) -> None:
    neighbour.down()
    clock = Clock()
    ids = []
    for hour in range(7 * 24):
        if hour % 12 == 0:
            ids.append(build.submit(platform, now=clock()).service_request_id)
        run(platform, clock)
        clock.later(hours=1)
    assert set(states(platform)) == {"waiting"}
    neighbour.up()
    for _ in range(4):
        clock.later(hours=1)
        run(platform, clock)
    assert set(states(platform)) == {"done"}
    assert len(neighbour.accepted) == len(ids)


def test_after_a_429_nothing_is_sent_until_retry_after_has_passed(
    platform: Platform, neighbour: world.Neighbour
) -> None:
    neighbour.fault(world.fault("busy", on="POST requests", status=429, seconds=900))
    build.submit(platform)
    build.submit(platform)
    clock = Clock()
    run(platform, clock)
    clock.later(minutes=14)
    run(platform, clock)
    assert not neighbour.accepted
    clock.later(minutes=2)
    run(platform, clock)
    assert len(neighbour.accepted) == 2


def test_only_requests_after_the_cut_over_are_delivered(settings: Settings, neighbour: world.Neighbour) -> None:
    platform = served(settings, neighbour, since=build.NOON + timedelta(hours=1))
    build.submit(platform)
    build.submit(platform, now=build.NOON + timedelta(hours=2))
    run(platform, Clock(build.NOON + timedelta(hours=3)))
    assert len(neighbour.accepted) == 1
    platform.close()


def test_requests_of_test_keys_and_imported_requests_are_not_delivered(
    platform: Platform, neighbour: world.Neighbour
) -> None:
    build.submit(platform, key=build.api_key(platform, is_test=True))
    imported = build.store(platform, source="import")
    build.change(platform, imported.service_request_id, note="Seen.")
    run(platform)
    assert not neighbour.accepted
    assert not stored(platform)


def test_a_batch_service_gives_its_id_later(settings: Settings, neighbour: world.Neighbour) -> None:
    platform = served(settings, neighbour)
    build.submit(platform, service_code="trees")
    clock = Clock()
    run(platform, clock)
    assert states(platform) == ["pending"]
    for _ in range(3):
        clock.later(minutes=5)
        run(platform, clock)
    assert states(platform) == ["done"]
    platform.close()


def test_two_lines_send_different_deliveries(platform: Platform, neighbour: world.Neighbour) -> None:
    for _ in range(6):
        build.submit(platform)
    while dispatch(platform, build.NOON):
        continue
    (city,) = platform.registry
    lines = [Line(platform, city, city.backends[0]) for _ in range(2)]
    clock = Clock()
    while lines[0].deliver(clock) and lines[1].deliver(clock):
        continue
    for line in lines:
        line.close()
    assert len(neighbour.accepted) == 6
    assert states(platform) == ["done"] * 6


def begun(settings: Settings, neighbour: world.Neighbour, requests: int) -> tuple[Platform, Line]:
    """A line to a back office that gets nothing twice. It has sent three deliveries, so it claims four now."""
    platform = served(settings, neighbour, honours_keys=True)
    for _ in range(3 + requests):
        build.submit(platform)
    while dispatch(platform, build.NOON):
        continue
    (city,) = platform.registry
    line = Line(platform, city, city.backends[0])
    assert [line.deliver(Clock()) for _ in range(2)] == [1, 2]
    return platform, line


def test_deliveries_to_a_fast_back_office_are_claimed_together(
    settings: Settings, neighbour: world.Neighbour
) -> None:
    platform, line = begun(settings, neighbour, 5)
    assert [line.deliver(Clock()) for _ in range(3)] == [4, 1, 0]
    line.close()
    assert states(platform) == ["done"] * 8
    assert len({filed.key for filed in neighbour.accepted}) == len(neighbour.accepted) == 8
    with platform.database.reading() as connection:
        ids = [external_ids.ids_of(connection, "test.example", one.number)["works"] for one in stored(platform)]
    assert sorted(ids) == sorted(filed.service_request_id for filed in neighbour.accepted)
    platform.close()


def test_a_failure_frees_the_other_deliveries_that_were_claimed_together(
    settings: Settings, neighbour: world.Neighbour
) -> None:
    platform, line = begun(settings, neighbour, 4)
    neighbour.fault(world.fault("drop", on="POST requests"))
    assert line.deliver(Clock()) == 1
    line.close()
    assert sorted(states(platform)) == ["done"] * 3 + ["waiting"] * 4
    assert [one.attempts for one in stored(platform) if one.state is DeliveryState.WAITING] == [1, 0, 0, 0]
    platform.close()


def test_a_worker_that_dies_while_it_sends_several_claimed_deliveries_doubles_none(
    settings: Settings, neighbour: world.Neighbour, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform, line = begun(settings, neighbour, 4)
    call, calls = sending._call, list[object]()

    def die_after_the_second(*words: Any) -> Any:
        calls.append(words)
        return call(*words) if len(calls) < 3 else _die()

    monkeypatch.setattr(sending, "_call", die_after_the_second)
    with pytest.raises(SystemExit):
        line.deliver(Clock())
    monkeypatch.setattr(sending, "_call", call)
    clock = Clock()
    clock.later(minutes=10)
    run(platform, clock)
    assert states(platform) == ["done"] * 7
    assert len(neighbour.accepted) == 7
    platform.close()


def test_without_the_secret_deliveries_wait_and_the_cause_names_its_variable(
    platform: Platform, neighbour: world.Neighbour, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WORKS_KEY")
    build.submit(platform)
    clock = Clock()
    run(platform, clock)
    [delivery] = stored(platform)
    assert (delivery.state, delivery.cause) == (
        DeliveryState.WAITING,
        "the environment variable WORKS_KEY is not set.",
    )
    monkeypatch.setenv("WORKS_KEY", neighbour.api_key)
    clock.later(hours=1)
    run(platform, clock)
    assert states(platform) == ["done"]


def test_a_transferred_request_no_longer_belongs_to_its_back_end(
    settings: Settings, neighbour: world.Neighbour
) -> None:
    to_streets = Destination(backends=("works",), department="streets")
    platform = served(settings, neighbour, to=to_streets)
    request_id = build.submit(platform).service_request_id
    run(platform)
    build.change(platform, request_id, department="parks")
    build.change(platform, request_id, note="Parks know.")
    run(platform)
    assert [one.status.lower() for one in neighbour.received] == ["internal_referral"]
    platform.close()


def test_a_back_end_is_told_when_a_corrected_point_takes_the_request_out_of_its_area(
    settings: Settings, neighbour: world.Neighbour
) -> None:
    to_harbour = Destination(backends=("works",), area="Harbour")
    platform = served(settings, neighbour, to=to_harbour, areas={"Harbour": box(24.94, 60.16, 24.95, 60.18)})
    (city,) = platform.registry
    request_id = build.submit(platform).service_request_id
    run(platform)
    inland = commands.Correct(reason="The map was wrong.", lat=60.1718, long=24.96)
    act(platform, city, request_id, [inland], principal=SHELL, now=build.NOON)
    run(platform)
    assert [one.status.lower() for one in neighbour.received] == ["internal_referral"]
    platform.close()
