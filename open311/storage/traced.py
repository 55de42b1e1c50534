"""Spans of database statements, for OpenTelemetry. They are made only if traces are wanted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.engine import ExceptionContext

from open311.storage.hot.results import Result
from open311.storage.hot.sessions import Filled, Session
from open311.storage.hot.statements import Statement
from open311.tracing import begin_statement, end_statement

_SPAN = "open311_span"


class TracedSession(Session):
    """A session that makes a span of each statement."""

    def run(self, statement: Statement, values: Mapping[str, Any], *, before: str = "") -> Result:
        """Run a statement as `Session.run` does."""
        span = begin_statement(before + statement.text)
        try:
            result = super().run(statement, values, before=before)
        except Exception as error:
            end_statement(span, error)
            raise
        end_statement(span)
        return result

    def run_both(self, one: Filled, other: Filled) -> None:  # noqa: ARG002
        """Never run two statements in one round trip, so that each statement has a span of its own."""
        return


def trace_statements(engine: Engine) -> None:
    """Make a span of each statement that an engine runs."""
    event.listen(engine, "before_cursor_execute", _begin)
    event.listen(engine, "after_cursor_execute", _end)
    event.listen(engine, "handle_error", _fail)


def _begin(_connection: Any, _cursor: Any, statement: str, _parameters: Any, context: Any, _many: bool) -> None:
    if context is not None:
        setattr(context, _SPAN, begin_statement(statement))


def _end(_connection: Any, _cursor: Any, _statement: str, _parameters: Any, context: Any, _many: bool) -> None:
    if context is not None:
        end_statement(getattr(context, _SPAN, None))


def _fail(failure: ExceptionContext) -> None:
    end_statement(getattr(failure.execution_context, _SPAN, None), failure.original_exception)
