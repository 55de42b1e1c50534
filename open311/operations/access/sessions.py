"""Sessions of people who are signed in to the pages for staff.

`open_session` is the only place that makes a session of an account. Each way to sign in first finds out whose
account it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from open311.domain.access import Principal
from open311.domain.ids import new_staff_secret
from open311.errors import Unauthenticated, Unavailable
from open311.observe import logger
from open311.operations.access.staff import principal_of, record
from open311.operations.platform import Platform
from open311.settings import Settings
from open311.storage import accounts, staff_sessions
from open311.storage.accounts import Holder, SecretKind
from open311.storage.engine import Connection
from open311.storage.hot.transactions import within
from schemas.texts import tell

log = logger(__name__)

SIGNED_OUT = tell("You are not signed in, or your session has ended.")
USED_LINK = tell("This login link is used or too old; ask for a new one.")


@dataclass(frozen=True, slots=True)
class Session:
    """A session that has just begun. Its secret cannot be read again, because only a digest of it is stored."""

    secret: str
    principal: Principal


def sign_in(platform: Platform, secret: str, *, now: datetime) -> Session:
    """Begin a session with the secret of a login link, which cannot be used again. Raises Unauthenticated."""
    with platform.database.transaction() as connection:
        holder = accounts.holder_of(within(connection), secret, SecretKind.LOGIN, now)
        if holder is None or not accounts.use_up(connection, secret, SecretKind.LOGIN, now):
            raise Unauthenticated(USED_LINK)
        return open_session(connection, platform.settings, holder, "login.use", now=now)


def open_session(connection: Connection, settings: Settings, holder: Holder, act: str, *, now: datetime) -> Session:
    """Begin a session of an account, whose person has proved who they are.

    act  how the person has signed in, as the audit trail names it
    """
    secret, ends_at = new_staff_secret(), now + timedelta(hours=settings.desk_session_h)
    number = staff_sessions.add_session(connection, holder, secret, now=now, expires_at=ends_at)
    session = Session(secret, _principal_of(holder._replace(expires_at=ends_at)))
    record(connection, holder, act, session.principal, now, {"session": number})
    return session


def require_session(platform: Platform, secret: str, *, now: datetime) -> Principal:
    """The principal of a session. Raises Unauthenticated if the session has ended."""
    if not secret:
        raise Unauthenticated(SIGNED_OUT)
    holder = staff_sessions.holder_of_session(
        platform.database.hot.rows, secret, now=now, used_after=used_after(platform.settings, now)
    )
    if holder is None:
        raise Unauthenticated(SIGNED_OUT)
    if holder.last_used_at is not None and holder.last_used_at <= now - staff_sessions.BETWEEN_USES:
        _mark_used(platform, holder, now)
    return _principal_of(holder)


def used_after(settings: Settings, now: datetime) -> datetime:
    """A session that was last used before this instant has ended."""
    return now - timedelta(minutes=settings.desk_idle_min)


def end_session(platform: Platform, secret: str, *, principal: Principal, now: datetime) -> None:
    """End the caller's session. Nothing happens if it has ended already."""
    with platform.database.transaction() as connection:
        if staff_sessions.end_session(connection, secret):
            record(connection, principal, "session.end", principal, now)


def end_former_session(platform: Platform, secret: str, *, now: datetime) -> None:
    """End the session that a browser had before somebody signed in there again.

    The session may belong to another person.
    """
    holder = staff_sessions.holder_of_session(
        platform.database.hot.rows, secret, now=now, used_after=used_after(platform.settings, now)
    )
    if holder is not None:
        end_session(platform, secret, principal=_principal_of(holder), now=now)


def end_all_sessions(platform: Platform, *, principal: Principal, now: datetime) -> int:
    """End all sessions of the caller's account, on all devices. Returns how many there were."""
    with platform.database.transaction() as connection:
        count = staff_sessions.end_sessions_of(connection, principal.scope.jurisdiction_id, principal.number)
        record(connection, principal, "session.end_all", principal, now, {"sessions": count})
    return count


def _mark_used(platform: Platform, holder: Holder, now: datetime) -> None:
    """Store that a session is used.

    If the database accepts no writes, only log it, so that pages can still be read.
    """
    try:
        staff_sessions.mark_session_used(platform.database.hot.write, holder, now)
    except Unavailable as error:
        log.warning("the use of a session is not stored", session=holder.secret, cause=str(error))


def _principal_of(holder: Holder) -> Principal:
    """The principal of a session is the principal of the account, without the number of a token."""
    return principal_of(holder._replace(secret=0))
