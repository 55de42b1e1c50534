"""See the changes of overrides that other processes make. The registry then has the cities with their overrides.

The registry calls `see_overrides` whenever somebody asks it for a city. So nobody can get a city without its
overrides. If no city's files allow overrides, the server never asks the database for them.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from open311.domain.overrides import Override
from open311.errors import Unavailable
from open311.plugins import Jurisdiction
from open311.plugins.declared.overrides import with_overrides
from open311.plugins.registry import Layer
from open311.storage import overrides

if TYPE_CHECKING:
    from open311.operations.platform import Platform

EVERY_S = 2.0
"""How old the overrides may be that a process shows to the public."""


def see_overrides(platform: Platform, *, is_fresh: bool = False) -> None:
    """Renew the cities whose overrides have changed, unless the process has looked shortly before.

    is_fresh  whether to look in any case
    Raises Unavailable if the database is down and the process has never read the overrides. If the process has read
    them, it goes on with the overrides that it knows until the database answers.
    """
    cities = platform.registry.overridable
    kept = platform.process.overrides
    if not cities or (not is_fresh and time.monotonic() < kept.next_at):
        return
    if not kept.lock.acquire(blocking=is_fresh or not kept.has_read):
        return  # another thread is looking
    try:
        if is_fresh or time.monotonic() >= kept.next_at:
            _look(platform, cities)
            kept.has_read = True
    except Unavailable:
        if not kept.has_read:
            raise
    finally:
        kept.next_at = time.monotonic() + (EVERY_S if kept.has_read else 0)
        kept.lock.release()


def _look(platform: Platform, cities: Sequence[Jurisdiction]) -> None:
    kept = platform.process.overrides
    hot = platform.database.hot
    versions = overrides.read_versions(hot)
    for city in cities:
        version = versions.get(city.id, 0)
        if kept.versions.get(city.id, 0) != version:
            stored = overrides.read_overrides(hot, city.id)
            renewed, stands = with_overrides(city, stored)
            change = partial(_overridden, declared=city, renewed=renewed, stored=stored)
            platform.registry.add_layer(city.id, Layer.OVERRIDES, change)
            kept.stands = {**kept.stands, city.id: stands}
            kept.versions[city.id] = version


def _overridden(
    city: Jurisdiction, *, declared: Jurisdiction, renewed: Jurisdiction, stored: Sequence[Override]
) -> Jurisdiction:
    """The city with its overrides. For the city as its files declare it, `renewed` is that result already."""
    return renewed if city is declared else with_overrides(city, stored)[0]
