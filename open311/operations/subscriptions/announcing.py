"""The consumer that announces changed requests to the subscriptions whose filters they match."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from open311.operations.platform import Platform
from open311.operations.subscriptions.by_mail import queue_news
from open311.storage import subscribers
from open311.storage.engine import Connection
from open311.storage.outbox import RecordedChange
from open311.storage.subscribers import Change, Groups


class Announcing:
    """Makes a notification for each subscriber whose filter matches a changed request, or matched it before.

    It looks at public versions only. A change that the public does not see makes no notification.
    """

    name = subscribers.CONSUMER

    def consume(
        self, platform: Platform, connection: Connection, changes: Sequence[RecordedChange], now: datetime
    ) -> None:
        """Announce the requests that have changed, as the public sees them now."""
        for jurisdiction_id in sorted({change.jurisdiction_id for change in changes}):
            own = [change for change in changes if change.jurisdiction_id == jurisdiction_id]
            told = announce(connection, jurisdiction_id, own, groups_of(platform, jurisdiction_id), now)
            queue_news(platform, connection, jurisdiction_id, told, now)


def groups_of(platform: Platform, jurisdiction_id: str) -> Groups:
    """The group of each service of a city; none for a city that is not served."""
    city = platform.registry.get(jurisdiction_id)
    return {service.code: service.group for service in city.services} if city else {}


def announce(
    connection: Connection, jurisdiction_id: str, recorded: Sequence[RecordedChange], groups: Groups, now: datetime
) -> list[int]:
    """Make the notifications of these changes. Returns the id of the subscription of each notification.

    A request that has changed several times is announced once. It does not matter if a change is announced again,
    because the public version is the same then.
    """
    numbers = sorted({change.number for change in recorded})
    before = subscribers.announced(connection, jurisdiction_id, numbers, groups)
    after = subscribers.published(connection, jurisdiction_id, numbers, groups)
    differing = [
        number
        for number in numbers
        if (before[number].written_by if number in before else None)
        != (after[number].written_by if number in after else None)
    ]
    told = subscribers.notify(
        connection,
        jurisdiction_id,
        [
            Change(
                before[number].traits if number in before else None,
                after[number].traits if number in after else None,
                _kinds(change for change in recorded if change.number == number),
            )
            for number in differing
        ],
        now,
    )
    subscribers.announce(connection, jurisdiction_id, after, differing)
    return told


def _kinds(changes: Iterable[RecordedChange]) -> tuple[str, ...]:
    """The kinds of the public events of these changes, each once, in order."""
    return tuple(dict.fromkeys(event.kind for change in changes for event in change.events if event.is_public))
