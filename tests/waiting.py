"""Waiting for events in other processes, without fixed delays."""

from __future__ import annotations

import selectors
import time
from collections.abc import Callable
from typing import TypeVar

from open311.operations.platform import Platform
from open311.storage.hot.changes import find_state

Found = TypeVar("Found")
DEADLINE_S = 60.0
PAUSE_S = 0.05


def until(probe: Callable[[], Found], what: str) -> Found:
    """Call the probe until it returns a true value, and return that; fails after a generous deadline."""
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        found = probe()
        if found:
            return found
        with selectors.DefaultSelector() as nothing:
            nothing.select(PAUSE_S)
    raise AssertionError(f"waited in vain for {what}")


def settle(platform: Platform) -> None:
    """Wait until every transaction that began before the last change has ended. The change feed waits for them."""

    def is_settled() -> bool:
        direct = platform.database.hot
        return all(find_state(direct, jurisdiction.id) is not None for jurisdiction in platform.registry)

    until(is_settled, "older transactions to end")


def idle_transactions(platform: Platform) -> int:
    """The number of open transactions that run no statement."""
    with platform.database.reading() as connection:
        found = connection.exec_driver_sql(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND state = 'idle in transaction'"
        )
        return int(found.scalar_one())
