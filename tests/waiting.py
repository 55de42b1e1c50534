"""Waiting for events in other processes, without fixed delays."""

from __future__ import annotations

import re
import selectors
import time
from collections.abc import Callable
from typing import TypeVar

from flask import Flask

from open311.operations.platform import Platform

Result = TypeVar("Result")
DEADLINE_S = 60.0
PAUSE_S = 0.05
FEED = re.compile(r"/open311/v2/(changes|outbox)\b")
OLDER_TRANSACTIONS = """
    SELECT pid, backend_xid::text FROM pg_stat_activity
    WHERE backend_xid IS NOT NULL AND NOT (datname = current_database() AND backend_type = 'client backend')
"""


def until(probe: Callable[[], Result], what: str, *, seconds: float = DEADLINE_S) -> Result:
    """Call the probe until it returns a true value, and return this value; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        result = probe()
        if result:
            return result
        with selectors.DefaultSelector() as nothing:
            nothing.select(PAUSE_S)
    raise AssertionError(f"after {seconds:.0f} s, still waiting for {what}")


def settle(platform: Platform) -> None:
    """Wait for the transactions that hold back the change feed, except those of this database's clients.

    The feed waits for the oldest transaction of the whole PostgreSQL server: also for those of tests that run at
    the same time, and for autovacuum. A transaction that a test itself keeps open is not waited for.
    """

    def older() -> set[tuple[int, str]]:
        with platform.database.reading() as connection:
            return {(pid, number) for pid, number in connection.exec_driver_sql(OLDER_TRANSACTIONS)}

    first = older()
    until(lambda: not first & older(), "older transactions to end")


def settle_for(app: Flask, path: str) -> None:
    """Settle an app's database if the path is one of the change feed or of the outbox."""
    if FEED.match(path):
        settle(app.extensions["open311"])


def idle_transactions(platform: Platform) -> int:
    """The number of open transactions that run no statement."""
    with platform.database.reading() as connection:
        count = connection.exec_driver_sql(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND state = 'idle in transaction'"
        )
        return int(count.scalar_one())
