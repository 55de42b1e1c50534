"""Words that sound like an emergency, and the number to call then."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from open311.domain.text import folded


@dataclass(frozen=True, slots=True, kw_only=True)
class Emergency:
    """What a city says about emergencies. A report with one of the words is accepted like any other.

    number  the number to call; "" if the city names none
    words   words and phrases in any language, such as `gas smell`
    """

    number: str = ""
    words: tuple[str, ...] = ()


def pattern_of(words: Iterable[str]) -> re.Pattern[str] | None:
    """A pattern that finds any of the words in a folded text; None without words.

    A word in Latin letters must stand alone: "fire" is not in "firefly". Other scripts may write no blanks between
    words, or change their ends, so their words are found anywhere.
    """
    found = [_alone(word) for word in (" ".join(folded(word).split()) for word in words) if word]
    return re.compile("|".join(found)) if found else None


def _alone(word: str) -> str:
    parts = r"\s+".join(map(re.escape, word.split()))
    return rf"(?<!\w){parts}(?!\w)" if word.isascii() else parts
