"""Text as people type it: cleaned so that no document breaks and both formats say the same (A11, A64)."""

from __future__ import annotations

import unicodedata

from schemas.values import clean_text, stripped

__all__ = ["clean_text", "folded", "is_single_line", "stripped"]


def folded(text: str) -> str:
    """The text as a search sees it: without accents and case, so that "cafe" finds "Café"."""
    if text.isascii():
        return text.casefold()
    parts = unicodedata.normalize("NFKD", text)
    return "".join(sign for sign in parts if not unicodedata.combining(sign)).casefold()


def is_single_line(text: str) -> bool:
    """Whether a `string` answer keeps to one line (A10)."""
    return "\n" not in text and "\r" not in text
