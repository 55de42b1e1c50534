"""How a repeated POST waits until the first call with its key has ended (spec/decisions/0013)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition
from time import monotonic

from open311.errors import Unavailable
from schemas.texts import tell

MOST_WAIT_S = 0.5
"""A repeat waits for the end of the first call, but only until this many seconds after the first call's start.

Each waiting call holds a thread.
"""
STILL_RUNNING = tell("The first call with this key is still running; send the call again in a moment.")

Key = tuple[str, int, str]


class RunningKeys:
    """The keys and own ids of the POSTs that this process is storing, each with the time at which its call started.

    Without this class, all repeats would wait in PostgreSQL until the first call ends. If that call hangs, a few
    repeats would hold all threads, and nobody could read.
    """

    def __init__(self) -> None:
        self._changed = Condition()
        self._begun: dict[Key, float] = {}

    @contextmanager
    def turn(self, key: Key) -> Iterator[None]:
        """Wait until no other call with this key is running. Raises Unavailable if that call takes too long."""
        self._begin(key)
        try:
            yield
        finally:
            with self._changed:
                del self._begun[key]
                self._changed.notify_all()

    def _begin(self, key: Key) -> None:
        with self._changed:
            while key in self._begun:
                left_s = self._begun[key] + MOST_WAIT_S - monotonic()
                if left_s <= 0:
                    raise Unavailable(STILL_RUNNING)
                self._changed.wait(left_s)
            self._begun[key] = monotonic()
