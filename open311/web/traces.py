"""Middleware that makes a span of each call, for OpenTelemetry. The server uses it only if traces are wanted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from open311.tracing import serving
from open311.web.surfaces import ROUTE, SURFACE

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class Traces:
    """WSGI middleware that makes a span of each call, except on quiet surfaces such as health checks.

    The span ends when the answer begins, as the time in the log does.
    """

    def __init__(self, application: WSGIApplication, patterns: Mapping[str, str]) -> None:
        """`patterns`: the path of each endpoint, with the names of its variable parts, by the endpoint's name."""
        self._application = application
        self._patterns = patterns

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve the call."""
        if environ[SURFACE].is_quiet:
            return self._application(environ, start_response)
        with serving(environ["REQUEST_METHOD"], environ.get("HTTP_TRACEPARENT", "")) as note:

            def start(status: str, headers: list[tuple[str, str]], *failure: Any) -> Callable[[bytes], object]:
                note(int(status[:3]), self._patterns.get(environ.get(ROUTE, ""), ""))
                return start_response(status, headers, *failure)

            return self._application(environ, start)
