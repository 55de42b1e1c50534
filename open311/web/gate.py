"""Middleware that refuses calls: refusals of the HTTP server, a wrong Host, plain HTTP, too many calls (A60)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING
from urllib.parse import quote

from flask import redirect
from limits import RateLimitItem, parse_many
from werkzeug.exceptions import HTTPException, TooManyRequests
from werkzeug.wrappers import Request, Response

from open311.domain.access import Principal
from open311.errors import Invalid, TooMuch
from open311.operations.access.rates import Rates
from open311.server.messages import REFUSAL
from open311.settings import Settings
from open311.web.bodies import too_large
from open311.web.errors import RETRY_AFTER_S, error_response
from open311.web.surfaces import DESK, SIGN_IN, SURFACE
from schemas.texts import tell

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_LIMITS = "open311.limits"
"""Key of the WSGI environment: the `RateLimits` that counts what only the endpoint knows, such as the api_key."""
WRITING = ("POST", "PUT", "PATCH", "DELETE")
READING = ("GET", "HEAD")
NO_HOST = tell("the header Host is missing, came twice or is no host; send one, such as 311.city.example.")
_SAFE = "!$&'()*+,/:;=?@%"
"""Characters that `quote` must not encode, because the parts of the address are encoded already."""
_HOST = re.compile(r"(?:[A-Za-z0-9._~-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::\d{0,5})?", re.ASCII)


class KnownHost:
    """WSGI middleware that refuses a call if its Host is no name and no address, for example an empty Host.

    The HTTP server has already refused calls that HTTP forbids (RFC 9112, 3.2): calls without a Host header, with
    two Host headers, or with invalid characters in it. Host must be valid, because answers contain addresses that
    are made from it. If a proxy forwards a scheme other than http and https, the scheme is ignored, because the
    proxy's caller may have sent it.
    """

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve the call, or answer 400."""
        if environ["wsgi.url_scheme"] not in ("http", "https"):
            environ["wsgi.url_scheme"] = environ["werkzeug.proxy_fix.orig"]["wsgi.url_scheme"]
        host = environ.get("HTTP_HOST")
        if host is None or _is_host(host):  # without a Host, as in HTTP/1.0, addresses have the server's own name
            return self._application(environ, start_response)
        environ["HTTP_HOST"] = "localhost"  # a valid Host is needed to make the error; the error shows no address
        return error_response(Invalid(NO_HOST), Request(environ))(environ, start_response)


@lru_cache(maxsize=256)
def _is_host(text: str) -> bool:
    return _HOST.fullmatch(text) is not None


class Refusals:
    """WSGI middleware that answers a call that the HTTP server has refused, with the status of the refusal.

    most_bytes  the size of the largest body that a call may have
    """

    def __init__(self, application: WSGIApplication, most_bytes: int) -> None:
        self._application = application
        self._most_bytes = most_bytes

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve the call, or refuse it in the error shape of its surface."""
        status = environ.get(REFUSAL)
        if status is None:
            return self._application(environ, start_response)
        refusal = TooMuch(too_large(self._most_bytes)) if status == 413 else _Refused(status)
        return error_response(refusal, Request(environ))(environ, start_response)


class _Refused(HTTPException):
    """A refusal by the HTTP server, such as 400 or 503; 413 has a class of its own."""

    def __init__(self, status: int) -> None:
        super().__init__()
        self.code = status

    def get_headers(self, *_: object) -> list[tuple[str, str]]:
        """Retry-After for a 503."""
        return [("Retry-After", RETRY_AFTER_S)] if self.code == 503 else []


class HttpsOnly:
    """WSGI middleware that redirects reads over plain HTTP to HTTPS (spec/decisions/0010).

    Calls that change data, and all calls of staff, are refused over plain HTTP.

    OPTIONS gets the same answer as over HTTPS, because browsers do not follow a redirect of a preflight. After the
    answer to OPTIONS, the browser sends the call itself, and the page that made the call can read why the server
    refuses it.
    """

    def __init__(self, application: WSGIApplication, public_url: str) -> None:
        self._application = application
        self._public_url = public_url.rstrip("/")

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve the call if it is allowed; otherwise redirect or refuse it."""
        is_harmless = environ["REQUEST_METHOD"] == "OPTIONS" or not environ[SURFACE].is_https_only
        is_open = environ["wsgi.url_scheme"] == "https" or is_harmless
        return (self._application if is_open else self._refusal(Request(environ)))(environ, start_response)

    def _refusal(self, request: Request) -> Response:
        surface = request.environ[SURFACE]
        if surface in (DESK, SIGN_IN) and request.method in WRITING:
            return error_response(Invalid(tell("This page was not encrypted. Open it over https.")), request)
        if surface.is_for_staff:  # each call has a token, also a GET
            why = Invalid(tell("this call was not encrypted; send it over https and get a new token."))
            return error_response(why, request)
        if request.method in WRITING:
            why = Invalid(tell("this call was not encrypted; send it over https and get a new api_key."))
            return error_response(why, request)
        address = self._public_url + _path_as_sent(request)
        query = quote(request.query_string, safe=_SAFE)
        return redirect(f"{address}?{query}" if query else address, 308)


def _path_as_sent(request: Request) -> str:
    """The path as the client has encoded it, so that %2F stays. Some WSGI servers give only the decoded path."""
    path: str = request.environ.get("REQUEST_URI", "").partition("?")[0]
    if not path.startswith("/"):
        return quote(request.path)
    return quote(path.removeprefix(request.root_path), safe=_SAFE, encoding="latin-1")


def limit_key(environ: WSGIEnvironment, principal: Principal) -> None:
    """Count a call with a key or by an account of staff. Raises TooManyRequests above the rate for keys.

    Only the endpoint knows the key, because the key may be in the body. `RateLimits` has already counted the call
    for the client's address.
    """
    if principal.number:
        _limit(environ, "key", principal.kind, str(principal.number))


def limit_device(environ: WSGIEnvironment, device_id: str) -> None:
    """Count a report or a "me too" from a device. Raises TooManyRequests above the rate for devices."""
    if device_id:
        _limit(environ, "device", "device", sha256(device_id.encode()).hexdigest())


def limit_thing(environ: WSGIEnvironment, jurisdiction_id: str, thing: str) -> None:
    """Count an observation of a thing. Raises TooManyRequests above the rate for things."""
    _limit(environ, "thing", "thing", jurisdiction_id, thing)


def limit_portal(environ: WSGIEnvironment) -> None:
    """Count what is sent by a page for citizens: a report, a "me too", or an address to which mail is to be sent.

    Raises TooManyRequests above the rate for the client's address.
    """
    _limit(environ, "portal", "portal", environ.get("REMOTE_ADDR") or "")


def limit_sign_in(environ: WSGIEnvironment) -> None:
    """Count a failed sign-in. Raises TooManyRequests above the rate for the client's address."""
    _limit(environ, "sign in", "sign in", environ.get("REMOTE_ADDR") or "")


def _limit(environ: WSGIEnvironment, kind: str, *caller: str) -> None:
    limits: RateLimits | None = environ.get(_LIMITS)
    wait_s = 0 if limits is None else limits.wait_s(kind, *caller)
    if wait_s:
        raise TooManyRequests(retry_after=wait_s)


class RateLimits:
    """WSGI middleware that counts calls per client address, and answers 429 with Retry-After above the rate.

    An endpoint also counts keys, devices and more, which only the endpoint knows. It finds this object in the
    environment.
    """

    def __init__(self, application: WSGIApplication, settings: Settings, counts: Rates) -> None:
        self._application = application
        self._counts = counts
        self._rates: dict[str, list[RateLimitItem]] = {}
        for rate, methods in ((settings.post_rate, WRITING), (settings.get_rate, READING)):
            self._rates |= dict.fromkeys(methods, _parsed(rate))
        self._kinds = {
            "key": _parsed(settings.key_rate),
            "device": _parsed(settings.device_rate),
            "thing": _parsed(settings.sensor_rate),
            "portal": _parsed(settings.portal_rate),
            "sign in": _parsed(settings.sign_in_rate),
        }

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve the call, or answer 429."""
        method = environ["REQUEST_METHOD"].upper()  # Werkzeug ignores the case too
        rates = self._rates.get(method)
        if rates and environ[SURFACE].is_rated:
            kind = WRITING if method in WRITING else READING
            wait_s = self._counts.wait_s(rates, environ.get("REMOTE_ADDR") or "", *kind)
            if wait_s:
                refusal = error_response(TooManyRequests(retry_after=wait_s), Request(environ))
                return refusal(environ, start_response)
        environ[_LIMITS] = self
        return self._application(environ, start_response)

    def wait_s(self, kind: str, *caller: str) -> int:
        """Count what a caller does. Returns the seconds until the caller may do it; 0 if the rate allows it now.

        kind    the rate: `key`, `device`, `thing`, `portal` or `sign in`
        caller  identifies the caller. The first part differs from kind to kind, so two kinds never share a count
        """
        rates = self._kinds[kind]
        return self._counts.wait_s(rates, *caller) if rates else 0


def _parsed(rate: str) -> list[RateLimitItem]:
    """The rates of a setting; none if it is empty."""
    return parse_many(rate) if rate else []
