"""Web processes. They are forked from a process that has prepared everything, and replaced if they die."""

from __future__ import annotations

import ctypes
import os
import resource
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Generic, NoReturn, TypeVar

from open311.observe import logger

log = logger(__name__)

STOPPING = (signal.SIGINT, signal.SIGTERM)
LIFE_S = 2.0
"""Seconds. A process that ran for less time than this is replaced after a pause of this length."""
BEAT_S = 1.0
PR_SET_CHILD_SUBREAPER = 36
"""See prctl(2)."""

T = TypeVar("T")


def raise_file_limit() -> None:
    """Raise the soft limit of open files to the hard limit. Connections and large bodies need more than 1024."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):  # macOS refuses "unlimited"
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class Signals:
    """SIGINT and SIGTERM of this process. Each signal ends `wait`. After a fork, the child makes its own object.

    is_stopping  whether a signal has arrived
    is_urgent    whether the process has to stop without a delay: after SIGINT or a second signal
    """

    def __init__(self) -> None:
        self.is_stopping = self.is_urgent = False
        self._readable, writable = os.pipe()
        for end in (self._readable, writable):
            os.set_blocking(end, False)
        for number in STOPPING:
            signal.signal(number, self._stop)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # so that the end of a child also ends `wait`
        signal.set_wakeup_fd(writable, warn_on_full_buffer=False)

    def _stop(self, number: int, _: object) -> None:
        self.is_urgent = self.is_stopping or number == signal.SIGINT
        self.is_stopping = True

    def wait(self, seconds: float, report: int | None = None) -> None:
        """Wait until a signal arrives, or `report` can be read, at most for the given seconds."""
        ends = [self._readable] if report is None else [self._readable, report]
        if self._readable in select.select(ends, [], [], seconds)[0]:
            with suppress(BlockingIOError):
                os.read(self._readable, 512)


@dataclass(slots=True)
class _Start:
    """A start of processes that is not over yet.

    process  the loader, which is a child of this process. If there is only one place, it is the web process itself.
    report   the end of a pipe. Each process writes its place and its id there; then the pipe closes.
    said     what has been written to the pipe
    """

    process: int
    places: Sequence[int]
    report: int
    said: bytes = b""
    is_over: bool = False

    def read(self) -> None:
        """Read what the processes have reported so far."""
        with suppress(BlockingIOError):
            while said := os.read(self.report, 4_096):
                self.said += said
            self.is_over = True

    def reported(self) -> dict[int, int]:
        """Each process that is ready, with its place."""
        lines = (line.split() for line in self.said.splitlines())
        return {int(process): int(place) for place, process in lines}


class Processes(Generic[T]):
    """A number of processes that do the same work. A process that dies is replaced.

    This process stays small. It forks a loader, which calls `prepare`, forks all processes that are missing, and
    ends. They share what was prepared, and this process becomes their parent. The loader does not stay, because it
    would keep a copy of each page of memory that a process changes. If only one process is missing, or on systems
    other than Linux, each process prepares for itself.

    prepare     called without arguments; its result is given to `work`
    work        called in each process with the result of `prepare`, its signals and its place; returns when a
                signal to stop has arrived. The place is a number from 0; a replacement has the place of the process
                that it replaces.
    drain_s     how many seconds the processes go on after SIGTERM before this process calls `before_end`. They get
                the signal at once, so that they can tell their clients to use another server.
    before_end  called in this process before it stops the others
    grace_s     how long a process may take to end before it is killed
    """

    def __init__(
        self,
        prepare: Callable[[], T],
        work: Callable[[T, Signals, int], None],
        signals: Signals,
        *,
        count: int,
        drain_s: float,
        grace_s: float,
        before_end: Callable[[], None],
    ) -> None:
        self._prepare = prepare
        self._work = work
        self._signals = signals
        self._drain_s = drain_s
        self._grace_s = grace_s
        self._before_end = before_end
        self._born: dict[int, tuple[int, float]] = {}
        self._start_at = dict.fromkeys(range(count), 0.0)
        self._start: _Start | None = None
        self._ended: dict[int, int] = {}
        self._has_started = False
        self._adopts = adopt_orphans()

    def run(self) -> None:
        """Start the processes, replace processes that die, and stop all processes after SIGINT or SIGTERM.

        If the first start fails, this process ends with the status of the loader, which has said why.
        """
        try:
            while not self._signals.is_stopping:
                self._start_missing()
                self._wait(BEAT_S)
                self._settle()
            self._drain()
        finally:
            self._before_end()
            self._end_all()

    def _start_missing(self) -> None:
        now = time.monotonic()
        places = [place for place, at in self._start_at.items() if at <= now]
        if self._start or not places:
            return
        self._start = self._fork_loader(places if self._adopts else places[:1])
        for place in self._start.places:
            del self._start_at[place]

    def _fork_loader(self, places: Sequence[int]) -> _Start:
        readable, writable = os.pipe()
        os.set_blocking(readable, False)
        with signals_held():
            process = os.fork()
            if not process:
                os.close(readable)
                exit_after(partial(self._load, places, writable))
        os.close(writable)
        return _Start(process, places, readable)

    def _load(self, places: Sequence[int], report: int) -> None:
        """Prepare, and fork the processes, or be the only process. Signals to stop end a loader at once."""
        signal.set_wakeup_fd(-1)
        for number in (*STOPPING, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
        prepared = self._prepare()
        if len(places) == 1:
            self._work_at(places[0], prepared, report)
            return
        for place in places:
            with signals_held():
                if not os.fork():
                    exit_after(partial(self._work_at, place, prepared, report))

    def _work_at(self, place: int, prepared: T, report: int) -> None:
        signals = Signals()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
        os.write(report, f"{place} {os.getpid()}\n".encode())
        os.close(report)
        self._work(prepared, signals, place)

    def _wait(self, seconds: float) -> None:
        self._signals.wait(seconds, self._start.report if self._start and not self._start.is_over else None)

    def _settle(self) -> None:
        """Learn which processes have started and which have ended, and plan replacements."""
        with suppress(ChildProcessError):
            while (found := os.waitpid(-1, os.WNOHANG))[0]:
                self._ended[found[0]] = os.waitstatus_to_exitcode(found[1])
        if self._start:
            self._settle_start(self._start)
        for process in self._born.keys() & self._ended.keys():
            self._plan_replacement(process, self._ended[process])
        if not self._start:
            self._ended.clear()  # also the children that our processes have left behind

    def _settle_start(self, start: _Start) -> None:
        """If the start is over, note the processes that have reported, and plan another start for the others."""
        if not start.is_over:
            start.read()
        reported = start.reported()
        if not start.is_over or (start.process not in reported and start.process not in self._ended):
            return
        now = time.monotonic()
        os.close(start.report)
        self._start = None
        self._born |= {process: (place, now) for process, place in reported.items()}
        self._has_started = self._has_started or bool(reported)
        missing = set(start.places) - set(reported.values())
        self._start_at |= dict.fromkeys(missing, now + LIFE_S)
        if missing and not self._signals.is_stopping:
            status = self._ended.get(start.process, 1)
            if status > 0 and not self._has_started:
                sys.exit(status)
            log.error("web processes did not start; the next try follows", places=sorted(missing), status=status)

    def _plan_replacement(self, process: int, status: int) -> None:
        """Plan the replacement of a process that has ended. A short-lived process is replaced after a pause."""
        (place, born_at), now = self._born.pop(process), time.monotonic()
        self._start_at[place] = now if now - born_at > LIFE_S else now + LIFE_S
        if not self._signals.is_stopping:
            log.error("a web process ended and is started again", process=process, status=status)

    def _drain(self) -> None:
        """Tell the processes to stop, and let them go on for a while. Processes that die are not replaced.

        A start may not be over yet. Its loader ends at once, and each process that it has forked is told as soon as
        the process reports.
        """
        end_at, told = time.monotonic() + self._drain_s, set[int]()
        if self._start:
            self._tell(signal.SIGTERM, self._start.process)
        while True:
            known = {*self._born, *(self._start.reported() if self._start else ())}
            self._tell(signal.SIGTERM, *(known - told))
            told |= known
            left_s = end_at - time.monotonic()
            if self._signals.is_urgent or left_s <= 0 or not (self._born or self._start):
                return
            self._wait(min(left_s, BEAT_S))
            self._settle()

    def _end_all(self) -> None:
        """End all processes.

        The processes of a start are known only when the start is over. So first the loader gets SIGTERM: it ends at
        once, and then the start is over.
        """
        kill_at = time.monotonic() + self._grace_s
        if self._start:
            self._tell(signal.SIGTERM, self._start.process)
        while self._start and time.monotonic() < kill_at:
            self._wait(0.1)
            self._settle()
        self._tell(signal.SIGTERM, *self._born)
        while self._born and time.monotonic() < kill_at:
            self._settle()
            self._wait(0.1 if self._born else 0)
        self._tell(signal.SIGKILL, *self._born, *([self._start.process] if self._start else ()))

    def _tell(self, number: signal.Signals, *processes: int) -> None:
        for process in processes:
            with suppress(ProcessLookupError):
                os.kill(process, number)


def adopt_orphans() -> bool:
    """Let this process become the parent of processes whose parent ends. Returns whether the system can do so."""
    if sys.platform != "linux":
        return False
    return bool(ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)


def exit_after(work: Callable[[], None]) -> NoReturn:
    """Work in a forked process, then exit at once. A normal exit would also end the `with` blocks of the parent."""
    status = 1
    try:
        work()
        status = 0
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else 1
    except BaseException as error:
        log.error("a web process failed", exc_info=error)
    finally:
        os._exit(status)


@contextmanager
def signals_held() -> Iterator[None]:
    """Delay SIGINT and SIGTERM until the block ends, because a new child still has the handlers of its parent."""
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
