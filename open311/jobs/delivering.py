"""Send deliveries in separate threads of a worker while the worker runs jobs.

One thread looks for back offices that have due deliveries. Each back office gets up to `concurrency` threads, which
end when nothing is due any more.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from open311.clock import utc_now
from open311.jobs.repeating import PlaceThreads, repeating
from open311.operations.delivery.sending import Line, due_places
from open311.operations.platform import Platform
from open311.plugins import BackendConfig, Jurisdiction

POLL_S = 0.5


@contextmanager
def delivering(platform: Platform) -> Iterator[None]:
    """Send deliveries in threads until the block ends. A delivery that has begun is finished first."""
    with (
        PlaceThreads("deliveries") as threads,
        repeating("deliveries", partial(_start_due, platform, threads), poll_s=POLL_S),
    ):
        yield


def _start_due(platform: Platform, threads: PlaceThreads) -> bool:
    for place in due_places(platform, utc_now()):
        city = platform.registry.get(place[0])
        config = city.backend(place[1]) if city else None
        if city and config:
            work = partial(_send_due, platform, city, config, threads.stopping)
            threads.start(place, work, most=config.concurrency)
    return False


def _send_due(platform: Platform, city: Jurisdiction, config: BackendConfig, stopping: threading.Event) -> None:
    """Send deliveries to a back office until none is due."""
    line = Line(platform, city, config)
    try:
        while not stopping.is_set() and line.deliver(utc_now):
            continue
    finally:
        line.close()
