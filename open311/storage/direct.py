"""The hot paths: statements compiled once, run on a connection that a thread keeps.

A SQLAlchemy statement costs more to put together than PostgreSQL takes to answer it. So each shape of query
is written in SQLAlchemy, compiled the first time it is met, and from then on run as text on a plain
connection; those of one fixed shape are prepared as well.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from select import select
from typing import Any, Self

import psycopg2
from psycopg2 import extensions
from psycopg2.errors import QueryCanceled, UndefinedTable
from sqlalchemy.dialects.postgresql import psycopg2 as dialect
from sqlalchemy.sql import ClauseElement

from open311.errors import Unavailable

DOWN = "The database cannot be reached just now; try again in a moment."

_DIALECT = dialect.dialect()  # type: ignore[no-untyped-call]
_PLACEHOLDER = re.compile(r"%\((\w+)\)s")


class Refused(Exception):
    """The database would not run a statement. It says so in PostgreSQL's first sentence alone.

    The details that follow it quote whole rows, and with them what citizens sent; this text goes to the log.
    """

    @classmethod
    def of(cls, error: psycopg2.Error, statement: str) -> Self:
        """What is left of an error of the driver."""
        first = error.diag.message_primary or str(error).partition("\n")[0]
        return cls(f"{type(error).__name__} ({error.pgcode}): {first}; in: {statement[:300]}")


@dataclass(frozen=True, slots=True)
class Statement:
    """A compiled query with named parameters, `%(name)s`.

    name  for the server to keep its plan under; "" where the best plan depends on the values
    """

    text: str
    name: str = ""

    @classmethod
    def of(cls, query: ClauseElement, name: str = "") -> Self:
        """The statement that a query with bound parameters stands for."""
        return cls(str(query.compile(dialect=_DIALECT)), name)

    @property
    def preparation(self) -> str:
        """SQL that has the server plan it once."""
        numbers: dict[str, str] = {}
        for name in _PLACEHOLDER.findall(self.text):
            numbers.setdefault(name, f"${len(numbers) + 1}")
        text = _PLACEHOLDER.sub(lambda match: numbers[match[1]], self.text)
        return f"PREPARE {self.name} AS {text.replace('%%', '%')}"

    @property
    def execution(self) -> str:
        """SQL that runs the prepared plan."""
        names = dict.fromkeys(_PLACEHOLDER.findall(self.text))
        values = ", ".join(f"%({name})s" for name in names)
        return f"EXECUTE {self.name}({values})" if values else f"EXECUTE {self.name}"


class Direct:
    """Runs statements, each thread on a connection of its own, each statement a transaction of its own."""

    def __init__(self, dsn: str, *, prepares: bool) -> None:
        """`prepares` is off where a pooler between here and the server hands connections around."""
        self._dsn = dsn
        self._prepares = prepares
        self._own = threading.local()
        self._lock = threading.Lock()
        self._open: list[extensions.connection] = []

    def rows(self, statement: Statement, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """All rows of a read. Raises Unavailable where there is no database, or it takes too long.

        A connection that has died meanwhile is noticed only here; reading changes nothing, so it is tried again.
        """
        try:
            return self.write(statement, values)
        except Unavailable:
            if not self._has_died():
                raise
        return self.write(statement, values)

    def write(self, statement: Statement, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """The rows that a statement returns, run once: if its connection dies, nobody knows whether it took effect.

        Raises Unavailable, as `rows` does; Refused for what the database does not take.
        """
        try:
            return self._run(statement, values)
        except (psycopg2.OperationalError, psycopg2.InterfaceError, QueryCanceled, UndefinedTable) as error:
            raise Unavailable(DOWN) from error
        except psycopg2.Error as error:
            raise Refused.of(error, statement.text) from None

    def connect(self) -> extensions.connection:
        """A connection beside those of the threads, for the caller to close. Raises Unavailable."""
        try:
            return psycopg2.connect(self._dsn)
        except psycopg2.OperationalError as error:
            raise Unavailable(DOWN) from error

    def close(self) -> None:
        """Close the connections of all threads."""
        with self._lock:
            for connection in self._open:
                connection.close()
            self._open.clear()
        self._own = threading.local()

    def _run(self, statement: Statement, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        connection = getattr(self._own, "connection", None)
        if connection is None or is_dead(connection):
            connection = self._connect()
        with connection.cursor() as cursor:
            if statement.name and self._prepares:
                prepared: dict[str, str] = self._own.prepared
                if statement.name not in prepared:
                    cursor.execute(statement.preparation)
                    prepared[statement.name] = statement.execution
                cursor.execute(prepared[statement.name], values)
            else:
                cursor.execute(statement.text, values)
            found: list[tuple[Any, ...]] = cursor.fetchall()
            return found

    def _connect(self) -> extensions.connection:
        self._forget()
        connection = psycopg2.connect(self._dsn)
        connection.autocommit = True
        self._own.connection = connection
        self._own.prepared = {}
        with self._lock:
            self._open.append(connection)
        return connection

    def _has_died(self) -> bool:
        """Whether this thread's connection broke while it was used."""
        connection = getattr(self._own, "connection", None)
        return connection is not None and bool(connection.closed)

    def _forget(self) -> None:
        """Drop this thread's connection, if it has one."""
        connection = self._own.__dict__.pop("connection", None)
        if connection is not None:
            connection.close()
            with self._lock:
                self._open = [other for other in self._open if other is not connection]


def is_dead(connection: extensions.connection) -> bool:
    """Whether the server has closed a connection: its socket says so, for less than asking the server costs."""
    if connection.closed:
        return True
    readable, _, _ = select([connection.fileno()], [], [], 0)
    return bool(readable)
