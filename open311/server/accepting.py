"""Accepts connections, within the limits for an address and for the process."""

from __future__ import annotations

import errno
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from heapq import nsmallest

from open311.server.answers import plain_answer
from open311.server.connections import Connection
from open311.server.holding import Held
from open311.server.limits import Limits
from open311.server.messages import Environ
from open311.server.pollers import Poller
from open311.server.shares import Share

PAUSE_S = 0.05
YIELD_S = 0.002
"""A process that is ahead of the other processes waits for this time before it accepts the next connection."""
SHARE_OF_ROOM = 32
"""A process at its limit of connections closes up to 1/32 of them at once.

It has to look at all connections to find the silent connections, so it does not do this for each new connection.
"""
TOO_MANY = "Your address has too many connections; close some."


class Acceptor:
    """Accepts connections, in a separate thread.

    is_listening  whether new connections can arrive; False after the listener was shut down
    """

    def __init__(self, listener: socket.socket, held: Held, poller: Poller, limits: Limits, share: Share) -> None:
        self._listener = listener
        self._held = held
        self._poller = poller
        self._limits = limits
        self._share = share
        self._basis = _basis(listener)
        self.is_listening = True

    def run(self, is_stopping: Callable[[], bool]) -> None:
        """Accept connections until `is_stopping` returns True.

        To end a waiting `accept`, the caller must shut down the listener.
        """
        while not is_stopping():
            if len(self._held) >= self._limits.connections:
                self._make_room()
            else:
                if self._share.is_ahead():
                    time.sleep(YIELD_S)
                self._accept()

    def _accept(self) -> None:
        try:
            connected, address = self._listener.accept()
        except OSError as error:  # such as too many open files
            self.is_listening = error.errno != errno.EINVAL
            time.sleep(PAUSE_S)
            return
        connected.setblocking(False)
        if 0 < self._limits.per_address <= self._held.count(address[0]):
            self._turn_away(connected)
        else:
            self._welcome(connected, address[0])

    def _make_room(self) -> None:
        """Close the silent connections with the earliest deadlines. If no connection is silent, wait a moment."""
        silent = (one for one in self._held if one.is_silent)
        count = max(1, self._limits.connections // SHARE_OF_ROOM)
        ending = nsmallest(count, silent, key=lambda one: one.deadline)
        for connection in ending:
            if self._held.end_if_silent(connection):
                self._held.count_cut("silent_while_others_came")
        if not ending:
            time.sleep(PAUSE_S)

    def _turn_away(self, connected: socket.socket) -> None:
        self._held.count_cut("too_many_of_one_address")
        with suppress(OSError), connected:
            connected.send(plain_answer(429, TOO_MANY, "Retry-After: 5"))
            connected.shutdown(socket.SHUT_WR)

    def _welcome(self, connected: socket.socket, address: str) -> None:
        basis = self._basis | {"REMOTE_ADDR": address}
        connection = Connection(connected, address, basis, self._limits, time.monotonic())
        self._held.add(connection)
        self._poller.watch(connection.number, is_new=True)


def _basis(listener: socket.socket) -> Environ:
    """The part of the WSGI environment that is the same for all requests."""
    host, port = listener.getsockname()[:2]
    return {
        "SERVER_NAME": host,
        "SERVER_PORT": str(port),
        "SCRIPT_NAME": "",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
    }
