"""A server of photos, such as that of an app's vendor: what lies under each path, and what was asked."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO

from open311.federation.addresses import Guard, host_of
from tests.world.serving import Asked, Reply, serving

GONE = Reply(b"not here", "text/plain", 404)


class Pictures:
    """Photos by path. A path without an entry gets 404. `meanwhile` runs before each answer."""

    def __init__(self) -> None:
        self.replies: dict[str, Reply] = {}
        self.asked: list[Asked] = []
        self.origin = ""
        self.released = threading.Event()
        self.meanwhile: Callable[[], object] = lambda: None

    def has(self, path: str, data: bytes, content_type: str = "image/jpeg", **options: object) -> str:
        """Put a file under a path. Returns the address of the path."""
        self.replies[path] = Reply(data, content_type, **options)  # type: ignore[arg-type]
        return self.origin + path

    def leads(self, path: str, to: str) -> str:
        """Let a path redirect to another address. Returns the address of the path."""
        self.replies[path] = Reply(b"", "text/plain", 302, headers={"Location": to})
        return self.origin + path

    def hangs(self, path: str, head: bytes = b"") -> str:
        """Let a path send the head of an answer and then nothing until the test ends. Returns the address."""

        def write(line: BinaryIO) -> None:
            line.write(head)
            line.flush()
            self.released.wait(60)

        self.replies[path] = Reply(b"", write=write)
        return self.origin + path

    def guard(self) -> Guard:
        """Lets calls reach this server, although it is on the loopback."""
        return Guard(frozenset({host_of(self.origin)}))

    def paths(self) -> list[str]:
        """The paths that were asked for, in order."""
        return [one.path for one in self.asked]

    def answer(self, asked: Asked) -> Reply:
        self.asked.append(asked)
        self.meanwhile()
        return self.replies.get(asked.path, GONE)


@contextmanager
def pictures() -> Iterator[Pictures]:
    """The server, on a port of the loopback."""
    found = Pictures()
    with serving(found.answer) as server:
        found.origin = server.origin
        try:
            yield found
        finally:
            found.released.set()
