"""NDJSON: one request per line, each an item of the JSON list."""

from __future__ import annotations

from collections.abc import Sequence


class NdjsonWriter:
    """Items as lines. An item contains no line feed, because JSON escapes it."""

    def begin(self) -> bytes:
        """NDJSON has no header."""
        return b""

    def more(self, items: Sequence[bytes]) -> bytes:
        """The next lines."""
        return b"\n".join([*items, b""])

    def end(self) -> bytes:
        """NDJSON has no end mark."""
        return b""
