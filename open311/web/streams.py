"""Answers without an end in sight: sent piece by piece, packed on the way, and stopped when nobody listens."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from threading import BoundedSemaphore

from flask import Response
from isal import isal_zlib

from open311.errors import Unavailable

_GZIP_BITS = 31


class Lanes:
    """How many streams may run at once in this process: each keeps a thread for as long as its reader reads."""

    def __init__(self, count: int) -> None:
        self._free = BoundedSemaphore(count)

    def enter(self) -> Callable[[], None]:
        """Take a lane; what gives it back, once. Raises Unavailable where all are taken."""
        if not self._free.acquire(blocking=False):
            raise Unavailable("Others are downloading just now; try again in a moment, or take a daily dump.")
        left: list[bool] = []

        def leave() -> None:
            if not left:
                left.append(True)
                self._free.release()

        return leave


def stream(chunks: Iterable[bytes], media_type: str, *, packs: bool, at_end: Callable[[], None]) -> Response:
    """An answer of chunks, gzip if wanted.

    at_end  called when the last one is sent, or the reader has gone, or never was; perhaps twice
    """
    response = Response(_ended(packed(chunks) if packs else chunks, at_end), content_type=media_type)
    response.call_on_close(at_end)
    if packs:
        response.headers["Content-Encoding"] = "gzip"
    return response


def _ended(chunks: Iterable[bytes], at_end: Callable[[], None]) -> Iterator[bytes]:
    try:
        yield from chunks
    finally:
        at_end()


def packed(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The chunks as gzip, at the level that costs next to nothing."""
    packer = isal_zlib.compressobj(1, isal_zlib.DEFLATED, _GZIP_BITS)
    for chunk in chunks:
        piece = packer.compress(chunk)
        if piece:
            yield piece
    yield packer.flush()
