"""The dispatcher. It hands each change in the outbox to every consumer, exactly once and in order.

A change is taken from the outbox and handled in the same transaction. So each change is handled exactly once, even
if a dispatcher is killed. An advisory lock ensures that only one dispatcher runs at a time.

The changes of one request are handled in order. A change gets its id in the outbox while its transaction holds the
row lock of the request. So the later of two changes of a request has the greater id and commits later. A dispatcher
that sees the later change also sees the earlier one, or the earlier one has been handled already. Changes of
different requests have no order, because ids are assigned before the commit.

A consumer that fails does not affect the others. Its work on the batch is rolled back to a savepoint and repeated
one change at a time. A change that fails alone becomes a *held change* of this consumer: it is tried again, and
later changes of the same request wait for it. The wait before each retry doubles, up to LONGEST_WAIT_S.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from open311.errors import Unavailable
from open311.observe import logger
from open311.operations.dispatch import consumers
from open311.operations.dispatch.changes import Changes
from open311.operations.dispatch.consumer import Consumer
from open311.operations.platform import Platform
from open311.operations.statistics.counting import count_supporters
from open311.storage import outbox
from open311.storage.engine import Connection, savepoint

log = logger(__name__)

BATCH_ROWS = 500
"""A batch of this many changes takes a few tenths of a second. Readers of the change feed wait until it ends."""
LONGEST_WAIT_S = 600


def dispatch(platform: Platform, now: datetime, *, rows: int = BATCH_ROWS) -> int:
    """Handle the next changes in one transaction, and count requests whose supporters have changed.

    Returns the number of these changes plus the number of these requests. 0 means that nothing is due, or that
    another dispatcher is running. Raises Unavailable. Raises KeyError if the outbox has a kind of event that only a
    newer release knows; that release's dispatcher will handle the event.
    """
    with platform.database.transaction() as connection:
        if not outbox.try_lock(connection):
            return 0
        tried = _retry(platform, connection, now, rows) + _take(platform, connection, now, rows)
        return tried + _count_supporters(platform, connection, rows)


def _take(platform: Platform, connection: Connection, now: datetime, rows: int) -> int:
    changes = Changes(outbox.take(connection, rows))
    for consumer in consumers.CONSUMERS if changes else ():
        _hand_over(platform, connection, consumer, changes, now)
    return len(changes)


def _count_supporters(platform: Platform, connection: Connection, rows: int) -> int:
    """Count requests whose supporters have changed. If it fails, the changes wait for the next dispatcher."""
    try:
        with savepoint(connection):
            return count_supporters(platform, connection, rows=rows)
    except Unavailable:  # the transaction is lost; the next dispatcher begins again
        raise
    except Exception:  # the changes of requests must be handled all the same
        log.exception("supporters were not counted")
        return 0


def _hand_over(
    platform: Platform, connection: Connection, consumer: Consumer, changes: Changes, now: datetime
) -> None:
    """Let a consumer handle a batch. If it fails on a change, the change is kept for a retry."""
    held = outbox.held_requests(connection, consumer.name, changes)
    to_hold = [change for change in changes if change.request in held]
    free = [change for change in changes if change.request not in held]
    if not _succeeds(platform, connection, consumer, changes.part(free), now):
        for change in free:
            if change.request in held or not _succeeds(platform, connection, consumer, changes.part([change]), now):
                held.add(change.request)
                to_hold.append(change)
    outbox.hold(connection, consumer.name, to_hold, now + _wait(0))


def _retry(platform: Platform, connection: Connection, now: datetime, rows: int) -> int:
    """Hand over again the held changes whose wait is over. Returns their number."""
    known = {consumer.name: consumer for consumer in consumers.CONSUMERS}
    due = outbox.due_changes(connection, list(known), now, rows)
    for held in due:
        if _succeeds(platform, connection, known[held.consumer], Changes([held.change]), now):
            outbox.release(connection, held)
        else:
            outbox.postpone(connection, held, now + _wait(held.failures + 1))
    return len(due)


def _succeeds(
    platform: Platform, connection: Connection, consumer: Consumer, changes: Changes, now: datetime
) -> bool:
    """Whether a consumer handled the changes. If it failed, its effects are rolled back."""
    try:
        with savepoint(connection):
            consumer.consume(platform, connection, changes, now)
    except Unavailable:  # the transaction is lost; the next dispatcher begins again
        raise
    except Exception:  # no exception of one consumer may stop the others
        requests = sorted({f"{city}:{number}" for city, number in (change.request for change in changes)})
        log.exception("consumer failed", consumer=consumer.name, changes=len(changes), requests=requests[:10])
        return False
    return True


def _wait(failures: int) -> timedelta:
    return timedelta(seconds=min(2.0 ** min(failures, 20), LONGEST_WAIT_S))
