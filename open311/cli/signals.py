"""SIGINT and SIGTERM in long-running commands. Two functions here prevent that Python loses a signal."""

from __future__ import annotations

import os
import signal
import threading
import time

STOPPING = (signal.SIGINT, signal.SIGTERM)
GRACE_S = 30
"""How long calls and jobs that have begun may take to finish after SIGINT or SIGTERM."""


def hold_signals_while_forking() -> None:
    """Block SIGINT and SIGTERM during each fork, and deliver them after it.

    A new child still has the parent's handlers, which do not stop the child. A signal at that moment would be lost.
    """
    os.register_at_fork(before=_block, after_in_parent=_unblock, after_in_child=_be_stoppable)


def check_signals_every_second(parent: int | None = None) -> None:
    """Wake the main thread once a second, so that it runs the handlers of signals that have arrived.

    parent  the parent's process id; this process ends when its parent is another one
    Call this in the main thread before it waits for a lock. A signal that arrives just before the wait does not
    interrupt the wait, and Python would run the handler only after the next signal. This has happened with SIGTERM
    on a busy machine.
    """
    main_thread = threading.get_ident()
    signal.signal(signal.SIGURG, lambda *_: None)  # by default SIGURG is ignored and would not interrupt the wait

    def check() -> None:
        while parent is None or os.getppid() == parent:
            time.sleep(1)
            signal.pthread_kill(main_thread, signal.SIGURG)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=check, daemon=True, name="signal check").start()


def _block() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)


def _unblock() -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)


def _be_stoppable() -> None:
    """Restore the default handlers in the child, so that a signal ends the child until granian sets its own."""
    for number in STOPPING:
        signal.signal(number, signal.SIG_DFL)
    _unblock()
