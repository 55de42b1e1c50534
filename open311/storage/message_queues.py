"""The queues of mails and of text messages, as rows: claiming a message, storing its state, and counts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any, Generic, Protocol, TypeVar

from sqlalchemy import Connection, Row, Table, delete, func, literal_column, or_, select, text, update

from open311.domain.mails import MailState
from open311.storage.queue import MOST_COUNTED

OPEN = text("state IN ('waiting', 'sending')")


class Queued(Protocol):
    """A message of a queue."""

    @property
    def jurisdiction_id(self) -> str: ...

    @property
    def id(self) -> int: ...


Message = TypeVar("Message", bound=Queued)
Kind = TypeVar("Kind", bound=Enum)


@dataclass(frozen=True, slots=True)
class QueueCount(Generic[Kind]):
    """How many messages of a city and of a kind are in a state. `oldest`: when the oldest of them was made."""

    jurisdiction_id: str
    kind: Kind
    state: MailState
    count: int
    oldest: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageQueue(Generic[Message, Kind]):
    """A table of messages, each of which is sent once. It has an index of due messages with the condition `OPEN`.

    kinds        the enum of what a message can be about
    kind_column  the name of the column with one of `kinds`
    changing     the names of the columns that `save` stores
    values_of    a function from a message to the values of its columns
    message_of   a function from a row to its message
    """

    table: Table
    kinds: type[Kind]
    kind_column: str
    changing: tuple[str, ...]
    values_of: Callable[[Message], dict[str, Any]]
    message_of: Callable[[Row[Any]], Message]

    def claim(self, connection: Connection, now: datetime) -> Message | None:
        """The next message that is due, locked; None if there is none, or if others have locked all of them."""
        columns = self.table.c
        query = (
            select(self.table)
            .where(OPEN, columns.due_at <= now)
            .order_by(columns.due_at, columns.id)
            .limit(literal_column("1"))
            .with_for_update(skip_locked=True)
        )
        row = connection.execute(query).one_or_none()
        return None if row is None else self.message_of(row)

    def save(self, connection: Connection, changed: Message, *, due_at: datetime | None = None) -> bool:
        """Store the state of a message. Returns False if it is gone or another worker has it now.

        due_at  the end of the lease of the caller; None if the caller has locked the message
        """
        columns = self.table.c
        own = columns.jurisdiction_id == changed.jurisdiction_id, columns.id == changed.id
        statement = update(self.table).where(*own)
        if due_at is not None:
            statement = statement.where(columns.state == MailState.SENDING.value, columns.due_at == due_at)
        values = {name: value for name, value in self.values_of(changed).items() if name in self.changing}
        return connection.execute(statement.values(values)).rowcount == 1

    def retry_now(self, connection: Connection, now: datetime) -> int:
        """Make all messages that wait for another try due now. Returns their number."""
        columns = self.table.c
        waiting = update(self.table).where(
            columns.state == MailState.WAITING.value, columns.attempts > 0, columns.due_at > now
        )
        return connection.execute(waiting.values(due_at=now)).rowcount

    def delete_ended(self, connection: Connection, before: datetime) -> int:
        """Delete the messages that ended before an instant, and return their number."""
        return connection.execute(delete(self.table).where(self.table.c.ended_at < before)).rowcount

    def count_open(self, connection: Connection) -> list[QueueCount[Kind]]:
        """The messages that wait or are being sent, by city and kind. At most MOST_COUNTED are counted."""
        columns = self.table.c
        some = select(self.table).where(OPEN).order_by(columns.due_at, columns.id)
        return self._counts(connection, some.limit(MOST_COUNTED).subquery())

    def count_ended(self, connection: Connection, since: datetime) -> list[QueueCount[Kind]]:
        """The messages that ended at `since` or later, by city, kind and state. At most MOST_COUNTED count."""
        some = select(self.table).where(self.table.c.ended_at >= since)
        return self._counts(connection, some.limit(MOST_COUNTED).subquery())

    def first_due(self, connection: Connection) -> datetime | None:
        """When the first of the waiting messages is due; None if no message waits."""
        columns = self.table.c
        query = select(columns.due_at).where(OPEN).order_by(columns.due_at, columns.id).limit(1)
        return connection.execute(query).scalar_one_or_none()

    def late_s(self, connection: Connection, now: datetime) -> float:
        """For how many seconds the earliest message has been due; 0 if none is due."""
        due_at = self.first_due(connection)
        return max(0.0, (now - due_at).total_seconds()) if due_at else 0.0

    def causes(
        self, connection: Connection, since: datetime, most: int, *, with_skipped: bool
    ) -> list[tuple[str, int]]:
        """The most common causes why messages wait, or failed at `since` or later, each with the count of messages.

        with_skipped  whether messages that were skipped on purpose count too
        """
        columns = self.table.c
        recent = or_(OPEN, columns.ended_at >= since)  # each of the two conditions has an index
        some = select(columns.cause).where(columns.cause != "", recent)
        if not with_skipped:
            some = some.where(columns.state != MailState.SKIPPED.value)
        cause, count = some.limit(MOST_COUNTED).subquery().c.cause, func.count()
        query = select(cause, count).group_by(cause).order_by(count.desc(), cause).limit(most)
        return [(words, number) for words, number in connection.execute(query)]

    def _counts(self, connection: Connection, some: Any) -> list[QueueCount[Kind]]:
        columns = some.c
        groups = columns.jurisdiction_id, columns[self.kind_column], columns.state
        query = select(*groups, func.count(), func.min(columns.created_at)).group_by(*groups).order_by(*groups)
        return [
            QueueCount(city, self.kinds(kind), MailState(state), count, oldest)
            for city, kind, state, count, oldest in connection.execute(query)
        ]
