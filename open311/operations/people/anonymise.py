"""Retention: erase who sent requests and updates, some time after the requests were closed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from open311.domain.events import SYSTEM, Erasable
from open311.domain.photos import Photo
from open311.domain.retention import is_over
from open311.operations.media.files import delete_files
from open311.operations.platform import Platform
from open311.operations.publishing import ROWS_PER_TRANSACTION
from open311.operations.workflow.erase_request import erase_parts
from open311.plugins import Jurisdiction
from open311.storage import people, requests
from open311.storage.engine import Connection
from open311.storage.people import Known

RETENTION = "retention"
"""The cause of the events of these erasures."""


@dataclass(frozen=True, slots=True)
class Anonymised:
    """The result for one batch of requests.

    seen  how many requests with personal data the batch has
    due   how many of them have no personal data any more, by service code
    kept  how many keep the data for now, by service code
    """

    seen: int
    due: Counter[str]
    kept: Counter[str]


def has_retention(city: Jurisdiction) -> bool:
    """Whether the city erases who sent requests, for at least one service."""
    times = (city.retention, *(service.retention for service in city.services))
    return any(one.reporter_days is not None for one in times)


def anonymise(
    platform: Platform, city: Jurisdiction, *, now: datetime, actor: str = SYSTEM, is_dry_run: bool = False
) -> Iterator[Anonymised]:
    """Erase the reporter, and the senders of updates, of requests whose time is over. Yields each batch's result.

    The time begins when a request is closed. A request that is opened again, or closed again later, is left as it
    is. Each batch is a transaction, so a killed run can be repeated. The public sees no change, because the public
    never saw these data. A dry run locks and writes nothing.
    """
    last = 0
    while has_retention(city):
        database = platform.database
        with database.reading() if is_dry_run else database.transaction() as connection:
            found = people.known_after(connection, city.id, after=last, rows=ROWS_PER_TRANSACTION)
            due, photos = [one for one in found if _is_due(city, one, now)], list[Photo]()
            if not is_dry_run:
                due, photos = _erase(connection, city, due, now=now, actor=actor)
        delete_files(platform, photos, now)
        if not found:
            return
        last = found[-1].number
        services = Counter(one.service_code for one in due)
        yield Anonymised(len(found), services, Counter(one.service_code for one in found) - services)


def count_known(platform: Platform, city: Jurisdiction) -> int:
    """About how many requests `anonymise` will look at; 0 if the city has no retention."""
    with platform.database.reading() as connection:
        return people.count_known(connection, city.id) if has_retention(city) else 0


def _is_due(city: Jurisdiction, one: Known, now: datetime) -> bool:
    return one.closed_at is not None and is_over(
        one.closed_at, city.retention_of(one.service_code).reporter_days, now
    )


def _erase(
    connection: Connection, city: Jurisdiction, due: Sequence[Known], *, now: datetime, actor: str
) -> tuple[list[Known], list[Photo]]:
    """Erase the people of those requests that are still due after they were locked.

    Returns these requests, and photos whose originals must be deleted after the commit.
    """
    numbers = [one.number for one in due]
    records = requests.load_numbers(connection, city.id, numbers, is_locked=True) if due else {}
    still = [one for one in map(Known.of, records.values()) if _is_due(city, one, now)]
    chosen = [records[one.number] for one in still]
    parts = [Erasable.REPORTER]
    erased = erase_parts(connection, city, chosen, parts, now=now, actor=actor, cause=RETENTION)
    return still, list(erased.photos)
