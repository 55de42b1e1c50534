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
from open311.storage.replication import Lookout, Standing

log = logger(__name__)

EVERY_S = 1.0
LASTS_S = 15.0
"""How long a result counts. Looking at a server that is gone takes up to five seconds for each of its addresses."""
MOST_SAMPLES = 4_096
_beginning = threading.Lock()
"""Held while a process begins to look, so that only one of its threads does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What a process knows about the two servers.

    fault            why the replica does not answer reads that the primary can answer; "" if it does
    is_primary_down  whether there is no connection to the primary; one that is only slow is not down
    is_near          whether the replica answers, belongs to this database, and is hardly behind; while the primary
                     is down, whether it was hardly behind when the primary answered last
    lag_s            the replica shows at least what the primary had this many seconds ago; None if unknown
    lag_bytes        how much of the primary's log the replica has not replayed; None if unknown
    at               when both were looked at, by the monotonic clock
    """

    fault: str
    is_primary_down: bool
    is_near: bool
    at: float
    lag_s: float | None = None
    lag_bytes: int | None = None
    replica: Standing | None = None

    @property
    def counts(self) -> bool:
        """Whether the result is younger than `LASTS_S`."""
        return time.monotonic() < self.at + LASTS_S

    @property
    def may_answer(self) -> bool:
        """Whether the replica may answer a read whose result may be a little old."""
        return not self.fault and self.counts

    @property
    def answers_alone(self) -> bool:
        """Whether only the replica can answer, and it may."""
        return self.is_primary_down and self.is_near and self.counts


_UNKNOWN = View(fault="nobody has looked at it yet", is_primary_down=False, is_near=False, at=0.0)


class Replica:
    """The replica of one primary, as a process sees it. Thread-safe; a fork looks for itself.

    database  the replica's connections; operations use them through the platform that `lagging` returns
    """

    def __init__(self, primary: Database, database: Database, *, most_lag_s: float) -> None:
        self.database = database
        self._most_lag_s = most_lag_s
        self._primary_database = primary
        self._begin()

    def _begin(self) -> None:
        self._process = 0
        self._lock = threading.Lock()
        self._view_lock = threading.Lock()
        self._ended = threading.Event()
        self._primary = Lookout(self._primary_database.hot)
        self._replica = Lookout(self.database.hot)
        self._samples: deque[tuple[float, int]] = deque(maxlen=MOST_SAMPLES)
        self._seen: Standing | None = None
        self._seen_at = 0.0
        self._view = _UNKNOWN

    @property
    def view(self) -> View:
        """The newest result. The first call in a process looks itself, and lets a thread look from then on."""
        if self._process != os.getpid():
            self._watch()
        return self._view

    def _watch(self) -> None:
        with _beginning:
            if self._process == os.getpid():
                return
            # This process is a fork, or this object was closed: `serve` closes what it prepares.
            if self._process or self._ended.is_set():
                self._begin()
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
            primary, is_connected = self._primary.look(), self._primary.is_connected
            if primary is not None:
                self._seen, self._seen_at = primary, time.monotonic()
                self._samples.append((began_at, primary.position))
            found = self._replica.look()
            view = judged(
                self._seen,
                found,
                is_primary_down=not is_connected,
                most_lag_s=self._most_lag_s,
                lag_s=None if found is None else self._lag_s(primary, found, is_primary_down=not is_connected),
                lag_bytes=None if primary is None or found is None else max(primary.position - found.position, 0),
            )
            before = self._set(view)
        _tell(before, view)
        return view

    def fail(self, view: View) -> None:
        """Let the primary answer until the next look, because the replica's connection broke during a call.

        view  the result with which the call began. A newer result stays as it is
        """
        failed = replace(view, fault="it could not answer a call")
        if self._set(failed, only_after=view) is view:
            _tell(view, failed)

    def _set(self, view: View, *, only_after: View | None = None) -> View:
        """Make this the newest result. Returns the result that was the newest before this call.

        only_after  change nothing if this is not the newest result any more; None to replace any result
        """
        with self._view_lock:
            before = self._view
            if only_after is None or before is only_after:
                self._view = view
            return before

    def _lag_s(self, primary: Standing | None, found: Standing, *, is_primary_down: bool) -> float | None:
        """How far the replica is behind; if the primary is down, how far it was when the primary answered last.

        None if unknown. The replica is as new as the newest moment at which the primary had no more than the
        replica has now. So the clocks of the servers do not matter, and a primary without writes makes no lag.
        """
        while len(self._samples) > 1 and self._samples[1][1] <= found.position:
            self._samples.popleft()
        if primary is not None and primary.position <= found.position:
            return 0.0
        if self._samples and self._samples[0][1] <= found.position:
            return (self._seen_at if is_primary_down else time.monotonic()) - self._samples[0][0]
        return None if primary is None else found.replayed_s

    def close(self) -> None:
        """End the thread, and close all connections to the replica. Whoever asks for `view` later begins again."""
        self._ended.set()
        self._process = 0
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
    lag_bytes: int | None = None,
) -> View:
    """What the standings of both servers mean.

    primary  where the primary was when it answered last; None if it never has
    lag_s    how far the replica is behind; if the primary is down, how far it was when the primary answered last;
             None if unknown
    """
    fault = _fault_of(primary, found, is_primary_down=is_primary_down)
    is_near = not fault and lag_s is not None and lag_s <= most_lag_s
    if not fault and not is_near:
        behind = "unknown time" if lag_s is None else f"{lag_s:.0f} s"
        when = "was {} behind when the primary answered last" if is_primary_down else "is {} behind"
        fault = f"it {when.format(behind)}; {most_lag_s:.0f} s are allowed"
    elif not fault and is_primary_down:
        fault = "the primary does not answer, so nobody knows how old the replica is"
    return View(
        fault=fault,
        is_primary_down=is_primary_down,
        is_near=is_near,
        at=time.monotonic(),
        lag_s=None if is_primary_down else lag_s,
        lag_bytes=lag_bytes,
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
        log.error("the primary does not answer", reads="from the replica" if now.is_near else "not answered")
    elif before.is_primary_down and not now.is_primary_down:
        log.warning("the primary answers again")
    if bool(now.fault) == bool(before.fault) and before is not _UNKNOWN:
        return
    if not now.fault:
        log.info("the replica answers reads", lag_s=now.lag_s)
    elif not now.is_primary_down:
        log.warning("the primary answers all reads", cause=now.fault)
