"""Answers: bytes in the format of the URL, with the headers that belong to them (A44, A65, A66)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import orjson
from flask import Response, request

from open311.errors import Invalid, Problem
from open311.formats import JSON, Format, document, shape_of
from open311.web.context import platform
from schemas import ErrorSchema

_ERRORS = shape_of(ErrorSchema)
_CALLBACK = re.compile(r"[A-Za-z_$][\w$.]{0,63}", re.ASCII)


class _Error:
    """One row of an error body."""

    def __init__(self, code: int, description: str) -> None:
        self.code = code
        self.description = description


def answer(body: bytes, output: Format, status: int = 200) -> Response:
    """A GeoReport answer. A GET gets an ETag, and 304 where the client has the same bytes already."""
    response = Response(_wrapped(body, output), status, content_type=output.media_type)
    if request.method in ("GET", "HEAD"):
        if _is_jsonp(output):
            response.content_type = "application/javascript; charset=utf-8"
        response.headers["Cache-Control"] = "no-cache"
        response.vary.update(("Accept", "Accept-Language"))
        response.add_etag()
        response.make_conditional(request)
    else:
        response.headers["Cache-Control"] = "no-store"
    return response


def error_answer(problems: Sequence[Problem], status: int, output: Format) -> Response:
    """The standard's error body: a list in JSON, <errors> in XML (1.0, A54, A55)."""
    rows = [_Error(status, str(problem) or "The request could not be done.") for problem in problems]
    body = document(_ERRORS, _ERRORS.plain_list(rows), output)
    response = Response(body, status, content_type=output.media_type)
    response.headers["Cache-Control"] = "no-store"
    return response


def problem_answer(problems: Iterable[Problem], status: int, title: str) -> Response:
    """An error outside GeoReport: application/problem+json (RFC 9457)."""
    detail = " ".join(map(str, problems))
    body = orjson.dumps({"type": "about:blank", "title": title, "status": status, "detail": detail})
    return Response(body, status, content_type="application/problem+json")


def _is_jsonp(output: Format) -> bool:
    return platform().settings.jsonp and output is JSON and "callback" in request.args


def _wrapped(body: bytes, output: Format) -> bytes:
    """The body inside the caller's function, where the operator allows JSONP (A67)."""
    if request.method != "GET" or not _is_jsonp(output):
        return body
    name = request.args["callback"]
    if not _CALLBACK.fullmatch(name):
        raise Invalid("is not a function's name; send letters, digits, _, $ and dots.", "callback")
    return b"/**/" + name.encode() + b"(" + body + b");"
