"""When each catalogue last changed, for discovery."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from open311.operations.platform import Platform
from open311.storage import catalogue


def read_changesets(platform: Platform) -> Mapping[str, datetime]:
    """When each jurisdiction's catalogue last changed, by its id."""
    return catalogue.read_changesets(platform.database.hot)
