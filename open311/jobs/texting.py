"""The sender of text messages, which a worker runs in a separate thread while it runs jobs."""

from __future__ import annotations

from contextlib import AbstractContextManager

from open311.clock import utc_now
from open311.jobs.repeating import repeating
from open311.operations.platform import Platform
from open311.operations.sms.sending import send_next

POLL_S = 1.0


def texting(platform: Platform) -> AbstractContextManager[None]:
    """Send text messages in a thread until the block ends. A message that has begun is finished first."""
    return repeating("sms", lambda: send_next(platform, utc_now), poll_s=POLL_S)
