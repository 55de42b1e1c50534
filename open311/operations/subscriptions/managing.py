"""What the holder of a key does with subscriptions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from open311.domain.access import Principal
from open311.domain.ids import new_challenge, new_subscription_name, new_webhook_secret
from open311.domain.subscriptions import (
    OLD_SECRET_LASTS,
    SubscriptionState,
    Target,
    Webhook,
)
from open311.errors import Gone, Invalid, NotFound, Problem
from open311.federation.failures import ForbiddenAddress
from open311.federation.webhooks import NoAddress, Receivers, trusted_hosts
from open311.formats import JSON
from open311.operations.platform import Platform
from open311.operations.reading.follow_changes import LOST, find_changes, position_at, read_position
from open311.operations.subscriptions.filters import read_filter
from open311.operations.subscriptions.sending import start_again
from open311.plugins import Jurisdiction
from open311.storage import keys, notifications, subscriptions, webhooks
from open311.storage.engine import Connection
from open311.storage.hot.changes import Position
from open311.storage.webhooks import Owned
from schemas.subscriptions import MOST_URL_CHARACTERS
from schemas.texts import Message, tell

_FAULTS: Mapping[str, Message] = {
    "unreachable": tell("The receiver could not be reached; it is tried again."),
    "slow": tell("The receiver did not answer in time; it is tried again."),
    "large": tell("The answer of the receiver is too large; it is tried again."),
    "forbidden": tell("The address of the receiver is not public now; it is tried again."),
    "challenge": tell("The receiver did not answer the challenge; it is tried again."),
}


def notice_of(owned: Owned) -> str:
    """What is wrong with a subscription, and what its owner can do; "" if nothing is."""
    state, cause = owned.subscription.state, owned.webhook.cause
    if state is SubscriptionState.DISABLED:
        return tell("Nothing is sent any more. Mend the receiver and call resume; what it has missed is told then.")
    if state is SubscriptionState.UNVERIFIED and not cause:
        return tell("The receiver gets a challenge soon. It must send the value back.")
    if not cause:
        return ""
    return _FAULTS.get(cause) or tell("The receiver answered {status}; it is tried again.", status=cause)


def create_subscription(
    platform: Platform, city: Jurisdiction, values: Mapping[str, Any], *, principal: Principal, now: datetime
) -> Owned:
    """Subscribe a receiver to the requests of a filter.

    The receiver gets changes only after it has answered a challenge.

    values  the values of `NewSubscriptionArguments`
    Raises Invalid with all problems.
    """
    problems = list(_url_problems(platform, values["url"]))
    wanted = read_filter(platform, city, values, problems)
    start = _start(platform, city, values, problems)
    if problems:
        raise Invalid.of(problems)
    name = new_subscription_name()
    added = Webhook(
        url=values["url"], secret=new_webhook_secret(), challenge=new_challenge(), next_at=now, is_replaying=True
    )
    with platform.database.transaction() as connection:
        keys.lock_key(connection, principal.number)
        most = platform.settings.webhooks_per_key
        if subscriptions.count_of_owner(connection, principal.number) >= most:
            raise Invalid(tell("has {most} subscriptions already; delete one first.", most=most), "api_key")
        number = subscriptions.add_subscription(
            connection,
            city.id,
            name=name,
            target=Target.WEBHOOK,
            state=SubscriptionState.UNVERIFIED,
            wanted=wanted,
            owner=principal.number,
            label=values["label"],
            now=now,
        )
        webhooks.add_webhook(connection, (city.id, number), added, start)
        return _find(connection, city, name, principal)


def list_subscriptions(platform: Platform, city: Jurisdiction, principal: Principal) -> list[Owned]:
    """The subscriptions of a key in a city, oldest first."""
    with platform.database.reading() as connection:
        return webhooks.list_of_owner(connection, city.id, principal.number)


def find_subscription(platform: Platform, city: Jurisdiction, name: str, principal: Principal) -> Owned:
    """A subscription of a key. Raises NotFound."""
    with platform.database.reading() as connection:
        return _find(connection, city, name, principal)


def pause(platform: Platform, city: Jurisdiction, name: str, *, principal: Principal, now: datetime) -> Owned:
    """Send nothing until `resume`. Until then, notifications are collected.

    Raises NotFound, and Invalid if the subscription is neither active nor paused.
    """
    with platform.database.transaction() as connection:
        owned = _find(connection, city, name, principal, is_locked=True)
        state = owned.subscription.state
        if state not in (SubscriptionState.ACTIVE, SubscriptionState.PAUSED):
            raise Invalid(
                tell("is {state}; only an active one can be paused.", state=str(state)), "subscription_id"
            )
        if state is SubscriptionState.ACTIVE:
            subscriptions.set_state(connection, city.id, owned.subscription.id, SubscriptionState.PAUSED, now)
        return _find(connection, city, name, principal)


def resume(platform: Platform, city: Jurisdiction, name: str, *, principal: Principal, now: datetime) -> Owned:
    """Send again, and at once, also after failures. Raises NotFound.

    A disabled subscription tells everything that has changed since the last webhook that its receiver accepted.
    """
    with platform.database.transaction() as connection:
        owned = _find(connection, city, name, principal, is_locked=True)
        start_again(platform, connection, owned, now)
        return _find(connection, city, name, principal)


def replay(
    platform: Platform,
    city: Jurisdiction,
    name: str,
    values: Mapping[str, Any],
    *,
    principal: Principal,
) -> Owned:
    """Tell the changes after a position of the change feed, or after a time, once more.

    Raises NotFound, and Invalid if both the position and the time are missing, or if one is faulty.
    """
    problems: list[Problem] = []
    start = _start(platform, city, values, problems)
    if start is None and not problems:
        problems.append(Problem("cursor", tell("is missing; send cursor or since.")))
    if problems:
        raise Invalid.of(problems)
    with platform.database.transaction() as connection:
        owned = _find(connection, city, name, principal, is_locked=True)
        webhooks.replay(connection, _place(owned), start)
        return _find(connection, city, name, principal)


def rotate_secret(
    platform: Platform, city: Jurisdiction, name: str, *, principal: Principal, now: datetime
) -> Owned:
    """Make a new secret. For a day, the former one signs too. Raises NotFound."""
    with platform.database.transaction() as connection:
        owned = _find(connection, city, name, principal, is_locked=True)
        rotated = replace(
            owned.webhook,
            secret=new_webhook_secret(),
            old_secret=owned.webhook.secret,
            old_secret_until=now + OLD_SECRET_LASTS,
        )
        _save(connection, owned, rotated)
        return _find(connection, city, name, principal)


def delete_subscription(platform: Platform, city: Jurisdiction, name: str, principal: Principal) -> None:
    """Delete a subscription with all that is stored for it. Raises NotFound."""
    with platform.database.transaction() as connection:
        owned = _find(connection, city, name, principal, is_locked=True)
        subscriptions.delete_subscription(connection, city.id, owned.subscription.id)


def _find(
    connection: Connection, city: Jurisdiction, name: str, principal: Principal, *, is_locked: bool = False
) -> Owned:
    found = webhooks.find(connection, city.id, name, owner=principal.number, is_locked=is_locked)
    if found is None:
        raise NotFound(tell("{name!r} is no subscription of this api_key.", name=name[:60]), "subscription_id")
    return found


def _place(owned: Owned) -> notifications.Place:
    return owned.subscription.jurisdiction_id, owned.subscription.id


def _save(connection: Connection, owned: Owned, changed: Webhook) -> None:
    webhooks.save(connection, _place(owned), changed)


def _url_problems(platform: Platform, url: str) -> Iterator[Problem]:
    """What is wrong with the address of a receiver. The name of its host is resolved."""
    settings = platform.settings
    if not url:
        return
    if len(url) > MOST_URL_CHARACTERS or not url.isascii() or not url.isprintable() or " " in url or "#" in url:
        fault = tell("must be an address of at most {most} ASCII characters, without #.", most=MOST_URL_CHARACTERS)
        yield Problem("url", fault)
        return
    receivers = Receivers(
        timeout_s=settings.webhook_timeout_s, trusted=trusted_hosts(settings.webhook_hosts), proxy=settings.proxy
    )
    try:
        receivers.check(url)
    except ForbiddenAddress:
        fault = tell("must begin with https:// and lead to a public address, without user and password.")
        yield Problem("url", fault)
    except NoAddress:
        yield Problem("url", tell("has a host without an address; check its name."))
    finally:
        receivers.close()


def _start(
    platform: Platform, city: Jurisdiction, values: Mapping[str, Any], problems: list[Problem]
) -> Position | None:
    """The position after which changes are told; None for the end of the feed."""
    if values["cursor"]:
        try:
            position = read_position(values["cursor"], city.id)
            find_changes(platform, city.id, position, JSON, rows=1)
            return position
        except Gone:
            problems.append(Problem("cursor", LOST))
        except ValueError:
            problems.append(Problem("cursor", tell("is not a cursor of this feed; start again without it.")))
    return position_at(platform, city.id, values["since"]) if values["since"] else None
