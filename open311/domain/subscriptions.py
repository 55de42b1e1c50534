"""Subscriptions: who is told of changes of which requests, and how an index finds them.

A subscription is found by keys or by its shape, never by a look at all subscriptions. Its keys stand for the parts
of its filter that are equal for many requests: one request, a service, a group, a department, an area. A changed
request has a key for each filter that could match it, and an index finds the subscriptions with one of these keys.
A subscription with a box or a circle has no keys, unless it is about one request; an index of shapes finds it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import product

from open311.domain.deliveries import wait_after
from open311.domain.places import Place
from open311.domain.requests import Status
from open311.domain.search import Box, Circle


class Target(StrEnum):
    """How a subscriber is told."""

    WEBHOOK = "webhook"
    MAIL = "mail"


class SubscriptionState(StrEnum):
    """The state of a subscription.

    UNVERIFIED  its receiver has not answered the challenge, or its person has not agreed; it collects nothing
    ACTIVE      its subscriber is told
    PAUSED      its owner has stopped it for up to `PAUSED_LASTS`; what it would tell is collected
    DISABLED    its receiver failed for days, its pause was too long, or an operator stopped it; it collects nothing
    """

    UNVERIFIED = "unverified"
    ACTIVE = "active"
    PAUSED = "paused"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFilter:
    """Which requests a subscription is about. All parts that are given must match.

    number              the number of the only request; None for any
    service_request_id  the id of the only request; "" for any
    service_codes       any of these; empty for all
    group               the group of the service in the city's catalogue; "" for all
    statuses            any of these; empty for all
    department          the code of a department; "" for all
    area                an area's name; "" for all
    """

    number: int | None = None
    service_request_id: str = ""
    service_codes: tuple[str, ...] = ()
    group: str = ""
    statuses: tuple[Status, ...] = ()
    department: str = ""
    area: str = ""
    box: Box | None = None
    near: Circle | None = None

    @property
    def has_place(self) -> bool:
        """Whether the filter has a box or a circle."""
        return self.box is not None or self.near is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """The public properties of a request by which filters choose it."""

    number: int
    service_code: str
    group: str
    status: str
    department: str
    areas: tuple[str, ...]
    place: Place


def keys_of_filter(jurisdiction_id: str, wanted: RequestFilter) -> tuple[str, ...]:
    """The keys by which a subscription is found.

    Empty if the filter has a place and is not about one request: an index of shapes finds such a subscription.
    """
    if wanted.number is not None:
        return (_key(jurisdiction_id, str(wanted.number)),)
    if wanted.has_place:
        return ()
    group = "" if wanted.service_codes else wanted.group
    return tuple(
        _key(jurisdiction_id, wanted.area, wanted.department, group, code) for code in wanted.service_codes or ("",)
    )


def keys_of_request(jurisdiction_id: str, traits: Traits) -> tuple[str, ...]:
    """The keys of all filters that can match a request. The caller compares the whole filter with the request."""
    return tuple(dict.fromkeys(_keys_of_request(jurisdiction_id, traits)))


def _keys_of_request(jurisdiction_id: str, traits: Traits) -> Iterator[str]:
    yield _key(jurisdiction_id, str(traits.number))
    services = (("", ""), (traits.group, ""), ("", traits.service_code))
    for area, department, service in product(("", *traits.areas), ("", traits.department), services):
        yield _key(jurisdiction_id, area, department, *service)


def _key(*parts: str) -> str:
    return "\n".join(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """A subscription of the holder of a key, or of a person who gets mail.

    id          the number under which it is stored
    name        its public id, which nobody can guess
    owner       the number of the api_key; None for a person
    follower    the id of the follower who gets the mail; None for the holder of a key
    label       what the owner calls it
    changed_at  when its state changed last
    """

    jurisdiction_id: str
    id: int
    name: str
    owner: int | None
    follower: int | None
    label: str
    target: Target
    state: SubscriptionState
    wanted: RequestFilter
    created_at: datetime
    changed_at: datetime


LONGEST_PAUSE_S = 21_600.0
"""The longest wait before a receiver that fails is tried again: about six hours, see `wait_after`."""
OLD_SECRET_LASTS = timedelta(days=1)
"""How long a former secret also signs what is sent, so that the receiver loses no message
until it knows the new secret."""
UNVERIFIED_LASTS = timedelta(days=1)
"""How long a receiver may take to answer the challenge. Then its subscription is deleted."""
PAUSED_LASTS = timedelta(days=30)
"""How long a paused subscription collects what it would tell. Then it is disabled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """The receiver of a subscription, and how sending to it goes.

    secret         the secret that signs what is sent, `whsec_…`
    old_secret     the former secret, which also signs until `old_secret_until`; "" for none
    challenge      what the receiver must answer before the subscription begins; "" once it has
    next_at        nothing is sent earlier. While a worker sends, it is the end of the worker's lease
    failures       how many tries in a row have failed
    failing_since  since when all tries have failed; None if the last try succeeded
    cause          why the last try failed, or why the subscription is disabled, in a sentence
    sent           how many webhooks the receiver has accepted
    is_replaying   whether earlier changes are told again
    """

    url: str = field(repr=False)
    secret: str = field(repr=False)
    next_at: datetime
    old_secret: str = field(default="", repr=False)
    old_secret_until: datetime | None = None
    challenge: str = field(default="", repr=False)
    failures: int = 0
    failing_since: datetime | None = None
    cause: str = ""
    succeeded_at: datetime | None = None
    sent: int = 0
    is_replaying: bool = False

    def secrets_at(self, now: datetime) -> tuple[str, ...]:
        """The secrets that sign what is sent, the newest first."""
        until = self.old_secret_until
        return (self.secret, self.old_secret) if self.old_secret and until and now < until else (self.secret,)

    def verified(self, now: datetime) -> Webhook:
        """The webhook after the receiver has answered the challenge."""
        return replace(self, challenge="", failures=0, failing_since=None, cause="", succeeded_at=now, next_at=now)

    def rested(self, now: datetime) -> Webhook:
        """The webhook after a worker has claimed it and has sent nothing."""
        return replace(self, next_at=now)

    def accepted(self, count: int, now: datetime) -> Webhook:
        """The webhook after the receiver has accepted `count` > 0 messages."""
        return replace(
            self, failures=0, failing_since=None, cause="", succeeded_at=now, sent=self.sent + count, next_at=now
        )

    def failed(self, cause: str, now: datetime, *, after_s: float | None, chance: float) -> Webhook:
        """The webhook after a failure.

        after_s  the pause that the receiver asks for; None if it asks for none
        chance   a random number between 0 and 1, which spreads the waits
        """
        failures = self.failures + 1
        pause_s = max(wait_after(failures, chance, LONGEST_PAUSE_S), min(after_s or 0.0, LONGEST_PAUSE_S))
        return replace(
            self,
            failures=failures,
            failing_since=self.failing_since or now,
            cause=cause,
            next_at=now + timedelta(seconds=pause_s),
        )

    def is_given_up(self, now: datetime, days: int) -> bool:
        """Whether the receiver has failed for this many days, so that nothing more is sent to it."""
        return self.failing_since is not None and now - self.failing_since >= timedelta(days=days)
