"""Middleware for every call: normalizes the path, gives the call an id, adds headers and logs.

This is WSGI middleware on plain lists of headers. Flask's hooks for the same work took longer than most answers.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from functools import cache
from random import getrandbits
from typing import TYPE_CHECKING, Any

from open311 import __version__
from open311.observe import begin_call, end_call
from open311.operations.upkeep.metering import CallCounts
from open311.web.surfaces import CALLER, CITIES, FEED_PATH, PORTAL, ROUTE, SUFFIX, SURFACE, Surface, surface_of

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from open311.plugins import Jurisdiction

_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"))
_SLASHES = re.compile("/{2,}")
_CODE_PATH = re.compile(
    r"(?P<head>/+open311/.*?/(?:services|requests|tokens)|/+c/+[^/]+/+requests)/(?P<code>.*)", re.DOTALL
)
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
SOFTWARE = f"open311-server/{__version__}"
_ALWAYS = [("X-Open311-Server", SOFTWARE), ("X-Content-Type-Options", "nosniff")]
_EXPOSED = (
    *(
        "Link",
        "X-Total-Count",
        "X-Cursor",
        "X-Caught-Up",
        "Warning",
        "X-Request-Id",
        "Retry-After",
        "ETag",
    ),
    *("Content-Language", "Content-Disposition", "X-Attribution", "Accept-Ranges", "Content-Range"),
    "X-Jurisdiction-Id",
)
_TAKEN = ("Authorization", "Content-Type", "Idempotency-Key", "If-None-Match", "Range", "X-Api-Key", "X-Request-Id")
# These headers are the same for every origin, so that a cache needs only one copy of an answer.
_CORS = [("Access-Control-Allow-Origin", "*"), ("Access-Control-Expose-Headers", ", ".join(_EXPOSED))]
_PREFLIGHT = [
    *_CORS,
    ("Access-Control-Allow-Methods", "GET, HEAD, OPTIONS, POST"),
    ("Access-Control-Allow-Headers", ", ".join(_TAKEN)),
    ("Access-Control-Max-Age", "86400"),
]


_POLICY = "Content-Security-Policy"


class Envelope:
    """WSGI middleware that normalizes the path, adds the common headers and writes the log line.

    `//services.XML` becomes `/services.xml`; codes and ids stay unchanged (A45, A46, A47). Every answer gets the
    request id and the name of this software. Any page on the web may read the answers of a cross-origin surface
    (CORS).
    """

    def __init__(
        self, application: WSGIApplication, calls: CallCounts | None = None, cities: Iterable[Jurisdiction] = ()
    ) -> None:
        """Wrap an application.

        calls   counts the calls for /metrics; None if calls need not be counted
        cities  the cities of the server; error pages need them
        """
        self._application = application
        self._calls = calls
        self._cities = cities

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve the call under the normalized path. Headers and log line are written when the answer begins."""
        begun_at = time.perf_counter()
        path = environ["PATH_INFO"] = plain_path(environ.get("PATH_INFO", ""))
        method = environ["REQUEST_METHOD"]
        given = environ.get("HTTP_X_REQUEST_ID", "")
        # The id only has to be unlike others. Random bytes of the kernel would cost a system call.
        request_id = given if given and _REQUEST_ID.fullmatch(given) else f"{getrandbits(64):016x}"
        begin_call(request_id)
        surface, calls = surface_of(path), self._calls
        environ[SURFACE], environ[CITIES] = surface, self._cities

        def start(status: str, headers: list[tuple[str, str]], *failure: Any) -> Callable[[bytes], object]:
            # The query is not logged: it may hold an api_key or personal data.
            seconds, code = time.perf_counter() - begun_at, int(status[:3])
            caller = environ.get(CALLER)
            end_call(method, path, code, seconds, is_quiet=surface.is_quiet, caller=caller)
            if calls is not None:
                known = method if method in _METHODS else "other"
                calls.add(known, environ.get(ROUTE, "none"), code, caller.label if caller else "", seconds)
            sent = [*headers, ("X-Request-Id", request_id), *_common(surface, is_preflight=method == "OPTIONS")]
            if surface.content_policy and not any(name == _POLICY for name, _ in headers):
                sent.append((_POLICY, surface.content_policy))
            return start_response(status, sent, *failure)

        return self._application(environ, start)


@cache
def _common(surface: Surface, *, is_preflight: bool) -> tuple[tuple[str, str], ...]:
    """The headers that all answers of a surface have, beside those that depend on the call."""
    headers = list(_ALWAYS)
    if surface.referrer_policy:
        headers.append(("Referrer-Policy", surface.referrer_policy))
    if surface.is_cross_origin:
        headers += _PREFLIGHT if is_preflight else _CORS
    return tuple(headers)


def plain_path(path: str) -> str:
    """The path with single slashes and a lower-case suffix."""
    if path.islower() and "//" not in path:  # nothing to change, as for most calls
        return path
    match = _CODE_PATH.fullmatch(path)
    head, code = (match["head"], "/" + match["code"]) if match else (path, "")
    plain = _SLASHES.sub("/", head) + code
    if surface_of(plain) is PORTAL:  # its paths have no suffix
        return plain
    return plain.lower() if FEED_PATH.fullmatch(plain) else SUFFIX.sub(lambda suffix: suffix[0].lower(), plain)
