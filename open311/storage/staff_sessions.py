"""The sessions of people who are signed in to the pages for staff. The database has only digests of secrets."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache

from sqlalchemy import Connection, bindparam, delete, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from open311.storage.accounts import Account, Holder, digest_of, holder_by_digest
from open311.storage.hot.statements import Statement
from open311.storage.hot.transactions import Run
from open311.storage.tables import staff_session

BETWEEN_USES = timedelta(minutes=1)
"""After this time, the use of a session is stored again."""


def add_session(
    connection: Connection, account: Account | Holder, secret: str, *, now: datetime, expires_at: datetime
) -> int:
    """Store the digest of a session's secret, and return the number of the session."""
    values = {
        "jurisdiction_id": account.jurisdiction_id,
        "account_id": account.id,
        "digest": digest_of(secret),
        "begun_at": now,
        "last_used_at": now,
        "expires_at": expires_at,
    }
    row = insert(staff_session).values(values).returning(staff_session.c.id)
    number: int = connection.execute(row).scalar_one()
    return number


def holder_of_session(run: Run, secret: str, *, now: datetime, used_after: datetime) -> Holder | None:
    """The account of a session. None if the session is unknown or has ended, or if the account is revoked.

    used_after  a session that was last used earlier has ended
    """
    rows = run(_by_secret(), {"digest": digest_of(secret), "now": now, "used_after": used_after})
    return Holder(*rows[0]) if rows else None


@cache
def _by_secret() -> Statement:
    sessions = staff_session.c
    return holder_by_digest(
        staff_session, sessions.expires_at > bindparam("now"), sessions.last_used_at > bindparam("used_after")
    )


def mark_session_used(run: Run, holder: Holder, now: datetime) -> None:
    """Store that a session is used now. If several calls do so at the same moment, one writes and no call waits."""
    values = {"city": holder.jurisdiction_id, "number": holder.secret, "now": now}
    run(_use(), values | {"before": now - BETWEEN_USES})


@cache
def _use() -> Statement:
    sessions = staff_session.c
    free = (
        select(sessions.id)
        .where(
            sessions.jurisdiction_id == bindparam("city"),
            sessions.id == bindparam("number"),
            sessions.last_used_at <= bindparam("before"),
        )
        .with_for_update(skip_locked=True)
    )
    query = (
        update(staff_session)
        .where(sessions.jurisdiction_id == bindparam("city"), sessions.id == free.scalar_subquery())
        .values(last_used_at=bindparam("now"))
        .returning(sessions.id)
    )
    return Statement.of(query)


def end_session(connection: Connection, secret: str) -> bool:
    """End a session. Returns False if there is none with this secret."""
    done = connection.execute(delete(staff_session).where(staff_session.c.digest == digest_of(secret)))
    return done.rowcount == 1


def end_sessions_of(connection: Connection, jurisdiction_id: str, account_id: int) -> int:
    """End all sessions of an account. Returns how many there were."""
    columns = staff_session.c
    done = connection.execute(
        delete(staff_session).where(columns.jurisdiction_id == jurisdiction_id, columns.account_id == account_id)
    )
    return done.rowcount


def delete_ended(connection: Connection, *, now: datetime, used_before: datetime) -> int:
    """Delete the sessions that have expired, or were last used before an instant. Returns their number."""
    columns = staff_session.c
    done = connection.execute(
        delete(staff_session).where(or_(columns.expires_at <= now, columns.last_used_at <= used_before))
    )
    return done.rowcount
