"""The dispatcher beside the jobs of a worker.

It polls. A NOTIFY would spare it that, but takes a lock of the whole database at commit, which every POST would
wait for.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import procrastinate

from open311.clock import utc_now
from open311.errors import Unavailable
from open311.observe import logger
from open311.operations.dispatch.dispatcher import dispatch
from open311.operations.platform import Platform

log = logger(__name__)

POLL_S = 0.5
LONGEST_WAIT_S = 60.0


@contextmanager
def dispatching(platform: Platform) -> Iterator[None]:
    """Dispatch in a thread for as long as the block lasts; a batch that is under way at its end is finished."""
    stopping = threading.Event()
    thread = threading.Thread(target=_dispatch_until, args=(platform, stopping), daemon=True, name="dispatcher")
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()


def dispatch_all(platform: Platform) -> int:
    """Dispatch until nothing waits that is due; how many changes were tried."""
    done = 0
    while count := dispatch(platform, utc_now()):
        done += count
    return done


def work_once(platform: Platform, app: procrastinate.App, **options: Any) -> None:
    """Dispatch and run jobs until neither leaves anything to the other.

    options  for procrastinate's run_worker
    """
    dispatch_all(platform)
    while True:
        app.run_worker(wait=False, **options)
        if not dispatch_all(platform):
            return


def _dispatch_until(platform: Platform, stopping: threading.Event) -> None:
    """Dispatch until told to stop. Without a database, end the worker, as a job does."""
    failures = 0
    while not stopping.is_set():
        try:
            wait_s = 0.0 if dispatch(platform, utc_now()) else POLL_S
            failures = 0
        except Unavailable:
            log.error("the database is gone; this worker ends")
            os.kill(os.getpid(), signal.SIGTERM)
            return
        except Exception:  # such as an event of a newer release, whose worker takes it
            failures = min(failures + 1, 6)
            wait_s = min(2.0**failures, LONGEST_WAIT_S)
            log.exception("dispatching failed", retry_in_s=wait_s)
        stopping.wait(wait_s)
