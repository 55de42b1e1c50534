"""Where the servers of a replicated database are in its history.

The history is the write-ahead log. A position in it (LSN) is a number of bytes. A replica that becomes the primary
begins a new timeline: its history does not contain what the old primary had written but not sent.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Integer, literal_column

from open311.errors import Unavailable
from open311.storage.failures import Refused
from open311.storage.hot.connections import HotConnections
from open311.storage.hot.sessions import Session

LOOK_TIMEOUT_MS = 2_000

_CONTROLLED = "(SELECT timeline_id FROM pg_control_checkpoint())"
_WRITTEN = "('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::integer"
_TIMELINE = f"CASE WHEN pg_is_in_recovery() THEN {_CONTROLLED} ELSE {_WRITTEN} END"
"""The timeline of the server's data.

A replica that follows a new primary learns the new timeline minutes later than its rows. So this number may be too
small for a replica, but it is never too great.
"""
_STANDING = f"""
SELECT (SELECT system_identifier FROM pg_control_system())::text,
    pg_is_in_recovery(),
    {_TIMELINE},
    (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END - '0/0')::bigint,
    pg_postmaster_start_time()::text,
    extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())::double precision,
    current_setting('hot_standby_feedback')::boolean
"""  # noqa: S608  # made of constants


def timeline() -> ColumnElement[int]:
    """The timeline of the server on which a statement runs. On a replica, it may be too small: see `_TIMELINE`."""
    return literal_column(f"({_TIMELINE})", Integer)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a server is in the history of its database.

    system       the identity of the database cluster; a replica has that of its primary
    is_replica   whether the server replays what another one writes
    timeline     the timeline of the server. On a replica, it may be too small, but never too great; see `_TIMELINE`
    position     the bytes of the history that the server has written or replayed
    started_at   when the server started. Two addresses with the same time and system lead to the same server
    replayed_s   for a replica: seconds since the newest replayed transaction was committed; None if there is none
    tells_back   whether the primary keeps rows that queries of the replica still need (hot_standby_feedback)
    """

    system: str
    is_replica: bool
    timeline: int
    position: int
    started_at: str
    replayed_s: float | None = None
    tells_back: bool = False

    def is_same_server(self, other: Standing) -> bool:
        """Whether both were read from the same server."""
        return (self.system, self.started_at) == (other.system, other.started_at)


class Lookout:
    """A connection that looks at one server again and again. It is not thread-safe.

    The timeout of a look ends with its transaction, because a pooler then gives the connection to others.
    """

    def __init__(self, hot: HotConnections) -> None:
        self._hot = hot
        self._session: Session | None = None

    def look(self) -> Standing | None:
        """Where the server is now.

        None if it cannot be reached, does not answer in time, or refuses the statement.
        """
        try:
            session = self._connected()
            session.command("BEGIN READ ONLY")
            session.command(f"SET LOCAL statement_timeout = {LOOK_TIMEOUT_MS}")
            [row] = session.command(_STANDING).rows()
            session.command("COMMIT")
        except (Unavailable, Refused):
            self._give_up()
            return None
        system, is_replica, number, position, started_at, replayed_s, tells_back = row
        return Standing(
            system=system,
            is_replica=is_replica,
            timeline=number,
            position=position,
            started_at=started_at,
            replayed_s=replayed_s,
            tells_back=tells_back,
        )

    @property
    def is_connected(self) -> bool:
        """Whether the last look reached the server.

        True also for a server that is too slow, or that refuses the statement.
        """
        return self._session is not None

    def _give_up(self) -> None:
        """Keep the connection only if the server still answers on it."""
        if self._session is not None:
            self._session.roll_back()
            if self._session.has_died:
                self.close()

    def close(self) -> None:
        """Close the connection. The next look opens another one."""
        if self._session is not None:
            self._session.close()
            self._session = None

    def _connected(self) -> Session:
        if self._session is None or not self._session.is_usable:
            self.close()
            self._session = self._hot.session()
        return self._session
