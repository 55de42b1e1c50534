"""Turns errors into responses, in the surface's shape and the URL's format (A54 to A61), and logs their causes."""

from __future__ import annotations

from http import HTTPStatus
from typing import cast

import flask
from flask import Flask, Response
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Request

from open311.errors import (
    Conflict,
    Forbidden,
    Gone,
    Invalid,
    Misconfigured,
    NotFound,
    Open311Error,
    Problem,
    Unauthenticated,
    Unavailable,
)
from open311.observe import loggable, logger
from open311.translations import in_language
from open311.web.answers import error_answer, problem_answer, warning_headers
from open311.web.languages import caller_language
from open311.web.surfaces import ErrorShape, error_format, surface_of
from schemas.texts import tell

log = logger(__name__)

STATUSES: dict[type[Open311Error], int] = {
    Invalid: 400,
    Unauthenticated: 401,
    Forbidden: 403,
    NotFound: 404,
    Conflict: 409,
    Gone: 410,
    Unavailable: 503,
    Misconfigured: 500,
}
WORDS = {
    404: tell("There is nothing at this address; see the API page at /docs."),
    405: tell("This method is not allowed here."),
    408: tell("The body did not arrive in time; send the call again."),
    413: tell("The body is too large; send less."),
    429: tell("Too many calls; wait and try again."),
    500: tell("An internal error of this server; it has been logged."),
    503: tell("Too many calls are running; try again in a moment."),
}
RETRY_AFTER_S = "5"


def register_errors(app: Flask) -> None:
    """Register handlers that answer every error of the app in the shape of the call's surface."""
    app.register_error_handler(Exception, lambda error: error_response(error, flask.request))
    app.register_error_handler(HTTPException, flask_http_error)


def flask_http_error(error: HTTPException) -> Response:
    """The response for an HTTPException that Werkzeug or flask-smorest raised in a Flask request."""
    return error_response(error, flask.request)


def error_response(error: Exception, request: Request) -> Response:
    """The response for an exception that was raised while a call was served."""
    if isinstance(error, Open311Error):
        return _foreseen(error, request)
    if isinstance(error, HTTPException):
        return _http_error(error, request)
    log.error("fault", path=loggable(request.path), exc_info=error)
    return _response((Problem("", WORDS[500]),), 500, request)


def _foreseen(error: Open311Error, request: Request) -> Response:
    """The response for an Open311Error, such as a refused call or a database that is down."""
    status = STATUSES[type(error)]
    if status >= 500:
        log.error("failed", path=loggable(request.path), cause=repr(error.__cause__ or error))
    response = _response(error.problems, status, request)
    if status == 503:
        response.headers["Retry-After"] = RETRY_AFTER_S
    if status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    response.headers.extend(warning_headers(error.warnings, request))
    return response


def _http_error(error: HTTPException, request: Request) -> Response:
    """The response for an unknown path or method, a body that is too large, or too many calls (A60)."""
    status = error.code or 500
    if status < 400:  # a redirect
        return cast("Response", error.get_response(request.environ))
    words = WORDS.get(status) or str(error.description or error.name)
    response = _response((Problem("", words),), status, request)
    for name, value in error.get_headers():
        if name in ("Allow", "Content-Range", "Retry-After"):
            response.headers[name] = value
    return response


def _response(problems: tuple[Problem, ...], status: int, request: Request) -> Response:
    """The problems in the caller's language, in the shape of the surface."""
    language = caller_language(request)
    told = [Problem(one.field, in_language(one.message, language)) for one in problems]
    if surface_of(request.path).errors is ErrorShape.GEOREPORT:
        nothing_told = in_language(tell("The request could not be done."), language)
        response = error_answer([str(one) or nothing_told for one in told], status, error_format(request))
    else:
        response = problem_answer(told, status, HTTPStatus(status).phrase)
    response.headers["Content-Language"] = language
    response.headers["Vary"] = "Accept, Accept-Language"
    return response
