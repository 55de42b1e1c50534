"""Answers: bytes in the format of the URL, with the headers that belong to them (A44, A65, A66)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING, cast

import orjson
from flask import Response

from open311.errors import Invalid, Problem
from open311.formats import JSON, Format, document, shape_of
from open311.formats.writing import BulkFormat, Feed
from open311.web.codings import Coding, pack, wanted_coding
from open311.web.context import platform, request
from schemas import ErrorSchema

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_ERRORS = shape_of(ErrorSchema)
Output = Format | Feed | BulkFormat

READING = ("GET", "HEAD")
LEAST_TO_PACK = 1_400
"""Bytes; less fits into one packet anyway."""

_CALLBACK = re.compile(r"[A-Za-z_$][\w$.]{0,63}", re.ASCII)


class _Error:
    """One row of an error body."""

    def __init__(self, code: int, description: str) -> None:
        self.code = code
        self.description = description


class WholeResponse(Response):
    """An answer that lies in memory with all its headers: it goes out as it is.

    Werkzeug's own goes through headers and body once more, for those that may be streams or lack a length; and it
    checks each header that it is given, which for those of a small answer takes as long as finding it.
    """

    default_mimetype = None

    def __init__(self, body: bytes | None, status: int, known: list[tuple[str, str]]) -> None:
        """`known` are headers of our own making; what is added to `headers` later comes after them."""
        super().__init__(None if body is None else (body,), status)
        self._known = known

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Send it, without the body to those who did not ask for it."""
        start_response(self.status, [*self._known, *self.headers.to_wsgi_list()])
        return () if environ["REQUEST_METHOD"] == "HEAD" else cast("Iterable[bytes]", self.response)


def answer(
    body: bytes,
    output: Output,
    status: int = 200,
    *,
    validator: str = "",
    language: str = "",
    cache_control: str = "no-cache",
) -> Response:
    """A GeoReport answer. A GET gets an ETag, and 304 where the client has the same bytes already.

    validator  changes just when the body does; made of the body itself where none is given
    language   what the body's texts are in, where they could be in others
    cache_control  how long caches may keep it; "no-cache" has them ask each time
    """
    if request.method not in READING:
        return _whole(body, status, [("Content-Type", output.media_type), ("Cache-Control", "no-store")])
    validator = validator or validator_of(body)
    media_type, coding = output.media_type, wanted_coding()
    headers = _headers(validator, output, coding, cache_control)
    if language:
        headers.append(("Content-Language", language))
    if _is_known(validator, output, coding):
        return WholeResponse(None, 304, headers)
    if _is_jsonp(output):
        body, media_type = _wrapped(body), "application/javascript; charset=utf-8"
    if coding and len(body) >= LEAST_TO_PACK:
        body = pack(body, coding)
        headers.append(("Content-Encoding", coding))
    return _whole(body, status, [("Content-Type", media_type), *headers])


def _whole(body: bytes, status: int, headers: list[tuple[str, str]]) -> Response:
    return WholeResponse(body, status, [*headers, ("Content-Length", str(len(body)))])


def not_modified(validator: str, output: Output) -> Response | None:
    """A 304, where the client has the body that this validator stands for; None where it has not."""
    coding = wanted_coding()
    if not _is_known(validator, output, coding):
        return None
    return WholeResponse(None, 304, _headers(validator, output, coding))


def _is_known(validator: str, output: Output, coding: Coding) -> bool:
    if "If-None-Match" not in request.headers:
        return False
    return request.if_none_match.contains_weak(_tag(validator, output, coding))


@lru_cache(maxsize=512)
def validator_of(body: bytes) -> str:
    """A validator made of the bytes themselves."""
    return blake2b(body, digest_size=12).hexdigest()


def _tag(validator: str, output: Output, coding: Coding) -> str:
    """An ETag for each representation: format and coding change the bytes."""
    return f"{validator}-{output}-{coding}" if coding else f"{validator}-{output}"


def _headers(
    validator: str, output: Output, coding: Coding, cache_control: str = "no-cache"
) -> list[tuple[str, str]]:
    """What lets caches keep an answer, and ask each time whether it still holds."""
    # Weak for Atom: its link to the next page holds the moment from which "the last 90 days" are counted.
    weakness = "W/" if output is Feed.ATOM else ""
    return [
        ("ETag", f'{weakness}"{_tag(validator, output, coding)}"'),
        ("Cache-Control", cache_control),
        ("Vary", "Accept, Accept-Encoding, Accept-Language"),
    ]


def make_cachable(response: Response, validator: str, output: Output) -> None:
    """Let caches keep an answer that was made elsewhere."""
    response.headers.extend(_headers(validator, output, wanted_coding()))


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


def _wrapped(body: bytes) -> bytes:
    """The body inside the caller's function, where the operator allows JSONP (A67)."""
    name = request.args["callback"]
    if not _CALLBACK.fullmatch(name):
        raise Invalid("is not a function's name; send letters, digits, _, $ and dots.", "callback")
    return b"/**/" + name.encode() + b"(" + body + b");"
