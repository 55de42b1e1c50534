"""The files that pages load: style sheet and scripts."""

from __future__ import annotations

from flask import send_from_directory
from werkzeug.wrappers import Response

from open311.web.access import ANYBODY
from open311.web.calls import Call
from open311.web.endpoints import City, endpoint
from open311.web.portal.rendering import (
    A_YEAR_S,
    LIBRARY,
    LIBRARY_STYLE,
    MAP_SCRIPT,
    PLACE_SCRIPT,
    SEND_SCRIPT,
    STYLE,
    folder_of,
)
from open311.web.surfaces import PORTAL
from schemas.arguments import NoArguments


@endpoint(PORTAL, f"/{STYLE}", reads=NoArguments, access=ANYBODY, city=City.NONE)
def portal_style(call: Call) -> Response:  # noqa: ARG001
    """The style sheet of all pages."""
    return _file(STYLE)


@endpoint(PORTAL, f"/{PLACE_SCRIPT}", reads=NoArguments, access=ANYBODY, city=City.NONE)
def place_script(call: Call) -> Response:  # noqa: ARG001
    """The script of the map in the form, which also fills in the position of the device."""
    return _file(PLACE_SCRIPT)


@endpoint(PORTAL, f"/{SEND_SCRIPT}", reads=NoArguments, access=ANYBODY, city=City.NONE)
def send_script(call: Call) -> Response:  # noqa: ARG001
    """The script that looks at photos and the e-mail address before they are sent."""
    return _file(SEND_SCRIPT)


@endpoint(PORTAL, f"/{MAP_SCRIPT}", reads=NoArguments, access=ANYBODY, city=City.NONE)
def map_script(call: Call) -> Response:  # noqa: ARG001
    """The script of the map."""
    return _file(MAP_SCRIPT)


@endpoint(PORTAL, f"/{LIBRARY}", reads=NoArguments, access=ANYBODY, city=City.NONE)
def map_library(call: Call) -> Response:  # noqa: ARG001
    """MapLibre GL JS, from its package."""
    return _file(LIBRARY)


@endpoint(PORTAL, f"/{LIBRARY_STYLE}", reads=NoArguments, access=ANYBODY, city=City.NONE)
def map_library_style(call: Call) -> Response:  # noqa: ARG001
    """The style sheet of MapLibre GL JS."""
    return _file(LIBRARY_STYLE)


def _file(name: str) -> Response:
    return send_from_directory(folder_of(name), name, max_age=A_YEAR_S)
