"""Deletion of expired data."""

from __future__ import annotations

from datetime import datetime, timedelta

from open311.domain.mails import SUBSCRIBED_FOR, UNCONFIRMED_FOR
from open311.domain.remote_updates import KEEP
from open311.operations.access.sessions import used_after
from open311.operations.platform import Platform
from open311.storage import (
    blocks,
    deliveries,
    followers,
    mails,
    notices,
    remote_updates,
    repeats,
    sms,
    staff_repeats,
    staff_sessions,
)

KEEP_NOTICES = timedelta(days=90)
KEEP_DELIVERIES = timedelta(days=365)
KEEP_MAILS = timedelta(days=30)
KEEP_BOUNCES = timedelta(days=30)


def clean_up(platform: Platform, now: datetime) -> dict[str, int]:
    """Delete rows that are not needed any more.

    These are keys of repeatable POSTs (A15) and of commands after a day, notices to the operator after 90 days,
    deliveries of changes after a year, old updates of back offices, and expired blocks of senders and sessions of
    staff. Mails and text messages that have ended are deleted after a month, and so are counts of bounces.
    Followers who do not agree to get mail are deleted after a week. Followers who get mail about a filter are
    deleted if they do not prolong it within a year.

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
            "followers": followers.delete_unconfirmed(connection, now - UNCONFIRMED_FOR)
            + followers.delete_ended(connection, now - SUBSCRIBED_FOR),
            "sms": sms.QUEUE.delete_ended(connection, now - KEEP_MAILS),
            "mails": mails.QUEUE.delete_ended(connection, now - KEEP_MAILS),
            "bounces": mails.forget_bounces(connection, now - KEEP_BOUNCES),
            "updates": remote_updates.delete_old(connection, now - KEEP),
        }
