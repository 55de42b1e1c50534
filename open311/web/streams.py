"""Sends long answers in chunks, which are compressed on the way. An answer ends if the client disconnects."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from threading import BoundedSemaphore

from flask import Response

from open311.errors import Unavailable
from open311.operations.platform import Platform
from open311.web.codings import Coding, packed
from schemas.texts import tell


class Lanes:
    """Limits how many streams run at once in this process, because each stream occupies a database connection."""

    def __init__(self, count: int) -> None:
        self._free = BoundedSemaphore(count)

    def enter(self) -> Callable[[], None]:
        """Take a lane. Returns an idempotent function that frees it. Raises Unavailable if no lane is free."""
        if not self._free.acquire(blocking=False):
            raise Unavailable(tell("Too many downloads are running; try again in a moment, or use a daily dump."))
        left: list[bool] = []

        def leave() -> None:
            if not left:
                left.append(True)
                self._free.release()

        return leave


def lanes_of(platform: Platform) -> Lanes:
    """The lanes for the bulk downloads of a server."""
    return platform.process.cached(_make_lanes)(platform.settings.bulk_streams)


def _make_lanes(count: int) -> Lanes:
    return Lanes(count)


def stream(chunks: Iterable[bytes], media_type: str, *, coding: Coding, at_end: Callable[[], None]) -> Response:
    """An answer that is sent in chunks, compressed with `coding`.

    at_end  called when the body ends, the client disconnects, or the body is never read. Must be idempotent.
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
