"""The queue of mails, as rows, and what is known about the addresses."""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Connection,
    Row,
    delete,
    func,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import insert as pg_insert

from open311.domain.access import ALL_JURISDICTIONS
from open311.domain.ids import new_block_secret
from open311.domain.mails import MOST_NUMBERS, MailKind, MailState, QueuedMail, Stop
from open311.storage.message_queues import MessageQueue
from open311.storage.queue import MOST_COUNTED
from open311.storage.tables import mail, mail_key, mail_recipient, mail_reminder
from open311.storage.tables.mail import IS_OPEN_TO_CHANGES, IS_OPEN_TO_WORK

_CHANGING = ("state", "since_version", "upto_version", "due_at", "attempts", "cause", "ended_at")


def key_of(connection: Connection) -> str:
    """The key of digests and signatures; "" if `make_key` was never called: then no digest or signature exists."""
    query = select(mail_key.c.secret).where(mail_key.c.jurisdiction_id == ALL_JURISDICTIONS)
    return connection.execute(query).scalar_one_or_none() or ""


def make_key(connection: Connection) -> str:
    """The key of digests and signatures. It is made at the first call and never changes."""
    if known := key_of(connection):
        return known
    row = pg_insert(mail_key).values(jurisdiction_id=ALL_JURISDICTIONS, secret=new_block_secret())
    connection.execute(row.on_conflict_do_nothing())
    return key_of(connection)


def lock_key(connection: Connection) -> None:
    """Take the lock of the mail key until the transaction ends. Makes the key if there is none."""
    make_key(connection)
    own = mail_key.c.jurisdiction_id == ALL_JURISDICTIONS
    connection.execute(select(mail_key.c.secret).where(own).with_for_update())


# --- The queue


def add(connection: Connection, new: QueuedMail) -> None:
    """Store a mail. A mail about changes is not stored if another one waits for the same follower."""
    row = pg_insert(mail).values(_values(new))
    if new.kind is MailKind.CHANGES:
        row = row.on_conflict_do_nothing(
            index_elements=["jurisdiction_id", "follower_id"], index_where=text(IS_OPEN_TO_CHANGES)
        )
    connection.execute(row)


def add_work(connection: Connection, new: QueuedMail) -> None:
    """Store a mail to a department. If a mail of the same kind waits, add the requests to that mail instead."""
    row = pg_insert(mail).values(_values(new))
    both = mail.c.numbers + row.excluded.numbers
    connection.execute(
        row.on_conflict_do_update(
            index_elements=["jurisdiction_id", "department", "kind"],
            index_where=text(IS_OPEN_TO_WORK),
            # one more than is shown, so that the mail can say that there are more
            set_={"numbers": both[1 : MOST_NUMBERS + 1]},
        )
    )


def count_unasked(connection: Connection, jurisdiction_id: str, since: datetime, most: int) -> int:
    """How many mails the city has made since an instant to people who had not agreed. Counting stops at `most`."""
    kinds = text("kind IN ('received', 'confirm')")
    some = select(mail.c.id).where(mail.c.jurisdiction_id == jurisdiction_id, mail.c.created_at >= since, kinds)
    return _count(connection, some.limit(most))


def count_to(
    connection: Connection, jurisdiction_id: str, recipient: bytes, since: datetime, *, is_unasked: bool = False
) -> int:
    """How many mails to an address were made since an instant and have been sent.

    is_unasked  instead, count the mails to which nobody had agreed, also those that were not sent
    """
    columns = mail.c
    some = select(columns.id).where(
        columns.jurisdiction_id == jurisdiction_id, columns.recipient == recipient, columns.created_at >= since
    )
    if is_unasked:
        some = some.where(text("kind IN ('received', 'confirm')"))
    else:
        some = some.where(columns.state == MailState.DONE.value)
    return _count(connection, some.limit(MOST_COUNTED))


def lock_reminder(connection: Connection, jurisdiction_id: str, now: datetime) -> tuple[datetime, datetime]:
    """Up to when the departments were told what is overdue, and when the last daily mail was made. Locked.

    Both are `now` at the first call, so that nobody gets mail about what was overdue before.
    """
    row = pg_insert(mail_reminder).values(jurisdiction_id=jurisdiction_id, overdue_at=now, daily_at=now)
    connection.execute(row.on_conflict_do_nothing())
    columns = mail_reminder.c
    query = select(columns.overdue_at, columns.daily_at).where(columns.jurisdiction_id == jurisdiction_id)
    overdue_at, daily_at = connection.execute(query.with_for_update()).one()
    return overdue_at, daily_at


def save_reminder(connection: Connection, jurisdiction_id: str, overdue_at: datetime, daily_at: datetime) -> None:
    """Store up to when the departments were told what is overdue, and when the last daily mail was made."""
    own = mail_reminder.c.jurisdiction_id == jurisdiction_id
    connection.execute(update(mail_reminder).where(own).values(overdue_at=overdue_at, daily_at=daily_at))


# --- Addresses


def stopped_for(connection: Connection, jurisdiction_id: str, recipient: bytes) -> str:
    """Why an address gets no mail; "" if it may get mail."""
    columns = mail_recipient.c
    query = select(columns.stopped_for).where(
        columns.jurisdiction_id == jurisdiction_id, columns.recipient == recipient
    )
    return connection.execute(query).scalar_one_or_none() or ""


def stop(connection: Connection, jurisdiction_id: str, recipient: bytes, why: Stop, now: datetime) -> None:
    """Store that an address gets no mail any more."""
    row = pg_insert(mail_recipient).values(
        jurisdiction_id=jurisdiction_id, recipient=recipient, stopped_for=why.value, changed_at=now
    )
    changed = row.on_conflict_do_update(
        constraint=mail_recipient.primary_key, set_={"stopped_for": why.value, "changed_at": now}
    )
    connection.execute(changed)


def add_bounce(connection: Connection, jurisdiction_id: str, recipient: bytes, now: datetime) -> int:
    """Count a bounce that may be temporary. Returns how many are counted now; see `forget_bounces`."""
    row = pg_insert(mail_recipient).values(
        jurisdiction_id=jurisdiction_id, recipient=recipient, bounces=1, changed_at=now
    )
    changed = row.on_conflict_do_update(
        constraint=mail_recipient.primary_key,
        set_={"bounces": mail_recipient.c.bounces + 1, "changed_at": now},
    ).returning(mail_recipient.c.bounces)
    return int(connection.execute(changed).scalar_one())


def forget(connection: Connection, jurisdiction_id: str, recipient: bytes) -> int:
    """Delete what is known about an address, so that it may get mail again. Returns 1 if something was known."""
    columns = mail_recipient.c
    return connection.execute(
        delete(mail_recipient).where(columns.jurisdiction_id == jurisdiction_id, columns.recipient == recipient)
    ).rowcount


def forget_bounces(connection: Connection, before: datetime) -> int:
    """Forget the temporary bounces of addresses that have had none since an instant. Returns how many addresses."""
    columns = mail_recipient.c
    old = delete(mail_recipient).where(columns.stopped_for == "", columns.changed_at < before)
    return connection.execute(old).rowcount


def count_stopped(connection: Connection) -> dict[tuple[str, str], int]:
    """How many addresses get no mail, by city and reason."""
    columns = mail_recipient.c
    query = select(columns.jurisdiction_id, columns.stopped_for, func.count()).where(columns.stopped_for != "")
    rows = connection.execute(query.group_by(columns.jurisdiction_id, columns.stopped_for))
    return {(city, why): count for city, why, count in rows}


def count_bounced(connection: Connection, since: datetime) -> dict[str, int]:
    """How many addresses were stopped at `since` or later because mail to them came back, by city."""
    columns = mail_recipient.c
    query = select(columns.jurisdiction_id, func.count().label("addresses")).where(
        columns.stopped_for == Stop.BOUNCED, columns.changed_at >= since
    )
    rows = connection.execute(query.group_by(columns.jurisdiction_id))
    return {row.jurisdiction_id: row.addresses for row in rows}


def _count(connection: Connection, some: Any) -> int:
    return int(connection.execute(select(func.count()).select_from(some.subquery())).scalar_one())


def _values(one: QueuedMail) -> dict[str, Any]:
    values = {field.name: getattr(one, field.name) for field in fields(QueuedMail) if field.name != "id"}
    return values | {
        "kind": one.kind.value,
        "state": one.state.value,
        "numbers": list(one.numbers),
        "follower_id": one.follower_id or None,
    }


def _mail(row: Row[Any]) -> QueuedMail:
    values = dict(row._mapping)
    return QueuedMail(
        **values
        | {
            "kind": MailKind(values["kind"]),
            "state": MailState(values["state"]),
            "numbers": tuple(values["numbers"]),
            "follower_id": values["follower_id"] or 0,
            "recipient": bytes(values["recipient"]),
        }
    )


QUEUE = MessageQueue(
    table=mail, kinds=MailKind, kind_column="kind", changing=_CHANGING, values_of=_values, message_of=_mail
)
