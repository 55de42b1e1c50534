"""The protocol of writers. A document is written in batches, so its size does not increase the memory needed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol


class Writer(Protocol):
    """Writes one document. An item is the JSON text of a request, unless the writer's docstring says otherwise."""

    def begin(self) -> bytes:
        """The bytes before the first item."""

    def more(self, items: Sequence[bytes]) -> bytes:
        """The bytes of the next items. A writer may keep items for a later call."""

    def end(self) -> bytes:
        """The bytes of items that the writer kept, and the bytes after the last item."""


def in_pieces(writer: Writer, batches: Iterable[Sequence[bytes]]) -> Iterator[bytes]:
    """The pieces of a document, made from batches of items."""
    yield writer.begin()
    for batch in batches:
        yield writer.more(batch)
    yield writer.end()


def whole(writer: Writer, items: Sequence[bytes]) -> bytes:
    """A complete document, in memory."""
    return b"".join(in_pieces(writer, [items]))
