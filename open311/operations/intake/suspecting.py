"""Whether a new report or update looks like abuse (decision 0038).

What is suspected is stored and answered as usual, but held: the public does not see it until a person releases it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Literal

from limits import RateLimitItem, RateLimitItemPerHour, parse_many

from open311.domain.abuse import Block, Sender, Suspicion, network_of
from open311.domain.access import Principal
from open311.domain.events import Suspected
from open311.domain.places import Place
from open311.domain.requests import RequestRecord, Submission
from open311.domain.updates import SentUpdate
from open311.operations.access.blocks import current_blocks
from open311.operations.platform import Platform
from open311.plugins import Jurisdiction
from open311.settings import Settings

_SAME_PLACE_DIGITS = 4
"""Points are rounded to this many decimals, about ten metres. Points that are equal then are the same place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """What somebody sends, as far as the rules need to know.

    kind     each kind is counted apart
    content  is equal in two sendings that repeat each other
    """

    kind: Literal["report", "update"]
    email: str
    device: str
    content: tuple[object, ...]

    @classmethod
    def of_report(cls, submission: Submission, place: Place) -> Sending:
        """A report. Two reports repeat each other if their service, text and place are the same."""
        lat, long = [None if one is None else round(one, _SAME_PLACE_DIGITS) for one in (place.lat, place.long)]
        content = (submission.service_code, _plain(submission.description), lat, long, place.address.casefold())
        who = submission.reporter
        return cls(kind="report", email=who.email, device=who.device_id, content=content)

    @classmethod
    def of_update(cls, sent: SentUpdate, record: RequestRecord) -> Sending:
        """An update. Two updates repeat each other if their request, status and text are the same."""
        content = (record.number, sent.status, _plain(sent.description))
        return cls(kind="update", email=sent.email, device="", content=content)


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


@dataclass(frozen=True, slots=True)
class Suspicions:
    """Why something is suspected; empty for most reports. `block`: the block that fits, if there is one."""

    found: tuple[Suspicion, ...] = ()
    block: Block | None = None

    def __bool__(self) -> bool:
        return bool(self.found)

    def event(self, at: datetime) -> Suspected:
        """The event that tells staff why."""
        block = str(self.block.id) if self.block else ""
        reason = self.block.reason if self.block else ""
        return Suspected(at=at, rules=tuple(str(one) for one in self.found), block=block, reason=reason)


NONE = Suspicions()


def remark_about_counts(city: Jurisdiction, settings: Settings) -> str:
    """What an operator should know about the rates of a city; "" if there are none, or if one store counts all."""
    if not city.abuse.counts or settings.workers == 1 or not settings.rate_storage.startswith("memory:"):
        return ""
    return (
        f"[abuse] has rates, and each of the {settings.workers} web processes counts for itself, so that up to"
        f" {settings.workers} times as many reports pass; set OPEN311_RATE_STORAGE to a Redis to count together"
    )


def suspicions_about(
    platform: Platform, city: Jurisdiction, sent: Sending, *, sender: Sender, principal: Principal, now: datetime
) -> Suspicions:
    """Count what is sent, and return why it is suspected.

    Nothing from a test key is checked, because its reports are never public. What staff and the city's own apps
    send is not counted, nor are updates by keys with `may_update`, such as those of back offices.
    """
    if principal.is_test:
        return NONE
    block = current_blocks(platform).find(
        city.id, now, key=principal.number, address=sender.address, device=sent.device, email=sent.email
    )
    found = [Suspicion.BLOCKED] if block else []
    if sender.is_caught:
        found.append(Suspicion.HONEYPOT)
    if not (principal.is_staff or (principal.may_update and sent.kind == "update")):
        found += _floods(platform, city, sent, sender, principal)
    return Suspicions(tuple(found), block)


def _floods(
    platform: Platform, city: Jurisdiction, sent: Sending, sender: Sender, principal: Principal
) -> Iterator[Suspicion]:
    """The rates that this sending exceeds. Every rate counts it, also if another one is exceeded."""
    rules = city.abuse
    address = network_of(sender.address) if sender.address else ""
    counted = (
        (Suspicion.KEY_RATE, rules.per_key, str(principal.number) if principal.number else ""),
        (Suspicion.ADDRESS_RATE, rules.per_address, address),
        (Suspicion.DEVICE_RATE, rules.per_device, sent.device),
    )
    for suspicion, rate, who in counted:
        if rate and who and _exceeds(platform, _read(rate), sent.kind, city.id, suspicion, who):
            yield suspicion
    if rules.most_repeats and (sent.device or address):
        same = repr((sent.device or address, *sent.content))
        rates = (RateLimitItemPerHour(rules.most_repeats),)
        if _exceeds(platform, rates, sent.kind, city.id, Suspicion.REPEATS, same):
            yield Suspicion.REPEATS


def _exceeds(
    platform: Platform, rates: tuple[RateLimitItem, ...], kind: str, city_id: str, rule: Suspicion, who: str
) -> bool:
    """Count one sending, and return whether the sender has exceeded a rate.

    The store of the counts gets only a digest of the sender, and forgets it with the count.
    """
    digest = hashlib.sha256(who.encode()).hexdigest()
    return platform.process.rates.wait_s(rates, kind, city_id, rule, digest) > 0


@lru_cache(maxsize=256)
def _read(rate: str) -> tuple[RateLimitItem, ...]:
    return tuple(parse_many(rate))
