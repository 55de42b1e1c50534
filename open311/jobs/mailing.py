"""The sender of mails, which a worker runs in a separate thread while it runs jobs."""

from __future__ import annotations

from contextlib import AbstractContextManager

from open311.clock import utc_now
from open311.jobs.repeating import repeating
from open311.operations.mailing.sending import send_next
from open311.operations.platform import Platform

POLL_S = 1.0


def mailing(platform: Platform) -> AbstractContextManager[None]:
    """Send mails in a thread until the block ends. A mail that has begun is finished first."""
    return repeating("mail", lambda: send_next(platform, utc_now), poll_s=POLL_S)
