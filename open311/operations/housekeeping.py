"""Dropping what has had its time."""

from __future__ import annotations

from datetime import datetime, timedelta

from open311.operations.platform import Platform
from open311.storage import repeats

KEEP_REPEATS = timedelta(hours=24)


def clean_up(platform: Platform, now: datetime) -> dict[str, int]:
    """Drop the keys of repeatable POSTs after a day (A15); how many."""
    with platform.database.transaction() as connection:
        return {"repeats": repeats.forget(connection, now - KEEP_REPEATS)}
