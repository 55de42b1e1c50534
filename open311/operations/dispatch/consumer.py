"""The protocol of a consumer of changes."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from open311.operations.dispatch.changes import Changes
from open311.operations.platform import Platform
from open311.storage.engine import Connection


class Consumer(Protocol):
    """Does what follows from changes. `consumers.CONSUMERS` lists all consumers.

    name  the consumer's name. It is stored with each change that the consumer failed on, so it must never change
    """

    @property
    def name(self) -> str:
        """The consumer's permanent name."""

    def consume(self, platform: Platform, connection: Connection, changes: Changes, now: datetime) -> None:
        """Handle changes in the dispatcher's transaction.

        For work outside the database, defer a job in the same transaction.
        Each change is handled exactly once, and the changes of a request are handled in order. This is true only if
        a rollback undoes all effects of this method. So the method must not send anything or keep anything in
        memory. If the method raises an exception, it gets the same changes again later.
        """
