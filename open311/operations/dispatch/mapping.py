"""The numbers of public requests in the cells of the map, updated with each change."""

from __future__ import annotations

from datetime import datetime
from itertools import groupby
from operator import itemgetter

from open311.operations.dispatch.changes import Changes
from open311.operations.platform import Platform
from open311.storage import map_cells, outbox
from open311.storage.engine import Connection
from open311.storage.public_facts import load_facts

_ROWS = 1_000


class Mapping:
    """The consumer that keeps the numbers. It counts each changed request as the public sees it now."""

    name = map_cells.CONSUMER

    def consume(
        self,
        platform: Platform,  # noqa: ARG002
        connection: Connection,
        changes: Changes,
        now: datetime,  # noqa: ARG002
    ) -> None:
        """Update the cells of these requests, by one statement for each city."""
        for city, numbers in changes.numbers():
            map_cells.update(connection, city, numbers, changes.facts(connection, city))


def recount(platform: Platform) -> int:
    """Compare the cells with all publications and correct them. Returns how many requests and cells were wrong.

    A release without these cells does not count its changes here. If it still runs during an upgrade, only this
    function counts its changes. This function reads while the dispatcher works, and holds the dispatcher's lock
    only to correct. Two calls must not run at the same time, because both would correct the same differences of
    cells.
    """
    with platform.database.snapshot() as connection:
        cells = map_cells.find_wrong_cells(connection)
        wrong = map_cells.find_wrong_requests(connection)
    for start in range(0, len(wrong), _ROWS):
        with platform.database.transaction() as connection:
            outbox.lock(connection)
            for city, group in groupby(sorted(wrong[start : start + _ROWS]), key=itemgetter(0)):
                numbers = [number for _, number in group]
                map_cells.update(connection, city, numbers, load_facts(connection, city, numbers))
    with platform.database.transaction() as connection:
        outbox.lock(connection)
        map_cells.add(connection, cells)
    return len(wrong) + len(cells)
