"""Link requests with their cases in a back office."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from open311.storage import external_ids, remote_updates
from open311.storage.deliveries import Place
from open311.storage.engine import Connection


def link_case(connection: Connection, place: Place, remote_id: str, *, number: int, now: datetime) -> bool:
    """Store the back office's id of a request, and let the updates that wait for this id be tried again.

    Returns False if another request has the id.
    """
    return bool(link_cases(connection, place, [(remote_id, number)], now))


def link_cases(
    connection: Connection, place: Place, ids: Sequence[tuple[str, int]], now: datetime
) -> set[tuple[str, int]]:
    """Like `link_case`, for several ids, each with the number of its request. Returns those that are stored."""
    linked = external_ids.add_all(connection, *place, ids, at=now)
    if linked:
        remote_updates.adopt_cases(connection, place, [remote_id for remote_id, _ in linked], now)
    return linked
