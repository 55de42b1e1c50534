"""NDJSON: one request a line, exactly as the JSON list has it."""

from __future__ import annotations

from collections.abc import Sequence


class NdjsonWriter:
    """Items as lines. Their texts hold no line feed: JSON escapes it."""

    def begin(self) -> bytes:
        """Nothing."""
        return b""

    def more(self, items: Sequence[bytes]) -> bytes:
        """The next lines."""
        return b"\n".join([*items, b""])

    def end(self) -> bytes:
        """Nothing."""
        return b""
