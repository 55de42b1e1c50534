"""The work of an account: find the requests that are assigned to it, and assign them to somebody else."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from open311.domain.access import ALL_JURISDICTIONS, Principal, Role
from open311.domain.commands import Assign
from open311.operations.access.assignees import find_assignee
from open311.operations.desk.bulk import BulkResult, Selected, act_on_all
from open311.operations.platform import Platform
from open311.plugins import Jurisdiction
from open311.storage import requests
from open311.storage.accounts import Account


@dataclass(frozen=True, slots=True)
class Work:
    """The open requests of one city that are assigned to an account, by their numbers."""

    city: Jurisdiction
    numbers: Sequence[int]


def find_work(platform: Platform, account: Account) -> list[Work]:
    """The open requests that are assigned to an account, in each city where it has such requests."""
    return list(_work(platform, account, departments=()))


def find_lost_work(platform: Platform, account: Account) -> list[Work]:
    """The open requests of an account on which it may not work any more, after a change of its rights."""
    if not Role(account.role).includes(Role.AGENT):
        return find_work(platform, account)
    return list(_work(platform, account, departments=account.departments)) if account.departments else []


def check_receiver(platform: Platform, account: Account, receiver: str, *, principal: Principal) -> None:
    """Raise Invalid if `receiver`, who is to get the work of an account, does not exist or may only read."""
    with platform.database.reading() as connection:
        for city in _cities(platform, account):
            find_assignee(connection, city, receiver, principal=principal)


def hand_over(
    platform: Platform, work: Sequence[Work], receiver: str, *, reason: str, principal: Principal, now: datetime
) -> list[BulkResult]:
    """Assign each of these requests to somebody else. A request that the receiver may not work on is refused.

    receiver  the name of an account, or a word of NOBODY
    """
    command = Assign(account=receiver, reason=reason)
    return [
        result
        for part in work
        for result in act_on_all(
            platform,
            part.city,
            [Selected(number) for number in part.numbers],
            command,
            principal=principal,
            now=now,
            is_dry=False,
        )
    ]


def _cities(platform: Platform, account: Account) -> list[Jurisdiction]:
    if account.jurisdiction_id == ALL_JURISDICTIONS:
        return list(platform.registry)
    city = platform.registry.jurisdictions.get(account.jurisdiction_id)
    return [] if city is None else [city]


def _work(platform: Platform, account: Account, *, departments: Collection[str]) -> Iterator[Work]:
    """The open requests that are assigned to an account and belong to none of these departments."""
    with platform.database.reading() as connection:
        for city in _cities(platform, account):
            found = requests.load_assigned(connection, city.id, str(account))
            numbers = [number for number, department in found if department not in departments]
            if numbers:
                yield Work(city, numbers)
