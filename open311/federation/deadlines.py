"""Ends a connection at a deadline, also while a thread waits for it."""

from __future__ import annotations

import socket
import threading


class Deadline:
    """Ends a call at its deadline. The timeout of a socket never ends an answer that comes byte by byte.

    is_sent  whether a byte of the call has been sent
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lines: list[socket.socket] = []
        self._timer: threading.Timer | None = None
        self._turn = 0
        self.is_over = self.is_sent = False

    def begin(self, deadline_s: float) -> None:
        with self._lock:
            self._turn += 1
            self.is_over = self.is_sent = False
        self._timer = threading.Timer(deadline_s, self._cut, (self._turn,))
        self._timer.daemon = True
        self._timer.start()

    def end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        with self._lock:
            self._turn += 1
            while self._lines:
                self._lines.pop().close()

    def follow(self, line: socket.socket) -> None:
        """Watch a connection. A second descriptor is watched, because TLS detaches the socket that it wraps."""
        with self._lock:
            self._lines.append(socket.fromfd(line.fileno(), line.family, line.type))
        if self.is_over:
            self._cut(self._turn)

    def _cut(self, turn: int) -> None:
        with self._lock:
            if turn != self._turn:  # the timer of an earlier call
                return
            self.is_over = True
            for line in self._lines:
                try:
                    line.shutdown(socket.SHUT_RDWR)
                except OSError:  # the other side has closed it
                    continue
