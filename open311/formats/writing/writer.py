"""The protocol of writers: a document is written batch by batch, so that its size does not matter."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol


class Writer(Protocol):
    """Makes one document of requests. An item is the JSON text of a request, unless the writer says otherwise."""

    def begin(self) -> bytes:
        """What comes before all items."""

    def more(self, items: Sequence[bytes]) -> bytes:
        """The next items. A writer may keep some back until later."""

    def end(self) -> bytes:
        """What comes after all items."""


def in_pieces(writer: Writer, batches: Iterable[Sequence[bytes]]) -> Iterator[bytes]:
    """A document piece by piece, as its batches come."""
    yield writer.begin()
    for batch in batches:
        yield writer.more(batch)
    yield writer.end()


def whole(writer: Writer, items: Sequence[bytes]) -> bytes:
    """A document at once."""
    return b"".join(in_pieces(writer, [items]))
