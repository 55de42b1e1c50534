"""Deletion of expired data."""

from __future__ import annotations

from datetime import datetime, timedelta

from open311.domain.remote_updates import KEEP
from open311.operations.access.sessions import used_after
from open311.operations.platform import Platform
from open311.storage import blocks, deliveries, notices, remote_updates, repeats, staff_repeats, staff_sessions

KEEP_NOTICES = timedelta(days=90)
KEEP_DELIVERIES = timedelta(days=365)


def clean_up(platform: Platform, now: datetime) -> dict[str, int]:
    """Delete the keys of repeatable POSTs (A15) and commands that are older than a day, and old notices.

    Deliveries of changes and updates of back offices are deleted after a year, blocks and sessions once they have
    expired.

    Returns the number of deleted rows by kind.
    """
    before = now - repeats.REPEATABLE_FOR
    with platform.database.transaction() as connection:
        return {
            "repeats": repeats.delete_old(connection, before),
            "staff_repeats": staff_repeats.delete_old(connection, before),
            "notices": notices.delete_old(connection, now - KEEP_NOTICES),
            "deliveries": deliveries.delete_old(connection, now - KEEP_DELIVERIES),
            "blocks": blocks.delete_expired(connection, now),
            "sessions": staff_sessions.delete_ended(
                connection, now=now, used_before=used_after(platform.settings, now)
            ),
            "updates": remote_updates.delete_old(connection, now - KEEP),
        }
