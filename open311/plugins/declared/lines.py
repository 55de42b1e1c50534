"""Lines of a TOML file, for messages about faults that show only after the file is read."""

from __future__ import annotations

from functools import cached_property, lru_cache
from importlib.resources.abc import Traversable
from typing import Any

import tomli

Path = tuple[str | int, ...]
"""Keys and indexes that lead to a value, such as ("routes", 2, "area")."""


class TextLines:
    """The lines of a TOML text.

    The text is parsed only if a caller needs a line. This is rare, because most files have no faults.
    """

    def __init__(self, text: str) -> None:
        self._lines = text.split("\n")
        self._parse = lru_cache(maxsize=None)(self._parsed)

    def line(self, path: Path) -> int:
        """The number of the line on which a value begins; 0 if the text lacks the value.

        If a text is cut at the end of a line, the first part is valid TOML, unless the cut is within a value. A
        binary search finds the longest valid first part that does not have the value. The value begins after it.
        """
        if not _has(self._document(len(self._lines))[1], path):
            return 0
        low, high = 0, len(self._lines)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if _has(self._document(middle)[1], path) else (middle, high)
        return self._document(low)[0] + 1

    def _document(self, lines: int) -> tuple[int, Any]:
        """The longest valid first part of the text with at most `lines` lines.

        Returns how many lines it has, and its values.
        """
        while (found := self._parse(lines)) is None:
            lines -= 1
        return lines, found

    def _parsed(self, lines: int) -> Any:
        try:
            return tomli.loads("\n".join(self._lines[:lines]))
        except ValueError:
            return None


class Lines:
    """The lines of the file jurisdiction.toml in a city's folder.

    folder  None for a city without files; then no line is known
    """

    def __init__(self, folder: Traversable | None) -> None:
        self._folder = folder

    def place(self, path: Path) -> str:
        """The line on which a value begins: `mycity/jurisdiction.toml:47`; "" if the file lacks the value."""
        line = self._lines.line(path) if self._folder is not None and self._lines is not None else 0
        return f"{self._folder.name}/jurisdiction.toml:{line}" if self._folder is not None and line else ""

    @cached_property
    def _lines(self) -> TextLines | None:
        """The lines of the file; None if the file cannot be read."""
        if self._folder is None:
            return None
        try:
            text = (self._folder / "jurisdiction.toml").read_text(encoding="utf-8-sig")
            tomli.loads(text)
        except (OSError, ValueError):
            return None
        return TextLines(text)


def _has(document: Any, path: Path) -> bool:
    for key in path:
        try:
            document = document[key]
        except (KeyError, IndexError, TypeError):
            return False
    return True
