"""The dispatcher: it hands each change in the outbox to every consumer.

Exactly once: taking a change and what follows from it are one transaction, so a dispatcher may be killed at any
moment. There is one at a time, by an advisory lock.

In order, for each request: a change's row in the outbox gets its id while its transaction holds the request's row
lock. So of two changes of a request, the later one has the greater id and is committed later, and whoever sees it
sees the earlier one, or finds it gone. Across requests there is no order: ids are given before commit.

A consumer that fails costs the others nothing: its part of a batch is undone to a savepoint and tried change by
change, and a change that fails alone is held for this consumer. Later changes of the same request wait for it, and
the wait before each try doubles.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from open311.errors import Unavailable
from open311.observe import logger
from open311.operations.dispatch import consumers
from open311.operations.dispatch.consumer import Consumer
from open311.operations.platform import Platform
from open311.storage import outbox
from open311.storage.engine import Connection, savepoint
from open311.storage.outbox import RecordedChange

log = logger(__name__)

BATCH_ROWS = 500
"""A batch takes some tens of milliseconds: for as long, the change feed waits for it, as for every transaction."""
LONGEST_WAIT_S = 600


def dispatch(platform: Platform, now: datetime, *, rows: int = BATCH_ROWS) -> int:
    """Do what follows from the next changes, in a transaction; how many were tried.

    0 where nothing waits that is due, or another dispatcher is at work. Raises Unavailable, and what else the
    outbox itself brings: an event of a kind that only a newer release knows stays for that one's dispatcher.
    """
    with platform.database.transaction() as connection:
        if not outbox.try_lock(connection):
            return 0
        return _retry(platform, connection, now, rows) + _take(platform, connection, now, rows)


def _take(platform: Platform, connection: Connection, now: datetime, rows: int) -> int:
    changes = outbox.take(connection, rows)
    for consumer in consumers.CONSUMERS if changes else ():
        _hand_over(platform, connection, consumer, changes, now)
    return len(changes)


def _hand_over(
    platform: Platform, connection: Connection, consumer: Consumer, changes: Sequence[RecordedChange], now: datetime
) -> None:
    """Have a consumer do its part for a batch, or for as much of it as it can."""
    held = outbox.held_requests(connection, consumer.name, changes)
    late = [change for change in changes if change.request in held]
    free = [change for change in changes if change.request not in held]
    if not _succeeds(platform, connection, consumer, free):
        for change in free:
            if change.request in held or not _succeeds(platform, connection, consumer, [change]):
                held.add(change.request)
                late.append(change)
    outbox.hold(connection, consumer.name, late, now + _wait(0))


def _retry(platform: Platform, connection: Connection, now: datetime, rows: int) -> int:
    """Hand over again what consumers have failed on and what is due."""
    known = {consumer.name: consumer for consumer in consumers.CONSUMERS}
    due = outbox.due(connection, list(known), now, rows)
    for held in due:
        if _succeeds(platform, connection, known[held.consumer], [held.change]):
            outbox.release(connection, held)
        else:
            outbox.postpone(connection, held, now + _wait(held.failures + 1))
    return len(due)


def _succeeds(
    platform: Platform, connection: Connection, consumer: Consumer, changes: Sequence[RecordedChange]
) -> bool:
    """Whether a consumer could do its part; if not, it has done nothing."""
    try:
        with savepoint(connection):
            consumer.consume(platform, connection, changes)
    except Unavailable:  # the transaction is lost, and whoever dispatches next begins again
        raise
    except Exception:  # whatever it is: the other consumers go on
        requests = sorted({f"{city}:{number}" for city, number in (change.request for change in changes)})
        log.exception("consumer failed", consumer=consumer.name, changes=len(changes), requests=requests[:10])
        return False
    return True


def _wait(failures: int) -> timedelta:
    return timedelta(seconds=min(2.0 ** min(failures, 20), LONGEST_WAIT_S))
