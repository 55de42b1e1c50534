"""Structured logs with request ids. What a citizen sent never reaches them: no bodies, no query strings."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from contextvars import ContextVar
from typing import Any, TextIO, cast

import orjson
import structlog
from structlog.typing import FilteringBoundLogger, Processor

from open311.clock import exact_now

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


class _StandardError:
    """Standard error as it is when a line is written; loggers outlive what a shell or a test put in its place."""

    def write(self, text: str) -> int:
        """Write."""
        return sys.stderr.write(text)

    def flush(self) -> None:
        """Flush."""
        sys.stderr.flush()


_STANDARD_ERROR = _StandardError()
_request_id: ContextVar[str] = ContextVar("request_id", default="")


class _Output:
    """How lines are written, as `configure_logs` has it."""

    level = LEVELS["info"]
    is_json = True


def logger(name: str) -> FilteringBoundLogger:
    """A logger; its lines carry the request id of the call being served."""
    return cast("FilteringBoundLogger", structlog.get_logger(source=name))


def configure_logs(level: str) -> None:
    """Write one line an event to standard error: JSON, or readable where a person is looking."""
    _Output.level, _Output.is_json = LEVELS[level], not sys.stderr.isatty()
    shared: list[Processor] = [
        _add_request_id,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    if _Output.is_json:
        # Without local variables: they hold what citizens sent.
        frames = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        ending: list[Processor] = [structlog.processors.ExceptionRenderer(frames)]
        ending += [structlog.processors.JSONRenderer(serializer=_json)]
    else:
        ending = [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
    structlog.configure(
        processors=[*shared, *ending],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(cast("TextIO", _STANDARD_ERROR)),
        cache_logger_on_first_use=True,
    )


def begin_call(request_id: str) -> None:
    """Put the id of a call on every line that is written for it."""
    _request_id.set(request_id)


def end_call(method: str, path: str, status: int, seconds: float, *, is_quiet: bool) -> None:
    """Write a call's line; at level debug for those that only look whether we live."""
    level = "debug" if is_quiet else "info"
    if LEVELS[level] < _Output.level:
        return
    line = {"event": "call", "method": method, "path": path, "status": status, "ms": round(seconds * 1000, 1)}
    if _Output.is_json:  # without structlog's chain of processors, which costs more than some answers
        line |= {"source": "open311.access", "request_id": _request_id.get(), "level": level}
        _STANDARD_ERROR.write(_json(line | {"timestamp": exact_now().isoformat()}) + "\n")
    else:
        getattr(logger("open311.access"), level)(**line)


def _add_request_id(_: object, __: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    request_id = _request_id.get()
    if request_id:
        line["request_id"] = request_id
    return line


def _json(line: Any, **_: Any) -> str:
    return orjson.dumps(line, default=repr).decode()
