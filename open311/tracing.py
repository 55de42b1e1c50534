"""Traces for OpenTelemetry: what a call, a job or an outgoing call did, and how long each part took.

Traces are off unless `is_wanted`. While they are off, nothing of OpenTelemetry is imported, and neither calls to
this server nor statements run code of this module. A span has no personal data: no address, no query, no body, no
parameters of statements, and no text of an exception. A thread sends the spans. If the receiver is slow or dead,
spans are dropped. No call, job or statement waits for the receiver. A process that ends waits for it, for `FLUSH_S`
at most.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from importlib.util import find_spec
from typing import TYPE_CHECKING

from open311 import __version__
from open311.observe import logger

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span, SpanKind, Tracer

log = logger(__name__)

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
"""Traces are sent if one of these variables is set. Their meaning is that of OpenTelemetry's specification."""
TRACEPARENT = "traceparent"
"""The header of W3C Trace Context. Its companion `tracestate` is ignored, because it may hold any text."""
FLUSH_S = 3.0
"""How long a process that ends tries to send its last spans."""
MOST_TEXT = 2_000
"""A statement with more characters than this is cut."""
METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
_LITERAL = re.compile(r"'(?:[^']|'')*'|\$\$.*?\$\$", re.DOTALL)
_KEYWORD = re.compile(r"[A-Za-z]+")


class _State:
    """What `begin_tracing` has made in this process."""

    tracer: Tracer | None = None
    provider: TracerProvider | None = None


def is_wanted() -> bool:
    """Whether the environment asks for traces, and the extra `otel` is installed."""
    return _is_asked() and _is_installed()


def _is_asked() -> bool:
    is_disabled = os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    return not is_disabled and any(os.environ.get(name, "").strip() for name in ENDPOINTS)


def _is_installed() -> bool:
    try:
        return all(find_spec(f"opentelemetry.{name}") for name in ("sdk.trace", "exporter.otlp.proto.http"))
    except ModuleNotFoundError:
        return False


def begin_tracing() -> None:
    """Send spans from now on, if they are wanted. Called after a fork, because it starts a thread."""
    if not is_wanted():
        if _is_asked():
            log.warning("no traces are sent: install open311-server[otel]")
        return
    import requests
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    session = requests.Session()
    session.trust_env = False  # variables of proxies have no effect on this server
    about = {"service.version": __version__}
    if not os.environ.get("OTEL_SERVICE_NAME") and "service.name=" not in os.environ.get(
        "OTEL_RESOURCE_ATTRIBUTES", ""
    ):
        about["service.name"] = "open311-server"
    provider = TracerProvider(resource=Resource.create(about), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(session=session)))
    _State.provider, _State.tracer = provider, provider.get_tracer("open311", __version__)


def end_tracing() -> None:
    """Send the last spans, for at most `FLUSH_S`, and no more from now on."""
    provider, _State.provider, _State.tracer = _State.provider, None, None
    if provider is not None:
        ending = threading.Thread(target=provider.shutdown, daemon=True)
        ending.start()
        ending.join(FLUSH_S)


@contextmanager
def serving(method: str, traceparent: str) -> Iterator[Callable[[int, str], None]]:
    """The span of a call that this server answers. Gives a function that notes status and route of the answer.

    method       the method of the call; one that HTTP does not know is not shown
    traceparent  the caller's header, "" for none; anything invalid is ignored
    """
    tracer = _State.tracer
    if tracer is None:
        yield lambda _status, _route: None
        return
    from opentelemetry.trace import SpanKind

    known = method if method in METHODS else "_OTHER"
    with _span(tracer, known, SpanKind.SERVER, {"http.request.method": known}, _context(traceparent)) as span:

        def note(status: int, route: str) -> None:
            span.set_attribute("http.response.status_code", status)
            if route:
                span.update_name(f"{known} {route}")
                span.set_attribute("http.route", route)
            if status >= 500:
                _mark_failed(span, str(status))

        yield note


@contextmanager
def working(task: str, traceparent: str) -> Iterator[None]:
    """The span of a job. `traceparent`: what `carried` gave when the job was stored, or ""."""
    tracer = _State.tracer
    if tracer is None:
        yield
        return
    from opentelemetry.trace import SpanKind

    with _span(tracer, f"job {task}", SpanKind.CONSUMER, {"open311.task": task}, _context(traceparent)):
        yield


@contextmanager
def calling(method: str) -> Iterator[Callable[[int], None]]:
    """The span of a call to another server. Gives a function that notes the status of the answer."""
    tracer = _State.tracer
    if tracer is None:
        yield lambda _status: None
        return
    from opentelemetry.trace import SpanKind

    with _span(tracer, method, SpanKind.CLIENT, {"http.request.method": method}) as span:
        yield lambda status: span.set_attribute("http.response.status_code", status)


def carried() -> dict[str, str]:
    """The present span, for a job or another server that goes on with its trace: {} or {"traceparent": …}."""
    if _State.tracer is None:
        return {}
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    return {name: value for name, value in carrier.items() if name == TRACEPARENT}


def begin_statement(text: str) -> Span | None:
    """Begin the span of a database statement. Returns None if there is no span around it.

    So the statements with which a worker polls the database have no spans.
    """
    tracer = _State.tracer
    if tracer is None:
        return None
    from opentelemetry.trace import SpanKind, get_current_span

    if not get_current_span().is_recording():
        return None
    shown, keyword = shown_statement(text)
    attributes = {"db.system.name": "postgresql", "db.operation.name": keyword, "db.query.text": shown}
    return tracer.start_span(keyword, kind=SpanKind.CLIENT, attributes=attributes)


def end_statement(span: Span | None, error: BaseException | None = None) -> None:
    """End the span of a statement. Of an error, only the class is shown."""
    if span is not None:
        if error is not None:
            _mark_failed(span, type(error).__name__)
        span.end()


@lru_cache(maxsize=1_024)
def shown_statement(text: str) -> tuple[str, str]:
    """A statement as it may be shown, without any text in quotes, and its first keyword."""
    keyword = _KEYWORD.search(text)
    return _LITERAL.sub("?", text)[:MOST_TEXT], keyword[0].upper() if keyword else "SQL"


@contextmanager
def _span(
    tracer: Tracer, name: str, kind: SpanKind, attributes: Mapping[str, str], context: Context | None = None
) -> Iterator[Span]:
    started = tracer.start_as_current_span(
        name,
        context=context,
        kind=kind,
        attributes=attributes,
        record_exception=False,  # its text may quote what somebody has sent
        set_status_on_exception=False,
    )
    with started as span:
        try:
            yield span
        except Exception as error:
            _mark_failed(span, type(error).__name__)
            raise


def _mark_failed(span: Span, kind: str) -> None:
    from opentelemetry.trace import StatusCode

    span.set_attribute("error.type", kind)
    span.set_status(StatusCode.ERROR)


def _context(traceparent: str) -> Context:
    from opentelemetry.context import Context
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    return TraceContextTextMapPropagator().extract({TRACEPARENT: traceparent} if traceparent else {}, Context())
