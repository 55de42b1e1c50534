"""The consumer that defers jobs to get the ids of new batch requests."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from open311.domain.events import Received
from open311.operations.platform import Platform
from open311.storage.engine import Connection
from open311.storage.outbox import RecordedChange
from open311.storage.queue import Task
from open311.storage.tokens import token_of


class Resolving:
    """Defers a job for each new request that has a token and no id yet (A12)."""

    name = "resolve"

    def consume(
        self,
        platform: Platform,
        connection: Connection,
        changes: Sequence[RecordedChange],
        now: datetime,  # noqa: ARG002
    ) -> None:
        """Defer a job for each new batch request among these changes."""
        for change in changes:
            if any(isinstance(event, Received) and event.needs_id for event in change.events):
                city, number = change.request
                token = token_of(connection, city, number)
                platform.queue.defer(connection, Task.RESOLVE, jurisdiction_id=city, number=number, token=token)
