"""The replica of the database: whether it may answer public reads now, and how far it is behind.

Each process watches primary and replica by a thread, once a second, from its first public read on. A call only
looks at the newest result. See spec/decisions/0057-replicas.md.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from dataclasses import dataclass, replace

from open311.observe import logger
from open311.storage.engine import Database
from open311.storage.replication import Outlook, Standing

log = logger(__name__)

EVERY_S = 1.0
LASTS_S = 15.0
"""How long a result counts. Looking at a server that is gone takes up to five seconds for each of its addresses."""
MOST_SAMPLES = 4_096


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What a process knows about the two servers.

    fault            why the replica does not answer reads that the primary can answer; "" if it does
    is_primary_down  whether the primary does not answer
    answers          whether the replica answers at all and belongs to this database
    lag_s            the replica shows at least what the primary had so many seconds ago; None if unknown
    lag_bytes        what of the primary's history the replica has not replayed; None if unknown
    at               when both were looked at, by the monotonic clock
    """

    fault: str
    is_primary_down: bool
    answers: bool
    at: float
    lag_s: float | None = None
    lag_bytes: int | None = None
    replica: Standing | None = None

    @property
    def counts(self) -> bool:
        """Whether the servers were looked at shortly before."""
        return time.monotonic() < self.at + LASTS_S

    @property
    def may_answer(self) -> bool:
        """Whether the replica may answer what may be a little old."""
        return not self.fault and self.counts

    @property
    def answers_alone(self) -> bool:
        """Whether only the replica can answer."""
        return self.is_primary_down and self.answers and self.counts


_UNKNOWN = View(fault="nobody has looked at it yet", is_primary_down=False, answers=False, at=0.0)


class Replica:
    """The replica of one primary, as a process sees it. Thread-safe; a fork looks for itself.

    database  the replica's connections; operations read there by the platform that `platform.lagging` returns
    """

    def __init__(self, primary: Database, database: Database, *, most_lag_s: float) -> None:
        self.database = database
        self._most_lag_s = most_lag_s
        self._primary_database = primary
        self._begin()

    def _begin(self) -> None:
        self._process = 0
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._primary = Outlook(self._primary_database.hot)
        self._replica = Outlook(self.database.hot)
        self._samples: deque[tuple[float, int]] = deque(maxlen=MOST_SAMPLES)
        self._seen: Standing | None = None
        self._view = _UNKNOWN

    @property
    def view(self) -> View:
        """The newest result. The first call in a process looks itself, and lets a thread look from then on."""
        if self._process != os.getpid():
            self._watch()
        return self._view

    def _watch(self) -> None:
        if self._process:  # a fork
            self._begin()
        with self._lock:
            if self._process:
                return
            self._process = os.getpid()
        self.look()
        threading.Thread(target=self._look_on, args=(self._ended,), daemon=True, name="replica").start()

    def _look_on(self, ended: threading.Event) -> None:
        while not ended.wait(EVERY_S):
            self.look()

    def look(self, *, after: View | None = None) -> View:
        """Look at both servers now, unless this object is closed.

        after  look only if this is still the newest result; another thread may have looked meanwhile
        """
        with self._lock:
            if self._ended.is_set() or (after is not None and after is not self._view):
                return self._view
            began_at = time.monotonic()
            primary, found = self._primary.look(), self._replica.look()
            self._seen = primary or self._seen
            lag_s, lag_bytes = self._lag(primary, found, began_at)
            view = judged(
                self._seen, found, is_primary_down=primary is None, most_lag_s=self._most_lag_s, lag_s=lag_s
            )
            before, self._view = self._view, replace(view, lag_bytes=lag_bytes)
        _tell(before, self._view)
        return self._view

    def fail(self) -> None:
        """Let the primary answer until the next look, because the replica could not answer a call."""
        self._view = replace(self._view, fault="it could not answer a call")

    def _lag(
        self, primary: Standing | None, found: Standing | None, began_at: float
    ) -> tuple[float | None, int | None]:
        """How far the replica is behind, in seconds and bytes.

        The replica is as new as the newest moment at which the primary had no more than the replica has now. So no
        clock of a server counts, and a primary without writes makes no lag.
        """
        if primary is None or found is None:
            return None, None
        self._samples.append((began_at, primary.position))
        while len(self._samples) > 1 and self._samples[1][1] <= found.position:
            self._samples.popleft()
        missing = max(primary.position - found.position, 0)
        sampled_at, position = self._samples[0]
        if not missing:
            return 0.0, 0
        return (time.monotonic() - sampled_at if position <= found.position else found.replayed_s), missing

    def close(self) -> None:
        """End the thread, and close all connections to the replica."""
        self._ended.set()
        with self._lock:
            self._primary.close()
            self._replica.close()
        self.database.close()


def judged(
    primary: Standing | None,
    found: Standing | None,
    *,
    is_primary_down: bool,
    most_lag_s: float,
    lag_s: float | None,
) -> View:
    """What the standings of both servers mean.

    primary  where the primary was when it answered last; None if it never has
    """
    fault = _fault_of(primary, found, is_primary_down=is_primary_down)
    answers = found is not None and not fault
    if not fault and is_primary_down:
        fault = "the primary does not answer, so nobody knows how old the replica is"
    elif not fault and (lag_s is None or lag_s > most_lag_s):
        behind = "unknown time" if lag_s is None else f"{lag_s:.0f} s"
        fault = f"it is {behind} behind; {most_lag_s:.0f} s are allowed"
    return View(
        fault=fault,
        is_primary_down=is_primary_down,
        answers=answers,
        at=time.monotonic(),
        lag_s=lag_s,
        replica=found,
    )


def _fault_of(primary: Standing | None, found: Standing | None, *, is_primary_down: bool) -> str:
    """Why the second server is no replica of the first one; "" if it is."""
    if found is None:
        return "it does not answer"
    if primary is None or found.is_same_server(primary):
        return ""
    if found.system != primary.system:
        return "it is no replica of the database in DATABASE_URL"
    if found.timeline > primary.timeline and is_primary_down:
        return ""  # it has been promoted
    if found.timeline > primary.timeline:
        return "it has become a primary, but DATABASE_URL leads to another one"
    if not found.is_replica:
        return "it takes writes itself, as the primary does; stop one of them"
    if found.timeline < primary.timeline:
        return f"it does not follow timeline {primary.timeline} of the primary yet"
    return ""


def _tell(before: View, now: View) -> None:
    """Log what has changed."""
    if now.is_primary_down and not before.is_primary_down:
        log.error("the primary does not answer", reads="from the replica" if now.answers else "not answered")
    elif before.is_primary_down and not now.is_primary_down:
        log.warning("the primary answers again")
    if bool(now.fault) == bool(before.fault) and before is not _UNKNOWN:
        return
    if not now.fault:
        log.info("the replica answers reads", lag_s=now.lag_s)
    elif not now.is_primary_down:
        log.warning("the primary answers all reads", cause=now.fault)
