"""Turns errors into responses, in the surface's shape and the URL's format (A54 to A61), and logs their causes."""

from __future__ import annotations

import re
from difflib import get_close_matches
from http import HTTPStatus
from math import ceil
from typing import cast
from urllib.parse import quote

import flask
from flask import Flask, Response
from werkzeug.exceptions import HTTPException, MethodNotAllowed, TooManyRequests
from werkzeug.wrappers import Request

from open311.errors import (
    Conflict,
    Forbidden,
    Gone,
    Invalid,
    Misconfigured,
    NotFound,
    NotYet,
    Open311Error,
    Problem,
    TooMuch,
    Unauthenticated,
    Unavailable,
)
from open311.media.stores import FileMissing, StoreFull, StoreUnavailable, WrongStore
from open311.observe import loggable, logger
from open311.translations import in_language
from open311.web.answers import error_answer, problem_answer, warning_headers
from open311.web.languages import caller_language
from open311.web.portal.rendering import error_page
from open311.web.portal.wording import for_staff, on_error_page
from open311.web.session_cookies import wanted_cookie
from open311.web.surfaces import DESK, SIGN_IN, STAFF, SURFACE, ErrorShape, error_format
from schemas.staff import COMMANDS
from schemas.texts import Message, tell, tell_count

log = logger(__name__)

STATUSES: dict[type[Open311Error], int] = {
    Invalid: 400,
    Unauthenticated: 401,
    Forbidden: 403,
    NotFound: 404,
    Conflict: 409,
    Gone: 410,
    TooMuch: 413,
    Unavailable: 503,
    NotYet: 503,
    StoreUnavailable: 503,
    StoreFull: 503,
    WrongStore: 503,
    FileMissing: 503,
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
_COMMAND = re.compile(rf"{STAFF.prefix}/requests/.+/(?P<name>[^/]+)")


def register_errors(app: Flask) -> None:
    """Register handlers that answer every error of the app in the shape of the call's surface."""
    app.register_error_handler(Exception, lambda error: error_response(error, flask.request))
    app.register_error_handler(HTTPException, lambda error: error_response(error, flask.request))


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
    if isinstance(error, NotYet):
        log.info("not yet", path=loggable(request.path))
    elif status >= 500:
        log.error("failed", path=loggable(request.path), cause=repr(error.__cause__ or error))
    response = _response(error.problems, status, request)
    if status == 503:
        wait_s = str(error.retry_after_s) if isinstance(error, NotYet) else RETRY_AFTER_S
        response.headers["Retry-After"] = wait_s
    if status == 401 and request.environ[SURFACE].is_for_staff:
        response.headers["WWW-Authenticate"] = "Bearer"
    if status == 401 and request.environ[SURFACE] is DESK and _is_page(request):
        query = quote(request.query_string, safe="%&=+,/:;?@!$'()*")
        wanted = f"{request.root_path}{quote(request.path)}{'?' if query else ''}{query}"
        name, cookie = wanted_cookie(request, wanted)
        response.headers.add(name, cookie)
    response.headers.extend(warning_headers(error.warnings, request))
    return response


def _is_page(request: Request) -> bool:
    """Whether a person has opened a page: the call is not for a picture in a page, and does not send a form."""
    is_shown = request.headers.get("Sec-Fetch-Dest", "document") == "document"
    return is_shown and request.method == "GET" and "text/html" in request.headers.get("Accept", "text/html")


def _http_error(error: HTTPException, request: Request) -> Response:
    """The response for an exception of Werkzeug, such as an unknown path or method, or too many calls (A60)."""
    status = error.code or 500
    if status < 400:  # a redirect
        return cast("Response", error.get_response(request.environ))
    words = WORDS.get(status) or str(error.description or error.name)
    if isinstance(error, TooManyRequests) and request.environ[SURFACE].errors is ErrorShape.PAGE:
        words = too_many_for_people(error)
    if isinstance(error, MethodNotAllowed):
        command = unknown_command(request)
        status, words = (404, command) if command else (405, _right_method(error))
    response = _response((Problem("", words),), status, request)
    for name, value in error.get_headers():
        if name in ("Allow", "Content-Range", "Retry-After"):
            response.headers[name] = value
    return response


def too_many_for_people(error: TooManyRequests) -> Message:
    """Why a page is not shown or a form is not accepted now, and how long the person has to wait."""
    return tell_count(
        "Too much came from your connection within a short time. Try again in {count} minute.",
        "Too much came from your connection within a short time. Try again in {count} minutes.",
        count=ceil(int(str(error.retry_after)) / 60),
    )


def _right_method(error: MethodNotAllowed) -> str:
    """That a method is not allowed, and which one is."""
    methods = [method for method in error.valid_methods or () if method not in ("HEAD", "OPTIONS")]
    return (
        tell("This method is not allowed here; send {methods}.", methods=" or ".join(methods))
        if methods
        else WORDS[405]
    )


def unknown_command(request: Request) -> str:
    """What to send instead of a command of staff that does not exist; "" for any other call."""
    match = _COMMAND.fullmatch(request.path) if request.method == "POST" else None
    if match is None or match["name"] in COMMANDS:
        return ""
    name, near = match["name"][:40], get_close_matches(match["name"], COMMANDS, n=1)
    if near:
        return tell("{command!r} is no command; did you mean {near}?", command=name, near=near[0])
    return tell("{command!r} is no command; send one of {known}.", command=name, known=", ".join(COMMANDS))


def _response(problems: tuple[Problem, ...], status: int, request: Request) -> Response:
    """The problems in the caller's language, in the shape of the surface."""
    language = caller_language(request)
    surface = request.environ[SURFACE]
    shape = surface.errors
    if surface in (DESK, SIGN_IN):
        problems = tuple(Problem("", for_staff(one.message)) for one in problems)
    elif shape is ErrorShape.PAGE:
        problems = tuple(
            Problem(one.field, on_error_page(one, is_form=request.method == "POST")) for one in problems
        )
    shown = [Problem(one.field, in_language(one.message, language)) for one in problems]
    if shape is ErrorShape.PAGE:
        response = error_page(shown, status, request)
    elif shape is ErrorShape.GEOREPORT:
        without_text = in_language(tell("The request could not be done."), language)
        response = error_answer([str(one) or without_text for one in shown], status, error_format(request))
    else:
        response = problem_answer(shown, status, HTTPStatus(status).phrase)
    response.headers["Content-Language"] = language
    response.headers["Vary"] = "Accept, Accept-Language"
    return response
