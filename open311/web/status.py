"""Is it alive, is it ready: for load balancers and for the operator."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify

from open311.operations.upkeep.readiness import check_readiness
from open311.web.context import platform

status = Blueprint("status", __name__)


@status.get("/healthz")
def healthz() -> Response:
    """Whether the process answers; says nothing of the database."""
    return _uncached(jsonify(status="ok"))


@status.get("/readyz")
def readyz() -> tuple[Response, int]:
    """Whether calls can be served: database, schema, plugins, job queue."""
    checks = check_readiness(platform())
    is_ready = all(check.is_ok for check in checks if check.is_vital)
    body: dict[str, Any] = {
        "status": "ready" if is_ready else "not ready",
        "checks": {check.name: {"ok": check.is_ok, "detail": check.detail} for check in checks},
    }
    return _uncached(jsonify(body)), 200 if is_ready else 503


def _uncached(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    return response
