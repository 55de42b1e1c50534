"""Send webhooks. A webhook is claimed, what is due is sent, and the results are settled.

A claim is committed before the receiver is called, and the results are committed afterwards. One worker at a time
sends to a receiver, one message after the other, and each message has the newest public version of its request. So
a receiver never gets an older version after a newer one. If a worker dies, its lease ends, and another worker sends
again what was not settled. The `webhook-id` is then the same, as long as the request has not changed.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import blake2b

import orjson

from open311.domain.deliveries import wait_after
from open311.domain.subscriptions import LONGEST_PAUSE_S, SubscriptionState, Webhook
from open311.federation.webhooks import Receivers, Reply, trusted_hosts
from open311.observe import logger
from open311.operations.platform import Platform
from open311.operations.subscriptions.announcing import groups_of
from open311.storage import notifications, subscribers, subscriptions, webhooks
from open311.storage.engine import Connection
from open311.storage.notifications import Place, Waiting
from open311.storage.webhooks import Owned
from schemas.values import format_instant

log = logger(__name__)

AT_ONCE = 50
"""The most messages that are claimed together."""
REPLAYED_AT_ONCE = 500
GONE = "410"
"""The status with which a receiver ends its subscription."""
Clock = Callable[[], datetime]


def lease_of(platform: Platform) -> timedelta:
    """How long a claim lasts.

    Messages are begun in the first third of it. The last of them has ended before the last third.
    """
    return timedelta(seconds=3 * platform.settings.webhook_timeout_s)


class Line:
    """The connection to one receiver. Use it in one thread only."""

    def __init__(self, platform: Platform, place: Place) -> None:
        self._platform, self._place = platform, place
        settings = platform.settings
        self._span_s = float(settings.webhook_timeout_s)
        self._receivers = Receivers(
            timeout_s=self._span_s, trusted=trusted_hosts(settings.webhook_hosts), proxy=settings.proxy
        )

    def close(self) -> None:
        """End the connection."""
        self._receivers.close()

    def send(self, clock: Clock) -> int:
        """Send what is due, and return how many messages were tried. 0 if nothing is due or the receiver rests.

        Raises Unavailable if the database is dead.
        """
        begun_s, now = time.monotonic(), clock()
        lease = now + lease_of(self._platform)
        with self._platform.database.transaction() as connection:
            owned = webhooks.claim(connection, self._place, now, lease)
            if owned is None:
                return 0
            waiting = [] if owned.webhook.challenge else self._due(connection, owned, now)
        if owned.webhook.challenge:
            reply = self._challenge(owned, clock())
            self._settle_challenge(owned, reply, lease, clock())
            return 1
        told: list[Waiting] = []
        reply = Reply("")
        for one in waiting:
            if time.monotonic() - begun_s > self._span_s:
                break
            reply = self._tell(owned, one, clock())
            if reply.fault:
                break
            told.append(one)
        failed = waiting[len(told)] if reply.fault else None
        self._settle(told, failed, reply, lease, clock())
        return len(told) + (failed is not None)

    def _due(self, connection: Connection, owned: Owned, now: datetime) -> list[Waiting]:
        """What is due. If nothing is, the next part of a replay becomes due."""
        found = notifications.due(connection, self._place, now, AT_ONCE)
        if found or not owned.webhook.is_replaying:
            return found
        replayed = webhooks.next_of_replay(connection, self._place, REPLAYED_AT_ONCE)
        if replayed is None:
            return []
        city, number = self._place
        if replayed.numbers:
            groups = groups_of(self._platform, city)
            subscribers.notify_again(connection, city, number, replayed.numbers, groups, now)
        webhooks.advance_replay(connection, self._place, replayed)
        return notifications.due(connection, self._place, now, AT_ONCE)

    # --- Calling

    def _challenge(self, owned: Owned, now: datetime) -> Reply:
        webhook, name = owned.webhook, owned.subscription.name
        data = {"subscription_id": name, "challenge": webhook.challenge}
        message = {"type": "subscription.challenge", "timestamp": format_instant(now), "data": data}
        reply = self._post(webhook, orjson.dumps(message), f"msg_{webhook.challenge}", now)
        if not reply.fault and not reply.answers(webhook.challenge):
            return Reply("challenge")
        return reply

    def _tell(self, owned: Owned, one: Waiting, now: datetime) -> Reply:
        return self._post(owned.webhook, message_of(owned, one), message_id(owned, one), now)

    def _post(self, webhook: Webhook, body: bytes, webhook_id: str, now: datetime) -> Reply:
        return self._receivers.send(webhook.url, body, webhook_id, secrets=webhook.secrets_at(now), now=now)

    # --- Settling

    def _settle_challenge(self, owned: Owned, reply: Reply, lease: datetime, now: datetime) -> None:
        with self._platform.database.transaction() as connection:
            stored = webhooks.held(connection, self._place, lease)
            if stored is None or stored.webhook.challenge != owned.webhook.challenge:
                webhooks.release(connection, self._place, lease, now)
            elif reply.fault:
                webhooks.save(connection, self._place, self._failed(stored.webhook, reply, now))
            else:
                verified = stored.webhook.verified(now)
                webhooks.save(connection, self._place, verified)
                subscriptions.set_state(connection, *self._place, SubscriptionState.ACTIVE, now)
                log.info("a subscription is verified", **self._what(owned))

    def _settle(
        self, told: Sequence[Waiting], failed: Waiting | None, reply: Reply, lease: datetime, now: datetime
    ) -> None:
        """Store what was tried, unless the claim has ended. What the receiver has got is settled in any case."""
        with self._platform.database.transaction() as connection:
            stored = webhooks.held(connection, self._place, lease)
            notifications.settle(connection, self._place, told)
            if stored is None:  # paused, deleted, or claimed by another worker meanwhile
                webhooks.release(connection, self._place, lease, now)
                return
            after = stored.webhook.accepted(len(told), now) if told else stored.webhook.rested(now)
            if failed is not None:
                after = self._failed(after, reply, now)
                notifications.postpone(connection, self._place, failed, self._later(failed, now))
            webhooks.save(connection, self._place, after)
            if failed is not None:
                self._give_up(connection, stored, after, reply, now)

    def _failed(self, webhook: Webhook, reply: Reply, now: datetime) -> Webhook:
        return webhook.failed(reply.fault, now, after_s=reply.after_s, chance=random.random())  # noqa: S311

    def _later(self, failed: Waiting, now: datetime) -> datetime:
        wait_s = wait_after(failed.attempts + 1, random.random(), LONGEST_PAUSE_S)  # noqa: S311  # it spreads waits
        return now + timedelta(seconds=wait_s)

    def _give_up(self, connection: Connection, owned: Owned, after: Webhook, reply: Reply, now: datetime) -> None:
        """Disable a subscription if its receiver has failed for days, or wants no more webhooks."""
        if reply.fault == GONE or after.is_given_up(now, self._platform.settings.webhook_days):
            disable(connection, self._place, now)
            log.error(
                "a subscription is disabled, because its receiver fails", cause=after.cause, **self._what(owned)
            )
        elif after.failures == 1:
            log.warning("a webhook failed and is tried again", cause=after.cause, **self._what(owned))

    def _what(self, owned: Owned) -> dict[str, object]:
        return {"city": self._place[0], "subscription": owned.subscription.name}


def disable(connection: Connection, place: Place, now: datetime) -> None:
    """Stop a subscription. If its owner resumes it, the receiver then gets all changes that it has not got yet."""
    webhooks.replay_undelivered(connection, place)
    subscriptions.set_state(connection, *place, SubscriptionState.DISABLED, now)


def start_again(platform: Platform, connection: Connection, owned: Owned, now: datetime) -> None:
    """Send to a receiver soon, also after failures, a pause or a stop. An unverified subscription stays unverified.

    A worker may be sending to the receiver now. Its claim is left as it is: with two workers, an older version
    could come after a newer one. A claim looks the same as a short wait, so a short wait is left too.
    """
    place = owned.subscription.jurisdiction_id, owned.subscription.id
    next_at = owned.webhook.next_at
    if not now < next_at <= now + lease_of(platform):
        next_at = now
    if owned.subscription.state is not SubscriptionState.UNVERIFIED:
        subscriptions.set_state(connection, *place, SubscriptionState.ACTIVE, now)
    again = replace(owned.webhook, failures=0, failing_since=None, cause="", next_at=next_at)
    webhooks.save(connection, place, again)
    notifications.retry_now(connection, place, now)


def message_id(owned: Owned, one: Waiting) -> str:
    """The `webhook-id`: the same for the same version of a request, also after a replay."""
    parts = (owned.subscription.name, one.number, one.written_by, bool(one.body))
    return "msg_" + blake2b(repr(parts).encode(), digest_size=16).hexdigest()


def message_of(owned: Owned, one: Waiting) -> bytes:
    """The body of a webhook: the public item, or a tombstone without it."""
    data: dict[str, object] = {
        "subscription_id": owned.subscription.name,
        "jurisdiction_id": owned.subscription.jurisdiction_id,
        "service_request_id": one.service_request_id,
        "sequence": one.written_by,
    }
    if one.body:
        data |= {"changes": one.changes, "service_request": orjson.Fragment(one.body)}
    else:
        data |= {"withdrawn": True}
    kind = "service_request.changed" if one.body else "service_request.withdrawn"
    return orjson.dumps({"type": kind, "timestamp": format_instant(one.changed_at), "data": data})


def due_places(platform: Platform, now: datetime, *, rows: int) -> list[Place]:
    """The subscriptions to whose receivers something must be sent now."""
    with platform.database.reading() as connection:
        return webhooks.due_places(connection, now, rows)


def send_all(platform: Platform, clock: Clock) -> int:
    """Send everything that is due, and return the number of tries."""
    tried = 0
    for place in due_places(platform, clock(), rows=1_000):
        line = Line(platform, place)
        try:
            while count := line.send(clock):
                tried += count
        finally:
            line.close()
    return tried
