"""The block list in the memory of a process, and the version of the list in the database."""

from __future__ import annotations

from threading import Lock

from open311.domain.abuse import BlockList


class KeptBlocks:
    """The block list of a process. `operations.access.blocks` reads it again if it is older than `newest`.

    newest  the newest version of the list in the database that the process has seen
    """

    def __init__(self) -> None:
        self.lock = Lock()
        self.newest = 0
        self.list = BlockList()

    def note_version(self, version: int) -> None:
        """Note the version that a look-up in the database has seen."""
        if version > self.newest:
            with self.lock:
                self.newest = max(self.newest, version)
