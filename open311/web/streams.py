"""Sends long answers in chunks, which are compressed one by one. An answer ends if the client disconnects."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from threading import BoundedSemaphore

from flask import Response

from open311.errors import Unavailable
from open311.operations.platform import Platform
from open311.web.codings import Coding, packed
from schemas.texts import tell


class Lanes:
    """Limits how many long calls run at once in this process. `full` is the error text if no lane is free."""

    def __init__(self, count: int, full: str) -> None:
        self._free, self._full = BoundedSemaphore(count), full

    def enter(self) -> Callable[[], None]:
        """Take a lane. Returns an idempotent function that frees it. Raises Unavailable if no lane is free."""
        if not self._free.acquire(blocking=False):
            raise Unavailable(self._full)
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
    """Lanes are limited, because each download occupies a database connection."""
    return Lanes(count, tell("Too many downloads are running; try again in a moment, or use a daily dump."))


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
