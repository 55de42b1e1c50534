"""The body of a request. It arrives in pieces, and is kept in memory or, if it is large, in a temporary file."""

from __future__ import annotations

import re
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, cast

from open311.server.messages import Malformed

MOST_IN_MEMORY = 262_144
"""Bytes; a longer body goes to a temporary file."""
MOST_BETWEEN_CHUNKS = 8_192
"""The most bytes between two chunks, and of trailers."""
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,12})[\t ]*(?:;[\t\x20-\x7e\x80-\xff]*)?")


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
    """A body with the transfer coding chunked (RFC 9112, 7.1). Trailers are ignored."""

    def __init__(self, *, most: int) -> None:
        super().__init__(most=most)
        self._rest = b""
        self._missing = 0
        self._idle_bytes = 0
        self._is_after_chunk = False
        self._is_in_trailer = False

    def take(self, data: bytes) -> bytes | None:
        data, at = self._rest + data, 0
        while True:
            piece = data[at : at + self._missing]
            if piece:
                self._keep(piece)
                self._missing -= len(piece)
                at += len(piece)
                self._idle_bytes = 0
            end = -1 if self._missing else data.find(b"\r\n", at)
            if end < 0:
                break
            line, at = data[at:end], end + 2
            self._count(len(line) + 2)
            if self._is_in_trailer:
                if not line:
                    return data[at:]
            elif self._is_after_chunk:
                self._end_chunk(line)
            else:
                self._begin_chunk(line)
        self._rest = data[at:]
        self._count(0)
        return None

    def _begin_chunk(self, line: bytes) -> None:
        match = _SIZE.fullmatch(line)
        if match is None:
            raise Malformed(400, "The size of a chunk of the body cannot be read.")
        self._missing = int(match[1], 16)
        self._is_after_chunk = bool(self._missing)
        self._is_in_trailer = not self._missing

    def _end_chunk(self, line: bytes) -> None:
        if line:
            raise Malformed(400, "A chunk of the body is longer than its size says.")
        self._is_after_chunk = False

    def _count(self, idle_bytes: int) -> None:
        self._idle_bytes += idle_bytes
        if self._idle_bytes + len(self._rest) > MOST_BETWEEN_CHUNKS:
            raise Malformed(400, "The lines between chunks of the body are too long.")
