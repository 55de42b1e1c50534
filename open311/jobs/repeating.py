"""Steps that a worker repeats in threads while it runs jobs.

A step does one piece of work and says whether there was any. If the database is gone, the worker ends. After any
other error, the step waits, and each wait is twice as long as the one before.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from open311.errors import Unavailable
from open311.observe import logger
from open311.operations.platform import Platform
from open311.storage.deliveries import Place

log = logger(__name__)

LONGEST_WAIT_S = 60.0


@contextmanager
def repeating(platform: Platform, name: str, step: Callable[[], bool], *, poll_s: float) -> Iterator[None]:
    """Repeat a step in a thread until the block ends. A step that has begun is finished first.

    name    the name of the thread
    step    returns whether it did something, so that it is repeated at once
    poll_s  the wait after a step that did nothing, in seconds
    """
    stopping = threading.Event()
    thread = threading.Thread(target=_repeat, args=(platform, step, poll_s, stopping), daemon=True, name=name)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()


def _repeat(platform: Platform, step: Callable[[], bool], poll_s: float, stopping: threading.Event) -> None:
    failures = 0
    while not stopping.is_set():
        try:
            wait_s = 0.0 if step() else poll_s
            failures = 0
        except Unavailable:
            end_cut_off(platform)
            return
        except Exception:  # such as an event of a newer release, which only that release's worker can read
            failures = min(failures + 1, 6)
            wait_s = min(2.0**failures, LONGEST_WAIT_S)
            log.exception("a step failed", step=threading.current_thread().name, retry_in_s=wait_s)
        stopping.wait(wait_s)


class PlaceThreads:
    """Threads that work for one back office, neighbour or receiver each, so that a slow one delays no other.

    Used as a context manager: the block's end sets `stopping`, and waits for the threads.
    """

    def __init__(self, platform: Platform, name: str, *, most: int = 0) -> None:
        """`name`: the beginning of the names of the threads. `most`: how many run at a time; 0 for no limit."""
        self._most = most
        self.stopping = threading.Event()
        self._platform, self._name = platform, name
        self._lock = threading.Lock()
        self._threads: dict[Place, set[threading.Thread]] = {}

    def __enter__(self) -> PlaceThreads:
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        with self._lock:
            threads = [thread for own in self._threads.values() for thread in own]
        for thread in threads:
            thread.join()

    def start(self, place: Place, work: Callable[[], object], *, most: int = 1) -> None:
        """Do work for one place in a thread, unless `most` threads work for it already, or too many run at all."""
        with self._lock:
            own = self._threads.setdefault(place, set())
            if len(own) >= most or (self._most and sum(map(len, self._threads.values())) >= self._most):
                return
            thread = threading.Thread(
                target=self._run, args=(place, work), daemon=True, name=f"{self._name} {place[1]}"
            )
            own.add(thread)
        thread.start()

    def _run(self, place: Place, work: Callable[[], object]) -> None:
        try:
            work()
        except Unavailable:
            end_cut_off(self._platform)
        except Exception:  # a lease ends, and another thread takes the work over
            log.exception("work in a thread failed", work=self._name, city=place[0], place=place[1])
        finally:
            with self._lock:
                own = self._threads[place]
                own.discard(threading.current_thread())
                if not own:
                    del self._threads[place]


_telling = threading.Lock()
"""Held while the end is logged. Otherwise a signal of another thread could kill the process before the log line."""


def end_cut_off(platform: Platform) -> None:
    """End this worker, because its database is gone. Without the database, it cannot even store a job's failure.

    The exit status is 1, so that the supervisor starts a new worker. The new worker retries the jobs as stalled.
    """
    with _telling:
        if not platform.process.is_cut_off.is_set():
            platform.process.is_cut_off.set()
            log.error("the database is gone; this worker ends")
    os.kill(os.getpid(), signal.SIGTERM)
