"""What a consumer of changes is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from open311.operations.platform import Platform
from open311.storage.engine import Connection
from open311.storage.outbox import RecordedChange


class Consumer(Protocol):
    """Makes something follow from changes; `consumers.CONSUMERS` has them all.

    name  stored with changes that it failed on; stays as it is from release to release
    """

    @property
    def name(self) -> str:
        """The name."""

    def consume(self, platform: Platform, connection: Connection, changes: Sequence[RecordedChange]) -> None:
        """Do, in the dispatcher's transaction, what follows from these changes; the rest by a job deferred in it.

        It gets each change of a request once, and in their order, if whatever it does is undone with the
        transaction. So it sends nothing and keeps nothing in memory. Whatever it raises, the changes come again.
        """
