"""Helps tests of deliveries to a neighbour: a platform whose back office is the neighbour, and a clock.

The fixture `neighbour` of tests/conftest.py is such a neighbour.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from shapely import Polygon

from open311.domain.deliveries import Delivery
from open311.federation.backends.open311 import Open311Config
from open311.operations.delivery.sending import deliver_all
from open311.operations.dispatch.dispatcher import dispatch
from open311.operations.platform import Platform
from open311.operations.upkeep.sync_catalogues import ensure_synced
from open311.plugins import Destination, Secret
from open311.settings import Settings
from open311.storage import deliveries
from tests import build, world

EVERYTHING = Destination(backends=("works",))


def served(
    settings: Settings,
    neighbour: world.Neighbour,
    *,
    to: Destination = EVERYTHING,
    areas: Mapping[str, Polygon] | None = None,
    **changes: Any,
) -> Platform:
    """A platform whose only city has the neighbour as its back end. `changes` are changes of the back end."""
    values: dict[str, Any] = {
        "name": "works",
        "kind": "open311",
        "url": neighbour.base_url,
        "api_key": Secret(env="WORKS_KEY"),
        "takes_updates": True,
    }
    city = build.city(backends=(Open311Config(**values | changes),), destinations=(to,), areas=areas or {})
    platform = build.platform(settings, city)
    ensure_synced(platform)
    return platform


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self, now: datetime = build.NOON) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def later(self, **span: float) -> None:
        self.now += timedelta(**span)


def run(platform: Platform, clock: Clock | None = None) -> None:
    """Make deliveries of all changes, and send what is due."""
    clock = clock or Clock()
    while dispatch(platform, clock()):
        continue
    deliver_all(platform, clock)


def stored(platform: Platform) -> list[Delivery]:
    (city,) = platform.registry
    with platform.database.reading() as connection:
        numbers = connection.exec_driver_sql("SELECT DISTINCT request_id FROM delivery").scalars()
        return deliveries.of_requests(connection, city.id, list(numbers))


def states(platform: Platform) -> list[str]:
    return [one.state.value for one in stored(platform)]
