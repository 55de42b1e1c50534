"""What goes wrong between here and PostgreSQL, in the same words for psycopg2 and psycopg 3."""

from __future__ import annotations

from select import select
from typing import Self

import psycopg
import psycopg2
import psycopg2.errors

DOWN = "The database cannot be reached just now; try again in a moment."


class Refused(Exception):
    """The database rejected a statement. The text holds only PostgreSQL's first sentence.

    PostgreSQL's details quote whole rows, and so what citizens sent; this text goes to the log.
    """

    @classmethod
    def of(cls, error: psycopg.Error | psycopg2.Error, statement: str) -> Self:
        """The part of a driver's error that quotes no rows."""
        first = error.diag.message_primary or str(error).partition("\n")[0]
        return cls(f"{type(error).__name__} ({error.diag.sqlstate}): {first}; in: {statement[:300]}")


def is_down(error: Exception) -> bool:
    """Whether an error of a driver means that the database cannot do its work now, rather than what was asked.

    The server is not there, shuts down, has a full disk, times out; its tables are missing; it takes no writes.
    """
    return isinstance(error, _DOWN) or takes_no_writes(error)


def takes_no_writes(error: BaseException | None) -> bool:
    """Whether the server is read-only. Each connection keeps that as it was when it was opened, so drop it."""
    return isinstance(error, (psycopg.errors.ReadOnlySqlTransaction, psycopg2.errors.ReadOnlySqlTransaction))


_DOWN = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.errors.UndefinedTable,
    psycopg2.OperationalError,
    psycopg2.InterfaceError,
    psycopg2.errors.UndefinedTable,
)


def is_dead(descriptor: int) -> bool:
    """Whether the server has closed a connection that waits for no answer.

    A closed socket is readable. Looking at it costs less than a question to the server.
    """
    readable, _, _ = select([descriptor], [], [], 0)
    return bool(readable)
