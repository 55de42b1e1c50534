"""The consumer of changes that makes text messages for reporters who have asked for them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from open311.domain.events import Event, ProgressMade, StatusChanged, VisitScheduled
from open311.domain.requests import Status
from open311.domain.sms import QueuedSms, SmsOccasion
from open311.operations.mailing.queueing import has_begun
from open311.operations.platform import Platform
from open311.operations.sms.rules import texts_reporters
from open311.plugins import Jurisdiction
from open311.storage import origins, requests, sms
from open311.storage.engine import Connection
from open311.storage.outbox import RecordedChange


class Texting:
    """Makes a message if a request has come in, got further or was closed, for a reporter who has asked for it."""

    name = "sms"

    def consume(
        self, platform: Platform, connection: Connection, changes: Sequence[RecordedChange], now: datetime
    ) -> None:
        """Make the messages of these changes. Nothing is stored if the server or the city sends none."""
        by_city: dict[str, list[RecordedChange]] = {}
        for change in changes:
            by_city.setdefault(change.jurisdiction_id, []).append(change)
        for jurisdiction_id, own in by_city.items():
            city = platform.registry.get(jurisdiction_id)
            if city is not None and texts_reporters(platform.settings, city):
                _queue(connection, city, own, now)


def _queue(connection: Connection, city: Jurisdiction, changes: Sequence[RecordedChange], now: datetime) -> None:
    told = [(change.number, occasion) for change in changes if (occasion := occasion_of(change.events))]
    told = [one for one in told if one[1] in city.sms.about]
    wanted = _who_wants(connection, city, list(dict.fromkeys(number for number, _ in told)))
    for number, occasion in told:
        if number in wanted:
            new = QueuedSms(jurisdiction_id=city.id, number=number, occasion=occasion, created_at=now, due_at=now)
            sms.add(connection, new)


def _who_wants(connection: Connection, city: Jurisdiction, numbers: Sequence[int]) -> set[int]:
    """The requests whose reporters are told.

    Nobody is told about a request of a test key, or about one that another server has forwarded: that server tells
    the reporter.
    """
    wanted = sms.wanting(connection, city.id, numbers) if numbers else []
    if not wanted:
        return set()
    forwarded = origins.load(connection, city.id, wanted)
    records = requests.load_numbers(connection, city.id, wanted)
    return {number for number, record in records.items() if not record.is_test and number not in forwarded}


def occasion_of(events: Iterable[Event]) -> SmsOccasion | None:
    """What reporters are told about a change; None for nothing.

    For a suspected report, the occasion RECEIVED is the change that releases it.
    """
    found = list(events)
    if any(isinstance(one, StatusChanged) and one.new == Status.CLOSED for one in found):
        return SmsOccasion.CLOSED
    if has_begun(found):
        return SmsOccasion.RECEIVED
    if any(
        isinstance(one, StatusChanged | VisitScheduled) or (isinstance(one, ProgressMade) and bool(one.new))
        for one in found
    ):
        return SmsOccasion.STATUS
    return None
