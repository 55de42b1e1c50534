"""Running hot statements inside a transaction of SQLAlchemy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Connection

from open311.storage.hot.statements import Statement

Run = Callable[[Statement, Mapping[str, Any]], list[tuple[Any, ...]]]
"""A function that runs a statement with its values and returns the rows.

`HotConnections.rows` and `.write` run it as a transaction of its own. `HotConnections.transaction` and
`within(connection)` give one that runs it as part of theirs.
"""


def within(connection: Connection) -> Run:
    """A function that runs statements in the connection's transaction."""

    def run(statement: Statement, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in connection.exec_driver_sql(statement.text, dict(values))]

    return run
