"""The counts of requests by jurisdiction, department and status. A consumer adds the effect of each change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, and_, case, func, select
from sqlalchemy.dialects.postgresql import insert

from open311.domain.events.base import MERGED
from open311.domain.requests import Status
from open311.storage.outbox import RecordedChange, count_unprocessed, unprocessed
from open311.storage.tables import request_count, service_request

CONSUMER = "counts"
"""The name of the consumer that keeps the counts. Changes that it failed on are stored with this name."""

Counts = dict[tuple[str, str, str], int]
"""The number of requests by (jurisdiction, department, status). Open merged ones have the status `MERGED`."""


def deltas(changes: Iterable[RecordedChange]) -> Counts:
    """The differences that these changes make to the counts, without zeros."""
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
    """Add differences to the counts, in one statement. A count that becomes 0 is not deleted."""
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


def stored_counts(connection: Connection) -> Counts:
    """The stored counts, without zeros."""
    columns = request_count.c
    found = connection.execute(
        select(columns.jurisdiction_id, columns.department, columns.status, columns.requests)
    )
    return {(city, department, status): number for city, department, status, number in found if number}


MOST_ADDED = 2_000
"""`current_counts` adds at most this many uncounted changes. After an import there may be a million of them."""


def current_counts(connection: Connection, jurisdiction_id: str) -> tuple[dict[tuple[str, str], int], int]:
    """The counts of one jurisdiction by (department, status), and how many changes they do not contain.

    Uncounted changes are added, unless there are more than MOST_ADDED of them. The result is right only in a
    transaction whose statements all see the same snapshot.
    """
    columns = request_count.c
    rows = connection.execute(
        select(columns.department, columns.status, columns.requests).where(
            columns.jurisdiction_id == jurisdiction_id
        )
    )
    found = Counter({(department, status): number for department, status, number in rows})
    behind = count_unprocessed(connection, CONSUMER, most=MOST_ADDED)
    if behind > MOST_ADDED:
        return dict(found), behind
    for (city, department, status), number in deltas(unprocessed(connection, CONSUMER)).items():
        if city == jurisdiction_id:
            found[department, status] += number
    return dict(found), 0


def departments(connection: Connection, jurisdiction_id: str) -> set[str]:
    """The codes of the departments that have or had requests, also retired ones."""
    columns = request_count.c
    query = select(columns.department).where(columns.jurisdiction_id == jurisdiction_id).distinct()
    return set(connection.execute(query).scalars())


def true_counts(connection: Connection) -> Counts:
    """The true counts. This counts every request."""
    columns = service_request.c
    is_merged = and_(columns.status == Status.OPEN, columns.merged_into != 0)
    counted = case((is_merged, MERGED), else_=columns.status).label("counted")
    keys = (columns.jurisdiction_id, columns.department, counted)
    found = connection.execute(select(*keys, func.count()).group_by(*keys))
    return {(city, department, status): number for city, department, status, number in found}


def corrections(connection: Connection) -> Counts:
    """The differences that correct the stored counts, without what the consumer has still to count.

    The result is right only in a transaction whose statements all see the same snapshot.
    """
    found = Counter(true_counts(connection))
    found.subtract(deltas(unprocessed(connection, CONSUMER)))
    found.subtract(stored_counts(connection))
    return {key: number for key, number in found.items() if number}
