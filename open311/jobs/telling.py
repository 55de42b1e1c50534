"""Send webhooks to subscribers in separate threads of a worker while the worker runs jobs.

One thread looks for receivers to which something is due. Each of them gets a thread for a while, so that a slow
receiver delays only its own messages.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from threading import Event

from open311.clock import utc_now
from open311.jobs.repeating import PlaceThreads, repeating
from open311.operations.platform import Platform
from open311.operations.subscriptions.sending import Line, due_places
from open311.storage.notifications import Place

POLL_S = 0.5
TURN_S = 5.0
"""After this time, a receiver for which many messages wait lets other receivers go first."""


@contextmanager
def telling(platform: Platform) -> Iterator[None]:
    """Send webhooks in threads until the block ends. A message that has begun is finished first."""
    with (
        PlaceThreads("webhooks", most=platform.settings.webhook_threads) as threads,
        repeating("webhooks", partial(_start_due, platform, threads), poll_s=POLL_S),
    ):
        yield


def _start_due(platform: Platform, threads: PlaceThreads) -> bool:
    for place in due_places(platform, utc_now(), rows=2 * platform.settings.webhook_threads):
        threads.start((place[0], str(place[1])), partial(_send_due, platform, place, threads.stopping))
    return False


def _send_due(platform: Platform, place: Place, stopping: Event) -> None:
    """Send to a receiver until nothing is due, or until its turn is over."""
    line, begun_s = Line(platform, place), time.monotonic()
    try:
        while not stopping.is_set() and time.monotonic() - begun_s < TURN_S and line.send(utc_now):
            continue
    finally:
        line.close()
