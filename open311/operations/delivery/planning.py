"""The consumer of changes that makes the deliveries to back offices."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import uuid4

from open311.domain.deliveries import Delivery, DeliveryState, Subject, is_planned
from open311.domain.events import (
    AreasRecomputed,
    Commented,
    Corrected,
    Event,
    ProgressMade,
    ServiceChanged,
    StatusChanged,
    Transferred,
)
from open311.domain.origins import Origin, cities_in
from open311.domain.remotes import Remote
from open311.domain.requests import RequestRecord, Visibility
from open311.operations.federation.joining import join_remotes
from open311.operations.platform import Platform
from open311.plugins import BackendConfig, Jurisdiction
from open311.storage import deliveries, history, media, origins, requests
from open311.storage.engine import Connection
from open311.storage.outbox import RecordedChange

KEPT_HERE = (Visibility.HELD, Visibility.UNLISTED, Visibility.WITHDRAWN)
"""Requests with these visibilities are not delivered: held for a review, sent with a test key, or withdrawn."""

PHOTO_WAIT = timedelta(minutes=2)
"""How long a delivery waits at most for photos that are being prepared."""


class Planning:
    """The consumer that makes a delivery for each back office that must know of a change.

    A request is delivered once to each of its back ends. Later changes that matter to back offices are delivered to
    the back ends that have the request and take updates, except to the one from which the change came. If a request
    does not belong to a back end any more, the back end gets an update that says so.
    """

    name = "deliver"

    def consume(
        self, platform: Platform, connection: Connection, changes: Sequence[RecordedChange], now: datetime
    ) -> None:
        """Make the deliveries of these changes."""
        by_city: dict[str, list[RecordedChange]] = {}
        for change in changes:
            by_city.setdefault(change.jurisdiction_id, []).append(change)
        neighbours = join_remotes(platform, connection)
        for jurisdiction_id, own in by_city.items():
            city = platform.registry.get(jurisdiction_id)
            if city is not None and city.backends:
                deliveries.add(connection, plan(connection, city, own, now, neighbours.of_city(city.id)))


def plan(
    connection: Connection,
    city: Jurisdiction,
    changes: Sequence[RecordedChange],
    now: datetime,
    neighbours: Sequence[Remote] = (),
) -> Iterator[Delivery]:
    """The deliveries of changes of one city, in the order of the changes.

    neighbours  the neighbours of the city; a request is not sent to a neighbour that had it before
    """
    numbers = list(dict.fromkeys(change.number for change in changes))
    records = requests.load_numbers(connection, city.id, numbers)
    known: dict[int, set[str]] = {}
    for one in filter(is_planned, deliveries.of_requests(connection, city.id, numbers)):
        known.setdefault(one.number, set()).add(one.backend)
    senders = senders_of(connection, city, numbers, neighbours)
    waiting = media.waiting_among(connection, city.id, numbers)
    for change in changes:
        record = records.get(change.number)
        if record is not None:
            sent_by = senders.get(change.number, frozenset())
            for one in _planned(city, record, change, known.setdefault(change.number, set()), sent_by, now=now):
                yield _after_photos(one, city) if change.number in waiting else one


def _after_photos(delivery: Delivery, city: Jurisdiction) -> Delivery:
    """The delivery of a request whose photos are not prepared yet.

    The delivery waits for them if the back office gets photos. `prepare_photos` ends the wait. Without a worker
    that prepares photos, the request is sent without them.
    """
    config = city.backend(delivery.backend)
    if delivery.subject is not Subject.CASE or config is None or "media" not in config.shared:
        return delivery
    return replace(delivery, due_at=delivery.due_at + PHOTO_WAIT)


def senders_of(
    connection: Connection, city: Jurisdiction, numbers: Sequence[int], neighbours: Sequence[Remote]
) -> dict[int, frozenset[str]]:
    """For each request, the names of the neighbours that had it before: by its way, or by the key that sent it."""
    if not neighbours:
        return {}
    found = origins.load(connection, city.id, numbers)
    sent_by = history.senders_of(connection, city.id, numbers)
    return {
        number: frozenset(
            one.name
            for one in neighbours
            if one.federation_id in cities_in(found.get(number, Origin()).via)
            or (one.partner_key and sent_by.get(number) == f"key:{one.partner_key}")
        )
        for number in {*found, *sent_by}
    }


def _planned(
    city: Jurisdiction,
    record: RequestRecord,
    change: RecordedChange,
    known: set[str],
    sent_by: Collection[str],
    *,
    now: datetime,
) -> Iterator[Delivery]:
    had, wanted = sorted(known), city.backends_for(record.service_code, record.department, record.areas)
    for new in new_destinations(city, record, known | set(sent_by)):
        known.add(new.name)
        yield new_delivery(new, record, Subject.CASE, version=change.version, now=now)
    for name in had:
        config = city.backend(name)
        is_needed = _needs_update(change.events) if name in wanted else is_moved(change.events)
        if config and is_needed and config.sends_updates and not _came_from(config, change.events):
            yield new_delivery(config, record, Subject.UPDATE, version=change.version, now=now)


def new_destinations(city: Jurisdiction, record: RequestRecord, known: Collection[str]) -> Iterator[BackendConfig]:
    """The back ends to which the request must be sent and which do not have it.

    Only requests that were sent to this server are delivered: the source of an imported request has it already.
    """
    if record.source != "api" or record.visibility in KEPT_HERE:
        return
    for name in wanted_by(city, record):
        config = city.backend(name)
        if config is not None and name not in known and is_after_cut_over(config, record):
            yield config


def wanted_by(city: Jurisdiction, record: RequestRecord) -> Sequence[str]:
    """The names of the back ends to which the request belongs now; none if it was merged into another one."""
    if record.merged_into:
        return ()
    return city.backends_for(record.service_code, record.department, record.areas)


def is_after_cut_over(config: BackendConfig, record: RequestRecord) -> bool:
    """Whether a request was received after the back end's cut-over."""
    return config.since is None or record.requested_at >= config.since


def _needs_update(events: Iterable[Event]) -> bool:
    """Whether a back end that has the request must know of the events."""
    return any(
        isinstance(event, _NEEDS_UPDATE)
        or (isinstance(event, ProgressMade) and bool(event.new))
        or (event.is_public and bool(event.note))
        for event in events
    )


def is_moved(events: Iterable[Event]) -> bool:
    """Whether the request may belong to another back end after the events. The old back end must know."""
    return any(isinstance(event, Transferred | ServiceChanged | AreasRecomputed) for event in events)


def _came_from(config: BackendConfig, events: Iterable[Event]) -> bool:
    return any(event.actor == actor_of(config.name) for event in events)


_NEEDS_UPDATE = (Commented, Corrected, ServiceChanged, StatusChanged)


def actor_of(backend: str) -> str:
    """The actor of the events that come from a back end."""
    return f"system:{backend}"


def new_delivery(
    config: BackendConfig, record: RequestRecord, subject: Subject, *, version: int, now: datetime
) -> Delivery:
    """A delivery that is due now. `version` is the version of the request after the change that is delivered."""
    return Delivery(
        jurisdiction_id=record.jurisdiction_id,
        number=record.number,
        version=version,
        backend=config.name,
        subject=subject,
        key=str(uuid4()),
        state=DeliveryState.WAITING,
        created_at=now,
        due_at=now,
    )
