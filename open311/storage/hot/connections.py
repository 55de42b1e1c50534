"""The connections for frequent statements. Each thread has its own connection and keeps it open."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from open311.errors import Unavailable
from open311.storage.failures import has_lost_statement
from open311.storage.hot.results import Result
from open311.storage.hot.sessions import Filled, Outcome, Session
from open311.storage.hot.statements import Statement
from open311.storage.hot.transactions import Run
from open311.storage.traced import TracedSession
from open311.tracing import is_wanted

Read = Callable[[Statement, Mapping[str, Any]], Result]
"""A function that runs a statement with its values."""


class HotConnections:
    """Runs statements, each in its own transaction, on the connection of the calling thread."""

    def __init__(self, dsn: str, *, prepares: bool) -> None:
        """A thread connects when it runs its first statement.

        prepares  False behind a pooler, which may run each statement on another connection to the server
        """
        self._dsn = dsn
        self._prepares = prepares
        self._connect = TracedSession if is_wanted() else Session
        self._own = threading.local()
        self._lock = threading.Lock()
        self._open: list[Session] = []
        self._losses = 0

    def read(self, statement: Statement, values: Mapping[str, Any]) -> Result:
        """Run a statement that changes nothing. Raises Unavailable and Refused.

        If the connection has died before or dies during the statement, the statement runs on a new connection. So
        the connection is not tested first, which would take a system call. If the connection has lost a prepared
        statement, the connection is replaced, but this call fails: behind a pooler, a silent repetition would hide
        that a setting is wrong.
        """
        session: Session = getattr(self._own, "session", None) or self._session()
        try:
            return session.run(statement, values)
        except Unavailable as error:
            if not session.has_died or has_lost_statement(error.__cause__):
                raise
        return self._session().run(statement, values)

    def read_both(self, one: Filled, other: Filled) -> tuple[Result, Outcome | None]:
        """Run two statements that change nothing, in one round trip if both are prepared.

        The outcome of the other statement is None if that statement has not run. Raises what `read` raises for the
        first one.
        """
        return self._session().run_both(one, other) or (self.read(*one), None)

    def rows(self, statement: Statement, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Run a statement as `read` does, and return its rows as Python values."""
        return self.read(statement, values).rows()

    def write(self, statement: Statement, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Run a statement that changes something, and return its rows. Raises Unavailable and Refused.

        The statement never runs twice: if the connection dies, it is unknown whether the transaction was committed.
        """
        return self._session().run(statement, values).rows()

    @contextmanager
    def snapshot(self) -> Iterator[Read]:
        """A snapshot of the database, on the calling thread's own connection. Yields a function that reads in it.

        Raises Unavailable and Refused.
        """
        session = self._session()
        session.command("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        try:
            yield session.run
        finally:
            session.roll_back()

    @contextmanager
    def transaction(self) -> Iterator[Run]:
        """A transaction on the calling thread's own connection. Yields a function that runs statements in it.

        The transaction commits at the end of the block. An error rolls it back. Raises Unavailable and Refused.
        """
        session = self._session()
        session.command("BEGIN")
        try:
            yield lambda statement, values: session.run(statement, values).rows()
        except BaseException:
            session.roll_back()
            raise
        session.command("COMMIT")

    def session(self) -> Session:
        """Open another connection, which the caller must close. Raises Unavailable."""
        return self._connect(self._dsn, prepares=False)

    def losses(self) -> int:
        """How many connections have been lost and replaced, including that of the calling thread if it is lost now.

        Meanwhile a replica may have become the primary. The new primary may not know which numbers of requests the
        former primary had given out.
        """
        self._session()
        return self._losses

    def count_open(self) -> int:
        """The number of open connections, one for each thread that has run a statement."""
        return len(self._open)

    def close(self) -> None:
        """Close the connections of all threads."""
        with self._lock:
            for session in self._open:
                session.close()
            self._open.clear()
        self._own = threading.local()

    def _session(self) -> Session:
        """The calling thread's connection. Opens a new one if the thread has none or the server has closed it."""
        session: Session | None = getattr(self._own, "session", None)
        if session is not None and session.is_usable:
            return session
        self._drop(session)
        self._own.session = session = self._connect(self._dsn, prepares=self._prepares)
        with self._lock:
            self._open.append(session)
        return session

    def _drop(self, session: Session | None) -> None:
        """Close the calling thread's connection, if it has one."""
        if session is None:
            return
        del self._own.session
        session.close()
        with self._lock:
            self._losses += 1
            self._open = [other for other in self._open if other is not session]
