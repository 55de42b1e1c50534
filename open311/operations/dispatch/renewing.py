"""The consumer that defers jobs to make dumps anew after something was hidden from the public."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from open311.operations.platform import Platform
from open311.storage.engine import Connection
from open311.storage.outbox import RecordedChange
from open311.storage.queue import Task


class Renewing:
    """Defers a job for each city in which something was hidden. If the city has dumps, the job makes them anew."""

    name = "dumps"

    def consume(
        self,
        platform: Platform,
        connection: Connection,
        changes: Sequence[RecordedChange],
        now: datetime,  # noqa: ARG002
    ) -> None:
        """Defer a job for each city in which a change hides something, unless a job of the city waits already."""
        for city in {one.jurisdiction_id for one in changes if any(event.takes_back for event in one.events)}:
            lock = f"{Task.RENEW_DUMPS}:{city}"
            platform.queue.defer_once(connection, Task.RENEW_DUMPS, lock, jurisdiction_id=city)
