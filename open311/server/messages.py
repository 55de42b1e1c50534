"""The head of a request, read into a WSGI environment (RFC 9112, PEP 3333).

httptools reads the head. This module refuses some heads that httptools accepts, because a proxy could read such a
head in another way.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import quote, unquote_to_bytes

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

END = b"\r\n\r\n"
"""The bytes at the end of a head and of a chunked body: the end of the last line, and an empty line."""
MOST_HEAD_BYTES = 65_536
_PROTOCOLS = {b" HTTP/1.0\r\n": "HTTP/1.0", b" HTTP/1.1\r\n": "HTTP/1.1"}
"""The end of a request line -> the protocol."""
_PROTOCOL_BYTES = len(b" HTTP/1.1\r\n")
_NOT_ASCII = re.compile(rb"[\x80-\xff]+")
_ABSOLUTE = re.compile(r"https?://([^/?]*)(.*)", re.IGNORECASE | re.DOTALL)
_HOST = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=%-]*|\[[0-9A-Fa-f:.]+\])(?::\d*)?")
_KEYS_WITHOUT_PREFIX = ("CONTENT_TYPE", "CONTENT_LENGTH")

Environ = dict[str, Any]

REFUSAL = "open311.refusal"
"""The key of a status in an environment. The application must answer a refused request with this status."""


class Malformed(Exception):
    """Raised to refuse a request.

    status  the status of the answer
    reason  a sentence for the client
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


@dataclass(slots=True)
class Message:
    """The head of a request.

    length      size of the body in bytes; None for a chunked body
    is_kept     whether the client keeps the connection open after the answer
    is_awaited  whether the client waits for "100 Continue" before it sends the body
    """

    environ: Environ
    length: int | None
    is_kept: bool
    is_awaited: bool


def read_message(head: bytes, basis: Environ) -> Message:
    """Read a head, with the empty line at its end.

    basis  the part of the environment that is the same for all requests of the connection
    Raises Malformed.
    """
    if not head.isascii():
        head = _with_ascii_target(head)
    found = _Found(basis.copy())
    parser = HttpRequestParser(found)
    feed(parser, head)
    environ = found.environ
    protocol = _read_request_line(head, parser, found)
    environ.pop(_AMBIGUOUS, None)
    is_new = protocol == "HTTP/1.1"
    if found.has_two_hosts:
        raise Malformed(400, "The Host header was sent twice.")
    if is_new and "HTTP_HOST" not in environ:
        raise Malformed(400, "The Host header is missing.")
    if not _is_host(environ.get("HTTP_HOST", "")):
        raise Malformed(400, "The Host header cannot be read.")
    length = _length(environ)
    options = environ.get("HTTP_CONNECTION", "").lower()
    return Message(
        environ,
        length,
        is_kept="close" not in options if is_new else "keep-alive" in options,
        is_awaited=length != 0 and is_new and environ.get("HTTP_EXPECT", "").lower() == "100-continue",
    )


def feed(parser: HttpRequestParser, data: bytes) -> None:
    """Give data to httptools. Raises Malformed."""
    try:
        parser.feed_data(data)
    except HttpParserUpgrade:
        pass  # the client offers another protocol or asks for a tunnel; this server answers with HTTP/1.1
    except HttpParserError as error:
        raise Malformed(400, f"The request cannot be read: {error}.") from None


class _Found:
    """The parts of a head. httptools calls the methods with `on_` at the beginning of their names."""

    __slots__ = ("environ", "has_two_hosts", "is_complete", "target")

    def __init__(self, environ: Environ) -> None:
        self.environ = environ
        self.has_two_hosts = False
        self.is_complete = False
        self.target = b""

    def on_url(self, target: bytes) -> None:
        self.target = target

    def on_header(self, name: bytes, value: bytes) -> None:
        key, text, environ = _key(name), value.decode("latin-1").rstrip("\t "), self.environ
        if key not in environ:
            environ[key] = text
        elif key == "HTTP_HOST":
            self.has_two_hosts = True
        else:
            environ[key] += (";" if key == "HTTP_COOKIE" else ",") + text

    def on_headers_complete(self) -> None:
        self.is_complete = True


_AMBIGUOUS = "open311.ambiguous"
"""The key of all headers with an underscore in their name. The application does not get these headers.

A WSGI environment cannot show the difference between X_Forwarded_For and X-Forwarded-For.
"""


@lru_cache(maxsize=512)
def _key(name: bytes) -> str:
    if b"_" in name:
        return _AMBIGUOUS
    key = name.decode("ascii").upper().replace("-", "_")
    return sys.intern(key if key in _KEYS_WITHOUT_PREFIX else f"HTTP_{key}")


def _with_ascii_target(head: bytes) -> bytes:
    """Percent-encode the bytes of the request line that are not ASCII. curl does not encode them."""
    line, end, fields = head.partition(b"\r\n")
    return _NOT_ASCII.sub(lambda found: quote(found[0]).encode(), line) + end + fields


def _read_request_line(head: bytes, parser: HttpRequestParser, found: _Found) -> str:
    """Read method and target. Returns the protocol.

    httptools also accepts several spaces, other versions such as HTTP/2.0, and other protocols such as RTSP. So
    this function checks that the line is exactly: method, one space, target, one space, HTTP/1.0 or HTTP/1.1.
    """
    method, target = parser.get_method(), found.target
    end = len(method) + 1 + len(target)
    protocol = _PROTOCOLS.get(head[end : end + _PROTOCOL_BYTES])
    if protocol is None or not found.is_complete:
        raise Malformed(400, "The request line cannot be read.")
    found.environ["REQUEST_METHOD"] = method.decode("ascii")
    found.environ["SERVER_PROTOCOL"] = protocol
    _read_target(target.decode("ascii"), found.environ)
    return protocol


@lru_cache(maxsize=64)
def _is_host(value: str) -> bool:
    return _HOST.fullmatch(value) is not None


def _read_target(target: str, environ: Environ) -> None:
    """Read the path, which is percent-decoded, and the query, which is not. REQUEST_URI has both undecoded."""
    if "#" in target:
        raise Malformed(400, "The request's target has a fragment.")
    if not target.startswith("/"):
        absolute = _ABSOLUTE.fullmatch(target)
        if absolute is None and not (target == "*" and environ["REQUEST_METHOD"] == "OPTIONS"):
            raise Malformed(400, "The request's target is not a path.")
        if absolute is not None:
            environ["HTTP_HOST"], target = absolute[1], absolute[2]
            target = target if target.startswith("/") else "/" + target
    environ["REQUEST_URI"] = target
    path, _, environ["QUERY_STRING"] = target.partition("?")
    environ["PATH_INFO"] = unquote_to_bytes(path.encode("latin-1")).decode("latin-1") if "%" in path else path


def _length(environ: Environ) -> int | None:
    """The body's length; None for a chunked body. httptools refuses a chunked body with Content-Length."""
    coding = environ.get("HTTP_TRANSFER_ENCODING")
    if coding is None:
        return int(environ.get("CONTENT_LENGTH", 0))
    if environ["SERVER_PROTOCOL"] == "HTTP/1.0":
        raise Malformed(400, "Send Transfer-Encoding over HTTP/1.1 only.")
    if coding.lower() != "chunked":
        raise Malformed(501, "The only transfer coding that this server reads is chunked.")
    return None
