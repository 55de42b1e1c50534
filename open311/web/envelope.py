"""Around every call: its path made plain, its id, its log line, the headers that every answer has, its whole body.

As WSGI middleware, on plain lists of headers: Flask's hooks for the same took longer than most answers do.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from open311 import __version__
from open311.observe import begin_call, end_call
from open311.web.surfaces import FEED_PATH, SUFFIX, surface_of

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_SLASHES = re.compile("/{2,}")
_CODE_PATH = re.compile(r"(?P<head>/+open311/.*?/(?:services|requests|tokens))/(?P<code>.*)", re.DOTALL)
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
SOFTWARE = f"open311-server/{__version__}"
_ALWAYS = [("X-Open311-Server", SOFTWARE), ("X-Content-Type-Options", "nosniff")]
_EXPOSED = (
    *("Link", "X-Total-Count", "X-Cursor", "X-Caught-Up", "Warning", "X-Request-Id", "Retry-After", "ETag"),
    *("Content-Language", "Content-Disposition", "X-Attribution", "Accept-Ranges", "Content-Range"),
)
_TAKEN = ("Authorization", "Content-Type", "Idempotency-Key", "If-None-Match", "Range", "X-Api-Key", "X-Request-Id")
# The same for every origin, so that caches keep one answer.
_CORS = [("Access-Control-Allow-Origin", "*"), ("Access-Control-Expose-Headers", ", ".join(_EXPOSED))]
_PREFLIGHT = [
    *_CORS,
    ("Access-Control-Allow-Methods", "GET, HEAD, OPTIONS, POST"),
    ("Access-Control-Allow-Headers", ", ".join(_TAKEN)),
    ("Access-Control-Max-Age", "86400"),
]


class Envelope:
    """WSGI middleware: `//services.XML` is `/services.xml`; codes and ids stay as they are (A45, A46, A47).

    Every answer names its call and this software; GeoReport answers may be read by any page on the web (CORS).
    """

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Go on with the plain path; add headers and write the log line when the answer begins."""
        begun_at = time.perf_counter()
        path = environ["PATH_INFO"] = plain_path(environ.get("PATH_INFO", ""))
        method = environ["REQUEST_METHOD"]
        given = environ.get("HTTP_X_REQUEST_ID", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
        begin_call(request_id)
        surface = surface_of(path)
        added = [("X-Request-Id", request_id), *_ALWAYS]
        if surface.is_cross_origin:
            added += _PREFLIGHT if method == "OPTIONS" else _CORS

        def start(status: str, headers: list[tuple[str, str]], *failure: Any) -> Callable[[bytes], object]:
            # The path without the query, which may hold an api_key or what a citizen wrote.
            end_call(method, path, int(status[:3]), time.perf_counter() - begun_at, is_quiet=surface.is_quiet)
            return start_response(status, headers + added, *failure)

        return self._application(environ, start)


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
    return plain.lower() if FEED_PATH.fullmatch(plain) else SUFFIX.sub(lambda suffix: suffix[0].lower(), plain)
