"""Processes for tests to kill. Each is forked from a process that has imported the server already.

Importing the server takes a second of CPU time, which is more than most of these processes need for their work. The
process from which they are forked ends with the tests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.context import ForkServerProcess as Process

__all__ = ["CONTEXT", "Process", "forked"]

CONTEXT = get_context("forkserver")
CONTEXT.set_forkserver_preload(["open311.app", "tests.build"])


@contextmanager
def forked(target: Callable[..., object], *arguments: object) -> Iterator[Process]:
    """Start a process that calls a function of a module; at the end of the block, kill it if it still runs."""
    process = CONTEXT.Process(target=target, args=arguments)
    process.start()
    try:
        yield process
    finally:
        process.kill()
        process.join()
        process.close()
