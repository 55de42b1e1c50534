"""The times at which the catalogues last changed, for discovery."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from open311.operations.platform import Platform
from open311.storage import catalogue


def read_changesets(platform: Platform) -> Mapping[str, datetime]:
    """The time at which each catalogue last changed, by jurisdiction id."""
    return catalogue.read_changesets(platform.database.hot)
