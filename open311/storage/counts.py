"""How many requests there are, by city, department and status: kept up to date by differences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, func, select
from sqlalchemy.dialects.postgresql import insert

from open311.storage.outbox import RecordedChange, untaken
from open311.storage.tables import request_count, service_request

CONSUMER = "counts"
"""Who adds what changes say, by the name under which a change is held for it."""

Counts = dict[tuple[str, str, str], int]
"""Requests by jurisdiction, department and status."""


def deltas(changes: Iterable[RecordedChange]) -> Counts:
    """What changes add to the counts, and take from them."""
    found: Counts = Counter()
    for change in changes:
        for event in change.events:
            before, after = event.counted
            if before is not None:
                found[change.jurisdiction_id, *before] -= 1
            if after is not None:
                found[change.jurisdiction_id, *after] += 1
    return {key: number for key, number in found.items() if number}


def add(connection: Connection, differences: Mapping[tuple[str, str, str], int]) -> None:
    """Add to the counts, in one statement. A count that comes to 0 stays: it will be wanted again."""
    names = ("jurisdiction_id", "department", "status", "requests")
    rows = [dict(zip(names, (*key, number), strict=True)) for key, number in sorted(differences.items())]
    if rows:
        statement = insert(request_count).values(rows)
        connection.execute(
            statement.on_conflict_do_update(
                constraint=request_count.primary_key,
                set_={"requests": request_count.c.requests + statement.excluded.requests},
            )
        )


def kept(connection: Connection) -> Counts:
    """The counts as they are kept, without those that are 0."""
    columns = request_count.c
    found = connection.execute(
        select(columns.jurisdiction_id, columns.department, columns.status, columns.requests)
    )
    return {(city, department, status): number for city, department, status, number in found if number}


def counted(connection: Connection) -> Counts:
    """The same by counting every request."""
    columns = service_request.c
    keys = (columns.jurisdiction_id, columns.department, columns.status)
    found = connection.execute(select(*keys, func.count()).group_by(*keys))
    return {(city, department, status): number for city, department, status, number in found}


def faults(connection: Connection) -> Counts:
    """What has to be added to the counts that are kept, for them to be right once all that waits is added.

    True only where all statements see one state of the database.
    """
    found = Counter(counted(connection))
    found.subtract(deltas(untaken(connection, CONSUMER)))
    found.subtract(kept(connection))
    return {key: number for key, number in found.items() if number}
