"""Database connections: each process has a pool. The drivers' errors are replaced by our own errors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import orjson
import psycopg2
import psycopg2.errors
from psycopg2 import extensions
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import ExceptionContext, make_url
from sqlalchemy.exc import DBAPIError, DisconnectionError, PendingRollbackError
from sqlalchemy.exc import TimeoutError as NoFreeConnection
from sqlalchemy.pool import QueuePool

from open311.errors import Unavailable
from open311.storage.failures import Refused, is_dead, is_deadlock, is_down, takes_no_writes, unavailable
from open311.storage.hot.connections import HotConnections
from open311.storage.traced import trace_statements
from open311.tracing import is_wanted

TRIES = 5
T = TypeVar("T")

__all__ = [
    "Connection",
    "Database",
    "HotConnections",
    "has_room",
    "libpq_dsn",
    "open_database",
    "savepoint",
    "session_settings",
    "takes_writes",
]


DEAD_PEER = {
    "tcp_user_timeout": "5000",  # milliseconds
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "2",
}
"""libpq's settings that end a connection after at most nine seconds if the other machine has vanished.

The kernel's own limits are a quarter of an hour and two hours. libpq ignores these settings for Unix sockets.
"""


class Database:
    """A PostGIS database, as operations use it."""

    def __init__(self, engine: Engine, hot: HotConnections) -> None:
        """`engine` is SQLAlchemy's pool; `hot` has the connections of the hot paths."""
        self.engine = engine
        self.hot = hot
        self._reading = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._snapshots = engine.execution_options(isolation_level="REPEATABLE READ")

    def pools(self) -> tuple[int, int]:
        """The number of this process's connections: in use, idle. Those of the hot paths always count as idle."""
        pool = self.engine.pool
        in_use, idle = (pool.checkedout(), pool.checkedin()) if isinstance(pool, QueuePool) else (0, 0)
        return in_use, idle + self.hot.count_open()

    @property
    def place(self) -> str:
        """The database's name and where it is, without user and password: "open311 at db.city.example"."""
        url = self.engine.url
        named = url.query.get("host", "")
        hosts = named if isinstance(named, str) else ",".join(named)
        host = (url.host or hosts or "this machine").rpartition("@")[2]
        port = f":{url.port}" if url.port else ""
        return f"{url.database or url.query.get('dbname', 'no name')} at {host}{port}"

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A transaction that commits at the end of the block. Raises Unavailable if the database is dead."""
        with _own_errors(), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """A transaction whose statements all see the same snapshot (REPEATABLE READ). Raises Unavailable."""
        with _own_errors(), self._snapshots.begin() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection in autocommit mode, for single reads. Raises Unavailable if the database is dead."""
        with _own_errors(), self._reading.connect() as connection:
            yield connection

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()
        self.hot.close()


@contextmanager
def savepoint(connection: Connection) -> Iterator[None]:
    """A savepoint: an error in the block undoes only the block, and the transaction can continue.

    After Unavailable, the transaction cannot continue, because the connection is lost.
    """
    with _own_errors():
        try:
            with connection.begin_nested():
                yield
        except Exception as error:  # libraries wrap the driver's errors in their own
            if connection.invalidated:
                raise unavailable(error) from error
            raise


def takes_writes(connection: Connection) -> bool:
    """Whether the database accepts writes. The connection is outside any transaction.

    A connection keeps the setting that the database had when the connection was opened. So a read-only connection
    is replaced.
    """
    if _is_read_only(connection):
        connection.invalidate()
        connection.rollback()  # SQLAlchemy requires this before it connects again, even if no transaction was begun
    return not _is_read_only(connection)


def has_room(connection: Connection) -> bool:
    """Whether the disk of the database has room. The connection is outside any transaction.

    PostgreSQL spills half a megabyte into a temporary file, which needs no privilege and no write-ahead log.
    Without this attempt, a full disk shows only when a table has to grow.
    """
    try:
        connection.exec_driver_sql(
            "SET LOCAL work_mem = '64kB'; SELECT count(*) FROM generate_series(1, 20000)"  # one transaction
        )
    except DBAPIError as error:
        if isinstance(error.orig, psycopg2.errors.DiskFull):
            return False
        raise
    return True


def _is_read_only(connection: Connection) -> bool:
    return bool(connection.execute(text("SELECT current_setting('transaction_read_only')::boolean")).scalar_one())


def open_database(
    url: str,
    *,
    pool_size: int = 4,
    statement_timeout_ms: int = 0,
    prepares: bool = True,
    is_pooled: bool = False,
) -> Database:
    """A database with a pool of connections, which connects at the first use.

    url                   a SQLAlchemy URL with the psycopg2 driver
    statement_timeout_ms  0 for no timeout; the timeout for a lock is a third of this
    prepares              whether hot statements are prepared
    is_pooled             whether the URL is that of a pooler. Poolers refuse settings of sessions, so none are sent
    """
    arguments: dict[str, Any] = {"connect_timeout": 5, "application_name": "open311"}
    if not is_pooled:
        settings = session_settings(statement_timeout_ms)
        arguments["options"] = " ".join(f"-c {name}={value}" for name, value in settings.items())
    dsn = extensions.make_dsn(libpq_dsn(url), **arguments)
    engine = create_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=5,
        hide_parameters=True,  # errors are logged, and parameters hold personal data
        connect_args=extensions.parse_dsn(dsn),
        json_serializer=lambda value: orjson.dumps(value).decode(),
        json_deserializer=orjson.loads,
    )
    event.listen(engine, "checkout", _replace_dead)
    event.listen(engine, "handle_error", _drop_read_only)
    if is_wanted():
        trace_statements(engine)
    return Database(engine, HotConnections(dsn, prepares=prepares))


def session_settings(statement_timeout_ms: int) -> dict[str, str]:
    """The settings of PostgreSQL that each session needs, as PostgreSQL itself shows them."""
    return {
        "statement_timeout": str(statement_timeout_ms),
        "lock_timeout": str(statement_timeout_ms // 3),
        "jit": "off",  # queries here are short; compiling them costs more time than it saves
        "max_parallel_workers_per_gather": "0",  # parallel plans made radius queries five times slower
        "random_page_cost": "1.1",  # the publications are in memory or on an SSD
        "timezone": "UTC",
    }


def _replace_dead(connection: extensions.connection, record: object, proxy: object) -> None:  # noqa: ARG001
    """Make the pool replace a connection that the server has closed."""
    if connection.closed or is_dead(connection.fileno()):
        raise DisconnectionError("the server has closed this connection")


def libpq_dsn(url: str) -> str:
    """A SQLAlchemy URL as a libpq connection string, with `DEAD_PEER` where the URL says nothing else."""
    parsed = make_url(url)
    _, words = parsed.get_dialect()().create_connect_args(parsed)
    dsn: str = extensions.make_dsn(**{**DEAD_PEER, **words})
    return dsn


@contextmanager
def _own_errors() -> Iterator[None]:
    """Replace the drivers' errors by our own.

    Unavailable: there is no connection, or `is_down` is true for the driver's error. PendingRollbackError also
    becomes Unavailable, because statements and savepoints raise it after the connection was lost.
    Refused: any other error of the database. Its text does not quote rows.
    """
    try:
        yield
    except (DBAPIError, NoFreeConnection, PendingRollbackError, psycopg2.Error) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        if not isinstance(cause, psycopg2.Error) or is_down(cause) or _is_lost(error):
            raise unavailable(cause) from error
        statement = (
            error.statement if isinstance(error, DBAPIError) else "COPY"
        )  # COPY does not run through SQLAlchemy
        raise Refused.of(cause, statement or "") from None


def _is_lost(error: Exception) -> bool:
    return isinstance(error, DBAPIError) and error.connection_invalidated


def _drop_read_only(context: ExceptionContext) -> None:
    """Make the pool open new connections after a server refused to write. Another server may be primary now."""
    if takes_no_writes(context.original_exception):
        context.is_disconnect = True


def undeadlocked(change: Callable[[], T]) -> T:
    """Call `change`, which makes one transaction. If a deadlock ends the transaction, call it again.

    Two commands can lock two requests in opposite order, because a closing also changes the merged requests.
    """
    for _ in range(TRIES - 1):
        try:
            return change()
        except Unavailable as error:
            if not is_deadlock(error):
                raise
    return change()
