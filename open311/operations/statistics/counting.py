"""Keeping the statistics: each change of a request is counted, and all requests are checked once a day."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from open311.domain.statistics import QUICK, Target, hours_between, target_of
from open311.operations.dispatch.changes import Changes
from open311.operations.platform import Platform
from open311.plugins import Jurisdiction
from open311.storage import counted_requests, open_counts, outbox
from open311.storage.counted_requests import Check
from open311.storage.cuts import Counted
from open311.storage.engine import Connection
from open311.storage.public_facts import PublicFacts, load_facts

ROWS_PER_TRANSACTION = 1_000
CHECK_EVERY = timedelta(hours=20)


class CountingStatistics:
    """The consumer that counts. It counts a request as the public sees it now.

    So no harm is done if it gets the same change twice.
    """

    name = counted_requests.CONSUMER

    def consume(
        self,
        platform: Platform,
        connection: Connection,
        changes: Changes,
        now: datetime,  # noqa: ARG002
    ) -> None:
        """Count the requests that have changed. Changes of a city that is not served wait for the daily check."""
        for jurisdiction_id, numbers in changes.numbers():
            city = platform.registry.get(jurisdiction_id)
            if city is not None:
                count_requests(connection, city, numbers, changes.facts(connection, jurisdiction_id))


def count_supporters(platform: Platform, connection: Connection, *, rows: int) -> int:
    """Count again the requests whose supporters have changed. Returns the number of requests.

    Such a change makes no event, so the consumer does not see it. The caller must have the outbox's lock.
    """
    taken = counted_requests.take_support(connection, rows)
    for jurisdiction_id, numbers in taken.items():
        city = platform.registry.get(jurisdiction_id)
        if city is not None:
            count_requests(connection, city, numbers, load_facts(connection, jurisdiction_id, numbers))
    return sum(map(len, taken.values()))


def count_requests(
    connection: Connection, city: Jurisdiction, numbers: Sequence[int], facts: Iterable[PublicFacts]
) -> int:
    """Count these requests as the public sees them now. Returns how many were counted differently before.

    facts  what the public sees of those requests that are public
    The caller must have the outbox's lock.
    """
    wanted = [row for one in facts if not one.is_merged for row in _counted(one, city)]
    return counted_requests.replace_counted(connection, city.id, numbers, wanted)


def check_all(platform: Platform, now: datetime) -> int:
    """For each city whose last check is old, count all requests again, and compare the sums with the requests.

    Returns how many requests were counted differently, plus how many rows of sums were wrong. This also counts the
    requests from before the first release with statistics, follows changes of a city's time zone and service
    levels, and counts changes that the dispatcher of a former release has handled during an upgrade. After an
    interruption, the next call goes on where this one stopped.
    """
    for city in platform.registry:
        mark_overdue(platform, city, now)
    return sum(_check(platform, city, now) for city in platform.registry)


def recount(platform: Platform, city: Jurisdiction, now: datetime) -> int:
    """Forget how the requests of a city are counted, and count all of them. Returns how many are counted.

    Until all are counted, the city has no statistics.
    """
    with platform.database.transaction() as connection:
        outbox.lock(connection)
        counted_requests.forget(connection, city.id)
    return _run(platform, city, now)


def mark_overdue(platform: Platform, city: Jurisdiction, now: datetime) -> None:
    """Add the requests that have become overdue by now to the sums.

    A query of the statistics then has to count only the requests that became overdue later.
    """
    has_reached = False
    while not has_reached:
        with platform.database.transaction() as connection:
            outbox.lock(connection)
            has_reached = open_counts.move_mark(connection, city.id, now)


def _check(platform: Platform, city: Jurisdiction, now: datetime) -> int:
    with platform.database.reading() as connection:
        last = counted_requests.load_check(connection, city.id)
    is_fresh = last and last.checked_at and now - last.checked_at < CHECK_EVERY and not last.checked_until
    return 0 if is_fresh else _run(platform, city, now) + _correct_sums(platform, city)


def _correct_sums(platform: Platform, city: Jurisdiction) -> int:
    """Compare the sums with the counted requests, and correct them. Returns how many rows of sums were wrong.

    It reads while the dispatcher works, and holds the dispatcher's lock only to correct.
    """
    with platform.database.snapshot() as connection:
        wrong = counted_requests.find_wrong_sums(connection, city.id)
        wrong_open = open_counts.find_wrong(connection, city.id)
    if wrong or wrong_open:
        with platform.database.transaction() as connection:
            outbox.lock(connection)
            counted_requests.add_sums(connection, wrong)
            open_counts.add(connection, wrong_open)
    return len(wrong) + len(wrong_open)


def _run(platform: Platform, city: Jurisdiction, now: datetime) -> int:
    """Count all requests, a thousand in each transaction. Returns how many were counted differently before."""
    corrected, is_last = 0, False
    while not is_last:
        with platform.database.transaction() as connection:
            outbox.lock(connection)
            last = counted_requests.load_check(connection, city.id) or Check(0, None)
            numbers = counted_requests.next_numbers(
                connection, city.id, after=last.checked_until, rows=ROWS_PER_TRANSACTION
            )
            corrected += count_requests(connection, city, numbers, load_facts(connection, city.id, numbers))
            is_last = len(numbers) < ROWS_PER_TRANSACTION
            reached = Check(0, now) if is_last else Check(numbers[-1], last.checked_at)
            counted_requests.save_check(connection, city.id, reached)
    return corrected


def _counted(facts: PublicFacts, city: Jurisdiction) -> Iterator[Counted]:
    """The rows of a request: one for each area, or one without an area."""
    closed_at, hours, is_quick, is_on_time = facts.closed_at, None, False, None
    if closed_at is not None:
        hours = hours_between(facts.requested_at, closed_at)
        is_quick = closed_at - facts.requested_at < QUICK
        is_on_time = closed_at <= facts.expected_at if facts.expected_at else None
    target = target_of(city.levels, facts.service_code, facts.department, facts.answers, facts.expected_at)
    for place, area in enumerate(dict.fromkeys(facts.areas) or ("",)):
        yield Counted(
            id=facts.number,
            requested_on=facts.requested_at.astimezone(city.zone).date(),
            closed_on=None if closed_at is None else closed_at.astimezone(city.zone).date(),
            hours=hours,
            due_at=facts.expected_at if target is Target.MATCHED else None,
            place=place,
            is_quick=is_quick,
            is_on_time=is_on_time,
            jurisdiction_id=city.id,
            service_code=facts.service_code,
            department=facts.department,
            area=area,
            target=target.value,
            supporters=facts.supporters,
            feedback=facts.feedback if closed_at else None,
        )
