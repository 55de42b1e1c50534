"""Dropping what has had its time."""

from __future__ import annotations

from datetime import datetime

from open311.operations.platform import Platform
from open311.storage import repeats


def clean_up(platform: Platform, now: datetime) -> dict[str, int]:
    """Drop the keys of repeatable POSTs after a day (A15); how many."""
    with platform.database.transaction() as connection:
        return {"repeats": repeats.forget(connection, now - repeats.REPEATABLE_FOR)}
