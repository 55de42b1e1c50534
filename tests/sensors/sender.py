"""A process that sends many observations, which a test kills: `python -m tests.sensors.sender DATABASE_URL`."""

from __future__ import annotations

import sys
from typing import Any

from open311.settings import Settings
from tests import build
from tests.sensors.things import Town, city

RULE: dict[str, Any] = {"minimum_minutes": 2, "cool_down_minutes": 15}
RESULTS = ([50.0] * 6 + [5.0] * 24) * 8 + ([50.0] * 6 + [5.0] * 6) * 3 + [5.0] * 20 + [50.0] * 90 + [5.0] * 30


def main() -> None:
    """Send all results, one a minute, and say so on standard output."""
    platform = build.platform(Settings(database_url=sys.argv[1]), city(**RULE))
    town = Town(platform)
    for minute, result in enumerate(RESULTS):
        town.send(minute, result)
        print(minute, flush=True)  # noqa: T201
    platform.close()


if __name__ == "__main__":
    main()
