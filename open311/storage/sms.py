"""The queue of text messages, as rows, and the numbers that get none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
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
    or_,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import insert as pg_insert

from open311.domain.access import ALL_JURISDICTIONS
from open311.domain.mails import MailState
from open311.domain.sms import QueuedSms, SmsOccasion
from open311.storage.message_queues import MessageQueue
from open311.storage.queue import MOST_COUNTED
from open311.storage.tables import reporter, sms, sms_stop
from open311.storage.tables.sms import IS_SENT, IS_UNTRIED

_CHANGING = ("state", "recipient", "due_at", "attempts", "cause", "ended_at")


def wanting(connection: Connection, jurisdiction_id: str, numbers: Sequence[int]) -> list[int]:
    """Of these requests, the numbers of those whose reporters have asked for messages."""
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


def of_requests(connection: Connection, jurisdiction_id: str, numbers: Sequence[int]) -> list[QueuedSms]:
    """The stored messages about some requests, the oldest first. Old ones are deleted after some days."""
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
    """How many messages the city has sent since an instant, or is sending. Counting stops at `most`.

    recipient  the digest of a number: only messages to this number count; None for all numbers
    """
    columns = sms.c
    recent = or_(columns.ended_at >= since, columns.ended_at.is_(None))
    some = select(columns.id).where(columns.jurisdiction_id == jurisdiction_id, text(IS_SENT), recent)
    if recipient is not None:
        some = some.where(columns.recipient == recipient)
    return int(connection.execute(select(func.count()).select_from(some.limit(most).subquery())).scalar_one())


# --- Numbers


def is_stopped(connection: Connection, recipient: bytes) -> bool:
    """Whether the owner of a number wants no messages."""
    query = select(sms_stop.c.recipient).where(_own(recipient))
    return connection.execute(query).one_or_none() is not None


def stop(connection: Connection, recipient: bytes, now: datetime) -> bool:
    """Store that a number gets no messages any more. Returns False if that was stored already."""
    row = pg_insert(sms_stop).values(jurisdiction_id=ALL_JURISDICTIONS, recipient=recipient, stopped_at=now)
    return connection.execute(row.on_conflict_do_nothing()).rowcount == 1


def start(connection: Connection, recipient: bytes) -> bool:
    """Let a number get messages again. Returns whether it was stopped."""
    return connection.execute(delete(sms_stop).where(_own(recipient))).rowcount == 1


def count_stopped(connection: Connection) -> int:
    """How many numbers get no messages. Counting stops at `MOST_COUNTED`."""
    some = select(sms_stop.c.recipient).limit(MOST_COUNTED).subquery()
    return int(connection.execute(select(func.count()).select_from(some)).scalar_one())


def _own(recipient: bytes) -> Any:
    return (sms_stop.c.jurisdiction_id == ALL_JURISDICTIONS) & (sms_stop.c.recipient == recipient)


def _among(jurisdiction_id: str, numbers: Sequence[int]) -> tuple[Any, Any]:
    among = any_(bindparam(None, list(numbers), ARRAY(BigInteger)))
    return sms.c.jurisdiction_id == jurisdiction_id, sms.c.request_id == among


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


QUEUE = MessageQueue(
    table=sms, kinds=SmsOccasion, kind_column="occasion", changing=_CHANGING, values_of=_values, message_of=_sms
)
