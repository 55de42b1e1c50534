"""Who may do what: keys, HTTPS, rates (A56, A57, section 6)."""

from __future__ import annotations

from typing import Any, cast

from flask import Flask, redirect, request
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from werkzeug.wrappers import Response

from open311.errors import Invalid
from open311.operations.api_keys import require_key
from open311.settings import Settings
from open311.storage.keys import Key
from open311.web.context import platform
from open311.web.parsing import Parameters

WRITING = ("POST", "PUT", "PATCH", "DELETE")


def caller_key(parameters: Parameters) -> Key:
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
    return redirect(request.url.replace("http://", "https://", 1), 308)


def limit_rates(app: Flask, settings: Settings) -> None:
    """Count calls per client address and answer 429 with Retry-After above the rate (A60)."""
    limiter = Limiter(
        get_remote_address,
        app=app,
        storage_uri=settings.rate_storage,
        headers_enabled=False,
        strategy="fixed-window",
    )
    # flask-limiter takes a whole blueprint; its types do not know that.
    blueprint = cast("Any", app.blueprints["georeport"])
    if settings.post_rate:
        limiter.limit(settings.post_rate, methods=list(WRITING))(blueprint)
    if settings.get_rate:
        limiter.limit(settings.get_rate, methods=["GET"])(blueprint)
