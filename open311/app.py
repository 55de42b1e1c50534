"""The composition root: makes the WSGI application from the settings."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from flask import Flask, Request, Response
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.routing import MapAdapter

from open311 import tracing
from open311.errors import Unavailable
from open311.observe import configure_logs, logger
from open311.operations.platform import Platform, open_platform
from open311.operations.upkeep.sync_catalogues import ensure_synced
from open311.settings import Settings
from open311.storage.failures import why_down
from open311.translations import languages
from open311.web import callbacks, extensions, georeport, inquiry, sensors, site, staff
from open311.web.blueprint import BoundEndpoint
from open311.web.documentation import Documentation
from open311.web.endpoints import endpoints_in
from open311.web.envelope import Envelope
from open311.web.errors import register_errors
from open311.web.gate import HttpsOnly, KnownHost, RateLimits, Refusals
from open311.web.page_texts import register_page_texts
from open311.web.portal import citizens
from open311.web.portal import staff as desk
from open311.web.quick import QuickLane
from open311.web.routes import register_endpoints
from open311.web.traces import Traces

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

log = logger(__name__)


class GeoReportApp(Flask):
    """Flask without two features that would slow down every call, and with its own answer to OPTIONS."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """The function itself: all views and hooks are synchronous, so Flask need not check it."""
        return func

    def make_default_options_response(self) -> Response:
        """The answer to OPTIONS: the methods. It has no body, so it has no Content-Type."""
        response = super().make_default_options_response()
        del response.headers["Content-Type"]
        return response

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """The adapter that finds a call's view, by the path alone: no route depends on a host or subdomain."""
        if request is None:
            return super().create_url_adapter(None)
        environ = request.environ
        return _Paths(
            self.url_map,
            server_name=environ["SERVER_NAME"],
            script_name=request.root_path,
            subdomain="",
            url_scheme=request.scheme,
            path_info=request.path,
            default_method=request.method,
            query_args=environ.get("QUERY_STRING", ""),
        )


class _Paths(MapAdapter):
    """Redirects to an address relative to the call's own, so it is right behind any proxy and on any port."""

    def make_redirect_url(self, *args: Any, **options: Any) -> str:
        """The address of the same path with a slash at its end.

        It begins with "./", because the text before a colon would be read as a scheme.
        """
        path, mark, query = super().make_redirect_url(*args, **options).partition("?")
        return f"./{path.rstrip('/').rpartition('/')[2]}/{mark}{query}"


def create_app(settings: Settings, platform: Platform | None = None) -> Flask:
    """Make the WSGI application.

    platform  made from the settings if not given
    The server starts even if the database is down or a plugin is broken; /readyz reports it.
    """
    configure_logs(settings.log_level)
    app = GeoReportApp("open311.web", static_folder=None)
    app.config["TRUSTED_HOSTS"] = None
    platform = platform or open_platform(settings)
    app.extensions["open311"] = platform
    packages = (georeport, extensions, inquiry, staff, callbacks, sensors, citizens, desk, site)
    bound = [BoundEndpoint(endpoint, platform) for endpoint in endpoints_in(*packages)]
    register_endpoints(app, bound)
    app.extensions["open311.documentation"] = Documentation(one.endpoint for one in bound)
    languages()  # reads the translations before the web processes fork
    register_errors(app)
    register_page_texts(app)
    _sync(platform)
    app.wsgi_app = _around(app.wsgi_app, platform, bound)  # type: ignore[method-assign, assignment]
    return app


def _around(application: WSGIApplication, platform: Platform, bound: list[BoundEndpoint]) -> WSGIApplication:
    """Wrap Flask in middleware. The last middleware here gets a call first."""
    settings = platform.settings
    application = QuickLane(application, bound)
    application = RateLimits(application, settings, platform.process.rates)
    if settings.requires_https:
        application = HttpsOnly(application, settings.public_url)
    application = KnownHost(application)
    application = Refusals(application, max(settings.max_body_bytes, settings.max_upload_bytes))
    if tracing.is_wanted():
        application = Traces(application, {one.endpoint.name: one.endpoint.path for one in bound})
    application = Envelope(application, platform.process.calls, platform.registry)
    if settings.trusted_proxies:
        hops = settings.trusted_proxies
        application = ProxyFix(application, x_for=hops, x_proto=hops, x_host=hops)
    return application


def _sync(platform: Platform) -> None:
    for fault in platform.registry.faults:
        log.error("jurisdiction not served", plugin=fault.name, why=fault.why)
    for city in platform.registry.declared:  # with overrides, the database would be needed
        for why in city.left_out:
            log.error("file of a city left out", jurisdiction=city.id, why=why)
    try:
        ensure_synced(platform)
    except Unavailable as error:
        why = why_down(error)
        log.warning("calls get 503 until the database answers and is migrated; see /readyz", cause=why)
