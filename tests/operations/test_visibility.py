"""Who can see a request after `hide`, `show`, `release` and `change_service`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from flask import Flask

from open311.domain import commands
from open311.domain.access import SHELL
from open311.domain.commands import Command
from open311.domain.events import replay
from open311.domain.requests import RequestRecord, Visibility
from open311.domain.services import Service
from open311.errors import Conflict
from open311.operations.platform import Platform
from open311.operations.workflow.act import act, allowed_commands
from tests import build
from tests.checked_client import platform_of

HIDE, SHOW = commands.Hide(reason="A name."), commands.Show()
TO_HEALTH, TO_HOLES = (commands.ChangeService(service_code=code) for code in ("health", "potholes"))


@pytest.fixture
def town(make_app: Callable[..., Flask]) -> Platform:
    """A city with potholes, which everybody sees, and a service whose requests are for staff only."""
    health = Service(code="health", name="Health", department="desk", public=False)
    city = build.city(services=(*build.city().services, health))
    return platform_of(make_app(city))


def give(platform: Platform, name: int, *orders: Command) -> RequestRecord:
    """The request after these commands, each in a separate call."""
    city = next(iter(platform.registry))
    for order in orders:
        record = act(platform, city, name, [order], principal=SHELL, now=build.NOON)
    assert replay(record, build.history(platform, record)) == record
    return record


def sent(platform: Platform, visibility: Visibility = Visibility.PUBLIC, service: str = "potholes") -> int:
    """The number of a request to a service, with this visibility."""
    number = build.load(platform, service_request_id=_sent(platform, service)).number
    build.change(platform, str(number), visibility=visibility)
    return number


def _sent(platform: Platform, service: str) -> str:
    return build.submit(platform, service_code=service).service_request_id


@pytest.mark.parametrize("before", [Visibility.PUBLIC, Visibility.UNLISTED, Visibility.PRIVATE, Visibility.HELD])
def test_show_restores_the_visibility_from_before_the_hiding(town: Platform, before: Visibility) -> None:
    number = sent(town, before)
    assert give(town, number, HIDE).visibility is Visibility.WITHDRAWN
    assert give(town, number, SHOW).visibility is before


def test_show_publishes_no_request_that_was_always_private(town: Platform) -> None:
    number = sent(town, Visibility.PRIVATE, "health")
    assert give(town, number, HIDE, SHOW).visibility is Visibility.PRIVATE
    assert give(town, number, TO_HOLES).visibility is Visibility.PRIVATE


@pytest.mark.parametrize("before", [Visibility.PUBLIC, Visibility.UNLISTED, Visibility.PRIVATE, Visibility.HELD])
def test_show_is_for_hidden_requests_only(town: Platform, before: Visibility) -> None:
    number = sent(town, before, "health" if before is Visibility.PRIVATE else "potholes")
    with pytest.raises(Conflict, match=f"is {before}; show is for requests that were hidden."):
        give(town, number, SHOW)
    city = next(iter(town.registry))
    assert "show" not in allowed_commands(build.load(town, number=number), SHELL, city)
    assert "show" in allowed_commands(give(town, number, HIDE), SHELL, city)


@pytest.mark.parametrize("before", [Visibility.PUBLIC, Visibility.UNLISTED])
def test_a_request_that_was_moved_to_a_private_service_and_back_is_public_again(
    town: Platform, before: Visibility
) -> None:
    number = sent(town, before)
    assert give(town, number, TO_HEALTH).visibility is Visibility.PRIVATE
    assert give(town, number, TO_HOLES).visibility is before


def test_a_hidden_request_does_not_become_public_by_moves(town: Platform) -> None:
    number = sent(town)
    assert give(town, number, HIDE, TO_HEALTH).visibility is Visibility.WITHDRAWN
    assert give(town, number, TO_HOLES).visibility is Visibility.WITHDRAWN
    assert give(town, number, TO_HEALTH, SHOW).visibility is Visibility.PRIVATE
    assert give(town, number, TO_HOLES).visibility is Visibility.PUBLIC


def test_release_publishes_no_request_of_a_private_service(town: Platform) -> None:
    number = sent(town, Visibility.HELD)
    assert give(town, number, TO_HEALTH).visibility is Visibility.HELD
    assert give(town, number, commands.Release()).visibility is Visibility.PRIVATE


def test_show_publishes_a_request_of_a_service_that_the_city_has_ended(town: Platform) -> None:
    city = next(iter(town.registry))
    number = sent(town)
    give(town, number, HIDE)
    smaller = replace(city, services=tuple(one for one in city.services if one.code != "potholes"))
    shown = act(town, smaller, number, [SHOW], principal=SHELL, now=build.NOON)
    assert shown.visibility is Visibility.PUBLIC


def test_a_request_that_was_made_private_stays_private(town: Platform) -> None:
    number = sent(town, Visibility.PRIVATE)
    assert give(town, number, TO_HEALTH, TO_HOLES, HIDE, SHOW).visibility is Visibility.PRIVATE


def test_a_request_that_was_moved_away_names_no_hidden_request(town: Platform) -> None:
    first, second = sent(town), sent(town)
    name = build.load(town, number=first).service_request_id
    assert build.load(town, number=second).possible_duplicate_of == name
    give(town, second, commands.Correct(lat=60.16, long=24.95, reason="Wrong pin."))
    give(town, first, HIDE)
    with town.database.reading() as connection:
        public = connection.exec_driver_sql(
            "SELECT json_extras::text FROM publication WHERE id = %(id)s", {"id": second}
        )
        assert name not in public.scalar_one()
