"""The files that pages for staff load: style sheet and script. They have no data, so they need no session."""

from __future__ import annotations

from flask import send_from_directory
from werkzeug.wrappers import Response

from open311.web.access import ANYBODY
from open311.web.calls import Call
from open311.web.endpoints import City, endpoint
from open311.web.portal.rendering import A_YEAR_S, DESK_SCRIPT, DESK_STYLE, folder_of
from open311.web.surfaces import DESK
from schemas.arguments import NoArguments


@endpoint(DESK, f"/{DESK_STYLE}", reads=NoArguments, access=ANYBODY, city=City.NONE)
def desk_style(call: Call) -> Response:  # noqa: ARG001
    """The style sheet of the pages for staff. They also load the style sheet of the pages for citizens."""
    return send_from_directory(folder_of(DESK_STYLE), DESK_STYLE, max_age=A_YEAR_S)


@endpoint(DESK, f"/{DESK_SCRIPT}", reads=NoArguments, access=ANYBODY, city=City.NONE)
def desk_script(call: Call) -> Response:  # noqa: ARG001
    """The script of the pages for staff: keys, the position of the device, and boxes on photos."""
    return send_from_directory(folder_of(DESK_SCRIPT), DESK_SCRIPT, max_age=A_YEAR_S)
