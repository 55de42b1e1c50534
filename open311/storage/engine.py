"""Connections: a pool for each process, transactions to write, autocommit to read, clear words when it is down."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import orjson
from psycopg2.errors import UndefinedTable
from psycopg2.extensions import make_dsn
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoFreeConnection

__all__ = ["Connection", "Database", "libpq_dsn", "open_database"]

from open311.errors import Unavailable

DOWN = "The database cannot be reached just now; try again in a moment."


class Database:
    """A PostGIS database as the operations see it."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._reading = engine.execution_options(isolation_level="AUTOCOMMIT")

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A transaction that commits at the end of the block. Raises Unavailable for a dead database."""
        with _clear_words(), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection for single reads, outside any transaction. Raises Unavailable for a dead database."""
        with _clear_words(), self._reading.connect() as connection:
            yield connection

    def is_alive(self) -> bool:
        """Whether the database answers."""
        try:
            with self.reading() as connection:
                connection.execute(text("SELECT 1"))
        except Unavailable:
            return False
        return True

    def close(self) -> None:
        """Give all connections back."""
        self.engine.dispose()


def open_database(url: str, *, pool_size: int = 4, statement_timeout_ms: int = 0) -> Database:
    """A database behind a pool; connects at the first use.

    url                   a SQLAlchemy URL with the psycopg2 driver
    statement_timeout_ms  0 for none
    """
    options = " ".join(
        f"-c {name}={value}"
        for name, value in {
            "statement_timeout": statement_timeout_ms,
            "jit": "off",  # plans here are short; compiling them costs more than it brings
            "max_parallel_workers_per_gather": 0,  # parallel plans made radius queries five times slower
            "timezone": "UTC",
        }.items()
    )
    engine = create_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=5,
        pool_pre_ping=True,
        hide_parameters=True,  # they hold what citizens sent; errors are logged
        connect_args={"options": options, "connect_timeout": 5, "application_name": "open311"},
        json_serializer=lambda value: orjson.dumps(value).decode(),
        json_deserializer=orjson.loads,
    )
    return Database(engine)


def libpq_dsn(url: str) -> str:
    """The same database in libpq's own words, for drivers beside SQLAlchemy."""
    parsed = make_url(url)
    dsn: str = make_dsn(**parsed.translate_connect_args(database="dbname", username="user"), **parsed.query)
    return dsn


@contextmanager
def _clear_words() -> Iterator[None]:
    """Turn "no connection", "shutting down", "no free connection" and "took too long" and "no tables yet" into Unavailable."""
    try:
        yield
    except (OperationalError, InterfaceError, NoFreeConnection) as error:
        raise Unavailable(DOWN) from error
    except DBAPIError as error:
        if error.connection_invalidated or isinstance(error.orig, UndefinedTable):
            raise Unavailable(DOWN) from error
        raise
