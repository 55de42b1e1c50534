"""Deletion of expired data."""

from __future__ import annotations

from datetime import datetime

from open311.operations.platform import Platform
from open311.storage import repeats


def clean_up(platform: Platform, now: datetime) -> dict[str, int]:
    """Delete the keys of repeatable POSTs that are older than a day (A15). Returns the number of deleted rows."""
    with platform.database.transaction() as connection:
        return {"repeats": repeats.delete_old(connection, now - repeats.REPEATABLE_FOR)}
