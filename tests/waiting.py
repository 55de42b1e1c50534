"""Waiting for events in other processes, without fixed delays."""

from __future__ import annotations

import selectors
import time
from collections.abc import Callable
from typing import TypeVar

from open311.operations.platform import Platform
from open311.storage.hot.changes import find_state

Result = TypeVar("Result")
DEADLINE_S = 60.0
PAUSE_S = 0.05


def until(probe: Callable[[], Result], what: str) -> Result:
    """Call the probe until it returns a true value, and return this value; fail after 60 seconds."""
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        result = probe()
        if result:
            return result
        with selectors.DefaultSelector() as nothing:
            nothing.select(PAUSE_S)
    raise AssertionError(f"after {DEADLINE_S:.0f} s, still waiting for {what}")


def settle(platform: Platform) -> None:
    """Wait for the end of all transactions that began before the last change, because the change feed does too."""

    def is_settled() -> bool:
        hot = platform.database.hot
        return all(find_state(hot, jurisdiction.id) is not None for jurisdiction in platform.registry)

    until(is_settled, "older transactions to end")


def idle_transactions(platform: Platform) -> int:
    """The number of open transactions that run no statement."""
    with platform.database.reading() as connection:
        count = connection.exec_driver_sql(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND state = 'idle in transaction'"
        )
        return int(count.scalar_one())
