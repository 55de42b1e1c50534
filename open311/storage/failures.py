"""What goes wrong between here and PostgreSQL, in the same words for psycopg2 and psycopg 3."""

from __future__ import annotations

from select import select
from typing import Self

import psycopg
import psycopg2

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


def is_dead(descriptor: int) -> bool:
    """Whether the server has closed a connection that waits for no answer.

    A closed socket is readable. Looking at it costs less than a question to the server.
    """
    readable, _, _ = select([descriptor], [], [], 0)
    return bool(readable)
