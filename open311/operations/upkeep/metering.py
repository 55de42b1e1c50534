"""Counts of calls for /metrics. All web processes of a server share the counts through files.

Here a call only adds to two numbers in memory, and a thread writes the numbers to a file once a second. The files
of Prometheus' own client for several processes cost ten times as much per call.
"""

from __future__ import annotations

import os
import secrets
import socket
import threading
import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from open311.observe import logger

log = logger(__name__)

BOUNDS_S = (0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""The upper bounds of the histogram's buckets, in seconds. There is one more bucket, without an upper bound."""
FLUSH_S = 1.0
MOST_KEYS = 200
"""The greatest number of key labels that a process counts separately. Calls with other keys count as "others"."""

Labels = tuple[str, str, str, str]
"""Method, route, status, and label of the key."""


@dataclass(frozen=True, slots=True)
class CallRow:
    """The calls with the same labels: the sum of their times in seconds, and their number in each bucket."""

    labels: Labels
    seconds: float
    buckets: tuple[int, ...]


class CallCounts:
    """The number and times of calls, by method, route, status and key. Thread-safe. A fork starts at zero.

    folder  the folder in which each process writes a file. The files of ended processes stay until `open311 serve`
            starts again, because a count must never become smaller
    pools   returns the numbers of this process's database connections: in use, idle
    """

    def __init__(self, folder: Path, pools: Callable[[], tuple[int, int]]) -> None:
        self._folder = folder / socket.gethostname()
        self._pools = pools
        self._begin()
        os.register_at_fork(after_in_child=self._begin)

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._rows: dict[Labels, list[float]] = {}
        self._keys: set[str] = set()
        self._is_changed = self._is_running = False
        self._lost_photos = 0
        self._file = self._folder / f"{os.getpid()}-{secrets.token_hex(4)}.json"

    def add(self, method: str, route: str, status: int, key: str, seconds: float) -> None:
        """Count a call."""
        with self._lock:
            row = self._rows.get((method, route, str(status), key)) or self._row(method, route, str(status), key)
            row[0] += seconds
            row[bisect_left(BOUNDS_S, seconds) + 1] += 1
            self._is_changed = True

    def add_lost_photo(self) -> None:
        """Count a photo that the media store did not accept. The call that sent it is counted by `add`."""
        with self._lock:
            self._lost_photos += 1
            self._is_changed = True

    def _row(self, method: str, route: str, status: str, key: str) -> list[float]:
        """Add and return a row for new labels. The caller must hold the lock."""
        if key not in self._keys and len(self._keys) >= MOST_KEYS:
            key = "others"
        self._keys.add(key)
        if not self._is_running:
            self._is_running = True
            threading.Thread(target=self._write_on, daemon=True, name="metering").start()
        return self._rows.setdefault((method, route, status, key), [0.0] * (len(BOUNDS_S) + 2))

    def _write_on(self) -> None:
        """Write the file once a second if a count has changed. If it cannot be written, log that once and stop."""
        file = self._file
        while file == self._file:
            time.sleep(FLUSH_S)
            try:
                self.flush()
            except OSError as error:
                log.error("calls are counted in each process alone", cause=str(error))
                return

    def flush(self) -> None:
        """Write the file of this process now. Raises OSError."""
        with self._lock:
            if not self._is_changed:
                return
            self._is_changed = False
            rows = [(*labels, *row) for labels, row in self._rows.items()]
            file, lost = self._file, self._lost_photos
        self._folder.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(".part")
        part.write_bytes(orjson.dumps({"rows": rows, "pools": self._pools(), "lost_photos": lost}))
        part.replace(file)

    def clear(self) -> None:
        """Remove the files of former processes. Called when a server starts."""
        for file in self._folder.glob("*.json"):
            file.unlink(missing_ok=True)

    def read(self) -> tuple[list[CallRow], tuple[int, int]]:
        """The calls of all processes, and the database connections of running processes: in use, idle."""
        sums: dict[Labels, list[float]] = defaultdict(lambda: [0.0] * (len(BOUNDS_S) + 2))
        pools = [0, 0]
        for is_alive, found in self._found():
            for method, route, status, key, *row in found["rows"]:
                total = sums[method, route, status, key]
                total[:] = [one + other for one, other in zip(total, row, strict=True)]
            if is_alive:
                pools = [one + other for one, other in zip(pools, found["pools"], strict=True)]
        rows = [CallRow(labels, row[0], tuple(map(int, row[1:]))) for labels, row in sorted(sums.items())]
        return rows, (pools[0], pools[1])

    def lost_photos(self) -> int:
        """How many photos all processes have lost, because the media store did not accept them."""
        # The previous release wrote no such number.
        return sum(found.get("lost_photos", 0) for _, found in self._found())

    def _found(self) -> Iterator[tuple[bool, Any]]:
        """This process's current numbers, and the content of other processes' files.

        Each comes with True if its process still runs.
        """
        with self._lock:
            own, lost = [[*labels, *row] for labels, row in self._rows.items()], self._lost_photos
        yield True, {"rows": own, "pools": self._pools(), "lost_photos": lost}
        for file in self._folder.glob("*.json"):
            if file != self._file:
                try:
                    yield _is_alive(int(file.name.partition("-")[0])), orjson.loads(file.read_bytes())
                except (OSError, ValueError):  # removed meanwhile, or not a file of this server
                    continue


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
