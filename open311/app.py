"""The composition root: settings in, a WSGI application out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Flask, Request
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.routing import BaseConverter, MapAdapter

from open311 import __version__
from open311.errors import Unavailable
from open311.observe import configure_logs, logger
from open311.operations.platform import Platform, open_platform
from open311.operations.upkeep.sync_catalogues import ensure_synced
from open311.settings import Settings
from open311.web.access import limit_rates, require_https
from open311.web.bulk import register_bulk
from open311.web.documentation import GeoReportApi
from open311.web.dumps import register_dumps
from open311.web.envelope import Envelope, WholeBody
from open311.web.errors import register_errors
from open311.web.feeds import register_feeds
from open311.web.georeport import hot_views, register_georeport
from open311.web.pages import pages
from open311.web.quick import QuickLane
from open311.web.status import status

log = logger(__name__)


class CodeConverter(BaseConverter):
    """A service code, id or token in a path: any text, slashes and dots included, even none (A46)."""

    regex = ".*?"
    part_isolating = False


class GeoReportApp(Flask):
    """Flask without what no call here needs and every call would pay for."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Views and hooks are plain functions."""
        return func

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """What finds a call's view, by its path alone: this server has no names or subdomains to tell apart."""
        if request is None:
            return super().create_url_adapter(None)
        environ = request.environ
        return MapAdapter(
            self.url_map,
            server_name=environ["SERVER_NAME"],
            script_name=request.root_path,
            subdomain="",
            url_scheme=request.scheme,
            path_info=request.path,
            default_method=request.method,
            query_args=environ.get("QUERY_STRING", ""),
        )


def create_app(settings: Settings, platform: Platform | None = None) -> Flask:
    """The server as a WSGI application.

    platform  made from the settings if not given
    A dead database or a broken plugin does not keep it from starting: /readyz tells.
    """
    configure_logs(settings.log_level)
    app = GeoReportApp("open311.web", static_folder=None)
    app.config |= {
        "MAX_CONTENT_LENGTH": settings.max_body_bytes,
        "MAX_FORM_MEMORY_SIZE": settings.max_body_bytes,
        "TRUSTED_HOSTS": None,
        "API_TITLE": "Open311 GeoReport v2",
        "API_VERSION": __version__,
        "OPENAPI_VERSION": "3.0.3",
    }
    app.url_map.converters["code"] = CodeConverter
    app.url_map.merge_slashes = False
    platform = platform or open_platform(settings)
    app.extensions["open311"] = platform
    api = GeoReportApi(app)
    api.DEFAULT_ERROR_RESPONSE_NAME = None  # each call documents its own errors
    register_georeport(api)
    register_feeds(api)
    register_bulk(app, api, lanes=settings.bulk_streams)
    register_dumps(api)
    app.register_blueprint(pages)
    app.register_blueprint(status)
    register_errors(app)
    if settings.requires_https:
        app.before_request(require_https)
    limit_rates(app, settings)
    _sync(platform)
    if not settings.get_rate:
        app.wsgi_app = QuickLane(app.wsgi_app, hot_views(), requires_https=settings.requires_https)  # type: ignore[method-assign]
    app.wsgi_app = WholeBody(app.wsgi_app, most_bytes=4 * settings.max_body_bytes)  # type: ignore[method-assign]
    app.wsgi_app = Envelope(app.wsgi_app, platform)  # type: ignore[method-assign]
    if settings.trusted_proxies:
        hops = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]
    return app


def _sync(platform: Platform) -> None:
    for fault in platform.registry.faults:
        log.error("jurisdiction not served", plugin=fault.name, why=fault.why)
    try:
        ensure_synced(platform)
    except Unavailable:
        log.warning("starting without a database; calls that need it answer 503 until it is there")
