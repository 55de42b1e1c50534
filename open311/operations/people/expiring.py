"""Retention: erase senders and photos some time after their requests were closed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from open311.domain.events import SYSTEM, Erasable
from open311.domain.photos import Photo
from open311.domain.requests import RequestRecord, Status
from open311.domain.retention import RETENTION, Kept, Retention, is_over
from open311.operations.media.erasing import defer_deletion
from open311.operations.platform import Platform
from open311.operations.publishing import ROWS_PER_TRANSACTION
from open311.operations.workflow.erase_request import erase_parts
from open311.plugins import Jurisdiction
from open311.storage import kept, requests
from open311.storage.engine import Connection, undeadlocked


class _Find(Protocol):
    def __call__(self, connection: Connection, jurisdiction_id: str, *, after: int, rows: int) -> list[Kept]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionKind:
    """A kind of data that is erased some days after the closing.

    name      what an operator calls these data
    key       the key in the city's table [retention]
    days      reads the days of this kind from a retention
    part      the part of a request that is erased
    find      finds the next requests that have such data, by number
    estimate  counts about how many requests have such data
    """

    name: str
    key: str
    days: Callable[[Retention], int | None]
    part: Erasable
    find: _Find
    estimate: Callable[[Connection, str], int]

    def is_kept_for_ever(self, city: Jurisdiction) -> bool:
        """Whether neither the city nor a service of it sets a time for these data."""
        times = (city.retention, *(service.retention for service in city.services))
        return all(self.days(one) is None for one in times)

    def days_of(self, city: Jurisdiction, service_code: str) -> int | None:
        """The days of a service; None if it keeps these data for ever."""
        return self.days(city.retention_of(service_code))

    def is_due(self, city: Jurisdiction, one: Kept, now: datetime) -> bool:
        """Whether the data of a request must be erased now."""
        return one.closed_at is not None and is_over(one.closed_at, self.days_of(city, one.service_code), now)


REPORTERS = RetentionKind(
    name="reporters",
    key="reporter_days",
    days=lambda retention: retention.reporter_days,
    part=Erasable.REPORTER,
    find=kept.with_people,
    estimate=kept.count_people,
)
PHOTOS = RetentionKind(
    name="photos",
    key="photo_days",
    days=lambda retention: retention.photo_days,
    part=Erasable.MEDIA,
    find=kept.with_photos,
    estimate=kept.count_photos,
)
KINDS = (REPORTERS, PHOTOS)


@dataclass(frozen=True, slots=True)
class Expired:
    """The result for one batch of requests.

    seen  how many requests with such data the batch has
    due   how many of them lost these data, or would lose them in a dry run, by service code
    kept  how many keep the data for now, by service code
    """

    seen: int
    due: Counter[str]
    kept: Counter[str]


def expire(
    platform: Platform,
    city: Jurisdiction,
    kind: RetentionKind,
    *,
    now: datetime,
    actor: str = SYSTEM,
    is_dry_run: bool = False,
) -> Iterator[Expired]:
    """Erase data of requests whose time is over. Yields each batch's result.

    The time begins when a request is closed. A request that is opened again keeps its data; its time begins anew
    when it is closed again. Each batch is a transaction, so a killed run can be repeated. The worker deletes the
    files of photos after the commit. A dry run locks and writes nothing.
    """
    database = platform.database
    last = 0

    def expire_batch() -> tuple[list[Kept], list[Kept]]:
        with database.reading() if is_dry_run else database.transaction() as connection:
            found = kind.find(connection, city.id, after=last, rows=ROWS_PER_TRANSACTION)
            due = [one for one in found if kind.is_due(city, one, now)]
            if not is_dry_run:
                due, photos = _erase(connection, city, kind, due, now=now, actor=actor)
                defer_deletion(platform, connection, photos, now)
            return found, due

    while not kind.is_kept_for_ever(city):
        found, due = undeadlocked(expire_batch)
        if not found:
            return
        last = found[-1].number
        services = Counter(one.service_code for one in due)
        yield Expired(len(found), services, Counter(one.service_code for one in found) - services)


def count_kept(platform: Platform, city: Jurisdiction, kind: RetentionKind) -> int:
    """About how many requests `expire` will look at; 0 if the city keeps these data for ever."""
    with platform.database.reading() as connection:
        return 0 if kind.is_kept_for_ever(city) else kind.estimate(connection, city.id)


def _erase(
    connection: Connection,
    city: Jurisdiction,
    kind: RetentionKind,
    due: Sequence[Kept],
    *,
    now: datetime,
    actor: str,
) -> tuple[list[Kept], list[Photo]]:
    """Erase the data of those requests that are still due after they were locked.

    Returns these requests, and photos whose files must be deleted.
    """
    numbers = [one.number for one in due]
    records = requests.load_numbers(connection, city.id, numbers, is_locked=True) if due else {}
    still = [one for one in map(_kept, records.values()) if kind.is_due(city, one, now)]
    chosen = [records[one.number] for one in still]
    erased = erase_parts(connection, city, chosen, [kind.part], now=now, actor=actor, cause=RETENTION)
    return still, list(erased.photos)


def _kept(record: RequestRecord) -> Kept:
    is_closed = record.status is Status.CLOSED  # then `updated_at` is the closing time
    return Kept(record.number, record.service_code, record.updated_at if is_closed else None)
