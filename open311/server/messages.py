"""The head of a request, read into a WSGI environment (RFC 9112, PEP 3333).

The parser refuses everything that RFC 9112 allows a server to refuse, because a proxy could read it in another way.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import unquote_to_bytes

END_OF_HEAD = b"\r\n\r\n"
MOST_HEAD_BYTES = 65_536
_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"  # noqa: S105  # RFC 9110's word for a name
_LINE = re.compile(rf"({_TOKEN}) ([^\x00-\x20\x7f#]+) HTTP/1\.([01])")
_FIELDS = re.compile(rf"(?:\r\n{_TOKEN}:[\t\x20-\x7e\x80-\xff]*)*")
_ABSOLUTE = re.compile(r"https?://([^/?]*)(.*)", re.IGNORECASE | re.DOTALL)
_HOST = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=%-]*|\[[0-9A-Fa-f:.]+\])(?::\d*)?")
_LENGTH = re.compile(r"\d{1,15}", re.ASCII)
_ONCE = ("HTTP_HOST", "CONTENT_LENGTH", "HTTP_TRANSFER_ENCODING")
_KEYS_WITHOUT_PREFIX = ("CONTENT_TYPE", "CONTENT_LENGTH")

Environ = dict[str, Any]


class Malformed(Exception):
    """A request that is refused, with the status of the answer and a sentence for the client."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


@dataclass(slots=True)
class Message:
    """The head of a request.

    length      bytes of the body; None for a chunked one
    is_kept     whether the client keeps the connection open after the answer
    is_awaited  whether the client waits for "100 Continue" before it sends the body
    """

    environ: Environ
    length: int | None
    is_kept: bool
    is_awaited: bool


def read_message(head: bytes, basis: Environ) -> Message:
    """Read a head, without the empty line at its end.

    basis  the part of the environment that is the same for all requests of the connection
    Raises Malformed.
    """
    text = head.decode("latin-1")
    match = _LINE.match(text)
    if match is None:
        raise Malformed(400, "The request line cannot be read.")
    end = match.end()
    if not _FIELDS.fullmatch(text, end):
        raise Malformed(400, "A header line cannot be read.")
    method, target, minor = match.groups()
    environ = basis.copy()
    environ["REQUEST_METHOD"] = method
    environ["SERVER_PROTOCOL"] = "HTTP/1.1" if minor == "1" else "HTTP/1.0"
    _read_fields(text, end + 2, environ)
    _read_target(target, environ)
    if minor == "1" and "HTTP_HOST" not in environ:
        raise Malformed(400, "The Host header is missing.")
    if not _HOST.fullmatch(environ.get("HTTP_HOST", "")):
        raise Malformed(400, "The Host header cannot be read.")
    length = _length(environ, minor)
    wishes = environ.get("HTTP_CONNECTION", "").lower()
    return Message(
        environ,
        length,
        is_kept="close" not in wishes if minor == "1" else "keep-alive" in wishes,
        is_awaited=length != 0 and minor == "1" and environ.get("HTTP_EXPECT", "").lower() == "100-continue",
    )


def _read_fields(text: str, begin: int, environ: Environ) -> None:
    for line in text[begin:].split("\r\n") if begin < len(text) else ():
        name, _, value = line.partition(":")
        key = _key(name)
        value = value.strip("\t ")
        if key not in environ:
            environ[key] = value
        elif key in _ONCE:
            raise Malformed(400, f"The {name} header was sent twice.")
        else:
            environ[key] += (";" if key == "HTTP_COOKIE" else ",") + value
    environ.pop(_AMBIGUOUS, None)


_AMBIGUOUS = "open311.ambiguous"
"""The key of headers with an underscore in their name. They could imitate others, such as X-Forwarded-For."""


@lru_cache(maxsize=512)
def _key(name: str) -> str:
    if "_" in name:
        return _AMBIGUOUS
    key = name.upper().replace("-", "_")
    return sys.intern(key if key in _KEYS_WITHOUT_PREFIX else f"HTTP_{key}")


def _read_target(target: str, environ: Environ) -> None:
    """The path, decoded, and the query as it was sent."""
    if not target.startswith("/"):
        absolute = _ABSOLUTE.fullmatch(target)
        if absolute is None and not (target == "*" and environ["REQUEST_METHOD"] == "OPTIONS"):
            raise Malformed(400, "The request's target is not a path.")
        if absolute is not None:
            environ["HTTP_HOST"], target = absolute[1], absolute[2]
            target = target if target.startswith("/") else "/" + target
    path, _, environ["QUERY_STRING"] = target.partition("?")
    environ["PATH_INFO"] = unquote_to_bytes(path.encode("latin-1")).decode("latin-1") if "%" in path else path


def _length(environ: Environ, minor: str) -> int | None:
    """The body's length; None for a chunked body."""
    length, coding = environ.get("CONTENT_LENGTH"), environ.get("HTTP_TRANSFER_ENCODING")
    if coding is not None:
        if length is not None or minor == "0":
            raise Malformed(400, "Send either Content-Length or, over HTTP/1.1, Transfer-Encoding.")
        if coding.lower() != "chunked":
            raise Malformed(501, "Of the transfer codings, chunked alone is read here.")
        return None
    if length is None:
        return 0
    if not _LENGTH.fullmatch(length):
        raise Malformed(400, "Content-Length is not a number.")
    return int(length)
