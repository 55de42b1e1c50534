"""CPU time and memory of process trees, from the accounting of the kernel (Linux)."""

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
    """User and system time of these processes, their descendants and their ended children, in ns.

    The time of a running process is its CPU clock, in nanoseconds. The time of an ended process is part of its
    parent's sum of ended children, in ticks of 10 ms. So the sum does not shrink when a backend or worker ends.
    """
    return sum(_own_ns(pid) + _ended_children_ns(pid) for pid in tree(roots))


def tree(roots: Iterable[int]) -> list[int]:
    """The ids of these processes and of all their descendants."""
    children: dict[int, list[int]] = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))):
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    pids, waiting = [], list(roots)
    while waiting:
        pid = waiting.pop()
        pids.append(pid)
        waiting += children.get(pid, [])
    return pids


def pss_kb(roots: Iterable[int]) -> tuple[int, int]:
    """Proportional and resident set size of process trees, in kB. The latter counts shared pages repeatedly."""
    pss = rss = 0
    for pid in tree(roots):
        with suppress(OSError):
            rows = dict(line.split(":", 1) for line in _read(pid, "smaps_rollup").splitlines()[1:])
            pss += int(rows["Pss"].split()[0])
            rss += int(rows["Rss"].split()[0])
    return pss, rss


def greatest_rss_kb(pid: int) -> int:
    """The greatest resident set size that a process has had since it was started, in kB; 0 if it has ended."""
    try:
        rows = dict(line.split(":", 1) for line in _read(pid, "status").splitlines())
    except OSError:
        return 0
    return int(rows["VmHWM"].split()[0]) if "VmHWM" in rows else 0


@contextmanager
def one_core(*roots: int) -> Iterator[None]:
    """Pin this process and other process trees, with their new children, to one core during a block.

    The cost of waking a process on another core is charged to the waker: 0 or 30 µs, decided by the scheduler.
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
    """Samples the memory of process trees while a block runs.

    before_kb, peak_kb  proportional set size at the beginning, and its maximum
    """

    def __init__(self, *roots: int, every_s: float = 0.05) -> None:
        self._roots, self._every_s = roots, every_s
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self.before_kb = self.peak_kb = 0

    def __enter__(self) -> Watch:
        self.before_kb = self.peak_kb = pss_kb(self._roots)[0]
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._ended.wait(self._every_s):
            self.peak_kb = max(self.peak_kb, pss_kb(self._roots)[0])


def ended_children_s() -> float:
    """CPU seconds of this process's ended children."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _own_ns(pid: int) -> int:
    """The CPU clock of a process, with all its running and ended threads; 0 if it no longer exists."""
    try:
        return time.clock_gettime_ns((~pid << 3) | 2)  # as clock_getcpuclockid(3) does
    except OSError:
        return 0


def _ended_children_ns(pid: int) -> int:
    fields = _stat(pid)
    return (int(fields[13]) + int(fields[14])) * TICK_NS if fields else 0


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the third on; the name before them can contain spaces."""
    try:
        return _read(pid, "stat").rpartition(")")[2].split()
    except OSError:
        return []


def _read(pid: int, name: str) -> str:
    return (PROC / str(pid) / name).read_text()
