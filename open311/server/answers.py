"""The answer of a WSGI application, as bytes of HTTP/1.1."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import Any

from open311.server.messages import Message

BATCH_BYTES = 65_536
"""Pieces of a stream are joined until they have this size together."""
BODILESS = ("204", "304")


class Start:
    """WSGI's start_response: keeps the status and the headers until the answer is sent."""

    __slots__ = ("headers", "status")

    def __init__(self) -> None:
        self.status = ""
        self.headers: list[tuple[str, str]] = []

    def __call__(self, status: str, headers: list[tuple[str, str]], *_: Any) -> Callable[[bytes], object]:
        self.status, self.headers = status, headers
        return _write


def _write(data: bytes) -> object:
    """PEP 3333 demands this function for old applications. Our application returns its body instead."""
    raise NotImplementedError("the application has to return its body, because write() is not supported")


class Answer:
    """The answer to one request, in pieces that can be sent.

    has_more  whether `next_pieces` has more pieces to return
    is_kept   whether the connection stays open after the answer
    """

    def __init__(self, message: Message, start: Start, result: Iterable[bytes], *, is_kept: bool) -> None:
        self._result = result
        self._chunks: Iterator[bytes] | None = None
        self._is_chunked = False
        self._missing: int | None = None
        self.is_kept = is_kept and message.is_kept
        self._whole = b""
        self.has_more = True
        is_bodiless = message.environ["REQUEST_METHOD"] == "HEAD" or start.status[:3] in BODILESS
        lines = "".join([f"\r\n{name}: {value}" for name, value in start.headers])
        if lines.count("\n") != len(start.headers):
            raise ValueError("a header of the answer contains a line break")
        names, added = lines.lower(), ""
        if isinstance(result, (list, tuple)):
            self._whole = b"" if is_bodiless else result[0] if len(result) == 1 else b"".join(result)
            if "\r\ncontent-length: " not in names and not is_bodiless:
                added = f"Content-Length: {len(self._whole)}\r\n"
        elif not is_bodiless:
            added = self._begin_stream(start.headers, message, result)
        if "\r\ndate: " not in names:
            added += _date(int(time.monotonic()))
        if not self.is_kept:
            added += "Connection: close\r\n"
        elif message.environ["SERVER_PROTOCOL"] == "HTTP/1.0":
            added += "Connection: keep-alive\r\n"
        self._lead = f"HTTP/1.1 {start.status}{lines}\r\n{added}\r\n".encode("latin-1")

    def _begin_stream(self, headers: list[tuple[str, str]], message: Message, result: Iterable[bytes]) -> str:
        self._chunks = iter(result)
        for name, value in headers:
            if name.lower() == "content-length":
                self._missing = int(value)
                return ""
        if message.environ["SERVER_PROTOCOL"] == "HTTP/1.1":
            self._is_chunked = True
            return "Transfer-Encoding: chunked\r\n"
        self.is_kept = False
        return ""

    def next_pieces(self) -> Sequence[bytes]:
        """The next pieces to send. Small pieces of a stream are joined."""
        lead, self._lead = self._lead, b""
        whole, self._whole = self._whole, b""
        if self._chunks is None:
            self.has_more = False
            return (lead, whole) if len(whole) > BATCH_BYTES else (lead + whole,)
        return (lead + self._next_batch(self._chunks),)

    def _next_batch(self, chunks: Iterator[bytes]) -> bytes:
        pieces, size = [], 0
        while self.has_more and size < BATCH_BYTES:
            piece = next(chunks, None)
            if piece is None:
                self.has_more = False
            else:
                pieces.append(piece)
                size += len(piece)
        data = b"".join(pieces)
        if self._is_chunked:
            return (b"%x\r\n%b\r\n" % (size, data) if data else b"") + (b"" if self.has_more else b"0\r\n\r\n")
        if self._missing is not None:
            self._missing -= size
            if self._missing < 0 or (self._missing and not self.has_more):
                raise ValueError("the length of the answer differs from its Content-Length")
        return data

    def close(self) -> None:
        """Tell the application that the server does not need the rest of the answer."""
        close_result(self._result)


def close_result(result: Any) -> None:
    """Close the result of an application, as PEP 3333 requires."""
    close = getattr(result, "close", None)
    if close is not None:
        close()


@lru_cache(maxsize=2)
def _date(second: int) -> str:  # noqa: ARG001  # the key of the cache
    return f"Date: {formatdate(usegmt=True)}\r\n"


def plain_answer(status: int, reason: str, *headers: str) -> bytes:
    """A complete answer that does not depend on the request. It has the header `Connection: close`."""
    phrase = HTTPStatus(status).phrase
    body = f"{status} {phrase}: {reason}\n".encode()
    lines = [
        f"HTTP/1.1 {status} {phrase}",
        "Content-Type: text/plain; charset=utf-8",
        f"Content-Length: {len(body)}",
        *headers,
        "Connection: close",
        _date(int(time.monotonic())),
    ]
    return "\r\n".join(lines).encode() + b"\r\n" + body
