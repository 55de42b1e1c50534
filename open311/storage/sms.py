"""The queue of text messages, as rows, and the numbers that get none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Connection,
    Row,
    any_,
    bindparam,
    delete,
    func,
    literal_column,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import insert as pg_insert

from open311.domain.access import ALL_JURISDICTIONS
from open311.domain.mails import MailState
from open311.domain.sms import QueuedSms, SmsOccasion
from open311.storage.queue import MOST_COUNTED
from open311.storage.tables import reporter, sms, sms_stop
from open311.storage.tables.sms import IS_SENT, IS_UNTRIED

_OPEN = text("state IN ('waiting', 'sending')")
_CHANGING = ("state", "recipient", "due_at", "attempts", "cause", "ended_at")


def wanting(connection: Connection, jurisdiction_id: str, numbers: Sequence[int]) -> list[int]:
    """Those of some requests whose reporters have asked for messages."""
    columns = reporter.c
    query = select(columns.request_id).where(
        columns.jurisdiction_id == jurisdiction_id,
        columns.request_id == any_(bindparam(None, list(numbers), ARRAY(BigInteger))),
        columns.sms_language != "",
        columns.phone != "",
    )
    return list(connection.scalars(query.order_by(columns.request_id)))


def reporter_of(connection: Connection, jurisdiction_id: str, number: int) -> tuple[str, str]:
    """The phone number and the language of a reporter who has asked for messages; "" for both if there is none."""
    columns = reporter.c
    query = select(columns.phone, columns.sms_language).where(
        columns.jurisdiction_id == jurisdiction_id, columns.request_id == number, columns.sms_language != ""
    )
    row = connection.execute(query).one_or_none()
    return (row.phone, row.sms_language) if row else ("", "")


def languages_of(connection: Connection, jurisdiction_id: str, numbers: Sequence[int]) -> dict[int, str]:
    """The languages in which the reporters of these requests get messages, by number."""
    columns = reporter.c
    query = select(columns.request_id, columns.sms_language).where(
        columns.jurisdiction_id == jurisdiction_id,
        columns.request_id == any_(bindparam(None, list(numbers), ARRAY(BigInteger))),
        columns.sms_language != "",
    )
    return {row.request_id: row.sms_language for row in connection.execute(query)}


# --- The queue


def add(connection: Connection, new: QueuedSms) -> None:
    """Store a message, unless an untried one about the same occasion of the same request waits."""
    row = pg_insert(sms).values(_values(new))
    connection.execute(
        row.on_conflict_do_nothing(
            index_elements=["jurisdiction_id", "request_id", "occasion"], index_where=text(IS_UNTRIED)
        )
    )


def claim(connection: Connection, now: datetime) -> QueuedSms | None:
    """The next message that is due, locked; None if there is none, or if others have locked all of them."""
    query = (
        select(sms)
        .where(_OPEN, sms.c.due_at <= now)
        .order_by(sms.c.due_at, sms.c.id)
        .limit(literal_column("1"))
        .with_for_update(skip_locked=True)
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else _sms(row)


def save(connection: Connection, changed: QueuedSms, *, due_at: datetime | None = None) -> bool:
    """Store the state of a message. Returns False if it is gone or another worker has it now.

    due_at  the end of the lease of the caller; None if the caller has locked the message
    """
    columns = sms.c
    statement = update(sms).where(columns.jurisdiction_id == changed.jurisdiction_id, columns.id == changed.id)
    if due_at is not None:
        statement = statement.where(columns.state == MailState.SENDING.value, columns.due_at == due_at)
    values = {name: value for name, value in _values(changed).items() if name in _CHANGING}
    return connection.execute(statement.values(values)).rowcount == 1


def of_requests(connection: Connection, jurisdiction_id: str, numbers: Sequence[int]) -> list[QueuedSms]:
    """The messages about some requests of the last days, the oldest first."""
    return [
        _sms(row)
        for row in connection.execute(select(sms).where(*_among(jurisdiction_id, numbers)).order_by(sms.c.id))
    ]


def has_sent(connection: Connection, jurisdiction_id: str, number: int) -> bool:
    """Whether the gateway has taken a message about a request within the last days."""
    done = select(sms.c.id).where(*_among(jurisdiction_id, [number]), sms.c.state == MailState.DONE.value).limit(1)
    return connection.execute(done).one_or_none() is not None


def remove_from(connection: Connection, jurisdiction_id: str, numbers: Sequence[int]) -> int:
    """Delete the messages about some requests, also those that wait. Returns how many there were."""
    return connection.execute(delete(sms).where(*_among(jurisdiction_id, numbers))).rowcount if numbers else 0


def count_sent(
    connection: Connection, jurisdiction_id: str, since: datetime, most: int, *, recipient: bytes | None = None
) -> int:
    """How many messages the city has sent since then, or is sending. Counting stops at `most`.

    recipient  only those to this number
    """
    columns = sms.c
    recent = or_(columns.ended_at >= since, columns.ended_at.is_(None))
    some = select(columns.id).where(columns.jurisdiction_id == jurisdiction_id, text(IS_SENT), recent)
    if recipient is not None:
        some = some.where(columns.recipient == recipient)
    return int(connection.execute(select(func.count()).select_from(some.limit(most).subquery())).scalar_one())


def retry_now(connection: Connection, now: datetime) -> int:
    """Make all messages that wait for another try due now. Returns their number."""
    columns = sms.c
    waiting = update(sms).where(
        columns.state == MailState.WAITING.value, columns.attempts > 0, columns.due_at > now
    )
    return connection.execute(waiting.values(due_at=now)).rowcount


def delete_ended(connection: Connection, before: datetime) -> int:
    """Delete the messages that ended before an instant, and return their number."""
    return connection.execute(delete(sms).where(sms.c.ended_at < before)).rowcount


# --- Counts


@dataclass(frozen=True, slots=True)
class SmsCount:
    """How many messages of a city are in a state. `oldest`: when the first of them was made."""

    jurisdiction_id: str
    occasion: SmsOccasion
    state: MailState
    count: int
    oldest: datetime


def count_open(connection: Connection) -> list[SmsCount]:
    """The messages that wait or are being sent, by city and occasion. At most MOST_COUNTED are counted."""
    some = select(sms).where(_OPEN).order_by(sms.c.due_at, sms.c.id).limit(MOST_COUNTED).subquery()
    return _counts(connection, some)


def count_ended(connection: Connection, since: datetime) -> list[SmsCount]:
    """The messages that have ended since then, by city, occasion and state. At most MOST_COUNTED are counted."""
    return _counts(connection, select(sms).where(sms.c.ended_at >= since).limit(MOST_COUNTED).subquery())


def first_due(connection: Connection) -> datetime | None:
    """When the first of the waiting messages is due; None if no message waits."""
    columns = sms.c
    query = select(columns.due_at).where(_OPEN).order_by(columns.due_at, columns.id).limit(1)
    return connection.execute(query).scalar_one_or_none()


def causes(connection: Connection, since: datetime, most: int) -> list[tuple[str, int]]:
    """The commonest causes of messages that wait or were not sent since then, with their numbers."""
    columns = sms.c
    recent = or_(_OPEN, columns.ended_at >= since)  # each of both has an index
    some = select(columns.cause).where(columns.cause != "", recent).limit(MOST_COUNTED).subquery()
    count = func.count()
    query = select(some.c.cause, count).group_by(some.c.cause).order_by(count.desc(), some.c.cause).limit(most)
    return [(cause, number) for cause, number in connection.execute(query)]


# --- Numbers


def is_stopped(connection: Connection, recipient: bytes) -> bool:
    """Whether the owner of a number wants no messages."""
    query = select(sms_stop.c.recipient).where(_own(recipient))
    return connection.execute(query).one_or_none() is not None


def stop(connection: Connection, recipient: bytes, now: datetime) -> bool:
    """Store that a number gets no messages any more. Returns whether it got some until now."""
    row = pg_insert(sms_stop).values(jurisdiction_id=ALL_JURISDICTIONS, recipient=recipient, stopped_at=now)
    return connection.execute(row.on_conflict_do_nothing()).rowcount == 1


def start(connection: Connection, recipient: bytes) -> bool:
    """Let a number get messages again. Returns whether it was stopped."""
    return connection.execute(delete(sms_stop).where(_own(recipient))).rowcount == 1


def count_stopped(connection: Connection) -> int:
    """How many numbers get no messages."""
    some = select(sms_stop.c.recipient).limit(MOST_COUNTED).subquery()
    return int(connection.execute(select(func.count()).select_from(some)).scalar_one())


def _own(recipient: bytes) -> Any:
    return (sms_stop.c.jurisdiction_id == ALL_JURISDICTIONS) & (sms_stop.c.recipient == recipient)


def _among(jurisdiction_id: str, numbers: Sequence[int]) -> tuple[Any, Any]:
    among = any_(bindparam(None, list(numbers), ARRAY(BigInteger)))
    return sms.c.jurisdiction_id == jurisdiction_id, sms.c.request_id == among


def _counts(connection: Connection, some: Any) -> list[SmsCount]:
    columns = some.c
    query = (
        select(columns.jurisdiction_id, columns.occasion, columns.state, func.count(), func.min(columns.created_at))
        .group_by(columns.jurisdiction_id, columns.occasion, columns.state)
        .order_by(columns.jurisdiction_id, columns.occasion, columns.state)
    )
    return [
        SmsCount(city, SmsOccasion(occasion), MailState(state), count, oldest)
        for city, occasion, state, count, oldest in connection.execute(query)
    ]


def _values(one: QueuedSms) -> dict[str, Any]:
    values = {field.name: getattr(one, field.name) for field in fields(QueuedSms) if field.name != "id"}
    number = values.pop("number")
    return values | {"request_id": number, "occasion": one.occasion.value, "state": one.state.value}


def _sms(row: Row[Any]) -> QueuedSms:
    values = dict(row._mapping)
    recipient = values["recipient"]
    return QueuedSms(
        number=values.pop("request_id"),
        **values
        | {
            "occasion": SmsOccasion(values["occasion"]),
            "state": MailState(values["state"]),
            "recipient": None if recipient is None else bytes(recipient),
        },
    )
