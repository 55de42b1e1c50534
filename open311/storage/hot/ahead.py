"""Reading ahead: a statement that a call will probably need is sent together with the call's first statement."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from open311.storage.hot.connections import HotConnections
from open311.storage.hot.sessions import Filled, Outcome
from open311.storage.hot.statements import Statement


class ReadAhead:
    """The reads of one call, and a read that is expected. The expected read is sent together with the first read.

    The result of the expected read is used once, and only if the call then asks for exactly this statement with
    these values. So a wrong expectation costs time, but its result is never used. Not thread-safe.
    """

    def __init__(self, hot: HotConnections, expected: Filled | None) -> None:
        """`expected` is None if nothing is known about the call."""
        self._hot = hot
        self._unsent = self._expected = expected
        self._found: Outcome | None = None

    def rows(self, statement: Statement, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Run a statement as `HotConnections.rows` does."""
        unsent, found = self._unsent, self._found
        self._unsent = self._found = None
        if unsent is not None:
            result, self._found = self._hot.read_both((statement, values), unsent)
            return result.rows()
        if found is not None and (statement, values) == self._expected:
            if isinstance(found, Exception):
                raise found
            return found.rows()
        return self._hot.rows(statement, values)
