"""Ends subscriptions that nobody verifies, resumes or owns any more."""

from __future__ import annotations

from datetime import datetime

from open311.domain.subscriptions import PAUSED_LASTS, UNVERIFIED_LASTS
from open311.operations.platform import Platform
from open311.operations.subscriptions.sending import disable
from open311.storage import webhooks


def expire_subscriptions(platform: Platform, now: datetime) -> dict[str, int]:
    """Disable subscriptions that were paused for too long. Delete those not verified, and those of revoked keys.

    Returns the number of deleted subscriptions.
    """
    with platform.database.transaction() as connection:
        for place in webhooks.paused_before(connection, now - PAUSED_LASTS):
            disable(connection, place, now)
        return {"subscriptions": webhooks.delete_old(connection, now - UNVERIFIED_LASTS)}
