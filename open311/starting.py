"""What the command `open311` does before it imports its modules. This module imports almost nothing itself."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

STOPPED = 130
"""The exit status of a command that Ctrl-C has stopped: 128 and the number of SIGINT, as in shells."""


def prepare_process() -> None:
    """Open the standard streams that the caller has closed, and let Ctrl-C end the process with one line.

    Otherwise a socket to the database could get the number of a closed stream. Ends the process with status 1 if
    standard output is closed, because the command's results would be lost.
    """
    is_lost = sys.stdout is None
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            _open_null(number, name)
    if is_lost:
        sys.stderr.write("open311: standard output is closed; send it to a file, or to /dev/null.\n")
        sys.exit(1)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)


def use_usual_interrupts() -> None:
    """Let Ctrl-C raise KeyboardInterrupt again, once the modules of the command are imported."""
    if signal.getsignal(signal.SIGINT) is _end:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _open_null(number: int, name: str) -> None:
    mode = "r" if name == "stdin" else "w"
    null = os.open(os.devnull, os.O_RDONLY if mode == "r" else os.O_WRONLY)
    if null != number:
        os.dup2(null, number)
        os.close(null)
    setattr(sys, name, os.fdopen(number, mode))


def _end(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
    """End immediately, because an exception would interrupt an import, and some libraries catch it."""
    os.write(2, b"open311: stopped.\n")
    os._exit(STOPPED)
