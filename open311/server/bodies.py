"""The body of a request. It arrives in pieces, and is kept in memory or, if it is large, in a temporary file."""

from __future__ import annotations

from tempfile import SpooledTemporaryFile
from typing import BinaryIO, cast

from httptools import HttpRequestParser

from open311.server.messages import Malformed, feed

MOST_IN_MEMORY = 262_144
"""Bytes; a longer body goes to a temporary file."""
MOST_BETWEEN_CHUNKS = 8_192
"""The most bytes between two chunks, and of trailers."""
_HEAD = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
"""httptools reads chunks after a head only. The head of the request itself has been read."""
_END = b"\r\n\r\n"


class Body:
    """A body that is arriving."""

    def __init__(self, *, most: int) -> None:
        self.size = 0
        self._most = most
        self._file = cast("BinaryIO", SpooledTemporaryFile(max_size=MOST_IN_MEMORY))  # noqa: SIM115  # stays open

    def take(self, data: bytes) -> bytes | None:
        """Add received data. Returns what follows the body if that is complete, else None. Raises Malformed."""
        raise NotImplementedError

    def file(self) -> BinaryIO:
        """The complete body as a file, at its start."""
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


class SizedBody(Body):
    """A body with a Content-Length."""

    def __init__(self, length: int, *, most: int) -> None:
        super().__init__(most=most)
        self._missing = length

    def take(self, data: bytes) -> bytes | None:
        piece = data[: self._missing]
        self._keep(piece)
        self._missing -= len(piece)
        return None if self._missing else data[len(piece) :]


class ChunkedBody(Body):
    """A body with the transfer coding chunked (RFC 9112, 7.1), read by httptools. Trailers are ignored."""

    def __init__(self, *, most: int) -> None:
        super().__init__(most=most)
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
        self._last = data[1 - len(_END) :]
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
    """What httptools finds in a chunked body. It calls `on_body` and `on_message_complete`."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.on_body = self.pieces.append
        self.is_complete = False

    def on_message_complete(self) -> None:
        self.is_complete = True


def _end_of_piece(data: bytes, begin: int) -> int:
    """Where the piece that begins here ends: after the next empty line, because only there the body can end.

    httptools does not tell where a body ended, and would read the next request too. The first bytes of an empty line
    can be before `begin`.
    """
    found = data.find(_END, max(0, begin + 1 - len(_END)))
    return len(data) if found < 0 else found + len(_END)
