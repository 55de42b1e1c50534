"""Read and apply updates of back offices in separate threads of a worker while the worker runs jobs.

Each back office that is due gets its own thread. One more thread applies the stored updates, also those that back
offices have sent by a call.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from open311.clock import utc_now
from open311.jobs.repeating import PlaceThreads, repeating
from open311.operations.delivery.applying import apply_some, cities_with_updates
from open311.operations.delivery.pulling import due_pulls, pull
from open311.operations.platform import Platform

POLL_S = 1.0


@contextmanager
def pulling(platform: Platform) -> Iterator[None]:
    """Read and apply updates in threads until the block ends. Steps that have begun are finished first."""
    with (
        PlaceThreads("updates") as threads,
        repeating("updates", partial(_start_due, platform, threads), poll_s=POLL_S),
        repeating("applying", partial(_apply, platform), poll_s=POLL_S),
    ):
        yield


def _start_due(platform: Platform, threads: PlaceThreads) -> bool:
    for place in due_pulls(platform, utc_now):
        threads.start(place, partial(pull, platform, place, utc_now, is_stopping=threads.stopping.is_set))
    return False


def _apply(platform: Platform) -> bool:
    """Apply some updates of each city that has any."""
    return sum(apply_some(platform, city, utc_now()) for city in cities_with_updates(platform, utc_now())) > 0
