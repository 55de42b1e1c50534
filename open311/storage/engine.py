"""Database connections: a pool for each process, transactions, autocommit for reading, and our own errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import orjson
import psycopg2
from psycopg2 import extensions
from psycopg2.errors import UndefinedTable
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, DisconnectionError, InterfaceError, OperationalError, PendingRollbackError
from sqlalchemy.exc import TimeoutError as NoFreeConnection

from open311.errors import Unavailable
from open311.storage.failures import DOWN, Refused, is_dead
from open311.storage.hot.connections import HotConnections

__all__ = ["Connection", "Database", "HotConnections", "libpq_dsn", "open_database", "savepoint"]


class Database:
    """A PostGIS database, as operations use it."""

    def __init__(self, engine: Engine, hot: HotConnections) -> None:
        """`engine` is SQLAlchemy's pool; `hot` has the connections of the hot paths."""
        self.engine = engine
        self.hot = hot
        self._reading = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._snapshots = engine.execution_options(isolation_level="REPEATABLE READ")

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

    After Unavailable it cannot, because the connection is lost.
    """
    with _own_errors(), connection.begin_nested():
        yield


def open_database(
    url: str, *, pool_size: int = 4, statement_timeout_ms: int = 0, prepares: bool = True
) -> Database:
    """A database with a pool of connections, which connects at the first use.

    url                   a SQLAlchemy URL with the psycopg2 driver
    statement_timeout_ms  0 for no timeout; waiting for a lock times out after a third of it
    prepares              whether hot statements are prepared
    """
    settings = {
        "statement_timeout": statement_timeout_ms,
        "lock_timeout": statement_timeout_ms // 3,
        "jit": "off",  # queries here are short; compiling them costs more time than it saves
        "max_parallel_workers_per_gather": 0,  # parallel plans made radius queries five times slower
        "random_page_cost": 1.1,  # the publications are in memory or on an SSD
        "timezone": "UTC",
    }
    arguments = {
        "options": " ".join(f"-c {name}={value}" for name, value in settings.items()),
        "connect_timeout": 5,
        "application_name": "open311",
    }
    engine = create_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=5,
        hide_parameters=True,  # errors are logged, and parameters hold personal data
        connect_args=arguments,
        json_serializer=lambda value: orjson.dumps(value).decode(),
        json_deserializer=orjson.loads,
    )
    event.listen(engine, "checkout", _refuse_dead)
    return Database(engine, HotConnections(extensions.make_dsn(libpq_dsn(url), **arguments), prepares=prepares))


def _refuse_dead(connection: extensions.connection, record: object, proxy: object) -> None:  # noqa: ARG001
    """Make the pool replace a connection that the server has closed."""
    if connection.closed or is_dead(connection.fileno()):
        raise DisconnectionError("the server has closed this connection")


def libpq_dsn(url: str) -> str:
    """A SQLAlchemy URL as a libpq connection string, for other drivers."""
    parsed = make_url(url)
    dsn: str = extensions.make_dsn(
        **parsed.translate_connect_args(database="dbname", username="user"), **parsed.query
    )
    return dsn


@contextmanager
def _own_errors() -> Iterator[None]:
    """Replace the drivers' errors by our own.

    Unavailable: no connection, no free connection, a server that shuts down, missing tables, or a timeout. After a
    lost connection, the next statement or the end of a savepoint raises PendingRollbackError: also Unavailable.
    Refused: any other error of the database. Its text quotes no rows.
    """
    try:
        yield
    except (OperationalError, InterfaceError, NoFreeConnection, PendingRollbackError) as error:
        raise Unavailable(DOWN) from error
    except DBAPIError as error:
        if error.connection_invalidated or isinstance(error.orig, UndefinedTable):
            raise Unavailable(DOWN) from error
        if isinstance(error.orig, psycopg2.Error):
            raise Refused.of(error.orig, error.statement or "") from None
        raise
    except psycopg2.OperationalError as error:  # from COPY, which does not go through SQLAlchemy
        raise Unavailable(DOWN) from error
    except psycopg2.Error as error:
        raise Refused.of(error, "COPY") from None
