"""SIGINT and SIGTERM in long-running commands, also at the two moments where Python would lose one."""

from __future__ import annotations

import os
import signal
import threading
import time

STOPPING = (signal.SIGINT, signal.SIGTERM)
GRACE_S = 30
"""How long calls and jobs under way may take to finish after one of these signals."""


def hold_signals_while_forking() -> None:
    """Block SIGINT and SIGTERM during each fork, and deliver them after it.

    A signal that reached the child before its handlers are reset would run the parent's, which stop nothing there.
    """
    os.register_at_fork(before=_block, after_in_parent=_unblock, after_in_child=_be_stoppable)


def check_signals_every_second(parent: int | None = None) -> None:
    """Wake the main thread once a second, so that it runs the handlers of signals that have arrived.

    parent  end this process when its parent is no longer the process with this id
    Call it in the main thread, which is going to wait for a lock. A signal that arrives just before that wait does
    not end it, and its handler would run with the next signal only. On a busy machine that happened to SIGTERM.
    """
    main_thread = threading.get_ident()
    signal.signal(signal.SIGURG, lambda *_: None)  # by default this signal is ignored and would wake nobody

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
    """In the child: a signal ends it, until granian sets handlers of its own."""
    for number in STOPPING:
        signal.signal(number, signal.SIG_DFL)
    _unblock()
