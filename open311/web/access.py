"""Who may do what: keys, HTTPS, rates (A56, A57, section 6)."""

from __future__ import annotations

from math import ceil
from urllib.parse import quote

from flask import Flask, redirect
from limits import RateLimitItem, parse_many
from limits.storage import storage_from_string
from limits.strategies import FixedWindowRateLimiter
from werkzeug.exceptions import TooManyRequests
from werkzeug.wrappers import Response

from open311.clock import utc_now
from open311.errors import Invalid
from open311.operations.access.api_keys import require_key
from open311.settings import Settings
from open311.storage.keys import ApiKey
from open311.web.context import is_georeport, platform, request
from open311.web.parsing import Parameters
from open311.web.rates import Counters

WRITING = ("POST", "PUT", "PATCH", "DELETE")
READING = ("GET", "HEAD")


def caller_key(parameters: Parameters) -> ApiKey:
    """The key of the caller: parameter, Authorization: Bearer or X-Api-Key. Raises Forbidden."""
    scheme, _, credential = request.headers.get("Authorization", "").partition(" ")
    bearer = credential.strip() if scheme.lower() == "bearer" else ""
    secret = parameters.get("api_key", "").strip() or bearer or request.headers.get("X-Api-Key", "").strip()
    return require_key(platform(), secret)


def require_https() -> Response | None:
    """Turn plain HTTP away where the public address is https: POST is refused, never redirected (section 6)."""
    if request.is_secure or request.path in ("/healthz", "/readyz"):
        return None
    if request.method in WRITING:
        raise Invalid("this call was not encrypted; send it over https and get a new api_key.")
    return redirect(_public_address(), 308)


def _public_address() -> str:
    """The call's address as the operator names this server, whatever the Host header says."""
    address = platform().settings.public_url.rstrip("/") + quote(request.path)
    query = quote(request.query_string, safe="!$&'()*+,/:;=?@%")
    return f"{address}?{query}" if query else address


def limit_rates(app: Flask, settings: Settings) -> None:
    """Count GeoReport calls per client address and answer 429 with Retry-After above the rate (A60)."""
    is_local = settings.rate_storage.startswith("memory:")
    counter = FixedWindowRateLimiter(Counters() if is_local else storage_from_string(settings.rate_storage))
    rates: dict[str, list[RateLimitItem]] = {}
    for rate, methods in ((settings.post_rate, WRITING), (settings.get_rate, READING)):
        rates |= dict.fromkeys(methods, parse_many(rate)) if rate else {}

    @app.before_request
    def count() -> None:
        for rate in rates.get(request.method, ()) if is_georeport(request.path) else ():
            caller = (request.remote_addr or "", *(WRITING if request.method in WRITING else READING))
            if not counter.hit(rate, *caller):
                reset = counter.get_window_stats(rate, *caller).reset_time
                raise TooManyRequests(retry_after=max(1, ceil(reset - utc_now().timestamp())))
