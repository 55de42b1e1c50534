"""Every failure as the standard wants it, in the format of the URL; its cause goes to the log (A54 to A61)."""

from __future__ import annotations

from typing import cast

from flask import Flask, Response
from werkzeug.exceptions import HTTPException

from open311.errors import Forbidden, Gone, Invalid, Misconfigured, NotFound, Open311Error, Problem, Unavailable
from open311.observe import logger
from open311.web.answers import error_answer, problem_answer
from open311.web.context import is_dump, is_georeport, output_format, request

log = logger(__name__)

STATUSES: dict[type[Open311Error], int] = {
    Invalid: 400,
    Forbidden: 403,
    NotFound: 404,
    Gone: 410,
    Unavailable: 503,
    Misconfigured: 500,
}
TITLES = {400: "Bad request", 403: "Forbidden", 404: "Not found", 410: "Gone", 503: "Unavailable", 500: "Fault"}
WORDS = {
    404: "There is nothing at this address; see the API page at /docs.",
    405: "This method is not allowed here.",
    413: "The body is too large; send less.",
    429: "Too many calls; wait and try again.",
    500: "A fault of ours; it has been logged.",
}
RETRY_AFTER_S = "5"


def register_errors(app: Flask) -> None:
    """Let every error of the app answer in the standard's shape."""
    app.register_error_handler(Open311Error, foreseen)
    app.register_error_handler(HTTPException, http_error)
    app.register_error_handler(Exception, _fault)


def foreseen(error: Open311Error) -> Response:
    """What was refused on purpose, and a database that is down."""
    status = STATUSES[type(error)]
    if status >= 500:
        log.error("failed", path=request.path, cause=repr(error.__cause__ or error))
    response = _body(error.problems, status)
    if status == 503:
        response.headers["Retry-After"] = RETRY_AFTER_S
    return response


def http_error(error: HTTPException) -> Response:
    """What Werkzeug refuses: unknown paths, methods, bodies too large, and faults (A60)."""
    status = error.code or 500
    if status < 400:  # a redirect
        return cast("Response", error.get_response(request.environ))
    words = WORDS.get(status) or str(error.description or error.name)
    response = _body((Problem("", words),), status)
    for name, value in error.get_headers():
        if name in ("Allow", "Retry-After"):
            response.headers[name] = value
    return response


def _fault(error: Exception) -> Response:
    log.error("fault", path=request.path, exc_info=error)
    return _body((Problem("", WORDS[500]),), 500)


def _body(problems: tuple[Problem, ...], status: int) -> Response:
    if is_georeport(request.path) and not is_dump(request.path):
        return error_answer(problems, status, output_format())
    return problem_answer(problems, status, TITLES.get(status, "Error"))
