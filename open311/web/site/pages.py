"""Pages for people: the landing page, and the API page, which works offline."""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import swagger_ui_bundle
from flask import current_app, jsonify, render_template, send_from_directory
from markdown_it import MarkdownIt
from markupsafe import Markup
from werkzeug.wrappers import Response

from open311 import __version__
from open311.plugins import Jurisdiction
from open311.web.access import ANYBODY
from open311.web.calls import Call
from open311.web.documentation import Documentation
from open311.web.endpoints import City, endpoint
from open311.web.portal.rendering import Frame
from open311.web.surfaces import PAGES
from schemas.arguments import NoArguments

_ASSETS = Path(swagger_ui_bundle.swagger_ui_path)
_STATIC = Path(__file__).parents[1] / "static"
_RULE_ROW = re.compile(r"<tr>\n<td>([A-Z]\d+)</td>")
_LINK_TO_PAGE = re.compile(r'href="([\w-]+)\.md"')
_PAGE: dict[str, Any] = {"reads": NoArguments, "access": ANYBODY, "city": City.NONE}
_SECURITY = (
    "default-src 'none'; style-src 'self' 'unsafe-inline'; script-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
)


@endpoint(PAGES, "/", **_PAGE)
def landing(call: Call) -> Response:
    """The landing page, as HTML for people or JSON for programs."""
    jurisdictions = sorted(call.platform.registry, key=lambda jurisdiction: jurisdiction.name)
    best = call.request.accept_mimetypes.best_match(["text/html", "application/json"], default="text/html")
    if best == "application/json":
        summary = jsonify(_summary(call, jurisdictions))
        summary.vary.add("Accept")
        return summary
    frame = Frame(call.request)
    language = frame.language
    response = _page(
        render_template(
            "landing.html",
            base=call.base_url(),
            jurisdictions=jurisdictions,
            version=__version__,
            language=language,
            direction=frame.direction,
            frame=frame,
            portal=lambda city: Frame(call.request, city).link(),
        )
    )
    response.headers["Content-Language"] = language
    response.headers["Vary"] = "Accept, Accept-Language"
    return response


@endpoint(PAGES, "/openapi.json", **_PAGE)
def openapi(call: Call) -> Response:
    """The API in OpenAPI 3."""
    return jsonify(openapi_document(call.own_address()))


@endpoint(PAGES, "/docs", **_PAGE)
def docs(call: Call) -> Response:  # noqa: ARG001
    """The API page."""
    return _page(render_template("docs.html"))


@endpoint(PAGES, "/docs/extensions", **_PAGE)
def extensions_guide(call: Call) -> Response:  # noqa: ARG001
    """Our extensions, rule by rule."""
    return _guide("extensions.md", "Our extensions")


@endpoint(PAGES, "/docs/georeport-v2", **_PAGE)
def requirements_guide(call: Call) -> Response:  # noqa: ARG001
    """The requirements of the standard, and our decisions where it leaves something open."""
    return _guide("georeport-v2.md", "GeoReport v2: requirements")


@endpoint(PAGES, "/docs/<path:name>", **_PAGE)
def docs_asset(call: Call, name: str) -> Response:  # noqa: ARG001
    """The files of the API page: `start.js` is ours, the others come from the installed package of Swagger UI."""
    if name == "start.js":
        return send_from_directory(_STATIC, "docs.js")
    return send_from_directory(_ASSETS, name, max_age=86_400)


def openapi_document(address: str = "") -> dict[str, Any]:
    """The API in OpenAPI 3. Except for the server's address, it has the same content as `spec/openapi.json`."""
    documentation: Documentation = current_app.extensions["open311.documentation"]
    return documentation.document(address)


def _guide(file: str, title: str) -> Response:
    return _page(render_template("guide.html", title=title, guide=_as_html(file), version=__version__))


@cache
def _as_html(file: str) -> Markup:
    """A page of `spec/` in HTML. The row of a rule has the rule's number as its id, so that links lead there."""
    text = (resources.files("spec") / file).read_text(encoding="utf-8")
    html = MarkdownIt("commonmark", {"html": False}).enable("table").render(text)
    html = _RULE_ROW.sub(r'<tr id="\1">\n<td>\1</td>', html)
    return Markup(_LINK_TO_PAGE.sub(r'href="\1"', html))  # noqa: S704  # the text is ours


def _page(html: str) -> Response:
    response = Response(html, content_type="text/html; charset=utf-8")
    response.headers["Content-Security-Policy"] = _SECURITY
    response.headers["Vary"] = "Accept"
    return response


def _summary(call: Call, jurisdictions: list[Jurisdiction]) -> dict[str, Any]:
    base = call.base_url()
    return {
        "name": "Open311 GeoReport v2 server",
        "version": __version__,
        "discovery": f"{base}/discovery.json",
        "openapi": "/openapi.json",
        "jurisdictions": [
            {
                "jurisdiction_id": jurisdiction.id,
                "name": jurisdiction.name,
                "languages": jurisdiction.languages,
                "services": f"{base}/services.json?jurisdiction_id={jurisdiction.id}",
                "requests": f"{base}/requests.json?jurisdiction_id={jurisdiction.id}",
            }
            for jurisdiction in jurisdictions
        ],
    }
