"""The outbox, from which the dispatcher takes the changes of requests. `history` writes into it.

If a consumer fails on a change, the table `held_change` keeps the change for that consumer until it succeeds.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Connection,
    FromClause,
    Select,
    Text,
    and_,
    any_,
    bindparam,
    delete,
    func,
    literal_column,
    select,
    text,
    tuple_,
    update,
)

from open311.domain.events import Event
from open311.storage.copying import insert_rows
from open311.storage.history import event_of
from open311.storage.queue import MOST_COUNTED
from open311.storage.tables import held_change, outbox, request_event

_LOCK = 311_003
"""The number of the advisory lock. Only its holder may take changes from the outbox."""

RequestKey = tuple[str, int]
"""The key of a request: jurisdiction id and number."""


@dataclass(frozen=True, slots=True)
class RecordedChange:
    """A change of a request, with the events from the history.

    id          grows with each change of one request; changes of different requests can be in any order
    version     the request's version after the change
    events      the events of the change, in order
    written_at  when the transaction of the change began, by the database's clock
    """

    jurisdiction_id: str
    id: int
    number: int
    version: int
    written_at: datetime
    events: tuple[Event, ...]

    @property
    def request(self) -> RequestKey:
        """The key of the request that changed."""
        return self.jurisdiction_id, self.number


@dataclass(frozen=True, slots=True)
class Held:
    """A held change: a consumer failed on it and will try it again.

    consumer  the consumer's name
    failures  how often the consumer has failed again since the change is held
    """

    consumer: str
    failures: int
    change: RecordedChange


@dataclass(frozen=True, slots=True)
class Backlog:
    """The backlog of changes. Neither number is above `MOST_COUNTED`.

    waiting   number of changes in the outbox, which no consumer has seen
    held      number of held changes, counted once for each consumer
    oldest_s  age of the oldest change that was counted, in seconds; 0 if there is no change
    """

    waiting: int
    held: int
    oldest_s: float


def try_lock(connection: Connection) -> bool:
    """Take the outbox's lock until the transaction ends. Returns False if another transaction has the lock."""
    return bool(connection.execute(text("SELECT pg_try_advisory_xact_lock(:lock)"), {"lock": _LOCK}).scalar_one())


def lock(connection: Connection) -> None:
    """Take the outbox's lock until the transaction ends. Waits while another transaction has the lock."""
    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})


def take(connection: Connection, rows: int) -> list[RecordedChange]:
    """Delete the next changes from the outbox and return them, oldest first. The caller must have the lock."""
    following = select(outbox.c.jurisdiction_id, outbox.c.id).order_by(outbox.c.id).limit(rows)
    taken = (
        delete(outbox)
        .where(tuple_(outbox.c.jurisdiction_id, outbox.c.id).in_(following))
        .returning(*outbox.c)
        .cte("taken")
    )
    return list(_changes(connection.execute(_with_events(taken))))


def unprocessed(connection: Connection, consumer: str) -> Iterator[RecordedChange]:
    """All changes that a consumer has not processed: those in the outbox and its held changes."""
    for query in (_with_events(outbox), _with_events(held_change).where(held_change.c.consumer == consumer)):
        yield from _changes(connection.execute(query, execution_options={"yield_per": 1_000}))


def count_unprocessed(connection: Connection, consumer: str, *, most: int) -> int:
    """How many changes a consumer has not processed. Counting stops soon after `most`."""
    waiting = select(outbox.c.id).limit(most + 1)
    held = select(held_change.c.id).where(held_change.c.consumer == consumer).limit(most + 1)
    return sum(
        connection.execute(select(func.count()).select_from(part.subquery())).scalar_one()
        for part in (waiting, held)
    )


def hold(connection: Connection, consumer: str, changes: Sequence[RecordedChange], due_at: datetime) -> None:
    """Store held changes of a consumer, which will try them again at `due_at` or later."""
    rows = [
        {
            "jurisdiction_id": change.jurisdiction_id,
            "consumer": consumer,
            "id": change.id,
            "request_id": change.number,
            "version": change.version,
            "written_at": change.written_at,
            "due_at": due_at,
        }
        for change in changes
    ]
    insert_rows(connection, held_change, rows)


def held_requests(connection: Connection, consumer: str, changes: Collection[RecordedChange]) -> set[RequestKey]:
    """The requests in `changes` for which the consumer has an earlier held change."""
    columns = held_change.c
    found = connection.execute(
        select(columns.jurisdiction_id, columns.request_id)
        .where(
            columns.jurisdiction_id == any_(bindparam(None, _cities(changes), ARRAY(Text))),
            columns.consumer == consumer,
            columns.request_id == any_(bindparam(None, [change.number for change in changes], ARRAY(BigInteger))),
        )
        .distinct()
    )
    return {(row.jurisdiction_id, row.request_id) for row in found}


def due_changes(connection: Connection, consumers: Collection[str], now: datetime, rows: int) -> list[Held]:
    """Held changes to try now: only the oldest one of each consumer and request, because later ones must wait."""
    earlier = held_change.alias("earlier")
    columns = held_change.c
    is_first = ~(
        select(earlier.c.id)
        .where(
            earlier.c.jurisdiction_id == columns.jurisdiction_id,
            earlier.c.consumer == columns.consumer,
            earlier.c.request_id == columns.request_id,
            earlier.c.id < columns.id,
        )
        .exists()
    )
    heads = (
        select(held_change)
        .where(columns.consumer.in_(consumers), columns.due_at <= now, is_first)
        .order_by(columns.due_at, columns.id)
        .limit(rows)
        .cte("heads")
    )
    query = _with_events(heads).add_columns(heads.c.consumer, heads.c.failures).order_by(None)
    found = connection.execute(query.order_by(heads.c.consumer, heads.c.id, request_event.c.id))
    return [
        Held(consumer, failures, _change(list(group)))
        for (consumer, failures, *_), group in groupby(
            found, key=lambda row: (row.consumer, row.failures, row.jurisdiction_id, row.outbox_id)
        )
    ]


def release(connection: Connection, held: Held) -> None:
    """Delete a held change, because its consumer has processed it."""
    connection.execute(delete(held_change).where(_is(held)))


def postpone(connection: Connection, held: Held, due_at: datetime) -> None:
    """Count a failure on a held change, and set the time of the next try."""
    connection.execute(update(held_change).where(_is(held)).values(failures=held.failures + 1, due_at=due_at))


def backlog(connection: Connection) -> Backlog:
    """The current backlog. If there are many changes, only some are counted: of the outbox, the oldest."""
    waiting, age_s = _counted(connection, select(outbox.c.written_at).order_by(outbox.c.id))
    held, held_s = _counted(connection, select(held_change.c.written_at))
    return Backlog(waiting, held, max(age_s, held_s))


def _counted(connection: Connection, changes: Select[Any]) -> tuple[int, float]:
    """The number of changes, and the age of the oldest, in seconds."""
    first = changes.limit(literal_column(str(MOST_COUNTED))).subquery()
    age_s = func.extract("epoch", func.clock_timestamp() - func.min(first.c.written_at))
    count, oldest_s = connection.execute(select(func.count(), age_s).select_from(first)).one()
    return count, max(0.0, float(oldest_s or 0))


def _is(held: Held) -> Any:
    return and_(
        held_change.c.jurisdiction_id == held.change.jurisdiction_id,
        held_change.c.consumer == held.consumer,
        held_change.c.request_id == held.change.number,
        held_change.c.id == held.change.id,
    )


def _cities(changes: Collection[RecordedChange]) -> list[str]:
    return sorted({change.jurisdiction_id for change in changes})


def _with_events(source: FromClause) -> Select[Any]:
    """Rows of the outbox or of a table like it, joined with the events: one row for each event."""
    change, event = source.c, request_event.c
    return (
        select(
            change.jurisdiction_id,
            change.id.label("outbox_id"),
            change.request_id,
            change.written_at,
            event.at,
            event.kind,
            event.description,
            event.actor,
            event.cause,
            event.version,
            event.data,
            event.reason,
        )
        .join_from(
            source,
            request_event,
            and_(
                event.jurisdiction_id == change.jurisdiction_id,
                event.request_id == change.request_id,
                event.version == change.version,
            ),
        )
        .order_by(change.id, event.id)
    )


def _changes(rows: Iterable[Any]) -> Iterator[RecordedChange]:
    for _, group in groupby(rows, key=lambda row: (row.jurisdiction_id, row.outbox_id)):
        yield _change(list(group))


def _change(rows: Sequence[Any]) -> RecordedChange:
    first = rows[0]
    return RecordedChange(
        jurisdiction_id=first.jurisdiction_id,
        id=first.outbox_id,
        number=first.request_id,
        version=first.version,
        written_at=first.written_at,
        events=tuple(map(event_of, rows)),
    )
