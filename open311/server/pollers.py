"""Waiting until a socket is ready. A socket is returned once, to one thread, and has to be watched again."""

from __future__ import annotations

import select
import sys
from typing import Protocol


class Poller(Protocol):
    """Waits until sockets of a process are ready."""

    def watch(self, number: int, *, for_room: bool = False, is_new: bool = False) -> None:
        """Let `wait` return this socket once, as soon as data can be received.

        for_room  wait until data can be sent instead
        is_new    the socket is watched for the first time
        """

    def wait(self, timeout_s: float | None = None, most: int = 1) -> list[int]:
        """Sockets that are ready; an empty list after the timeout."""


if sys.platform == "linux":

    class Epoll:
        """The poller for Linux."""

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
        """A new poller. Call this after the fork, because two processes must not use the same poller."""
        return Epoll()

else:

    class Kqueue:
        """The poller for BSD and macOS."""

        def __init__(self) -> None:
            self._queue = select.kqueue()

        def watch(self, number: int, *, for_room: bool = False, is_new: bool = False) -> None:  # noqa: ARG002
            what = select.KQ_FILTER_WRITE if for_room else select.KQ_FILTER_READ
            self._queue.control([select.kevent(number, what, select.KQ_EV_ADD | select.KQ_EV_ONESHOT)], 0)

        def wait(self, timeout_s: float | None = None, most: int = 1) -> list[int]:
            return [event.ident for event in self._queue.control(None, most, timeout_s)]

    def make_poller() -> Poller:
        """A new poller. Call this after the fork, because two processes must not use the same poller."""
        return Kqueue()
