"""The open connections of a process, and the number of connections of each address."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from threading import Lock

from open311.observe import logger
from open311.server.connections import Connection, Phase
from open311.server.shares import Share

log = logger(__name__)


class Held:
    """All open connections of a process. Also counts, by reason, the connections that were cut off."""

    def __init__(self, share: Share) -> None:
        self._share = share
        self._lock = Lock()
        self._connections: dict[int, Connection] = {}
        self._by_address: Counter[str] = Counter()
        self._cut: Counter[str] = Counter()
        share.set(0)

    def __len__(self) -> int:
        return len(self._connections)

    def __iter__(self) -> Iterator[Connection]:
        """Iterate over a copy, so that other threads can add and remove connections during the iteration."""
        return iter(list(self._connections.values()))

    def get(self, number: int) -> Connection | None:
        """The open connection with this file descriptor; None if there is none."""
        return self._connections.get(number)

    def count(self, address: str) -> int:
        """The number of connections from an address."""
        return self._by_address[address]

    def add(self, connection: Connection) -> None:
        """Add a new connection."""
        self._connections[connection.number] = connection
        self._share.set(len(self._connections))
        with self._lock:
            self._by_address[connection.address] += 1

    def end(self, connection: Connection) -> None:
        """Close a connection. The calling thread must hold the lock of the connection."""
        if connection.phase is Phase.CLOSED:
            return
        # Remove the connection before it is closed, because then a new connection can get the same number.
        del self._connections[connection.number]
        self._share.set(len(self._connections))
        with self._lock:
            self._by_address[connection.address] -= 1
            if not self._by_address[connection.address]:
                del self._by_address[connection.address]
        try:
            connection.end()
        except Exception as error:
            log.error("an answer could not be closed", exc_info=error)

    def end_if_silent(self, connection: Connection) -> bool:
        """Close a connection if it waits for the first byte of a request. Returns whether it was closed.

        It stays open if this byte has arrived, but no thread has received it yet.
        """
        if not connection.lock.acquire(blocking=False):
            return False
        try:
            is_silent = connection.is_silent and not connection.has_arrivals()
            if is_silent:
                self.end(connection)
            return is_silent
        finally:
            connection.lock.release()

    def count_cut(self, why: str) -> None:
        """Count a connection that was cut off. `why` is the reason, for the log."""
        with self._lock:
            self._cut[why] += 1

    def note_cut(self) -> None:
        """Log, by reason, how many connections were cut off since the last log line. Log nothing for zero."""
        with self._lock:
            cut, self._cut = self._cut, Counter()
        if cut:
            log.warning("connections were cut off", **cut)
