"""One connection, used through psycopg's libpq wrapper instead of its cursor.

psycopg connects, converts values to bytes and back, and classifies errors. Only `Cursor.execute` is not used:
with it, a lookup by id takes 1.6 times as much CPU in the client. See spec/decisions/0018-libpq-calls.md.
"""

from __future__ import annotations

import select
from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg import adapt, errors, pq
from psycopg.abc import PyFormat, Transformer
from psycopg.types.array import ListBinaryDumper
from psycopg.types.numeric import IntDumper

from open311.errors import Unavailable
from open311.storage.failures import Refused, has_lost_statement, is_dead, is_down, is_lost, unavailable
from open311.storage.hot.results import Result
from open311.storage.hot.statements import Statement

_AUTO, _BINARY = PyFormat.AUTO, pq.Format.BINARY  # before Python 3.12, looking up an enum's member is slow
_DONE = (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK)

Filled = tuple[Statement, Mapping[str, Any]]
"""A statement and its values."""
Outcome = Result | Unavailable | Refused
"""The result of a statement, or the error that its reader gets."""


class Session:
    """One connection in autocommit mode. It is not thread-safe. The caller must close it."""

    def __init__(self, dsn: str, *, prepares: bool) -> None:
        """Connect to the database. Raises Unavailable.

        prepares  whether to prepare statements that have a name
        """
        try:
            self._connection = psycopg.Connection.connect(dsn, autocommit=True)
        except psycopg.Error as error:
            raise unavailable(error) from error
        self._transformer = transformer_of(self._connection)
        self._prepares = prepares
        self._prepared: set[bytes] = set()

    def run(self, statement: Statement, values: Mapping[str, Any], *, before: str = "") -> Result:
        """Run a statement once.

        before  SQL to put in front of the statement, such as `DECLARE … CURSOR FOR `. The statement is then not
                prepared
        Raises Unavailable if the database or its tables are missing or a timeout is over, Refused for other errors.
        """
        text = before.encode() + statement.numbered if before else statement.numbered
        name = statement.name if self._prepares and not before else b""
        try:
            return self._run(text, name, [values[key] for key in statement.names])
        except psycopg.Error as error:
            failure = self._failure(error, text)
        raise failure

    def run_both(self, one: Filled, other: Filled) -> tuple[Result, Outcome] | None:
        """Run two statements in one round trip. Raises what `run` raises for the first one.

        Returns None if that is not possible: a statement has not been prepared before, a value cannot be sent, or
        the connection dies.
        """
        if not (one[0].name in self._prepared and other[0].name in self._prepared):
            return None
        try:
            first, second = self._pipelined(self._dumped(one), self._dumped(other))
        except psycopg.Error:
            return None
        return self._result(first, one[0]), self._outcome(second, other[0])

    def _outcome(self, found: pq.abc.PGresult, statement: Statement) -> Outcome:
        try:
            return self._result(found, statement)
        except (Unavailable, Refused) as error:
            return error

    def _result(self, found: pq.abc.PGresult, statement: Statement) -> Result:
        try:
            return Result(_checked(found), self._transformer)
        except psycopg.Error as error:
            failure = self._failure(error, statement.numbered)
        raise failure

    def _failure(self, error: psycopg.Error, text: bytes) -> Unavailable | Refused:
        """What callers get for a driver's error. Closes a connection that would fail each time.

        Raise the result outside of the `except`, so that Refused has no context. The context would be the driver's
        error, which quotes rows, and rows must not get into the log.
        """
        if is_lost(error) or has_lost_statement(error):
            self.close()
        if self.has_died or is_down(error):
            failure = unavailable(error)
            failure.__cause__ = error
            return failure
        return Refused.of(error, text.decode())

    def command(self, text: str) -> Result:
        """Run SQL without parameters. Raises Unavailable and Refused as `run` does."""
        return self.run(Statement(text, b"", text.encode(), ()), {})

    def roll_back(self) -> None:
        """Roll back the open transaction. Closes the connection if this fails."""
        try:
            self.command("ROLLBACK")
        except (Unavailable, Refused):
            self.close()

    @property
    def has_died(self) -> bool:
        """Whether the connection broke during a statement or was closed by `close`."""
        return self._connection.closed

    @property
    def is_usable(self) -> bool:
        """Whether the connection is open on both sides."""
        return not (self._connection.closed or is_dead(self._connection.pgconn.socket))

    def close(self) -> None:
        """Close the connection, even during a statement. Calling it twice is harmless."""
        self._connection.close()

    def _run(self, text: bytes, name: bytes, values: list[Any]) -> Result:
        """Run a statement, as a prepared one unless `name` is empty. Raises psycopg.Error."""
        connection, transformer = self._connection.pgconn, self._transformer
        sent: Any = transformer.dump_sequence(values, [_AUTO] * len(values))
        if name:
            if name not in self._prepared:
                self._prepare(name, text)
            result = connection.exec_prepared(name, sent, transformer.formats, _BINARY)
        else:
            result = connection.exec_params(text, sent, None, transformer.formats, _BINARY)
        return Result(_checked(result), transformer)

    def _dumped(self, filled: Filled) -> tuple[bytes, Any, Any]:
        """The name of a prepared statement, and its values and their formats as libpq takes them."""
        statement, values = filled
        sent: Any = [values[key] for key in statement.names]
        return statement.name, self._transformer.dump_sequence(sent, [_AUTO] * len(sent)), self._transformer.formats

    def _pipelined(self, *calls: tuple[bytes, Any, Any]) -> list[pq.abc.PGresult]:
        """Send prepared statements together, and return the result of each. Raises psycopg.Error."""
        connection, found = self._connection.pgconn, list[pq.abc.PGresult]()
        try:
            connection.enter_pipeline_mode()
            for name, values, formats in calls:
                connection.send_query_prepared(name, values, formats, _BINARY)
            connection.pipeline_sync()
            answers = select.poll()
            answers.register(connection.socket, select.POLLIN)
            while len(found) <= len(calls):  # the last result is that of the synchronisation
                while connection.is_busy():  # get_result would wait too, but stop all other threads meanwhile
                    answers.poll()
                    connection.consume_input()
                result = connection.get_result()
                if result is not None:
                    found.append(_unbroken(result))
                elif self.has_died:
                    raise psycopg.OperationalError
            connection.exit_pipeline_mode()
        except BaseException:
            self.close()  # the connection may still be in pipeline mode
            raise
        return found[:-1]

    def _prepare(self, name: bytes, text: bytes) -> None:
        _checked(self._connection.pgconn.prepare(name, text))
        self._prepared.add(name)


def transformer_of(connection: psycopg.Connection[Any]) -> Transformer:
    """The object that encodes parameters and decodes results.

    The server infers the types of parameters, and a binary parameter must have exactly that type. Integers are
    sent as text, which fits any integer type, because psycopg would send the smallest binary type that holds the
    value. Lists are sent as binary, because psycopg would send text, which costs two to seven times as much.
    """
    connection.adapters.register_dumper(int, IntDumper)
    connection.adapters.register_dumper(list, ListBinaryDumper)
    return adapt.Transformer(connection)


def _checked(result: pq.abc.PGresult) -> pq.abc.PGresult:
    """The same result. Raises psycopg.Error if the result is an error."""
    if result.status not in _DONE:
        raise errors.error_from_result(_unbroken(result))
    return result


def _unbroken(result: pq.abc.PGresult) -> pq.abc.PGresult:
    """The same result. Raises OperationalError if libpq made this error itself, because the connection broke.

    For such a result, psycopg would raise DatabaseError. If PostgreSQL has crashed, libpq calls the connection good
    until its next use, because the server has said goodbye before it closed the connection.
    """
    if result.status == pq.ExecStatus.FATAL_ERROR and not result.error_field(pq.DiagnosticField.SQLSTATE):
        raise psycopg.OperationalError(result.get_error_message())
    return result
