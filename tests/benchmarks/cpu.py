"""CPU time and memory of whole process trees, from the kernel's own books (Linux)."""

from __future__ import annotations

import os
import resource
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PROC = Path("/proc")
TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")


def cpu_ns(roots: Iterable[int]) -> int:
    """User and system time that these processes, their descendants and their ended children have used.

    A living process is read from its CPU clock, in nanoseconds; one that ended lives on in its parent's sum of
    ended children, in ticks of 10 ms. So the sum never shrinks when a backend or a worker goes.
    """
    return sum(_own_ns(pid) + _ended_children_ns(pid) for pid in tree(roots))


def tree(roots: Iterable[int]) -> list[int]:
    """These processes and all below them."""
    children: dict[int, list[int]] = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))):
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found, waiting = [], list(roots)
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        waiting += children.get(pid, [])
    return found


def pss_kb(roots: Iterable[int]) -> tuple[int, int]:
    """Proportional and resident memory of process trees, kB: shared pages counted once, and in each process."""
    pss = rss = 0
    for pid in tree(roots):
        with suppress(OSError):
            rows = dict(line.split(":", 1) for line in _read(pid, "smaps_rollup").splitlines()[1:])
            pss += int(rows["Pss"].split()[0])
            rss += int(rows["Rss"].split()[0])
    return pss, rss


@contextmanager
def one_core(*roots: int) -> Iterator[None]:
    """Keep this process and other process trees, with all that they start, on one core during a block.

    Waking a process on another core is charged to the one that wakes it: 30 µs or nothing, as the scheduler likes.
    """
    before = os.sched_getaffinity(0)
    _move(roots, {max(before)})
    try:
        yield
    finally:
        _move(roots, before)


def _move(roots: Iterable[int], cores: set[int]) -> None:
    for pid in (0, *tree(roots)):
        with suppress(ProcessLookupError):
            os.sched_setaffinity(pid, cores)


class Watch:
    """Looks at the memory of process trees, again and again, while a block runs.

    before_kb, peak_kb  proportional set size at its beginning and at its most
    """

    def __init__(self, *roots: int, every_s: float = 0.05) -> None:
        self._roots, self._every_s = roots, every_s
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self.before_kb = self.peak_kb = 0

    def __enter__(self) -> Watch:
        self.before_kb = self.peak_kb = pss_kb(self._roots)[0]
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ended.wait(self._every_s):
            self.peak_kb = max(self.peak_kb, pss_kb(self._roots)[0])


def ended_children_s() -> float:
    """CPU seconds of our own children that ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _own_ns(pid: int) -> int:
    """The process's CPU clock, all its threads included, ended ones too; 0 once it is gone."""
    try:
        return time.clock_gettime_ns((~pid << 3) | 2)  # clock_getcpuclockid(3) of a process
    except OSError:
        return 0


def _ended_children_ns(pid: int) -> int:
    fields = _stat(pid)
    return (int(fields[13]) + int(fields[14])) * TICK_NS if fields else 0


def _stat(pid: int) -> list[str]:
    """Fields 3 and on of /proc/PID/stat; the name before them may hold blanks."""
    try:
        return _read(pid, "stat").rpartition(")")[2].split()
    except OSError:
        return []


def _read(pid: int, name: str) -> str:
    return (PROC / str(pid) / name).read_text()
