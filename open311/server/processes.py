"""Web processes. They are forked from one process that has prepared everything, and replaced if they die."""

from __future__ import annotations

import os
import resource
import select
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn

from open311.observe import logger

log = logger(__name__)

STOPPING = (signal.SIGINT, signal.SIGTERM)
LIFE_S = 2.0
"""Seconds. A process that ran for less time than this is replaced after a pause of this length."""
BEAT_S = 1.0


def raise_file_limit() -> None:
    """Raise the soft limit of open files to the hard limit. Connections and large bodies need more than 1024."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):  # macOS refuses "unlimited"
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class Signals:
    """SIGINT and SIGTERM of this process. Each signal ends `wait`. After a fork, the child makes its own object."""

    def __init__(self) -> None:
        self.is_stopping = False
        self._readable, writable = os.pipe()
        for end in (self._readable, writable):
            os.set_blocking(end, False)
        for number in STOPPING:
            signal.signal(number, self._stop)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # so that the end of a child also ends `wait`
        signal.set_wakeup_fd(writable, warn_on_full_buffer=False)

    def _stop(self, *_: object) -> None:
        self.is_stopping = True

    def wait(self, seconds: float) -> None:
        """Wait until a signal arrives, at most for the given seconds."""
        if select.select([self._readable], [], [], seconds)[0]:
            with suppress(BlockingIOError):
                os.read(self._readable, 512)


class Processes:
    """A number of processes that do the same work. A process that dies is replaced.

    work        called in each process with its signals and its place; returns when a signal to stop has arrived.
                The place is a number from 0; a replacement has the place of the process that it replaces.
    before_end  called in this process before it stops the others
    grace_s     how long a process may take to end before it is killed
    """

    def __init__(
        self,
        work: Callable[[Signals, int], None],
        signals: Signals,
        *,
        count: int,
        grace_s: float,
        before_end: Callable[[], None],
    ) -> None:
        self._work = work
        self._signals = signals
        self._grace_s = grace_s
        self._before_end = before_end
        self._born: dict[int, tuple[int, float]] = {}
        self._start_at = dict.fromkeys(range(count), 0.0)

    def run(self) -> None:
        """Start the processes, replace processes that die, and stop all processes after SIGINT or SIGTERM."""
        try:
            while not self._signals.is_stopping:
                self._start_missing()
                self._signals.wait(BEAT_S)
                self._remove_ended()
        finally:
            self._before_end()
            self._end_all()

    def _start_missing(self) -> None:
        now = time.monotonic()
        for place in [place for place, at in self._start_at.items() if at <= now]:
            del self._start_at[place]
            self._born[self._fork(place)] = place, now

    def _fork(self, place: int) -> int:
        with signals_held():
            process = os.fork()
            if not process:
                self._be_child(place)
            return process

    def _be_child(self, place: int) -> NoReturn:
        """Work, then exit at once. A normal exit would also run the exits of the parent's context managers."""
        status = 1
        try:
            signals = Signals()
            signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
            self._work(signals, place)
            status = 0
        except BaseException as error:
            log.error("a web process failed", exc_info=error)
        finally:
            os._exit(status)

    def _remove_ended(self) -> None:
        """Remove ended processes and plan their replacement. A short-lived process is replaced after a pause."""
        for process, status in list(self._ended()):
            (place, born_at), now = self._born.pop(process), time.monotonic()
            self._start_at[place] = now if now - born_at > LIFE_S else now + LIFE_S
            if not self._signals.is_stopping:
                log.error("a web process ended and is started again", process=process, status=status)

    def _ended(self) -> Iterator[tuple[int, int]]:
        """Processes that have ended, with their exit status. The status is -N if signal N ended the process."""
        for process in self._born:
            found, status = os.waitpid(process, os.WNOHANG)
            if found:
                yield process, os.waitstatus_to_exitcode(status)

    def _end_all(self) -> None:
        kill_at = time.monotonic() + self._grace_s
        self._tell(signal.SIGTERM)
        while self._born and time.monotonic() < kill_at:
            self._remove_ended()
            self._signals.wait(0.1 if self._born else 0)
        self._tell(signal.SIGKILL)

    def _tell(self, number: signal.Signals) -> None:
        for process in self._born:
            with suppress(ProcessLookupError):
                os.kill(process, number)


@contextmanager
def signals_held() -> Iterator[None]:
    """Delay SIGINT and SIGTERM until the block ends, because a new child still has the handlers of its parent."""
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
