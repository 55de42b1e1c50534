"""Folds texts: what looks alike is written in one way. The finders read the folded text.

People and programs write `０４０` and `٠٤٠` for 040, and put signs into texts that nobody sees, such as zero-width
blanks. The search folds such texts too. Without folding, a mask would hide less than the search finds.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

_AS_IT_IS = re.compile(
    "[\x00-\x0c\x0e-\x7f\xa1-\xa7\xa9\xab\xac\xae\xb0\xb1\xb6\xbb\xbf-\u0131\u0134-\u013e\u0141-\u0148\u014a-\u017e"
    "\u2010\u2012-\u2016\u2018-\u201f\u20ac]*"
)
"""Letters and signs of western languages that folding leaves alone: a text of nothing else need not be folded."""
_SPECIAL = {
    "\r": "",
    **dict.fromkeys("\x85\u2028\u2029", "\n"),
    **dict.fromkeys("\u00b7\u3002\uff61", "."),  # in domain names and between digits
    "\u2212": "-",
    "\u2800": " ",
    **dict.fromkeys("\u115f\u1160\u3164\uffa0", ""),  # letters that are not seen
}
_UNSEEN = ("Mn", "Mc", "Me", "Cf")
"""Combining marks, and signs that are not seen (categories of Unicode)."""


@dataclass(frozen=True, slots=True)
class Folded:
    """A folded text. `places`: for each of its characters, the place in the original; None if they are the same."""

    original: str
    text: str
    places: tuple[int, ...] | None = None

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The part of the original that became `text[start:end]`, with the marks on its last letter."""
        if self.places is None:
            return start, end
        first, last = self.places[start], self.places[end - 1] + 1
        while last < len(self.original) and unicodedata.category(self.original[last])[0] == "M":
            last += 1
        return first, last


def fold(text: str) -> Folded:
    """The text with one letter or digit for all that mean the same (NFKC), without combining and unseen signs."""
    if (text.isascii() and "\r" not in text) or _AS_IT_IS.fullmatch(text):
        return Folded(text, text)
    parts = [_folded(sign) for sign in text]
    places = tuple(place for place, part in enumerate(parts) for _ in part)
    return Folded(text, "".join(parts), places)


@lru_cache(maxsize=4_096)
def _folded(sign: str) -> str:
    if _AS_IT_IS.fullmatch(sign):
        return sign
    plain = "".join(_SPECIAL.get(one, one) for one in unicodedata.normalize("NFKC", _SPECIAL.get(sign, sign)))
    return "".join(map(_digit, (one for one in plain if unicodedata.category(one) not in _UNSEEN)))


def _digit(sign: str) -> str:
    """The digit 0 to 9 for a digit of any script; other signs as they are."""
    value = unicodedata.decimal(sign, None)
    return sign if value is None else str(value)
