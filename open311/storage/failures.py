"""Errors of PostgreSQL and of its connections, the same for psycopg2 and psycopg 3."""

from __future__ import annotations

from select import select
from typing import Self

import psycopg
import psycopg2

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


def is_dead(descriptor: int) -> bool:
    """Whether the server has closed an idle connection.

    An idle socket becomes readable when the server closes it. This test is cheaper than a query.
    """
    readable, _, _ = select([descriptor], [], [], 0)
    return bool(readable)
