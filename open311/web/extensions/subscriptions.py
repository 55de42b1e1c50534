"""Subscriptions of the holders of keys (spec/extensions.md, W1 to W13)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from open311.formats import document, shape_of
from open311.operations.subscriptions import managing
from open311.storage.webhooks import Owned
from open311.web.access import API_KEY
from open311.web.calls import Answer, Call
from open311.web.endpoints import endpoint
from open311.web.languages import for_caller
from open311.web.surfaces import GEOREPORT
from schemas.subscriptions import (
    MessageSchema,
    NewSubscriptionArguments,
    ReplayArguments,
    SubscriberArguments,
    SubscriptionSchema,
)

_SHAPE = shape_of(SubscriptionSchema)
_SHARED: dict[str, Any] = {"access": API_KEY, "answers": SubscriptionSchema, "is_extension": True}
_ONE = "/subscriptions/<subscription>"


@endpoint(GEOREPORT, "/subscriptions", reads=SubscriberArguments, **_SHARED)
def list_subscriptions(call: Call) -> Answer:
    """List the subscriptions of the key, oldest first (extension)."""
    return _answer(call, managing.list_subscriptions(call.platform, call.city, call.caller))


@endpoint(
    GEOREPORT, "/subscriptions", method="POST", reads=NewSubscriptionArguments, sends=MessageSchema, **_SHARED
)
def create_subscription(call: Call) -> Answer:
    """Subscribe a receiver to the changes of requests (extension).

    Without a filter, the receiver is told of all requests of the city. First the receiver gets a challenge, and
    must send its value back. The answer has the secret with which webhooks are signed. The secret cannot be read
    again.
    """
    created = managing.create_subscription(
        call.platform, call.city, call.values, principal=call.caller, now=call.now
    )
    return _answer(call, [created], with_secret=True)


@endpoint(GEOREPORT, _ONE, reads=SubscriberArguments, errors=(404,), **_SHARED)
def get_subscription(call: Call, subscription: str) -> Answer:
    """Get a subscription of the key, and how sending goes (extension)."""
    return _answer(call, [managing.find_subscription(call.platform, call.city, subscription, call.caller)])


@endpoint(GEOREPORT, _ONE, method="DELETE", reads=SubscriberArguments, errors=(404,), **_SHARED)
def delete_subscription(call: Call, subscription: str) -> Answer:
    """Delete a subscription (extension). The answer lists those that are left."""
    managing.delete_subscription(call.platform, call.city, subscription, call.caller)
    return _answer(call, managing.list_subscriptions(call.platform, call.city, call.caller))


@endpoint(GEOREPORT, f"{_ONE}/pause", method="POST", reads=SubscriberArguments, errors=(404,), **_SHARED)
def pause_subscription(call: Call, subscription: str) -> Answer:
    """Stop sending for up to 30 days (extension). The changes of this time are kept and sent later."""
    paused = managing.pause(call.platform, call.city, subscription, principal=call.caller, now=call.now)
    return _answer(call, [paused])


@endpoint(GEOREPORT, f"{_ONE}/resume", method="POST", reads=SubscriberArguments, errors=(404,), **_SHARED)
def resume_subscription(call: Call, subscription: str) -> Answer:
    """Send again, at once (extension). The receiver is told what it has missed.

    This also makes a disabled subscription active again.
    """
    resumed = managing.resume(call.platform, call.city, subscription, principal=call.caller, now=call.now)
    return _answer(call, [resumed])


@endpoint(GEOREPORT, f"{_ONE}/replay", method="POST", reads=ReplayArguments, errors=(404,), **_SHARED)
def replay_subscription(call: Call, subscription: str) -> Answer:
    """Send again the requests that have changed since a cursor of the change feed, or since a time (extension)."""
    replayed = managing.replay(call.platform, call.city, subscription, call.values, principal=call.caller)
    return _answer(call, [replayed])


@endpoint(GEOREPORT, f"{_ONE}/secret", method="POST", reads=SubscriberArguments, errors=(404,), **_SHARED)
def rotate_secret(call: Call, subscription: str) -> Answer:
    """Make a new secret (extension). For a day, webhooks are signed with the former one too."""
    rotated = managing.rotate_secret(call.platform, call.city, subscription, principal=call.caller, now=call.now)
    return _answer(call, [rotated], with_secret=True)


@dataclass(frozen=True, slots=True)
class _Shown:
    """A subscription with the attributes that the schema names."""

    subscription_id: str
    jurisdiction_id: str
    state: str
    label: str
    url: str
    service_request_id: str
    service_code: tuple[str, ...]
    group: str
    status: tuple[str, ...]
    department: str
    area: str
    bbox: str
    lat: float | None
    long: float | None
    radius: float | None
    created_datetime: datetime
    state_datetime: datetime
    waiting: int
    sent: int
    replaying: bool
    last_success_datetime: datetime | None
    failures: int
    failing_since: datetime | None
    next_try_datetime: datetime | None
    notice: str
    secret: str
    old_secret_until: datetime | None


def _shown(owned: Owned, call: Call, *, with_secret: bool) -> _Shown:
    subscription, webhook, wanted = owned.subscription, owned.webhook, owned.subscription.wanted
    box, near = wanted.box, wanted.near
    has_old_secret = len(webhook.secrets_at(call.now)) > 1
    return _Shown(
        subscription_id=subscription.name,
        jurisdiction_id=subscription.jurisdiction_id,
        state=str(subscription.state),
        label=subscription.label,
        url=webhook.url,
        service_request_id=wanted.service_request_id,
        service_code=wanted.service_codes,
        group=wanted.group,
        status=tuple(map(str, wanted.statuses)),
        department=wanted.department,
        area=wanted.area,
        bbox=",".join(map(repr, (box.west, box.south, box.east, box.north))) if box else "",
        lat=near.lat if near else None,
        long=near.long if near else None,
        radius=near.radius_m if near else None,
        created_datetime=subscription.created_at,
        state_datetime=subscription.changed_at,
        waiting=owned.waiting,
        sent=webhook.sent,
        replaying=webhook.is_replaying,
        last_success_datetime=webhook.succeeded_at,
        failures=webhook.failures,
        failing_since=webhook.failing_since,
        next_try_datetime=webhook.next_at if webhook.failures else None,
        notice=for_caller(managing.notice_of(owned), call.request),
        secret=webhook.secret if with_secret else "",
        old_secret_until=webhook.old_secret_until if has_old_secret else None,
    )


def _answer(call: Call, found: Iterable[Owned], *, with_secret: bool = False) -> Answer:
    plain = _SHAPE.plain_list(_shown(owned, call, with_secret=with_secret) for owned in found)
    return Answer(body=document(_SHAPE, plain, call.output), cache_control="private, no-store", has_tag=False)
