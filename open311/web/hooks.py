"""Around every call: its id, its log line, its path made plain, its body read to the end."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from flask import Flask, Response, g, request

from open311 import __version__
from open311.observe import bind_request, logger
from open311.web.access import require_https

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

log = logger("open311.access")
_SLASHES = re.compile("/{2,}")
_SUFFIX = re.compile(r"\.(xml|json)$", re.IGNORECASE)
_FEED = re.compile(r"/open311/(?:v2|bulk/v1)/requests\.(?:geojson|csv|atom|ndjson)", re.IGNORECASE)
_CODE_PATH = re.compile(r"(?P<head>/+open311/.*?/(?:services|requests|tokens))/(?P<code>.*)", re.DOTALL)
QUIET = ("/healthz", "/readyz")
SOFTWARE = f"open311-server/{__version__}"
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class PlainPath:
    """WSGI middleware: `//services.XML` is `/services.xml`; codes and ids stay as they are (A32, A46, A47)."""

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Rewrite the path, then go on."""
        environ["PATH_INFO"] = plain_path(environ.get("PATH_INFO", ""))
        return self._application(environ, start_response)


class WholeBody:
    """WSGI middleware: reads to its end the body of a call that was answered without it, such as 413 and 415.

    Otherwise granian's hyper drops the connection without a word, and with it the caller's next call (hyper#2384).

    most_bytes  more than these is not read: such a caller may lose the connection
    """

    PIECE_BYTES = 65_536

    def __init__(self, application: WSGIApplication, *, most_bytes: int) -> None:
        self._application = application
        self._most_bytes = most_bytes

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer, then read what is left."""
        answer = self._application(environ, start_response)
        has_body = environ.get("CONTENT_LENGTH") or "HTTP_TRANSFER_ENCODING" in environ
        # A caller who waits for "100 Continue" has sent nothing yet. Input that is not terminated may never end.
        if has_body and environ.get("wsgi.input_terminated") and "HTTP_EXPECT" not in environ:
            body, left = environ["wsgi.input"], self._most_bytes
            while left > 0 and (piece := body.read(self.PIECE_BYTES)):
                left -= len(piece)
        return answer


def plain_path(path: str) -> str:
    """The path with single slashes and a lower-case suffix."""
    match = _CODE_PATH.fullmatch(path)
    head, code = (match["head"], "/" + match["code"]) if match else (path, "")
    plain = _SLASHES.sub("/", head) + code
    return plain.lower() if _FEED.fullmatch(plain) else _SUFFIX.sub(lambda suffix: suffix[0].lower(), plain)


def register_hooks(app: Flask, *, requires_https: bool) -> None:
    """Give every call an id and a log line."""
    app.before_request(_begin)
    if requires_https:
        app.before_request(require_https)
    app.after_request(_end)


def _begin() -> None:
    given = request.headers.get("X-Request-Id", "")
    g.request_id = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
    g.started = time.perf_counter()
    bind_request(request_id=g.request_id)


def _end(response: Response) -> Response:
    response.headers["X-Request-Id"] = g.request_id
    response.headers["X-Open311-Server"] = SOFTWARE
    response.headers["X-Content-Type-Options"] = "nosniff"
    # The path without the query, which may hold an api_key or what a citizen wrote.
    write = log.debug if request.path in QUIET else log.info
    write(
        "call",
        method=request.method,
        path=request.path,
        status=response.status_code,
        ms=round((time.perf_counter() - g.started) * 1000, 1),
    )
    return response
