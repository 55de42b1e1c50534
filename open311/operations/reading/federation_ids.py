"""The names by which servers know each city."""

from __future__ import annotations

from collections.abc import Mapping

from open311.operations.platform import Platform
from open311.storage import origins


def federation_ids(platform: Platform) -> Mapping[str, str]:
    """The federation_id of each city whose catalogue is stored, by jurisdiction_id. They never change."""
    cities = (city.id for city in platform.registry)
    found = {city: platform.process.cached(_federation_id)(platform, city) for city in cities}
    return {city: name for city, name in found.items() if name}


def _federation_id(platform: Platform, jurisdiction_id: str) -> str:
    return origins.federation_id(platform.database.hot.rows, jurisdiction_id)
