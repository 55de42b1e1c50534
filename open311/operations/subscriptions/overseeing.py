"""How operators list, stop, resume and delete subscriptions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from open311.domain.access import Principal
from open311.errors import NotFound
from open311.operations.platform import Platform
from open311.operations.subscriptions.sending import disable, start_again
from open311.storage import audit, subscriptions, webhooks
from open311.storage.audit import Entry
from open311.storage.engine import Connection
from open311.storage.webhooks import Load, Owned
from schemas.texts import tell


def list_all(platform: Platform, jurisdiction_ids: Sequence[str], *, rows: int, after: str = "") -> list[Owned]:
    """The next subscriptions of all keys in these cities.

    after  the name of the last subscription of the page before; "" for the first page
    Raises NotFound if there is no such subscription.
    """
    with platform.database.reading() as connection:
        last = _find(platform, connection, after, is_locked=False).subscription if after else None
        place = (last.jurisdiction_id, last.id) if last else None
        return webhooks.list_all(connection, jurisdiction_ids, rows=rows, after=place)


def count_subscriptions(platform: Platform) -> list[Load]:
    """The numbers of subscriptions and of what waits for them, by city and state. Raises Unavailable."""
    with platform.database.reading() as connection:
        return webhooks.loads(connection)


def disable_one(platform: Platform, name: str, *, reason: str, principal: Principal, now: datetime) -> None:
    """Stop a subscription. Its owner can resume it. Raises NotFound."""
    with platform.database.transaction() as connection:
        found = _find(platform, connection, name)
        disable(connection, (found.subscription.jurisdiction_id, found.subscription.id), now)
        _record(connection, found, "subscription.disable", reason=reason, principal=principal, now=now)


def resume_one(platform: Platform, name: str, *, reason: str, principal: Principal, now: datetime) -> None:
    """Send to a receiver again, at once. Raises NotFound."""
    with platform.database.transaction() as connection:
        found = _find(platform, connection, name)
        start_again(platform, connection, found, now)
        _record(connection, found, "subscription.resume", reason=reason, principal=principal, now=now)


def delete_one(platform: Platform, name: str, *, reason: str, principal: Principal, now: datetime) -> None:
    """Delete a subscription. Raises NotFound."""
    with platform.database.transaction() as connection:
        found = _find(platform, connection, name)
        subscriptions.delete_subscription(connection, found.subscription.jurisdiction_id, found.subscription.id)
        _record(connection, found, "subscription.delete", reason=reason, principal=principal, now=now)


def _find(platform: Platform, connection: Connection, name: str, *, is_locked: bool = True) -> Owned:
    for city in platform.registry:
        found = webhooks.find(connection, city.id, name, is_locked=is_locked)
        if found is not None:
            return found
    raise NotFound(tell("{name!r} is no subscription here.", name=name[:60]), "subscription_id")


def _record(
    connection: Connection, found: Owned, act: str, *, reason: str, principal: Principal, now: datetime
) -> None:
    entry = Entry(
        jurisdiction_id=found.subscription.jurisdiction_id,
        at=now,
        actor=str(principal),
        act=act,
        subject=f"subscription:{found.subscription.name}",
        reason=reason,
    )
    audit.add_entry(connection, entry)
