"""Whether a new report looks like abuse (decision 0038).

A suspected report is stored and answered as usual, but held: only staff see it until a person releases it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from limits import RateLimitItem, RateLimitItemPerHour, parse_many

from open311.domain.abuse import Block, Sender, Suspicion, network_of
from open311.domain.access import Principal
from open311.domain.places import Place
from open311.domain.requests import Submission
from open311.operations.access.blocks import current_blocks
from open311.operations.platform import Platform
from open311.plugins import Jurisdiction

_SAME_PLACE_DIGITS = 4
"""Points that differ by less than about ten metres are the same place."""


@dataclass(frozen=True, slots=True)
class Suspicions:
    """Why a report is suspected; empty for most reports. `block`: the block that fits, if there is one."""

    found: tuple[Suspicion, ...] = ()
    block: Block | None = None

    def __bool__(self) -> bool:
        return bool(self.found)


NONE = Suspicions()


def suspicions_about(
    platform: Platform,
    city: Jurisdiction,
    submission: Submission,
    place: Place,
    *,
    sender: Sender,
    principal: Principal,
    now: datetime,
) -> Suspicions:
    """Count a report, and return why it is suspected.

    Reports of the city's own apps are not counted, and reports of test keys are never public anyway.
    """
    if principal.is_test:
        return NONE
    who = submission.reporter
    block = current_blocks(platform).find(
        city.id, now, key=principal.number, address=sender.address, device=who.device_id, email=who.email
    )
    found = [Suspicion.BLOCKED] if block else []
    if sender.is_caught:
        found.append(Suspicion.HONEYPOT)
    if not principal.is_staff:
        found += _floods(platform, city, submission, place, sender, principal)
    return Suspicions(tuple(found), block)


def _floods(
    platform: Platform,
    city: Jurisdiction,
    submission: Submission,
    place: Place,
    sender: Sender,
    principal: Principal,
) -> Iterator[Suspicion]:
    """The rates that this report exceeds. Every rate counts the report, also if another one is exceeded."""
    rules, device = city.abuse, submission.reporter.device_id
    address = network_of(sender.address) if sender.address else ""
    counted = (
        (Suspicion.KEY_RATE, rules.per_key, str(principal.number)),
        (Suspicion.ADDRESS_RATE, rules.per_address, address),
        (Suspicion.DEVICE_RATE, rules.per_device, device),
    )
    for suspicion, rate, who in counted:
        if rate and who and _exceeds(platform, _read(rate), city.id, suspicion, who):
            yield suspicion
    if rules.most_repeats and (device or address):
        same = _digest(submission, place, device or address)
        if _exceeds(platform, (RateLimitItemPerHour(rules.most_repeats),), city.id, Suspicion.REPEATS, same):
            yield Suspicion.REPEATS


def _exceeds(platform: Platform, rates: tuple[RateLimitItem, ...], city_id: str, rule: Suspicion, who: str) -> bool:
    """Count a report. The store of the counts gets only a digest of the sender, and forgets it with the count."""
    digest = hashlib.sha256(who.encode()).hexdigest()
    return platform.process.rates.wait_s(rates, "report", city_id, rule, digest) > 0


@lru_cache(maxsize=256)
def _read(rate: str) -> tuple[RateLimitItem, ...]:
    return tuple(parse_many(rate))


def _digest(submission: Submission, place: Place, who: str) -> str:
    """What is the same in two reports that repeat each other: sender, service, text and place."""
    point = [None if degrees is None else round(degrees, _SAME_PLACE_DIGITS) for degrees in (place.lat, place.long)]
    text = " ".join(submission.description.casefold().split())
    return repr((who, submission.service_code, text, point, place.address.casefold()))
