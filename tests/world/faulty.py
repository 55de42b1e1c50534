"""What all fake servers share: a journal of calls, and faults that a test can add and end."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.world.faults import Fault, Plan, from_plain
from tests.world.journal import Entry, Journal

START = datetime(2026, 1, 1, 9, tzinfo=UTC)


class Ticking:
    """A clock for tests: each reading is a second later than the one before."""

    def __init__(self, start: datetime = START) -> None:
        self._next = start
        self._lock = threading.Lock()

    def __call__(self) -> datetime:
        with self._lock:
            self._next += timedelta(seconds=1)
            return self._next


class Faults:
    """The faults of a server, and the journal that they go on from after a restart.

    released  ends the pauses of the calls that wait now
    """

    def __init__(self, journal: Journal, faults: Iterable[Fault], seed: int) -> None:
        self.released = threading.Event()
        self._journal, self._plan, self._lock = journal, Plan(faults, seed), threading.RLock()
        for entry in journal.entries:
            self._replay(entry)

    def add(self, *faults: Fault) -> None:
        with self._lock:
            self._replay(self._journal.add("faults", faults=[each.plain() for each in faults]))

    def clear(self) -> None:
        with self._lock:
            self._replay(self._journal.add("behave"))
        self.release()

    def release(self) -> None:
        self.released.set()
        self.released = threading.Event()

    def next(self, label: str, **facts: Any) -> tuple[Fault | None, threading.Event]:
        """Record a call; returns its fault, and what ends its pauses."""
        with self._lock:
            struck = self._plan.next(label)
            self._journal.add("call", label=label, **facts, fault=struck.kind if struck else "")
            return struck, self.released

    def _replay(self, entry: Entry) -> None:
        if entry["kind"] == "call":
            self._plan.next(entry["label"])
        elif entry["kind"] == "faults":
            self._plan.add(*map(from_plain, entry["faults"]))
        elif entry["kind"] == "behave":
            self._plan.clear()


class Faulty:
    """A server that a test can make misbehave.

    journal  what it has taken
    seed     decides the faults by chance
    """

    def _begin(self, journal: Journal, faults: Iterable[Fault], seed: int) -> None:
        self.journal, self.seed = journal, seed
        self._faults = Faults(journal, faults, seed)

    @property
    def calls(self) -> list[Entry]:
        """Each call, with `label`, `at`, the kind of its `fault` ("" for none), and what was sent."""
        return self.journal.of("call")

    def fault(self, *faults: Fault) -> None:
        """Misbehave in these ways too; each counts the calls from now on."""
        self._faults.add(*faults)

    def behave(self) -> None:
        """End all faults and pauses."""
        self._faults.clear()

    def release(self) -> None:
        """End the pauses of the calls that wait now."""
        self._faults.release()
