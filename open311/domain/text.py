"""Text as people type it: cleaned so that no document breaks and both formats say the same (A11, A64)."""

from __future__ import annotations

import re
import unicodedata

# What XML 1.0 cannot carry, lone surrogates and the two non-characters among it.
_UNPRINTABLE = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_LINE_END = re.compile(r"\r\n?")


def clean_text(text: str) -> str:
    """The text without what XML 1.0 forbids, with line ends as LF: safe in JSON and XML alike."""
    if text.isprintable():  # nothing that XML forbids is, and no line end
        return text
    return _UNPRINTABLE.sub("", _LINE_END.sub("\n", text))


def stripped(text: str) -> str:
    """Cleaned, and without blanks around it."""
    return clean_text(text).strip()


def folded(text: str) -> str:
    """The text as a search sees it: without accents and case, so that "cafe" finds "Café"."""
    if text.isascii():
        return text.casefold()
    parts = unicodedata.normalize("NFKD", text)
    return "".join(sign for sign in parts if not unicodedata.combining(sign)).casefold()


def is_single_line(text: str) -> bool:
    """Whether a `string` answer keeps to one line (A10)."""
    return "\n" not in text and "\r" not in text
