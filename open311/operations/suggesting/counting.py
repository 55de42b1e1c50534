"""The operation that counts which suggestions people choose. Nothing that a person has written is stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from open311.domain import availability
from open311.domain.access import Principal
from open311.domain.requests import Receipt
from open311.errors import Unavailable
from open311.observe import logger
from open311.operations.platform import Platform
from open311.plugins import Jurisdiction
from open311.storage import suggestions
from open311.storage.suggestions import Outcome

log = logger(__name__)


def count_choice(
    platform: Platform, city: Jurisdiction, suggested: Sequence[str], receipt: Receipt, principal: Principal
) -> tuple[str, ...]:
    """Count which of the suggested services a report was sent to. Returns the codes that the city does not have.

    suggested  codes, the best first
    A repeated call and a test report are not counted. If the database fails now, the report is stored and the
    choice is not counted; the log says so.
    """
    unknown = tuple(code for code in suggested if not _is_public(city, code))
    if not suggested or not receipt.is_new or principal.is_test:
        return unknown
    outcomes = [
        Outcome(code, rank, code == receipt.service_code)
        for rank, code in enumerate(suggested, start=1)
        if code not in unknown
    ]
    try:
        with platform.database.transaction() as connection:
            suggestions.add(connection, city.id, outcomes)
    except Unavailable:
        log.warning("choice among suggestions not counted", jurisdiction=city.id)
    return unknown


def _is_public(city: Jurisdiction, code: str) -> bool:
    """Whether the city's catalogue has a service with exactly this code that it can suggest."""
    found = city.service(code)
    return found is not None and found.code == code and availability.is_public(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """How often a service was suggested at a rank, and how often it was then chosen. The first rank is 1."""

    service_code: str
    rank: int
    suggested: int
    chosen: int


def choices(platform: Platform, city: Jurisdiction) -> list[Chosen]:
    """How often each service was suggested and chosen, by code and rank."""
    with platform.database.reading() as connection:
        found = suggestions.counts(connection, city.id)
    places = dict.fromkeys((one.service_code, one.rank) for one in found)
    return [
        Chosen(
            service_code=code,
            rank=rank,
            suggested=sum(found.get(Outcome(code, rank, is_chosen), 0) for is_chosen in (True, False)),
            chosen=found.get(Outcome(code, rank, True), 0),
        )
        for code, rank in places
    ]
