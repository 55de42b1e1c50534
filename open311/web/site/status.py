"""Health checks for load balancers and for the operator."""

from __future__ import annotations

from typing import Any

from flask import jsonify
from werkzeug.wrappers import Response

from open311.operations.upkeep.readiness import check_readiness
from open311.web.access import ANYBODY
from open311.web.calls import Call
from open311.web.endpoints import City, endpoint
from open311.web.surfaces import HEALTH, READINESS
from schemas.arguments import NoArguments


@endpoint(HEALTH, "", reads=NoArguments, access=ANYBODY, city=City.NONE)
def healthz(call: Call) -> Response:  # noqa: ARG001
    """Whether the process answers. The database is not checked."""
    return _uncached({"status": "ok"}, 200)


@endpoint(READINESS, "", reads=NoArguments, access=ANYBODY, city=City.NONE)
def readyz(call: Call) -> Response:
    """Whether calls can be served.

    The checks are those of the database and of the work in it, of the replica, the media store, the store of the
    rate limits, and the plugins.
    "degraded" is still 200: calls are served, but something needs the operator, such as a worker that has ended, a
    back office that is down, or a media store that accepts no files.
    """
    checks = check_readiness(call.platform, call.now)
    is_ready = all(check.is_ok for check in checks if check.is_vital)
    is_degraded = is_ready and not all(check.is_ok for check in checks)
    body: dict[str, Any] = {
        "status": "degraded" if is_degraded else "ready" if is_ready else "not ready",
        "checks": {check.name: {"ok": check.is_ok, "detail": check.detail} for check in checks},
    }
    return _uncached(body, 200 if is_ready else 503)


def _uncached(body: dict[str, Any], status: int) -> Response:
    response = jsonify(body)
    response.status_code = status
    response.headers["Cache-Control"] = "no-store"
    return response
