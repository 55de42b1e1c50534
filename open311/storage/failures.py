"""Errors of PostgreSQL and of its connections. These functions work for psycopg2 and for psycopg 3."""

from __future__ import annotations

from select import select
from typing import Self

import psycopg
import psycopg2
import psycopg2.errors

DOWN = "The database cannot be reached just now; try again in a moment."


class Refused(Exception):
    """The database rejected a statement. The text goes to the log and has only PostgreSQL's primary message.

    PostgreSQL's details are left out, because they quote whole rows, which hold personal data.
    """

    @classmethod
    def of(cls, error: psycopg.Error | psycopg2.Error, statement: str) -> Self:
        """Make the error from a driver's error, without the part that quotes rows."""
        first = error.diag.message_primary or str(error).partition("\n")[0]
        return cls(f"{type(error).__name__} ({error.diag.sqlstate}): {first}; in: {statement[:300]}")


def is_down(error: Exception) -> bool:
    """Whether a driver's error means that the database cannot work now, and not that the statement is wrong.

    For example, the server is missing, shuts down, has a full disk, is too slow, lacks its tables or is read-only.
    """
    return isinstance(error, _DOWN) or takes_no_writes(error)


def takes_no_writes(error: BaseException | None) -> bool:
    """Whether the error says that the connection is read-only. A connection stays so for ever, so close it then."""
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
    """Whether the server has closed an idle connection.

    An idle socket becomes readable when the server closes it. This test is cheaper than a query.
    """
    readable, _, _ = select([descriptor], [], [], 0)
    return bool(readable)
