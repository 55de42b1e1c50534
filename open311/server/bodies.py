"""The body of a request.

A body arrives in pieces. It is kept in memory, or in a temporary file if it is large.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from io import BytesIO
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, cast

from httptools import HttpRequestParser

from open311.server.messages import END, Malformed, feed

MOST_IN_MEMORY = 262_144
"""The size in bytes of the largest body that is kept in memory."""
MOST_BETWEEN_CHUNKS = 8_192
"""The most bytes of a chunked body that may follow each other without content: sizes, extensions and trailers."""
_HEAD = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
"""A made-up head for httptools, which reads chunks only after a head. `read_message` has read the true head."""


class Body(ABC):
    """A body that is arriving."""

    def __init__(self, *, most: int, is_small: bool) -> None:
        """Make an empty body.

        most      the greatest number of bytes that the body may have
        is_small  whether the body has at most `MOST_IN_MEMORY` bytes
        """
        self.size = 0
        self._most = most
        self._file = BytesIO() if is_small else _spool()

    @abstractmethod
    def take(self, data: bytes) -> bytes | None:
        """Add received data. Raises Malformed.

        Returns the data after the end of the body, or None if the body is incomplete.
        """

    def file(self) -> BinaryIO:
        """The complete body as a file that is read from its start."""
        self._file.seek(0)
        return self._file

    def close(self) -> None:
        """Free the memory or the file."""
        self._file.close()

    def _keep(self, piece: bytes) -> None:
        self.size += len(piece)
        if self.size > self._most:
            raise Malformed(413, "The body is too large; send less.")
        self._file.write(piece)


def _spool() -> BinaryIO:
    """A file that is in memory while it is small, and on disk when it is large. `Body.close` closes the file."""
    return cast("BinaryIO", SpooledTemporaryFile(max_size=MOST_IN_MEMORY))


class SizedBody(Body):
    """A body with a Content-Length."""

    def __init__(self, length: int, *, most: int) -> None:
        super().__init__(most=most, is_small=length <= MOST_IN_MEMORY)
        self._missing = length

    def take(self, data: bytes) -> bytes | None:
        piece = data[: self._missing]
        self._keep(piece)
        self._missing -= len(piece)
        return None if self._missing else data[len(piece) :]


class ChunkedBody(Body):
    """A body with the transfer coding chunked (RFC 9112, 7.1), read by httptools. Trailers are ignored."""

    def __init__(self, *, most: int) -> None:
        super().__init__(most=most, is_small=False)
        self._found = _Found()
        self._parser = HttpRequestParser(self._found)
        self._parser.feed_data(_HEAD)
        self._last = b""
        self._bytes_without_content = 0

    def take(self, data: bytes) -> bytes | None:
        begin, data = len(self._last), self._last + data
        while begin < len(data):
            end = _end_of_piece(data, begin)
            self._feed(data[begin:end])
            if self._found.is_complete:
                return data[end:]
            begin = end
        self._last = data[1 - len(END) :]
        return None

    def _feed(self, data: bytes) -> None:
        try:
            feed(self._parser, data)
        finally:  # content before an error counts, so that the status does not depend on how the data was cut
            self._keep_found(len(data))

    def _keep_found(self, fed_bytes: int) -> None:
        pieces = self._found.pieces
        self._bytes_without_content = 0 if pieces else self._bytes_without_content + fed_bytes
        if self._bytes_without_content > MOST_BETWEEN_CHUNKS:
            raise Malformed(400, "The lines between chunks of the body are too long.")
        for piece in pieces:
            self._keep(piece)
        pieces.clear()


class _Found:
    """The content of a chunked body. httptools calls `on_body` and `on_message_complete`."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.on_body = self.pieces.append
        self.is_complete = False

    def on_message_complete(self) -> None:
        self.is_complete = True


def _end_of_piece(data: bytes, begin: int) -> int:
    """The end of the next piece for httptools: after the next empty line, or else the end of the data.

    A body ends only at an empty line. Without the cut at an empty line, httptools would also read the request after
    the body, and would not report where the body ended. The first bytes of the empty line can be before `begin`.
    """
    found = data.find(END, max(0, begin + 1 - len(END)))
    return len(data) if found < 0 else found + len(END)
