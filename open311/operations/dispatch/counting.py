"""The counts of requests by department and status, updated with each change."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from open311.operations.platform import Platform
from open311.storage import counts, outbox
from open311.storage.engine import Connection
from open311.storage.outbox import RecordedChange


class Counting:
    """The consumer that keeps the counts.

    A row has the count of one department and one status. A batch updates each row at most once.
    """

    name = counts.CONSUMER

    def consume(
        self,
        platform: Platform,  # noqa: ARG002
        connection: Connection,
        changes: Sequence[RecordedChange],
        now: datetime,  # noqa: ARG002
    ) -> None:
        """Add the differences that these changes make."""
        counts.add(connection, counts.deltas(changes))


def recount(platform: Platform) -> int:
    """Count every request and correct the stored counts. Returns how many counts were wrong.

    Release 0.1 does not write the outbox. Changes that it makes during an upgrade are counted only by this
    function.

    The snapshot must begin after the dispatcher's last commit. A snapshot begins with the first statement of its
    transaction, so the dispatcher's lock is taken first, in a separate transaction.
    """
    with platform.database.transaction() as guard:
        outbox.lock(guard)
        with platform.database.snapshot() as connection:
            wrong = counts.corrections(connection)
            counts.add(connection, wrong)
    return len(wrong)
