"""Building the indexes of a migration: within its transaction, or concurrently before it.

PostgreSQL builds an index concurrently while other sessions write to its table. This takes longer, and needs a
connection outside any transaction.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from sqlalchemy import Connection, text

BUILDING = 3_110_005
"""The number of the advisory lock of the process that builds indexes concurrently. No other lock has it."""
PAUSE_S = 0.2
_IS_VALID = text("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(:name)")
Indexes = Mapping[str, str]
"""The definition of each index by its name: what follows ON in CREATE INDEX."""


def build_indexes(connection: Connection, indexes: Indexes, *, is_concurrent: bool = False) -> None:
    """Build those of the indexes that do not exist.

    An interrupted concurrent run leaves an invalid index, which is dropped and built again.
    """
    how = "CONCURRENTLY " if is_concurrent else ""
    for name, definition in indexes.items():
        is_valid = connection.execute(_IS_VALID, {"name": name}).scalar_one_or_none()
        if is_valid is False:
            connection.exec_driver_sql(f"DROP INDEX {how}{name}")
        if not is_valid:
            connection.exec_driver_sql(f"CREATE INDEX {how}{name} ON {definition}")


def build_concurrently(connection: Connection, indexes: Indexes) -> None:
    """Build indexes while other sessions use the tables. `connection` is in autocommit mode.

    PostgreSQL waits for all older transactions that may use the table. Nobody waits for the build meanwhile, so it
    has no time limit.
    """
    with _without_limits(connection), _as_only_builder(connection):
        build_indexes(connection, indexes, is_concurrent=True)


@contextmanager
def _without_limits(connection: Connection) -> Iterator[None]:
    connection.exec_driver_sql("SET statement_timeout = 0; SET lock_timeout = 0")
    try:
        yield
    finally:
        if not connection.invalidated:
            connection.exec_driver_sql("RESET statement_timeout; RESET lock_timeout")


@contextmanager
def _as_only_builder(connection: Connection) -> Iterator[None]:
    """Hold the lock of builders in the block.

    Each attempt is a statement of its own. A statement that waited for the lock would be an older transaction, for
    which the other builder waits.
    """
    lock = {"lock": BUILDING}
    while not connection.execute(text("SELECT pg_try_advisory_lock(:lock)"), lock).scalar_one():
        time.sleep(PAUSE_S)
    try:
        yield
    finally:
        if not connection.invalidated:
            connection.execute(text("SELECT pg_advisory_unlock(:lock)"), lock)
