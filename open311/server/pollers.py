"""Waiting for sockets. A watched socket is returned once, to one thread."""

from __future__ import annotations

import select
import sys
from typing import Protocol


class Poller(Protocol):
    """Waits for the sockets of a process."""

    def watch(self, number: int, *, for_room: bool = False, is_new: bool = False) -> None:
        """Return this socket once when data can be received or, with `for_room`, when data can be sent."""

    def wait(self, timeout_s: float | None = None, most: int = 1) -> list[int]:
        """Sockets that are ready; none if the time is over."""


if sys.platform == "linux":

    class Epoll:
        """Linux."""

        _IN, _OUT = select.EPOLLIN | select.EPOLLONESHOT, select.EPOLLOUT | select.EPOLLONESHOT

        def __init__(self) -> None:
            self._epoll = select.epoll()
            self._poll, self._modify = self._epoll.poll, self._epoll.modify

        def watch(self, number: int, *, for_room: bool = False, is_new: bool = False) -> None:
            change = self._epoll.register if is_new else self._modify
            change(number, self._OUT if for_room else self._IN)

        def wait(self, timeout_s: float | None = None, most: int = 1) -> list[int]:
            return [number for number, _ in self._poll(timeout_s, most)]

    def make_poller() -> Poller:
        """A poller of this process alone: made after the fork."""
        return Epoll()

else:

    class Kqueue:
        """BSD and macOS."""

        def __init__(self) -> None:
            self._queue = select.kqueue()

        def watch(self, number: int, *, for_room: bool = False, is_new: bool = False) -> None:  # noqa: ARG002
            what = select.KQ_FILTER_WRITE if for_room else select.KQ_FILTER_READ
            self._queue.control([select.kevent(number, what, select.KQ_EV_ADD | select.KQ_EV_ONESHOT)], 0)

        def wait(self, timeout_s: float | None = None, most: int = 1) -> list[int]:
            return [event.ident for event in self._queue.control(None, most, timeout_s)]

    def make_poller() -> Poller:
        """A poller of this process alone: made after the fork."""
        return Kqueue()
