"""The dispatcher, which a worker runs in a separate thread while it runs jobs.

The dispatcher polls the outbox. NOTIFY would make polling unnecessary, but it locks the whole database at commit,
so every POST would wait for that lock.
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
    """Dispatch in a thread until the block ends. A batch that has begun is finished first."""
    stopping = threading.Event()
    thread = threading.Thread(target=_dispatch_until, args=(platform, stopping), daemon=True, name="dispatcher")
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()


def end_cut_off(platform: Platform) -> None:
    """End this worker, because its database is gone. Without it, the worker cannot even record a job's failure.

    The exit status is 1, so that the supervisor starts a new worker. The new worker retries the jobs as stalled.
    """
    if not platform.process.is_cut_off.is_set():
        platform.process.is_cut_off.set()
        log.error("the database is gone; this worker ends")
    os.kill(os.getpid(), signal.SIGTERM)


def dispatch_all(platform: Platform) -> int:
    """Dispatch all changes that are due, and return the number of changes that were tried."""
    done = 0
    while count := dispatch(platform, utc_now()):
        done += count
    return done


def work_once(platform: Platform, app: procrastinate.App, **options: Any) -> None:
    """Dispatch changes and run jobs until neither is left. A change can add jobs, and a job can add changes.

    options  arguments of procrastinate's run_worker
    """
    dispatch_all(platform)
    while True:
        app.run_worker(wait=False, **options)
        if not dispatch_all(platform):
            return


def _dispatch_until(platform: Platform, stopping: threading.Event) -> None:
    """Dispatch until `stopping` is set. If the database is gone, end the worker."""
    failures = 0
    while not stopping.is_set():
        try:
            wait_s = 0.0 if dispatch(platform, utc_now()) else POLL_S
            failures = 0
        except Unavailable:
            end_cut_off(platform)
            return
        except Exception:  # such as an event of a newer release, which only that release's worker can read
            failures = min(failures + 1, 6)
            wait_s = min(2.0**failures, LONGEST_WAIT_S)
            log.exception("dispatching failed", retry_in_s=wait_s)
        stopping.wait(wait_s)
