"""A process that sends many observations, which a test kills."""

from __future__ import annotations

from multiprocessing.connection import Connection
from typing import Any

from open311.settings import Settings
from tests import build
from tests.sensors.things import Town, city

RULE: dict[str, Any] = {"minimum_minutes": 2, "cool_down_minutes": 15}
RESULTS = ([50.0] * 6 + [5.0] * 24) * 8 + ([50.0] * 6 + [5.0] * 6) * 3 + [5.0] * 20 + [50.0] * 90 + [5.0] * 30


def send(output: Connection, url: str) -> None:
    """Send all results, one a minute, and tell each of these minutes."""
    platform = build.platform(Settings(database_url=url), city(**RULE))
    town = Town(platform)
    for minute, result in enumerate(RESULTS):
        town.send(minute, result)
        output.send(minute)
    platform.close()
