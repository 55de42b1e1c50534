"""Answers without an end in sight: sent piece by piece, packed on the way, and stopped when nobody listens."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from threading import BoundedSemaphore

from flask import Response

from open311.errors import Unavailable
from open311.operations.platform import Platform
from open311.web.codings import Coding, packed


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


def lanes_of(platform: Platform) -> Lanes:
    """The lanes of a server's downloads."""
    return platform.process.remembered(_make_lanes)(platform.settings.bulk_streams)


def _make_lanes(count: int) -> Lanes:
    return Lanes(count)


def stream(chunks: Iterable[bytes], media_type: str, *, coding: Coding, at_end: Callable[[], None]) -> Response:
    """An answer of chunks, packed as the client takes it.

    at_end  called when the last one is sent, or the reader has gone, or never was; perhaps twice
    """
    response = Response(_ended(packed(chunks, coding) if coding else chunks, at_end), content_type=media_type)
    response.call_on_close(at_end)
    if coding:
        response.headers["Content-Encoding"] = coding
    return response


def _ended(chunks: Iterable[bytes], at_end: Callable[[], None]) -> Iterator[bytes]:
    try:
        yield from chunks
    finally:
        at_end()
