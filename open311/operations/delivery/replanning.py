"""Make the deliveries that are missing because a city's destinations have changed since open requests came."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from open311.domain.access import Principal
from open311.domain.deliveries import Delivery, Subject, is_planned
from open311.domain.requests import RequestRecord
from open311.operations.delivery.planning import new_delivery, new_destinations, senders_of
from open311.operations.federation.joining import join_remotes
from open311.operations.platform import Platform
from open311.operations.publishing import ROWS_PER_TRANSACTION
from open311.plugins import Jurisdiction
from open311.storage import audit, deliveries, outbox, requests
from open311.storage.audit import Entry
from open311.storage.engine import Connection

ACT = "delivery.plan"


@dataclass(frozen=True, slots=True)
class Missing:
    """A request, and a delivery of it that is missing."""

    request: RequestRecord
    delivery: Delivery


@dataclass(frozen=True, slots=True)
class Replanned:
    """The result for one batch of open requests. `seen`: how many were looked at."""

    seen: int
    missing: tuple[Missing, ...]


def replan(
    platform: Platform, city: Jurisdiction, *, now: datetime, principal: Principal, is_dry_run: bool
) -> Iterator[Replanned]:
    """Make the deliveries that open requests lack by today's destinations, and yield each batch.

    A request is not sent again to a back end that has it, or for which a person has skipped it. Each batch is a
    transaction, so a killed run can be repeated. A dry run locks and writes nothing.
    """
    last = 0
    while True:
        database = platform.database
        with database.reading() if is_dry_run else database.transaction() as connection:
            if not is_dry_run:
                outbox.lock(connection)  # the dispatcher makes deliveries too, and must not make the same ones
            records = requests.load_open(
                connection, city.id, after=last, rows=ROWS_PER_TRANSACTION, is_locked=not is_dry_run
            )
            neighbours = join_remotes(platform, connection).of_city(city.id)
            city = platform.registry.find(city.id)  # with its neighbours
            senders = senders_of(connection, city, [record.number for record in records], neighbours)
            missing = tuple(_missing(connection, city, records, senders, now))
            if not is_dry_run and missing:
                deliveries.add(connection, (one.delivery for one in missing))
                audit.add_entry(connection, _entry(city, missing, principal, now))
        if not records:
            return
        last = records[-1].number
        yield Replanned(len(records), missing)


def _missing(
    connection: Connection,
    city: Jurisdiction,
    records: Sequence[RequestRecord],
    senders: Mapping[int, Collection[str]],
    now: datetime,
) -> Iterator[Missing]:
    """The deliveries that are missing. `senders`: the neighbours where each request was before."""
    known = {record.number: set(senders.get(record.number, ())) for record in records}
    for one in filter(is_planned, deliveries.of_requests(connection, city.id, list(known))):
        known[one.number].add(one.backend)
    for record in records:
        for config in new_destinations(city, record, known[record.number]):
            yield Missing(record, new_delivery(config, record, Subject.CASE, version=record.version, now=now))


def _entry(city: Jurisdiction, missing: Sequence[Missing], principal: Principal, now: datetime) -> Entry:
    numbers = f"requests {missing[0].request.number} to {missing[-1].request.number}"
    reason = f"{len(missing)} deliveries by today's destinations"
    return Entry(jurisdiction_id=city.id, at=now, actor=str(principal), act=ACT, subject=numbers, reason=reason)
