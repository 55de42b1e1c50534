"""Ends a child of `open311 run` when the parent ends.

The child notices the end of the parent because the pipe between them closes, even after a crash.
"""

from __future__ import annotations

import os
import signal
import threading

PARENT_VARIABLE = "OPEN311_PARENT_PIPE"
"""The variable is "stdin" if standard input is the pipe from the parent."""


def end_with_parent() -> None:
    """End this process when its parent ends, if the parent is `open311 run`; otherwise do nothing."""
    if os.environ.pop(PARENT_VARIABLE, "") != "stdin":
        return

    def wait() -> None:
        os.read(0, 1)  # blocks until the parent's end of the pipe closes
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, daemon=True, name="parent watch").start()
