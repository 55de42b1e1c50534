"""Recomputation of the areas of all requests, after a city has redrawn its areas, such as wards."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial

from open311.domain.events import AreasRecomputed
from open311.domain.requests import RequestRecord
from open311.operations.platform import Platform
from open311.operations.publishing import ROWS_PER_TRANSACTION, names_for
from open311.operations.workflow.apply import change_requests
from open311.plugins import Jurisdiction
from open311.storage import requests
from open311.storage.engine import Connection, undeadlocked


def recompute_areas(
    platform: Platform,
    jurisdiction: Jurisdiction,
    *,
    now: datetime,
    on_batch: Callable[[int], None] = lambda _: None,
) -> int:
    """Set every request's areas from the jurisdiction's polygons. Returns how many requests have changed.

    The history keeps the former areas for staff. updated_datetime and the time of the last change stay as they are,
    because only the map has changed. The change feed lists the requests that have changed. Each batch is one
    transaction, so a run that was killed can be repeated.
    """
    changed, last = 0, 0
    while True:
        records, count = undeadlocked(partial(_recompute_batch, platform, jurisdiction, last, now))
        if not records:
            return changed
        changed += count
        last = records[-1].number
        on_batch(len(records))


def count_requests(platform: Platform, jurisdiction: Jurisdiction) -> int:
    """The number of requests that `recompute_areas` will look at."""
    with platform.database.reading() as connection:
        return requests.count_records(connection, jurisdiction.id)


def _recompute_batch(
    platform: Platform, jurisdiction: Jurisdiction, after: int, now: datetime
) -> tuple[list[RequestRecord], int]:
    """The next requests, and how many of them have changed."""
    with platform.database.transaction() as connection:
        records = requests.load_batch(connection, jurisdiction.id, after=after, rows=ROWS_PER_TRANSACTION)
        return records, _recompute(connection, jurisdiction, records, now)


def _recompute(
    connection: Connection, jurisdiction: Jurisdiction, records: list[RequestRecord], now: datetime
) -> int:
    changes = [(record, event) for record in records if (event := _event(jurisdiction, record, now)) is not None]
    change_requests(
        connection, [(record, [event]) for record, event in changes], names_for(connection, jurisdiction)
    )
    return len(changes)


def _event(jurisdiction: Jurisdiction, record: RequestRecord, now: datetime) -> AreasRecomputed | None:
    """The event that gives a request its new areas; None if its areas are the same."""
    areas = jurisdiction.areas_at(record.place)
    return None if areas == record.areas else AreasRecomputed(at=now, old=record.areas, new=areas)
