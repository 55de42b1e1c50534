"""Subscriptions: who is told of changes of which requests, and how an index finds them.

A subscription is found by keys or by its shape, never by a look at all subscriptions. Its keys stand for the parts
of its filter that are equal for many requests: one request, a service, a group, a department, an area. A changed
request has a key for each filter that could match it, and an index finds the subscriptions with one of these keys.
A subscription with a box or a circle has no keys; an index of shapes finds it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import product

from open311.domain.places import Place
from open311.domain.requests import Status
from open311.domain.search import Box, Circle


class Target(StrEnum):
    """How a subscriber is told."""

    WEBHOOK = "webhook"


class SubscriptionState(StrEnum):
    """Where a subscription is in its life.

    UNVERIFIED  its receiver has not answered the challenge yet; it collects nothing
    ACTIVE      its subscriber is told
    PAUSED      its owner has stopped it for a while; what it would tell is collected
    DISABLED    it was stopped because its receiver failed for days; it collects nothing
    """

    UNVERIFIED = "unverified"
    ACTIVE = "active"
    PAUSED = "paused"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFilter:
    """Which requests a subscription is about. All parts that are given must match.

    number              of the only request; None for any
    service_request_id  its id; "" for any
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
    """The keys by which a subscription is found. Empty for a filter with a place, which is found by its shape."""
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
    """A subscription of the holder of a key.

    id       the number under which it is stored
    name     its public id, which nobody can guess
    owner    the number of the api_key
    label    what the owner calls it
    changed_at  when its state changed last
    """

    jurisdiction_id: str
    id: int
    name: str
    owner: int
    label: str
    target: Target
    state: SubscriptionState
    wanted: RequestFilter
    created_at: datetime
    changed_at: datetime
