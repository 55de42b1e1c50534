"""Fetch the requests of neighbours in separate threads of a worker while the worker runs jobs.

Each neighbour that is due gets its own thread, so that a slow neighbour delays only its own requests.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from open311.clock import utc_now
from open311.jobs.repeating import PlaceThreads, repeating
from open311.operations.federation.pulling import due_neighbours, pull_due
from open311.operations.platform import Platform

POLL_S = 10.0


@contextmanager
def federating(platform: Platform) -> Iterator[None]:
    """Until the block ends, fetch in threads the requests of the neighbours that are due.

    At the end of the block, a thread ends after its present call.
    """
    with (
        PlaceThreads("neighbours") as threads,
        repeating("neighbours", partial(_start_due, platform, threads), poll_s=POLL_S),
    ):
        yield


def _start_due(platform: Platform, threads: PlaceThreads) -> bool:
    for key in due_neighbours(platform, utc_now()):
        threads.start(key, partial(pull_due, platform, key, utc_now, is_stopping=threads.stopping.is_set))
    return False
