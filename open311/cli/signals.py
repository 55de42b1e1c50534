"""How long-running commands react to SIGINT and SIGTERM."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

GRACE_S = 30
"""Seconds that running calls and jobs may take to finish after SIGINT or SIGTERM."""


@contextmanager
def interrupted_once() -> Iterator[None]:
    """The first Ctrl-C interrupts the block. From then on, Ctrl-C is ignored until this process ends.

    A second Ctrl-C would interrupt the orderly end of other processes, and their semaphores would remain.
    """

    def interrupt(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        raise KeyboardInterrupt

    usual = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGINT) is interrupt:
            signal.signal(signal.SIGINT, usual)
