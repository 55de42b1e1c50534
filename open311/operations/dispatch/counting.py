"""Requests are counted by department and status as they change."""

from __future__ import annotations

from collections.abc import Sequence

from open311.operations.platform import Platform
from open311.storage import counts, outbox
from open311.storage.engine import Connection
from open311.storage.outbox import RecordedChange


class Counting:
    """Adds what the changes of a batch come to, a row for each department and status that they touch."""

    name = counts.CONSUMER

    def consume(self, platform: Platform, connection: Connection, changes: Sequence[RecordedChange]) -> None:  # noqa: ARG002
        """Add it up."""
        counts.add(connection, counts.deltas(changes))


def recount(platform: Platform) -> int:
    """Count every request, and set right the counts that are kept; how many were wrong.

    Release 0.1 writes no outbox: what it changes while an upgrade goes on is counted here.

    The dispatcher's lock is held by a transaction of its own, because the snapshot must begin after the last
    dispatcher has committed, and a snapshot begins with its transaction's first statement, before a lock is got.
    """
    with platform.database.transaction() as guard:
        outbox.lock(guard)
        with platform.database.snapshot() as connection:
            wrong = counts.faults(connection)
            counts.add(connection, wrong)
    return len(wrong)
