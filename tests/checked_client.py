"""A test client that checks each GeoReport body against the schemas and against the other format."""

from __future__ import annotations

import re
from typing import Any, Literal
from urllib.parse import quote

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from open311.operations.platform import Platform
from spec.bodies import deviations, same_data
from spec.shapes import Kind
from tests.waiting import settle_for

_KINDS: list[tuple[str, Kind]] = [
    (r"/open311/(v2/)?discovery", "discovery"),
    (r"/open311/v2/services", "services"),
    (r"/open311/v2/services/.+", "service_definition"),
    (r"/open311/v2/requests", "requests"),
    (r"/open311/v2/requests/.+", "requests"),
    (r"/open311/v2/tokens/.+", "token"),
]
_SUFFIX = re.compile(r"\.(json|xml)$", re.IGNORECASE)


def platform_of(app: Flask) -> Platform:
    """The platform inside an app."""
    platform: Platform = app.extensions["open311"]
    return platform


def plain_client(client: FlaskClient) -> FlaskClient:
    """A client that reads only one format. A worker of another process may change an answer between two reads."""
    return FlaskClient(client.application, client.application.response_class)


def kind_of(path: str, method: str, status: int) -> Kind | Literal[""]:
    """The kind of the body at a path; "" if the standard does not define it."""
    if not path.startswith("/open311/") or re.match(r"/open311/v2/(dumps|media|outbox|tiles)([./]|$)", path):
        return ""
    if 300 <= status < 400:
        return ""
    if status >= 400:
        return "errors"
    if re.match(r"/open311/v2/services/suggest[.]", path):
        return ""
    plain = _SUFFIX.sub("", re.sub("/{2,}", "/", path))
    if method == "POST":
        ours = r".*/servicerequestupdates|/open311/v2/subscriptions.*|.*/support(/remove)?"
        is_other = re.fullmatch(ours, plain)
        return "" if is_other else "created"
    return next((kind for pattern, kind in _KINDS if re.fullmatch(pattern, plain)), "")


class CheckedClient(FlaskClient):
    """Fails a test if a response deviates from the standard."""

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:
        """Send the call, check the response, and return the response.

        Before a call of the change feed, waits for transactions of other databases that would hold back the feed.
        """
        if args:
            settle_for(self.application, str(args[0]))
        response = super().open(*args, **kwargs)
        request = response.request
        kind = kind_of(request.path, request.method, response.status_code)
        is_plain = request.method != "HEAD" and response.status_code != 204 and "callback" not in request.args
        if not kind or not is_plain or request.method == "OPTIONS":
            return response
        faults = deviations(response.data, media_type=response.mimetype, kind=kind)
        assert not faults, f"{request.method} {request.url}: {faults}\n{response.text[:2000]}"
        if request.method == "GET" and response.status_code == 200:
            # request.url cannot be used, because it decodes an encoded percent sign.
            url = f"{quote(request.path)}?{request.query_string.decode('latin-1')}".rstrip("?")
            passed_on = ("headers", "base_url", "environ_overrides")
            same: dict[str, Any] = {name: kwargs[name] for name in passed_on if name in kwargs}
            self._compare(url, response, kind, same)
        return response

    def _compare(self, url: str, response: TestResponse, kind: Kind, same: dict[str, Any]) -> None:
        """Call the same URL in the other format, with the same headers, and check that the data are equal."""
        match = re.fullmatch(r"(?P<path>[^?]*)\.(?P<suffix>json|xml)(?P<query>\?.*)?", url, re.IGNORECASE)
        if match is None:
            return
        other = "xml" if match["suffix"].lower() == "json" else "json"
        headers = {name: value for name, value in dict(same.pop("headers", {})).items() if name != "If-None-Match"}
        twin = super().open(f"{match['path']}.{other}{match['query'] or ''}", headers=headers, **same)
        assert twin.status_code == 200, f"{url} gets 200, but the same call in {other} gets {twin.status_code}"
        xml, json = (twin, response) if other == "xml" else (response, twin)
        faults = deviations(twin.data, media_type=twin.mimetype, kind=kind)
        faults += same_data(xml.data, json.data, kind)
        assert not faults, f"{url} differs in {other}: {faults}"
