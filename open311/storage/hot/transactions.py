"""The transaction in which a frequent statement runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Connection

from open311.storage.hot.statements import Statement

Run = Callable[[Statement, Mapping[str, Any]], list[tuple[Any, ...]]]
"""A function that runs a statement with its values and returns the rows.

`HotConnections.rows` and `HotConnections.write` run each statement in a separate transaction. The functions from
`HotConnections.transaction` and `within(connection)` run all statements in one transaction.
"""


def within(connection: Connection) -> Run:
    """A function that runs statements in the transaction of SQLAlchemy's connection."""

    def run(statement: Statement, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in connection.exec_driver_sql(statement.text, dict(values))]

    return run
