"""Deletion of expired data."""

from __future__ import annotations

from datetime import datetime

from open311.operations.platform import Platform
from open311.storage import repeats, staff_repeats


def clean_up(platform: Platform, now: datetime) -> dict[str, int]:
    """Delete the keys of repeatable POSTs (A15) and commands that are older than a day.

    Returns the number of deleted rows by kind.
    """
    before = now - repeats.REPEATABLE_FOR
    with platform.database.transaction() as connection:
        return {
            "repeats": repeats.delete_old(connection, before),
            "staff_repeats": staff_repeats.delete_old(connection, before),
        }
