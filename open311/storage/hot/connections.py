"""The hot paths: statements compiled once, run on a connection that a thread keeps.

A SQLAlchemy statement costs more to put together than PostgreSQL takes to answer it. So each shape of query is
written in SQLAlchemy, compiled the first time it is met, and from then on sent as it is. It goes straight through
libpq, by psycopg's wrapper: psycopg2 knows only SQL's PREPARE, whose EXECUTE has the server copy each result once
more, and makes a Python object of each value, where most go out again as the bytes they came as.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from hashlib import blake2b
from itertools import repeat
from select import select
from typing import Any, Self

import psycopg2
from psycopg import adapters, errors, pq
from sqlalchemy.dialects.postgresql import psycopg2 as dialect
from sqlalchemy.sql import ClauseElement

from open311.errors import Unavailable

DOWN = "The database cannot be reached just now; try again in a moment."

_DIALECT = dialect.dialect()  # type: ignore[no-untyped-call]
_PLACEHOLDER = re.compile(r"%\((\w+)\)s")
_DONE = (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK)


class Refused(Exception):
    """The database would not run a statement. It says so in PostgreSQL's first sentence alone.

    The details that follow it quote whole rows, and with them what citizens sent; this text goes to the log.
    """

    @classmethod
    def of(cls, error: psycopg2.Error, statement: str) -> Self:
        """What is left of an error of psycopg2."""
        first = error.diag.message_primary or str(error).partition("\n")[0]
        return cls(f"{type(error).__name__} ({error.pgcode}): {first}; in: {statement[:300]}")


@dataclass(frozen=True, slots=True)
class Statement:
    """A compiled query with named parameters, `%(name)s`.

    name      for the server to keep its plan under; "" where the best plan depends on the values. Made of the text:
              the server would take two names for one that begin with the same 63 bytes
    numbered  the same as the server wants it, with $1, $2 for the parameters of these names
    """

    text: str
    name: str
    numbered: bytes
    names: tuple[str, ...]

    @classmethod
    def of(cls, query: ClauseElement, *, is_prepared: bool = False) -> Self:
        """The statement that a query with bound parameters stands for."""
        text = str(query.compile(dialect=_DIALECT))
        numbers: dict[str, str] = {}
        for parameter in _PLACEHOLDER.findall(text):
            numbers.setdefault(parameter, f"${len(numbers) + 1}")
        numbered = _PLACEHOLDER.sub(lambda match: numbers[match[1]], text).replace("%%", "%")
        name = blake2b(text.encode(), digest_size=16).hexdigest() if is_prepared else ""
        return cls(text, name, numbered.encode(), tuple(numbers))


class Result:
    """What a statement brought, column by column; a value is read where it is asked for.

    In PostgreSQL's binary form: the same bytes for a text, eight for a bigint.
    """

    __slots__ = ("_found",)

    def __init__(self, found: pq.abc.PGresult) -> None:
        self._found = found

    def __len__(self) -> int:
        return self._found.ntuples

    def texts(self, column: int) -> list[bytes]:
        """A column without NULLs as UTF-8, which nothing here has to decode."""
        return list(self._values(column))

    def combined(self, column: int) -> int:
        """The exclusive or of a column of bigints without NULLs, as PostgreSQL's bit_xor has it; 0 for no rows.

        All at once, as one long number that is folded in the middle again and again until eight bytes are left.
        """
        found, count = int.from_bytes(b"".join(self._values(column))), len(self)
        while count > 1:
            count = (count + 1) // 2
            found = (found >> 64 * count) ^ (found & ((1 << 64 * count) - 1))
        return found - (found >> 63 << 64)

    def number(self, column: int, row: int) -> int:
        """One bigint."""
        return int.from_bytes(self._found.get_value(row, column) or b"", "big", signed=True)

    def values(self, column: int) -> list[Any]:
        """A column as Python has its values."""
        load, get = _loader(self._found.ftype(column)), self._found.get_value
        found = (get(row, column) for row in range(self._found.ntuples))
        return [None if value is None else load(value) for value in found]

    def _values(self, column: int) -> Iterator[Any]:
        # No loop of Python's own: of a thousand small steps, the loop would be the most.
        return map(self._found.get_value, range(len(self)), repeat(column))

    def rows(self) -> list[tuple[Any, ...]]:
        """Everything, row by row."""
        return list(zip(*map(self.values, range(self._found.nfields)), strict=True))


class HotConnections:
    """Runs statements, each thread on a connection of its own, each statement a transaction of its own."""

    def __init__(self, dsn: str, *, prepares: bool) -> None:
        """`prepares` is off where a pooler between here and the server hands connections around."""
        self._dsn = dsn
        self._prepares = prepares
        self._own = threading.local()
        self._lock = threading.Lock()
        self._open: list[pq.abc.PGconn] = []

    def read(self, statement: Statement, values: Mapping[str, Any]) -> Result:
        """What a statement finds. Raises Unavailable where there is no database, or it takes too long.

        A connection that has died meanwhile is noticed only here; reading changes nothing, so it is tried again.
        """
        try:
            return self._run(statement, values)
        except Unavailable:
            if not self._has_died():
                raise
        return self._run(statement, values)

    def rows(self, statement: Statement, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """The same, row by row."""
        return self.read(statement, values).rows()

    def write(self, statement: Statement, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """The rows that a statement returns, run once: if its connection dies, nobody knows whether it took effect.

        Raises Unavailable, as `rows` does; Refused for what the database does not take.
        """
        return self._run(statement, values).rows()

    def session(self) -> Session:
        """A connection beside those of the threads, for the caller to close. Raises Unavailable."""
        return Session(_opened(self._dsn))

    def close(self) -> None:
        """Close the connections of all threads."""
        with self._lock:
            for connection in self._open:
                connection.finish()
            self._open.clear()
        self._own = threading.local()

    def _run(self, statement: Statement, values: Mapping[str, Any]) -> Result:
        connection = getattr(self._own, "connection", None)
        if connection is None or connection.status != pq.ConnStatus.OK or is_dead(connection.socket):
            connection = self._connect()
        sent = _parameters(statement, values)
        if not (statement.name and self._prepares):
            return _run(connection, statement.numbered, sent)
        name = statement.name.encode()
        if name not in self._own.prepared:
            _checked(connection.prepare(name, statement.numbered), connection, statement.numbered)
            self._own.prepared.add(name)
        # Its stub forgets that a parameter may be NULL.
        found = connection.exec_prepared(name, sent, result_format=pq.Format.BINARY)  # type: ignore[arg-type]
        return _checked(found, connection, statement.numbered)

    def _connect(self) -> pq.abc.PGconn:
        self._forget()
        connection = _opened(self._dsn)
        self._own.connection = connection
        self._own.prepared = set()
        with self._lock:
            self._open.append(connection)
        return connection

    def _has_died(self) -> bool:
        """Whether this thread's connection broke while it was used."""
        connection = getattr(self._own, "connection", None)
        return connection is not None and connection.status != pq.ConnStatus.OK

    def _forget(self) -> None:
        """Drop this thread's connection, if it has one."""
        connection = self._own.__dict__.pop("connection", None)
        if connection is not None:
            connection.finish()
            with self._lock:
                self._open = [other for other in self._open if other is not connection]


class Session:
    """A connection of its own, for one who reads long: statements one after the other. Close it."""

    def __init__(self, connection: pq.abc.PGconn) -> None:
        self._connection = connection

    def run(self, statement: Statement, values: Mapping[str, Any], before: str = "") -> Result:
        """What a statement finds; with words `before` it, such as those that make a cursor of it.

        Raises Unavailable, and Refused.
        """
        return _run(self._connection, before.encode() + statement.numbered, _parameters(statement, values))

    def command(self, text: str) -> Result:
        """Run a statement without parameters. Raises Unavailable, and Refused."""
        return _run(self._connection, text.encode(), ())

    def close(self) -> None:
        """Hang up, whatever is under way; a second time does nothing."""
        self._connection.finish()


def _opened(dsn: str) -> pq.abc.PGconn:
    connection = pq.PGconn.connect(dsn.encode())
    if connection.status != pq.ConnStatus.OK:
        raise Unavailable(DOWN) from errors.OperationalError(connection.get_error_message())
    return connection


def _parameters(statement: Statement, values: Mapping[str, Any]) -> list[bytes | None]:
    return [_sent(values[name]) for name in statement.names]


def _run(connection: pq.abc.PGconn, text: bytes, sent: Sequence[bytes | None]) -> Result:
    found = connection.exec_params(text, sent, result_format=pq.Format.BINARY)
    return _checked(found, connection, text)


def is_dead(descriptor: int) -> bool:
    """Whether the server has closed a connection: its socket says so, for less than asking the server costs."""
    readable, _, _ = select([descriptor], [], [], 0)
    return bool(readable)


def _checked(found: pq.abc.PGresult, connection: pq.abc.PGconn, text: bytes) -> Result:
    """The result of what went well."""
    if found.status in _DONE:
        return Result(found)
    state = (found.error_field(pq.DiagnosticField.SQLSTATE) or b"").decode()
    first = (found.error_field(pq.DiagnosticField.MESSAGE_PRIMARY) or found.error_message).decode(errors="replace")
    kind = _kind(state) if state else errors.OperationalError
    said = f"{kind.__name__} ({state}): {first.strip()}"
    if connection.status != pq.ConnStatus.OK or issubclass(kind, _DOWN):
        raise Unavailable(DOWN) from kind(said)
    raise Refused(f"{said}; in: {text[:300].decode(errors='replace')}")


_DOWN = (errors.OperationalError, errors.InterfaceError, errors.UndefinedTable)


@cache
def _kind(state: str) -> type[errors.Error]:
    try:
        return errors.lookup(state)
    except KeyError:
        return errors.DatabaseError


@cache
def _loader(kind: int) -> Callable[[bytes], Any]:
    """What makes a Python value of the binary form of the type with this oid."""
    loader = adapters.get_loader(kind, pq.Format.BINARY)
    if loader is None:
        raise TypeError(f"no loader for type {kind}")
    return loader(kind).load


def _sent(value: Any) -> bytes | None:
    """A parameter as the server reads it. Its type follows from where it stands in the statement."""
    if isinstance(value, str):
        if "\x00" in value:
            raise Refused("a text holds a NUL character")  # libpq would cut it off there
        return value.encode()
    if value is None:
        return None
    if isinstance(value, bool):
        return b"true" if value else b"false"
    if isinstance(value, (int, float)):
        return repr(value).encode()
    if isinstance(value, datetime):
        return value.isoformat().encode()
    if isinstance(value, bytes):
        return b"\\x" + value.hex().encode()
    return _array(value)


def _array(values: Iterable[Any]) -> bytes:
    """An array of one dimension without NULLs."""
    items = ((_sent(value) or b"").replace(b"\\", b"\\\\").replace(b'"', b'\\"') for value in values)
    return b"{" + b",".join(b'"' + item + b'"' for item in items) + b"}"
