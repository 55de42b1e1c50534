"""Structured logs with request ids. They never contain personal data: no bodies and no query strings."""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import Any, Protocol, TextIO, cast

import orjson

from open311.clock import exact_now
from open311.later import imported_later

# structlog imports Rich and Pygments if they are there, for a kind of traceback that this server does not write.
# They take 3 MB of memory. A module that is None in `sys.modules` cannot be imported (language reference, 5.3.1).
# It also imports asyncio, which only its methods for coroutines use, and which takes 3 MB too.
_rich = sys.modules.get("rich")
sys.modules["rich"] = None  # type: ignore[assignment]  # typeshed does not know None
try:
    with imported_later("asyncio"):
        import structlog
        from structlog.typing import FilteringBoundLogger, Processor
finally:
    del sys.modules["rich"]
    if _rich is not None:
        sys.modules["rich"] = _rich

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


class _StandardError:
    """A stream that looks up `sys.stderr` at each write, because tests replace `sys.stderr` during a run."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


_STANDARD_ERROR = _StandardError()
_request_id: ContextVar[str] = ContextVar("request_id", default="")


class _Output:
    """The level and the format of log lines, as `configure_logs` set them."""

    level = LEVELS["info"]
    is_json = True


def logger(name: str) -> FilteringBoundLogger:
    """Make a logger. Each line that it writes has the request id of the current call."""
    return cast("FilteringBoundLogger", structlog.get_logger(source=name))


def configure_logs(level: str) -> None:
    """Write one line for each event to standard error: readable text on a terminal, otherwise JSON."""
    _Output.level, _Output.is_json = LEVELS[level], not sys.stderr.isatty()
    shared: list[Processor] = [
        _add_request_id,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    if _Output.is_json:
        # An exception is logged without local variables, because they may hold personal data.
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


@contextmanager
def all_lines_logged() -> Iterator[None]:
    """During the block, lines of libraries, warnings and uncaught exceptions have the format of our own lines.

    Without it, they are plain text: fine on a terminal, but a collector of logs expects one JSON object per line.
    """
    root, handler = logging.getLogger(), _LibraryLines(logging.WARNING)
    hooks = sys.excepthook, threading.excepthook
    root.addHandler(handler)
    logging.captureWarnings(True)
    sys.excepthook = lambda kind, error, trace: _log_uncaught(error)  # noqa: ARG005
    threading.excepthook = lambda found: _log_uncaught(found.exc_value)
    try:
        yield
    finally:
        sys.excepthook, threading.excepthook = hooks
        logging.captureWarnings(False)
        root.removeHandler(handler)


class _LibraryLines(logging.Handler):
    """Writes what a library logs as one of our lines. Of an exception's text only the first line is kept.

    PostgreSQL's further lines quote rows, which hold personal data.
    """

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        error = record.exc_info[1] if record.exc_info else None
        cause = {"cause": cause_of(error)} if error else {}
        line = structlog.get_logger(source=record.name)
        line.log(record.levelno, record.getMessage().partition("\n")[0], **cause)


def cause_of(error: BaseException) -> str:
    """An exception in one line for the log: its class, the first line of its text, and where it was raised."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f" at {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else ""
    return f"{type(error).__name__}: {str(error).partition(chr(10))[0]}{where}"


def _log_uncaught(error: BaseException | None) -> None:
    if error is not None and not isinstance(error, (SystemExit, KeyboardInterrupt)):
        logger("open311").error("uncaught", exc_info=error)


def begin_call(request_id: str) -> None:
    """Set the request id of every line that is logged during a call."""
    _request_id.set(request_id)


_SECRET_IN_PATH = re.compile(r"(/(?:status|sign-in|mail)/).*", re.DOTALL | re.IGNORECASE)
_ADDRESS_IN_PATH = re.compile(r"[^/]*@[^/]*")
_PAIRS_IN_PATH = re.compile(r"([&;?][^&;?=/]{0,40}=).*", re.DOTALL)


def loggable(path: str) -> str:
    """The path for a log line, without secrets and e-mail addresses.

    Links to one's own request, those in mails, and those with which staff sign in have a secret in the path.
    Misspelt addresses such as `requests.json&api_key=…` have a query in the path. Some clients send an e-mail
    address where an id belongs.
    """
    if _SECRET_IN_PATH.search(path):
        path = _SECRET_IN_PATH.sub(r"\1...", path)
    if "@" in path:
        path = _ADDRESS_IN_PATH.sub("...", path)
    return _PAIRS_IN_PATH.sub(r"\1...", path) if "=" in path else path


class Caller(Protocol):
    """Who makes a call, such as the holder of a key or an account of staff.

    The operator has given each key its label. The label of an account has the account's number and not its name,
    which is personal data.
    """

    @property
    def kind(self) -> str:
        """The kind of caller, such as `key`; `staff` for an account."""

    @property
    def number(self) -> int:
        """The number of the key or of the account; 0 for a caller without one."""

    @property
    def label(self) -> str:
        """Who the key is for, or the account by its number."""


def end_call(
    method: str, path: str, status: int, seconds: float, *, is_quiet: bool, caller: Caller | None = None
) -> None:
    """Log a call at level info, or at level debug if `is_quiet`, as for health checks."""
    level = "debug" if is_quiet else "info"
    if LEVELS[level] < _Output.level:
        return
    line: dict[str, Any] = {
        "event": "call",
        "method": method,
        "path": loggable(path),
        "status": status,
        "ms": round(seconds * 1000, 1),
    }
    if caller is not None and caller.number:
        is_account = caller.kind == "staff"
        line |= {"account": caller.label} if is_account else {"key": caller.label, "key_id": caller.number}
    if _Output.is_json:  # does not use structlog, whose processors take longer than some calls
        line["source"] = "open311.access"
        line["request_id"] = _request_id.get()
        line["level"] = level
        line["timestamp"] = exact_now()
        _STANDARD_ERROR.write(f"{_json(line)}\n")
    else:
        getattr(logger("open311.access"), level)(**line)


def _add_request_id(_: object, __: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    request_id = _request_id.get()
    if request_id:
        line["request_id"] = request_id
    return line


def _json(line: Any, **_: Any) -> str:
    try:
        return orjson.dumps(line, default=repr, option=orjson.OPT_UTC_Z).decode()
    except orjson.JSONEncodeError:  # a text that UTF-8 cannot write, such as the name of a file
        return json.dumps(line, default=_text)


def _text(value: object) -> str:
    """A value that JSON does not have, as a text. A time is written as orjson writes it."""
    if isinstance(value, datetime):
        return orjson.dumps(value, option=orjson.OPT_UTC_Z)[1:-1].decode()
    return repr(value)
