"""Functions for texts that people typed: cleaning, so that JSON and XML can carry them (A11, A64), and searches."""

from __future__ import annotations

import re
import unicodedata

from schemas.limits import MAX_QUERY_CHARACTERS
from schemas.values import clean_text, stripped

__all__ = ["clean_text", "folded", "is_single_line", "most_typos", "search_words", "stripped"]

_DASH_BEFORE_NO_WORD = re.compile(r'-(?![\w"])')


def folded(text: str) -> str:
    """The text without accents and in lower case, so that a search for "cafe" finds "Café"."""
    if text.isascii():
        return text.casefold()
    parts = unicodedata.normalize("NFKD", text)
    return "".join(character for character in parts if not unicodedata.combining(character)).casefold()


def most_typos(word: str) -> int:
    """How many letters of a word may be wrong: none of a short word, because too many words are similar to it."""
    return 0 if len(word) < 5 else 1 if len(word) < 8 else 2


def search_words(text: str) -> str:
    """The text as PostgreSQL's `websearch_to_tsquery` can read it, without accents and in lower case.

    That function fails for about 30 dashes without words between them, and for a word of more than 2,046 bytes.
    A few hundred characters can become such a word when their accents are removed.
    """
    return parsable_words(folded(text))


def parsable_words(text: str) -> str:
    """The text without dashes that stand before no word, and cut to the length of a search text.

    In a search text, `-word` excludes a word.
    """
    return _DASH_BEFORE_NO_WORD.sub(" ", text)[:MAX_QUERY_CHARACTERS]


def is_single_line(text: str) -> bool:
    """Whether the text has no line break. An answer of the datatype `string` must have none (A10)."""
    return "\n" not in text and "\r" not in text
