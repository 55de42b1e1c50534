"""One connection, driven through psycopg's libpq wrapper instead of its cursor.

psycopg connects, turns values into bytes and back, and tells errors apart. Only `Cursor.execute` is not used: a
lookup by id costs the client half as much again with it. See spec/decisions/0018-libpq-calls.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg import adapt, errors, pq
from psycopg.abc import PyFormat, Transformer
from psycopg.types.array import ListBinaryDumper
from psycopg.types.numeric import IntDumper

from open311.errors import Unavailable
from open311.storage.failures import DOWN, Refused, is_dead, is_down, takes_no_writes
from open311.storage.hot.results import Result
from open311.storage.hot.statements import Statement

_AUTO, _BINARY = PyFormat.AUTO, pq.Format.BINARY  # before Python 3.12, looking up an enum's member is slow
_DONE = (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK)


class Session:
    """One connection without a transaction around its statements. Not for two threads at once. Close it."""

    def __init__(self, dsn: str, *, prepares: bool) -> None:
        """Connect; raises Unavailable.

        prepares  whether statements that have a name are prepared
        """
        try:
            self._connection = psycopg.Connection.connect(dsn, autocommit=True)
        except psycopg.Error as error:
            raise Unavailable(DOWN) from error
        self._transformer = transformer_of(self._connection)
        self._prepares = prepares
        self._prepared: set[bytes] = set()

    def run(self, statement: Statement, values: Mapping[str, Any], *, before: str = "") -> Result:
        """Run a statement, once.

        before  SQL to put in front of it, such as `DECLARE … CURSOR FOR `; then it is not prepared
        Raises Unavailable without a database, its tables or enough time; Refused for all other errors.
        """
        text = before.encode() + statement.numbered if before else statement.numbered
        name = statement.name if self._prepares and not before else b""
        try:
            return self._run(text, name, [values[key] for key in statement.names])
        except psycopg.Error as error:
            if takes_no_writes(error):
                self.close()
            if self.has_died or is_down(error):
                raise Unavailable(DOWN) from error
            raise Refused.of(error, text.decode()) from None

    def command(self, text: str) -> Result:
        """Run SQL without parameters. Raises Unavailable and Refused as `run` does."""
        return self.run(Statement(text, b"", text.encode(), ()), {})

    def roll_back(self) -> None:
        """Undo the transaction that is open. A connection that cannot even do that is closed."""
        try:
            self.command("ROLLBACK")
        except (Unavailable, Refused):
            self.close()

    @property
    def has_died(self) -> bool:
        """Whether the connection broke while it was used, or was closed."""
        return self._connection.closed

    @property
    def is_usable(self) -> bool:
        """Whether the server still holds the connection open."""
        return not (self._connection.closed or is_dead(self._connection.pgconn.socket))

    def close(self) -> None:
        """Close the connection, whatever runs on it; a second time does nothing."""
        self._connection.close()

    def _run(self, text: bytes, name: bytes, values: list[Any]) -> Result:
        """Run a statement, prepared under a name unless that is empty. Raises psycopg.Error."""
        connection, transformer = self._connection.pgconn, self._transformer
        sent: Any = transformer.dump_sequence(values, [_AUTO] * len(values))
        if name:
            if name not in self._prepared:
                self._prepare(name, text)
            found = connection.exec_prepared(name, sent, transformer.formats, _BINARY)
        else:
            found = connection.exec_params(text, sent, None, transformer.formats, _BINARY)
        return Result(_checked(found), transformer)

    def _prepare(self, name: bytes, text: bytes) -> None:
        _checked(self._connection.pgconn.prepare(name, text))
        self._prepared.add(name)


def transformer_of(connection: psycopg.Connection[Any]) -> Transformer:
    """Turns values into parameters, and results into values.

    The server infers the types of parameters, and a binary one must have exactly that type. psycopg would send an
    integer as the smallest type that holds it; as text it fits any. psycopg would send a list as text, which costs
    twice to seven times as much as its binary form.
    """
    connection.adapters.register_dumper(int, IntDumper)
    connection.adapters.register_dumper(list, ListBinaryDumper)
    return adapt.Transformer(connection)


def _checked(found: pq.abc.PGresult) -> pq.abc.PGresult:
    """A result without an error; raises psycopg.Error for any other."""
    if found.status not in _DONE:
        raise errors.error_from_result(found)
    return found
