"""A search that forgives what people type: misspelt words, plurals, and compounds written apart.

The pages and Inquiry v1 search the city's articles with it; `service_search.py` finds services. Each word of the
search is compared with each word of the items. An item gets points for each word that it has: more for a word in
its name than in its description, and more for a word that few items have.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from math import log
from typing import NamedTuple

from rapidfuzz import process
from rapidfuzz.distance import OSA

from open311.domain.text import folded, most_typos

MOST_WORDS = 12
"""Further words of a search are ignored."""
_MOST_WITH_PAIRS = 40
_WORD = re.compile(r"\w+")
_NAME, _KEYWORDS, _GROUP, _DESCRIPTION = 4.0, 3.0, 2.0, 1.0
_WHOLE, _BEGINNING, _INSIDE, _MISSPELT = 1.0, 0.8, 0.6, 0.5
_LEAST_PART = 0.5
"""Items with less than this part of the best item's points are not found."""
_LEAST_INSIDE = 4
"""From so many Latin letters on, a word is also found inside of another one, such as light in streetlight."""
_MOST_ENDING = 3
"""A word also fits if it only has so many more letters at its end, such as potholes and pothole."""


_IN_QUESTIONS = (
    "a an and are at be by can do does for from how i in is it me my no not of on or our so the this to was we what"
    " when where which who why will with you your"
    " al como con cual cuando de del donde el en es esta la las lo los mi no para por que se si su un una y"
    " au aux ce comment dans des du est et je le les ma mes mon ne ou par pas pour quand que qui sur une vous"
    " ak ki kijan kote mwen nan pa pou sa se yo yon"
    " 的 了 吗 我 是 在 怎么 什么 في من على الى ما هل ان كيف متى اين"
)
_COMMON = frozenset(_IN_QUESTIONS.split())
"""Words of questions in the languages of the pages. They are ignored, unless a search has no other words."""


class Texts(NamedTuple):
    """The texts of an item in all languages in which it is searched. The group of an article is its topics."""

    name: str
    keywords: str
    group: str
    description: str


@dataclass(frozen=True)
class _Index:
    """The words of items.

    points  word -> number of an item -> the points of the best text that has the word
    words   all words
    count   how many items there are
    """

    points: Mapping[str, Mapping[int, float]]
    words: Sequence[str]
    count: int


def find(texts: tuple[Texts, ...], search: str, *, least_in_description: float = 0) -> list[int]:
    """The numbers of the items that fit a search, counted from 0, the best first.

    least_in_description  the part of the search's longer words that an item must have if it has words of the search
                          only in its description. A long description has common words of any search
    """
    index = _index_of(texts)
    total: dict[int, float] = defaultdict(float)
    named, had = set[int](), defaultdict[int, set[str]](set)
    for word in _telling(_words_of(search))[:MOST_WORDS]:
        best: dict[int, float] = defaultdict(float)
        for known, quality in _fitting(word, index.words):
            for number, points in index.points[known].items():
                best[number] = max(best[number], points * quality)
        for number, points in best.items():
            total[number] += points * log(1 + index.count / len(best))
            had[number].add(word)
            if points > _DESCRIPTION and (_is_long(word) or number in index.points.get(word, ())):
                named.add(number)
    long = set(filter(_is_long, _telling(_WORD.findall(folded(search)))))
    fitting = [one for one in total if one in named or len(had[one] & long) >= least_in_description * len(long)]
    least = max((total[one] for one in fitting), default=0) * _LEAST_PART
    return sorted((one for one in fitting if total[one] >= least), key=lambda one: (-total[one], one))


@lru_cache(maxsize=64)
def _index_of(texts: tuple[Texts, ...]) -> _Index:
    points: dict[str, dict[int, float]] = defaultdict(dict)
    for number, one in enumerate(texts):
        for text, worth in zip(one, (_NAME, _KEYWORDS, _GROUP, _DESCRIPTION), strict=True):
            for word in _words_of(text):
                points[word].setdefault(number, worth)
    return _Index(points, tuple(points), len(texts))


def _telling(words: Iterable[str]) -> list[str]:
    """The words that say what somebody is looking for, each once."""
    known = list(dict.fromkeys(words))
    return [word for word in known if word not in _COMMON] or known


def _is_long(word: str) -> bool:
    """Whether the word is so long that other words hardly ever begin with it by chance."""
    return len(word) >= _LEAST_INSIDE or not word.isascii()


def _words_of(text: str) -> Iterator[str]:
    """The words of a text, and each two that follow each other as one word, if the text is not long.

    Pairs find compounds that are written apart. Those of long texts would be most words of the index.
    """
    words = _WORD.findall(folded(text))
    yield from words
    if len(words) <= _MOST_WITH_PAIRS:
        yield from map("".join, pairwise(words))


def _fitting(word: str, known: Sequence[str]) -> Iterator[tuple[str, float]]:
    """The known words that a typed word can mean, each with how well it fits."""
    for one in known:
        if quality := _likeness(word, one):
            yield one, quality
    if most := most_typos(word):
        for one, _, _ in process.extract(word, known, scorer=OSA.distance, score_cutoff=most, limit=None):
            yield one, _MISSPELT


def _likeness(word: str, known: str) -> float:
    """How well a typed word fits a known one without typing errors; 0 if it does not."""
    if word == known:
        return _WHOLE
    if known.startswith(word) and len(word) > 1:
        return _BEGINNING
    if word.startswith(known) and len(known) >= _LEAST_INSIDE and len(word) - len(known) <= _MOST_ENDING:
        return _BEGINNING
    if word.isascii():
        return _INSIDE if len(word) >= _LEAST_INSIDE and word in known else 0
    return _INSIDE if word in known or (len(known) > 1 and known in word) else 0  # some scripts write no blanks
