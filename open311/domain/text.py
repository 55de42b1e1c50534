"""Functions that clean a text that a person typed, so that JSON and XML can both carry the text (A11, A64)."""

from __future__ import annotations

import unicodedata

from schemas.values import clean_text, stripped

__all__ = ["clean_text", "folded", "is_single_line", "stripped"]


def folded(text: str) -> str:
    """The text without accents and in lower case, so that a search for "cafe" finds "Café"."""
    if text.isascii():
        return text.casefold()
    parts = unicodedata.normalize("NFKD", text)
    return "".join(character for character in parts if not unicodedata.combining(character)).casefold()


def is_single_line(text: str) -> bool:
    """Whether the text has no line break. An answer of the datatype `string` must have none (A10)."""
    return "\n" not in text and "\r" not in text
