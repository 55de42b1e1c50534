"""Structured logs with request ids. What a citizen sent never reaches them: no bodies, no query strings."""

from __future__ import annotations

import logging
import sys
from typing import Any, TextIO, cast

import structlog
from structlog.typing import FilteringBoundLogger, Processor

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


class _StandardError:
    """Standard error as it is when a line is written; loggers outlive what a shell or a test put in its place."""

    def write(self, text: str) -> int:
        """Write."""
        return sys.stderr.write(text)

    def flush(self) -> None:
        """Flush."""
        sys.stderr.flush()


def logger(name: str) -> FilteringBoundLogger:
    """A logger; its lines carry the request id of the call being served."""
    return cast("FilteringBoundLogger", structlog.get_logger(source=name))


def configure_logs(level: str) -> None:
    """Write one line an event to standard error: JSON, or readable where a person is looking."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    if sys.stderr.isatty():
        plain = structlog.dev.plain_traceback
        ending: list[Processor] = [structlog.dev.ConsoleRenderer(exception_formatter=plain)]
    else:
        # Without local variables: they hold what citizens sent.
        frames = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        ending = [structlog.processors.ExceptionRenderer(frames), structlog.processors.JSONRenderer()]
    structlog.configure(
        processors=[*shared, *ending],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(cast("TextIO", _StandardError())),
        cache_logger_on_first_use=True,
    )


def bind_request(**values: Any) -> None:
    """Put values such as the request id on every line of this call."""
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(**values)
