"""Errors of PostgreSQL and of its connections. These functions work for psycopg2 and for psycopg 3."""

from __future__ import annotations

import re
from select import select
from typing import Self

import psycopg
import psycopg2
import psycopg2.errors

from open311.errors import Unavailable
from schemas.texts import tell


class Refused(Exception):
    """The database rejected a statement. The text goes to the log.

    It has only the primary part of PostgreSQL's message. The details are left out, because they quote whole rows,
    which hold personal data.
    """

    @classmethod
    def of(cls, error: psycopg.Error | psycopg2.Error, statement: str) -> Self:
        """Make the error from a driver's error, without the part that quotes rows."""
        first = error.diag.message_primary or str(error).partition("\n")[0]
        return cls(f"{type(error).__name__} ({error.diag.sqlstate}): {first}; in: {statement[:300]}")


def is_down(error: Exception) -> bool:
    """Whether a driver's error means that the database cannot work now, and not that the statement is wrong.

    For example, the server is missing, shuts down, has a full disk, is too slow, lacks our tables or is read-only.
    """
    return isinstance(error, _DOWN) or takes_no_writes(error)


def is_cut_off(error: BaseException | None) -> bool:
    """Whether an error was raised because the server cannot be reached, or has ended the connection.

    False if the server answered: a statement that is too slow or not allowed says nothing about the connection.
    """
    cause = _cause_in_driver(error)
    code = None if cause is None else cause.diag.sqlstate  # None if libpq or the driver found the fault itself
    return isinstance(cause, _LINKS) and (code is None or code.startswith(("08", "57P")))


def is_lost(error: BaseException | None) -> bool:
    """Whether the connections of this process are of no use any more: the server is gone, or has become read-only.

    False for what may pass on the same connection, such as a deadlock, a timeout or a full disk.
    """
    return is_cut_off(error) or takes_no_writes(_cause_in_driver(error))


def is_deadlock(error: BaseException | None) -> bool:
    """Whether an error was raised because two transactions waited for each other, and PostgreSQL ended this one."""
    deadlocks = (psycopg.errors.DeadlockDetected, psycopg2.errors.DeadlockDetected)
    return isinstance(_cause_in_driver(error), deadlocks)


def _cause_in_driver(error: BaseException | None) -> psycopg.Error | psycopg2.Error | None:
    """The driver's error from which an error was raised; None if there is none."""
    while error is not None and not isinstance(error, _DRIVERS_OWN):
        error = getattr(error, "orig", None) or error.__cause__
    return error


def unavailable(error: BaseException | None) -> Unavailable:
    """The error for callers, with a sentence for the public about the kind of failure."""
    return Unavailable(next((words for kinds, words in _PUBLIC_WORDS if isinstance(error, kinds)), _UNREACHED))


def takes_no_writes(error: BaseException | None) -> bool:
    """Whether the error says that the connection is read-only. Such a connection never changes, so close it."""
    return isinstance(error, (psycopg.errors.ReadOnlySqlTransaction, psycopg2.errors.ReadOnlySqlTransaction))


def has_lost_statement(error: BaseException | None) -> bool:
    """Whether the error says that the connection no longer has one of its prepared statements.

    Somebody ran DEALLOCATE or DISCARD ALL on the connection, or a pooler ran the statement on another connection to
    the server. The statement has not run. Close the connection, because a new one prepares its statements again.
    """
    return isinstance(error, _UNPREPARED)


_UNMIGRATED = (
    psycopg.errors.UndefinedTable,
    psycopg.errors.UndefinedColumn,
    psycopg2.errors.UndefinedTable,
    psycopg2.errors.UndefinedColumn,
)
_UNPREPARED = (
    psycopg.errors.InvalidSqlStatementName,
    psycopg.errors.DuplicatePreparedStatement,
)
"""Somebody dropped a prepared statement, or a pooler ran it on another connection than the one that has it."""
_DRIVERS_OWN = (psycopg.Error, psycopg2.Error)
_LINKS = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg2.OperationalError,
    psycopg2.InterfaceError,
)
_DOWN = (
    *_LINKS,
    *_UNMIGRATED,
    *_UNPREPARED,
)
_UNWRITABLE = (
    psycopg.errors.ReadOnlySqlTransaction,
    psycopg.errors.DiskFull,
    psycopg2.errors.ReadOnlySqlTransaction,
    psycopg2.errors.DiskFull,
)
_SLOW = (
    psycopg.errors.QueryCanceled,
    psycopg.errors.LockNotAvailable,
    psycopg2.errors.QueryCanceled,
    psycopg2.errors.LockNotAvailable,
)
_UNREACHED = tell("The database cannot be reached just now; try again in a moment.")
_PUBLIC_WORDS = (
    (
        _UNMIGRATED,
        tell("The database is not ready for this release of the server; its operator has to migrate it."),
    ),
    (_UNWRITABLE, tell("The database cannot store anything just now; try again in a moment.")),
    (_SLOW, tell("The database takes too long just now; try again in a moment.")),
)
"""Errors of both drivers, with a sentence for the public."""


def why_down(error: BaseException) -> str:
    """A phrase that tells the operator why the database cannot be used, and what to do if that is known.

    error  an error of a driver, or one that was raised from it
    libpq's messages contain host, database and user, but not the password. If a password contains an unescaped @,
    libpq reads the end of the password as a part of the host. So everything up to the last @ of a host is left out.
    """
    cause = _cause_in_driver(error)
    if cause is None:
        return ""
    words = cause.diag.message_primary or str(cause).strip().partition("\n")[0]
    words = re.sub(r'(?<=")[^"\s]*@(?=[^"@]*")', "…@", words).removesuffix(".")
    cure = next((cure for pattern, cure in _CURES if re.search(pattern, words)), "")
    return f"{words}. {cure}" if cure else f"{words}."


_CURES = (
    (r"password|authentication failed", "Correct user and password in DATABASE_URL."),
    (r'role ".*" does not exist', "Correct the user in DATABASE_URL, or make this role."),
    (r'database ".*" does not exist', "Correct the name at the end of DATABASE_URL, or make this database."),
    (r"translate host name|Name or service", "Correct the host in DATABASE_URL."),
    (
        r"refused|No such file|timeout|timed out|No route",
        "Correct host and port in DATABASE_URL, or start PostgreSQL.",
    ),
    (r"pg_hba\.conf", "Let pg_hba.conf of the database server admit this host and user."),
    (r"SSL|certificate", "Correct sslmode in DATABASE_URL."),
    (r"too many clients|connection slots", "Raise max_connections of PostgreSQL, or lower OPEN311_POOL_SIZE."),
    (r'(relation|column) ".*" does not exist', "Run `open311 db migrate`."),
    (
        r"unsupported startup parameter",
        "DATABASE_URL names a pooler. Set OPEN311_DIRECT_DATABASE_URL and OPEN311_PREPARE_STATEMENTS=false, too.",
    ),
    (r"prepared statement .* exist", "DATABASE_URL names a pooler. Set OPEN311_PREPARE_STATEMENTS=false."),
    (
        r"query_wait_timeout",
        "Raise default_pool_size of the pooler, or see why PostgreSQL is slow or does not answer.",
    ),
    (r"no more connections allowed", "Raise max_client_conn of the pooler."),
    (r"read-only", "DATABASE_URL must name the primary, which takes writes."),
    (r"[Nn]o space left|[Dd]isk full", "Free space on the disk of the database."),
)
"""Patterns in the messages of libpq and PostgreSQL, each with the advice for the operator."""


def is_dead(descriptor: int) -> bool:
    """Whether the server has closed an idle connection.

    An idle socket becomes readable when the server closes it. This test is cheaper than a query.
    """
    readable, _, _ = select([descriptor], [], [], 0)
    return bool(readable)
