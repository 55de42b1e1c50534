"""Steps that a worker repeats in threads while it runs jobs.

A step does one piece of work and says whether there was any. If the database is gone, the worker ends. After any
other error, the step waits, and each wait is twice as long as the one before.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from open311.observe import logger
from open311.storage.deliveries import Place
from open311.storage.failures import is_lost

log = logger(__name__)

LONGEST_WAIT_S = 60.0


@contextmanager
def repeating(name: str, step: Callable[[], bool], *, poll_s: float) -> Iterator[None]:
    """Repeat a step in a thread until the block ends. A step that has begun is finished first.

    name    the name of the thread
    step    returns whether it did something, so that it is repeated at once
    poll_s  the wait after a step that did nothing, in seconds
    """
    stopping = threading.Event()
    thread = threading.Thread(target=_repeat, args=(step, poll_s, stopping), daemon=True, name=name)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()


def _repeat(step: Callable[[], bool], poll_s: float, stopping: threading.Event) -> None:
    failures = 0
    while not stopping.is_set():
        try:
            wait_s = 0.0 if step() else poll_s
            failures = 0
        except Exception as error:  # such as an event of a newer release, which only that release's worker can read
            end_if_cut_off(error)
            failures = min(failures + 1, 6)
            wait_s = min(2.0**failures, LONGEST_WAIT_S)
            log.exception("a step failed", step=threading.current_thread().name, retry_in_s=wait_s)
        stopping.wait(wait_s)


class PlaceThreads:
    """Threads that work for one back office, neighbour or receiver each, so that a slow one delays no other.

    Used as a context manager: the block's end sets `stopping`, and waits for the threads.
    """

    def __init__(self, name: str, *, most: int = 0) -> None:
        """`name`: the beginning of the names of the threads. `most`: how many run at a time; 0 for no limit."""
        self._most = most
        self.stopping = threading.Event()
        self._name = name
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
        """Do work for one place in a thread. Nothing happens if a limit for threads is reached.

        most  how many threads may work for this place at a time
        """
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
        except Exception as error:  # when the lease of the work ends, another thread does it
            end_if_cut_off(error)
            log.exception("work in a thread failed", work=self._name, city=place[0], place=place[1])
        finally:
            with self._lock:
                own = self._threads[place]
                own.discard(threading.current_thread())
                if not own:
                    del self._threads[place]


_ending = threading.Lock()
"""Taken by the thread that ends the process, and never released: the others wait for the end."""


def end_if_cut_off(error: BaseException) -> None:
    """If the database is gone, end this worker at once with status 1, so that the supervisor starts a new one.

    Nothing is waited for: without the database, no job can store its result or failure, and closing the pool would
    wait for connections that nobody gets. The new worker retries the jobs as stalled.
    """
    if not is_lost(error):
        return
    _ending.acquire()  # the first thread goes on; any other thread waits here
    log.error("the database is gone; this worker ends")
    sys.stderr.flush()
    os._exit(1)
