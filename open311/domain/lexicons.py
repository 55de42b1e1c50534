"""What is known about how people write: words for the same thing, and words that say nothing about a service."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Synonym:
    """Words and phrases that people say, and words and phrases that services have for the same."""

    said: tuple[str, ...]
    means: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lexicon:
    """How people write in a language.

    ignored  words that say nothing about a service
    negated  words that say nothing alone, but belong to phrases, such as `no` in `no water`
    places   words that mostly say where something is, such as `street`; alone they count less
    """

    synonyms: tuple[Synonym, ...] = ()
    ignored: frozenset[str] = frozenset()
    negated: frozenset[str] = frozenset()
    places: frozenset[str] = frozenset()
