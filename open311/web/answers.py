"""Answers: bytes in the format of the URL, with the headers that belong to them (A44, A65, A66)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from hashlib import blake2b

import orjson
from flask import Response, request

from open311.errors import Invalid, Problem
from open311.formats import JSON, Format, document, shape_of
from open311.formats.writing import BulkFormat, Feed
from open311.web.codings import Coding, pack, wanted_coding
from open311.web.context import platform
from schemas import ErrorSchema

_ERRORS = shape_of(ErrorSchema)
Output = Format | Feed | BulkFormat

LEAST_TO_PACK = 1_400
"""Bytes; less fits into one packet anyway."""

_CALLBACK = re.compile(r"[A-Za-z_$][\w$.]{0,63}", re.ASCII)


class _Error:
    """One row of an error body."""

    def __init__(self, code: int, description: str) -> None:
        self.code = code
        self.description = description


def answer(body: bytes, output: Output, status: int = 200, *, validator: str = "") -> Response:
    """A GeoReport answer. A GET gets an ETag, and 304 where the client has the same bytes already.

    validator  changes just when the body does; made of the body itself where none is given
    """
    response = Response(_wrapped(body, output), status, content_type=output.media_type)
    if request.method not in ("GET", "HEAD"):
        response.headers["Cache-Control"] = "no-store"
        return response
    if _is_jsonp(output):
        response.content_type = "application/javascript; charset=utf-8"
    validator = validator or validator_of(body)
    make_cachable(response, validator, output)
    return not_modified(validator, output) or _packed(response)


def not_modified(validator: str, output: Output) -> Response | None:
    """A 304, where the client has the body that this validator stands for; None where it has not."""
    if "If-None-Match" not in request.headers or not request.if_none_match.contains_weak(_tag(validator, output)):
        return None
    response = Response(status=304)
    make_cachable(response, validator, output)
    return response


@lru_cache(maxsize=512)
def validator_of(body: bytes) -> str:
    """A validator made of the bytes themselves."""
    return blake2b(body, digest_size=12).hexdigest()


def _packed(response: Response) -> Response:
    """The answer as the client takes it, where there is something to gain."""
    body = response.get_data()
    coding = wanted_coding() if len(body) >= LEAST_TO_PACK else Coding.NONE
    if coding:
        response.set_data(pack(body, coding))
        response.headers["Content-Encoding"] = coding
    return response


def _tag(validator: str, output: Output) -> str:
    """An ETag for each representation: format and coding change the bytes."""
    coding = wanted_coding()
    return f"{validator}-{output}-{coding}" if coding else f"{validator}-{output}"


def make_cachable(response: Response, validator: str, output: Output) -> None:
    """Let caches keep the answer, and ask each time whether it still holds."""
    # Weak for Atom: its link to the next page holds the moment from which "the last 90 days" are counted.
    response.headers["ETag"] = f'{"W/" if output is Feed.ATOM else ""}"{_tag(validator, output)}"'
    response.headers["Cache-Control"] = "no-cache"
    response.headers["Vary"] = "Accept, Accept-Encoding, Accept-Language"


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


def _is_jsonp(output: Output) -> bool:
    return platform().settings.jsonp and output is JSON and "callback" in request.args


def _wrapped(body: bytes, output: Output) -> bytes:
    """The body inside the caller's function, where the operator allows JSONP (A67)."""
    if request.method not in ("GET", "HEAD") or not _is_jsonp(output):
        return body
    name = request.args["callback"]
    if not _CALLBACK.fullmatch(name):
        raise Invalid("is not a function's name; send letters, digits, _, $ and dots.", "callback")
    return b"/**/" + name.encode() + b"(" + body + b");"
