"""After a lost answer, the back office is asked. Its answer counts only if its search is proven to work."""

from __future__ import annotations

from typing import Any

import pytest

from open311.domain.deliveries import DeliveryState
from open311.observe import configure_logs
from open311.operations.dispatch.dispatcher import dispatch
from open311.operations.platform import Platform
from open311.settings import Settings
from tests import build, world
from tests.delivering import Clock, run, served, states, stored

IGNORED: dict[str, Any] = {"reference_name": "my_ref", "looks_up": True}
"""A back end for a server that ignores the parameter by which it should be searched."""
FOUND: dict[str, Any] = {"reference_name": "service_request_id_ext", "looks_up": True}


def lose(platform: Platform) -> None:
    """Make deliveries, as if an earlier try had lost its answer."""
    while dispatch(platform, build.NOON):
        continue
    with platform.database.transaction() as connection:
        connection.exec_driver_sql("UPDATE delivery SET is_uncertain = true WHERE state = 'waiting'")


@pytest.mark.parametrize("is_linked", [True, False])
def test_a_request_that_a_server_lists_for_every_search_does_not_count_as_ours(
    settings: Settings, neighbour: world.Neighbour, is_linked: bool
) -> None:
    platform = served(settings, neighbour, **IGNORED)
    build.submit(platform)
    run(platform)
    with platform.database.transaction() as connection:
        if not is_linked:  # then the listed request is one that somebody else has sent there
            connection.exec_driver_sql("DELETE FROM external_id; DELETE FROM delivery")
    build.submit(platform)
    lose(platform)
    run(platform)
    one = stored(platform)[-1]
    assert (one.state, one.is_uncertain) == (DeliveryState.PARKED, True)
    assert "my_ref" in one.cause
    with platform.database.reading() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM external_id").scalar_one() == is_linked
    platform.close()


def test_the_answer_of_a_search_that_works_is_accepted(settings: Settings, neighbour: world.Neighbour) -> None:
    platform = served(settings, neighbour, **FOUND)
    build.submit(platform)
    build.submit(platform)
    run(platform)
    with platform.database.transaction() as connection:
        connection.exec_driver_sql("DELETE FROM external_id; UPDATE delivery SET state = 'waiting'")
    lose(platform)
    run(platform)
    assert (states(platform), len(neighbour.accepted)) == (["done", "done"], 2)
    platform.close()


def test_a_request_is_sent_again_if_the_server_lists_no_requests(
    settings: Settings, neighbour: world.Neighbour
) -> None:
    platform = served(settings, neighbour, **IGNORED)
    build.submit(platform)
    lose(platform)
    run(platform)
    assert (states(platform), len(neighbour.accepted)) == (["done"], 1)
    platform.close()


def test_a_delivery_waits_for_a_person_if_the_answer_has_the_id_of_another_request(
    settings: Settings, neighbour: world.Neighbour, capsys: pytest.CaptureFixture[str]
) -> None:
    platform = served(settings, neighbour)
    build.submit(platform)
    run(platform)
    with platform.database.transaction() as connection:
        connection.exec_driver_sql("UPDATE external_id SET external_id = 'C-2'")
    build.submit(platform)
    configure_logs("info")
    run(platform, Clock())
    one = stored(platform)[-1]
    assert (one.state, one.is_uncertain) == (DeliveryState.PARKED, True)
    assert "its id C-2 to another request" in one.cause
    assert "a delivery waits for a person" in capsys.readouterr().err
    platform.close()


# --- A wrong address


def test_a_delivery_to_an_address_that_answers_404_with_a_page_waits(
    settings: Settings, neighbour: world.Neighbour
) -> None:
    platform = served(settings, neighbour, url=f"{neighbour.base_url}/moved")
    neighbour.fault(world.fault("page", status=404, times=30))
    build.submit(platform)
    clock = Clock()
    for _ in range(20):
        run(platform, clock)
        clock.later(hours=1)
    assert states(platform) == ["waiting"]
    platform.close()


def test_a_delivery_to_a_service_that_the_other_server_does_not_know_waits_for_a_person(
    settings: Settings, neighbour: world.Neighbour
) -> None:
    platform = served(settings, neighbour)
    neighbour.retire_service("potholes")
    build.submit(platform)
    run(platform)
    assert states(platform) == ["parked"]
    platform.close()
