"""Answers on the wire: bytes in the format of the URL, with the headers that belong to them (A44, A65, A66)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING, cast
from urllib.parse import quote

import orjson
from flask import Response
from werkzeug.datastructures import Headers
from werkzeug.http import HTTP_STATUS_CODES
from werkzeug.wrappers import Request

from open311.errors import Invalid, Problem
from open311.formats import JSON, Format, document, shape_of
from open311.translations import in_language
from open311.web.calls import Answer, Call
from open311.web.codings import pack
from open311.web.languages import caller_language
from open311.web.surfaces import SURFACE, ErrorShape
from schemas.arguments import HEADER_SAFE
from schemas.georeport import ErrorSchema
from schemas.texts import Message, tell, tell_count

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_ERRORS = shape_of(ErrorSchema)

READING = ("GET", "HEAD")
MOST_WARNINGS = 10
LEAST_TO_PACK = 1_400
"""The size in bytes of the smallest body to compress. A smaller body fits into one network packet anyway."""

_HEADER_TEXT = re.compile(r"[ !#-\[\]-~\xa0-\xff]*")
"""Characters of Latin-1 that a quoted string of a header may contain."""
_CALLBACK = re.compile(r"[A-Za-z_$][\w$.]{0,63}", re.ASCII)


class _Error:
    """One row of an error body."""

    def __init__(self, code: int, description: str) -> None:
        self.code = code
        self.description = description


class WholeResponse(Response):
    """An answer with complete headers and a complete body in memory. It is sent without further work.

    Werkzeug's Response checks each header when it is added. When the answer is sent, it looks at headers and body
    once more, because the body may be a stream or have no length. For a small answer, these checks take as long as
    the work for the answer itself.
    """

    def __init__(self, body: bytes | None, status: int, known: list[tuple[str, str]]) -> None:
        """`known` are the headers that this server makes. They need no check. Headers added later follow them."""
        # Sets all that Response.__init__ sets, without its checks.
        self.headers = Headers()
        self._status, self._status_code = _status_line(status), status
        self.response = () if body is None else (body,)
        self.direct_passthrough = False
        self._on_close = []
        self._known = known

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Send the answer. HEAD gets no body."""
        start_response(self._status, [*self._known, *self.headers])
        return () if environ["REQUEST_METHOD"] == "HEAD" else cast("Iterable[bytes]", self.response)


@cache
def _status_line(status: int) -> str:
    return f"{status} {HTTP_STATUS_CODES[status].upper()}"


def send(call: Call, answer: Answer) -> Response:
    """An answer as a response. A GET gets the ETag of the answer, or 304 if the client already has the body.

    The answer gets its validator, so an answer that a process keeps needs no new digest the next time.
    """
    body = answer.body
    media_type = call.output.media_type
    if call.request.method not in READING:
        headers = [
            ("Cache-Control", "no-store"),
            *([("ETag", f'"{answer.tag}"')] if answer.tag else []),
            *([("Content-Language", answer.language)] if answer.language else ()),
            *answer.headers,
            *warning_headers([*call.warnings, *answer.warnings], call.request),
        ]
        return _whole(body or b"", answer.status, media_type, headers)
    validator = answer.validator = answer.validator or _digest_of(body or b"")
    tag = (answer.tag or call.tag(validator)) if answer.has_tag else ""
    headers = _caching(tag, answer.cache_control, is_weak=answer.is_weak)
    if answer.language:
        headers.append(("Content-Language", answer.language))
    if body is None or (tag and not answer.tag and call.has_unchanged(validator)):
        return WholeResponse(None, 304, [*headers, *answer.headers])
    if _is_jsonp(call):
        body, media_type = _wrapped(body, call.request.args["callback"]), "application/javascript; charset=utf-8"
    if call.coding and len(body) >= LEAST_TO_PACK:
        body = pack(body, call.coding)
        headers.append(("Content-Encoding", call.coding))
    headers += answer.headers
    if call.warnings or answer.warnings:
        headers += warning_headers([*call.warnings, *answer.warnings], call.request)
    return _whole(body, answer.status, media_type, headers)


def _whole(body: bytes, status: int, media_type: str, headers: list[tuple[str, str]]) -> Response:
    known = [("Content-Type", media_type), *headers, ("Content-Length", str(len(body)))]
    return WholeResponse(body, status, known)


def _digest_of(body: bytes) -> str:
    """A digest of the body, for its ETag.

    Digests are not cached, because the keys of the cache would be the bodies, which would then stay in memory.
    SHA-256 takes half of the time of BLAKE2, because OpenSSL uses the instructions of the CPU for it.
    """
    return sha256(body, usedforsecurity=False).hexdigest()[:24]


def _caching(tag: str, cache_control: str, *, is_weak: bool = False) -> list[tuple[str, str]]:
    """The headers that tell caches how to store and revalidate an answer. Without a tag, there is no ETag."""
    return [
        *([("ETag", f'{"W/" if is_weak else ""}"{tag}"')] if tag else []),
        ("Cache-Control", cache_control),
        ("Vary", "Accept, Accept-Encoding, Accept-Language"),
    ]


def warning_headers(warnings: Sequence[Message], request: Request) -> list[tuple[str, str]]:
    """A Warning for each sentence (spec/extensions.md, Search). After MOST_WARNINGS, a last one counts the rest."""
    if not warnings:
        return []
    shown = list(warnings[:MOST_WARNINGS])
    if len(warnings) > len(shown):
        more = len(warnings) - len(shown)
        shown.append(
            tell_count(
                "{count} more parameter is ignored or changed",
                "{count} more parameters are ignored or changed",
                count=more,
            )
        )
    language = caller_language(request)
    return [("Warning", f'299 - "{_for_header(text, language)}"') for text in shown]


def _for_header(text: Message, language: str) -> str:
    """A text in the caller's language; in English if a header cannot carry its characters (decision 0027)."""
    translated = in_language(text, language)
    return translated if _HEADER_TEXT.fullmatch(translated) else quote(text, safe=HEADER_SAFE)


def make_cachable(call: Call, response: Response, validator: str) -> None:
    """Add caching headers to a response that `send` did not make."""
    response.headers.extend(_caching(call.tag(validator), "no-cache"))


def error_answer(descriptions: Iterable[str], status: int, output: Format) -> Response:
    """The standard's error body: a list in JSON, <errors> in XML (A54, A55)."""
    rows = [_Error(status, description) for description in descriptions]
    body = document(_ERRORS, _ERRORS.plain_list(rows), output)
    response = Response(body, status, content_type=output.media_type)
    response.headers["Cache-Control"] = "no-store"
    return response


def problem_answer(problems: Iterable[Problem], status: int, title: str) -> Response:
    """An error outside GeoReport: application/problem+json (RFC 9457)."""
    found = list(problems)
    body: dict[str, object] = {"type": "about:blank", "title": title, "status": status}
    body["detail"] = " ".join(map(str, found))
    if fields := [{"field": one.field, "message": one.message} for one in found if one.field]:
        body["errors"] = fields
    response = Response(orjson.dumps(body), status, content_type="application/problem+json")
    response.headers["Cache-Control"] = "no-store"
    return response


def _is_jsonp(call: Call) -> bool:
    if not call.platform.settings.jsonp or call.output is not JSON or "callback" not in call.request.args:
        return False
    return call.request.environ[SURFACE].errors is ErrorShape.GEOREPORT


def _wrapped(body: bytes, name: str) -> bytes:
    """The body inside a call of the caller's function, if the operator allows JSONP (A67)."""
    if not _CALLBACK.fullmatch(name):
        raise Invalid(tell("is not a function's name; send letters, digits, _, $ and dots."), "callback")
    return b"/**/" + name.encode() + b"(" + body + b");"
