"""The quick lane: serves the most frequent calls without Flask.

Flask's contexts, routing and hooks take as long as the answer to such a call. The same endpoints are also Flask
routes, with the same answers. Flask serves every call that the quick lane does not know.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from werkzeug.wrappers import Request, Response

from open311.web.blueprint import BoundEndpoint
from open311.web.errors import error_response
from open311.web.surfaces import SURFACE

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_CODE = re.compile(r"<code:(\w+)>")
_PATH = re.compile(r"(?P<rule>.*)\.(?P<suffix>json|xml)", re.DOTALL)


class QuickLane:
    """WSGI middleware that serves GET on the paths of endpoints that are declared quick."""

    def __init__(self, application: WSGIApplication, endpoints: Iterable[BoundEndpoint]) -> None:
        self._application = application
        endpoints = list(endpoints)
        # None marks an endpoint that is not quick. Without this mark, <code> of a quick endpoint would match the
        # path.
        rules = {
            bound.endpoint.path: bound if bound.endpoint.is_quick else None
            for bound in endpoints
            if bound.endpoint.method == "GET" and bound.endpoint.has_formats
        }
        self._exact = {
            bound.endpoint.path: bound
            for bound in endpoints
            if bound.endpoint.is_quick and bound.endpoint.method == "GET" and not bound.endpoint.has_formats
        }
        self._plain = {rule: bound for rule, bound in rules.items() if not _CODE.search(rule)}
        self._patterns = [
            (re.compile(_CODE.sub(r"(?P<\1>.+)", rule), re.DOTALL), bound)
            for rule, bound in rules.items()
            if bound is not None and _CODE.search(rule)
        ]

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve the call here if possible, otherwise with Flask."""
        response = self._answer(environ) if environ["REQUEST_METHOD"] == "GET" else None
        return (response or self._application)(environ, start_response)

    def _answer(self, environ: WSGIEnvironment) -> Response | None:
        if not environ[SURFACE].has_quick_lane:
            return None
        request = Request(environ, populate_request=False)
        if request.path in self._exact:
            return _served(self._exact[request.path], request, None, {})
        found = _PATH.fullmatch(request.path)
        if found is None:
            return None
        bound, values = self._endpoint(found["rule"])
        if bound is None:
            return None
        return _served(bound, request, found["suffix"], values)

    def _endpoint(self, rule: str) -> tuple[BoundEndpoint | None, dict[str, str]]:
        if rule in self._plain:
            return self._plain[rule], {}
        for pattern, bound in self._patterns:
            if match := pattern.fullmatch(rule):
                return bound, match.groupdict()
        return None, {}


def _served(bound: BoundEndpoint, request: Request, suffix: str | None, values: dict[str, str]) -> Response:
    try:
        return bound.serve(request, suffix, values)
    except Exception as error:
        return error_response(error, request)
