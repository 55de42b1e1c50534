"""A search for the services that a citizen's sentence means. It forgives misspelt words, plurals and other words.

The words of the sentence are compared with the words of the services in all languages of the city. Synonyms lead
from what people say to what catalogues say. A service gets points for each word that it has: more for a word in its
name than in its description, and more for a word that few services have.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from math import log
from typing import NamedTuple

from rapidfuzz import process
from rapidfuzz.distance import OSA

from open311.domain.lexicons import Lexicon, Synonym
from open311.domain.text import folded

MOST_WORDS = 60
"""Further words of a sentence are ignored."""
_WORD = re.compile(r"\w+")
_ALGORITHMS = {"ar": "arabic", "de": "german", "en": "english", "es": "spanish", "fi": "finnish", "fr": "french",
               "it": "italian", "nl": "dutch", "pt": "portuguese", "ru": "russian", "sv": "swedish"}  # fmt: skip
"""The stemmers of snowball, by the language's tag. A language without one is searched by whole words."""
_WORTH = (4.0, 3.5, 1.0, 2.0, 0.8)
"""The points of a word in each of the texts of a service: see `Texts`."""
_STEM, _BEGINNING, _INSIDE, _MISSPELT, _SYNONYM, _PAIR = 0.95, 0.55, 0.45, 0.6, 0.9, 1.0
_STRONG = 0.9
"""From this quality on, a reading of a word is no guess."""
_COVERED = 0.7
"""The part of a word's points that count if the word belongs to a phrase with a synonym."""
_MORE_WORDS = 0.15
"""How much more a meaning counts for each further word."""
_LEAST_KNOWN = 0.2
"""A service must have one word of the sentence, or this part of a short one. A guessed word counts half."""
_LEAST_POINTS = 0.5
"""A service must have so many points, times the rarity of a word that only one service has."""
_LEAST_PART = 0.25
"""Services with less than this part of the best service's points are not found."""
_LEAST_INSIDE, _LEAST_OF_WORD = 4, 0.4
"""From so many Latin letters and this part of a longer word on, a word is found in it: light in streetlight."""
_NAMED = 1.1
"""How much more a service counts than the best other one if somebody types its whole name."""
_LONGEST_UNBROKEN = 30
"""Parts of a word in a script without blanks are looked for in its beginning of so many letters."""
_MOST_GUESSED = 12
"""For so many unknown words of a sentence, the known words that they may mean are looked for."""
_MOST_ENDING = 3
"""A word also fits if it only has so many more letters at its end, such as potholes and pothole."""


class Texts(NamedTuple):
    """The texts of a service in one language. `questions` has the questions of its form and their values."""

    name: str
    keywords: str = ""
    group: str = ""
    description: str = ""
    questions: str = ""


class Hit(NamedTuple):
    """A service that fits a sentence: its number, counted from 0, and its points, > 0."""

    number: int
    points: float


class Stemming:
    """The stems of words. The stemmers keep state while they work, so each thread needs its own."""

    def __init__(self, languages: Iterable[str]) -> None:
        import snowballstemmer  # imported here: it imports all its languages, 4 MB, and most processes need none

        tags = dict.fromkeys(_ALGORITHMS.get(tag.partition("-")[0].lower(), "") for tag in languages)
        self._stemmers = [snowballstemmer.stemmer(tag) for tag in tags if tag]
        self._known: dict[str, tuple[str, ...]] = {}

    def forms(self, word: str) -> tuple[str, ...]:
        """The folded word, and its stem in each language."""
        found = self._known.get(word)
        if found is None:
            stems = (folded(one.stemWord(word)) for one in self._stemmers)
            found = self._known[word] = tuple(dict.fromkeys((word, *stems)))
        return found


Points = Mapping[int, float]
"""The number of a service -> points."""


class ServiceSearch:
    """The words of a city's services, ready to be searched. Searches change nothing, so threads can share it."""

    def __init__(self, services: Sequence[Mapping[str, Texts]], lexicons: Iterable[Lexicon] = ()) -> None:
        """Read the texts of the services.

        services  the texts of each service by their language
        """
        lexicons = tuple(lexicons)
        self._languages = tuple(dict.fromkeys(tag for one in services for tag in one))
        self._count = len(services)
        self._ignored = _folded_words(word for one in lexicons for word in one.ignored)
        self._negated = _folded_words(word for one in lexicons for word in one.negated)
        self._names: dict[tuple[str, ...], list[int]] = defaultdict(list)
        for number, service in enumerate(services):
            for name in {tuple(words_of(texts.name)) for texts in service.values()}:
                self._names[name].append(number)
        stemming = Stemming(self._languages)
        self._points = _points_of(services, stemming)
        self._phrases: dict[str, list[tuple[tuple[frozenset[str], ...], int]]] = defaultdict(list)
        self._meanings: list[Points] = []
        for synonym in (synonym for one in lexicons for synonym in one.synonyms):
            self._add(synonym, stemming)
        said = (
            form for phrases in self._phrases.values() for phrase, _ in phrases for part in phrase for form in part
        )
        self._vocabulary = dict.fromkeys((*self._points, *said))
        self._guesses = _Guesses(self._vocabulary)

    def _add(self, synonym: Synonym, stemming: Stemming) -> None:
        """Remember a synonym, if a service has what it means."""
        meaning: dict[int, float] = {}
        for phrase in synonym.means:
            for number, points in self._meant(words_of(phrase), stemming):
                meaning[number] = max(meaning.get(number, 0), points)
        if not meaning:
            return
        for phrase in synonym.said:
            words = [word for word in words_of(phrase) if self._counts_in_phrases(word)]
            if any(word not in self._ignored for word in words):
                forms = tuple(frozenset(stemming.forms(word)) for word in words)
                for form in forms[0]:
                    self._phrases[form].append((forms, len(self._meanings)))
        self._meanings.append(meaning)

    def _meant(self, words: Sequence[str], stemming: Stemming) -> Iterator[tuple[int, float]]:
        """The services that have all of the words, with the mean of the points."""
        found = [self._direct(dict.fromkeys(stemming.forms(word), 1.0)) for word in words] or [{}]
        for number in set(found[0]).intersection(*found[1:]):
            yield number, sum(one[number] for one in found) / len(found) * (1 + _MORE_WORDS * (len(found) - 1))

    def _counts_in_phrases(self, word: str) -> bool:
        return word not in self._ignored or word in self._negated

    def find(self, sentence: str) -> list[int]:
        """The numbers of the services that fit a sentence, counted from 0, the best first."""
        return [one.number for one in self.rank(sentence)]

    def rank(self, sentence: str) -> list[Hit]:
        """The services that fit a sentence, the best first."""
        words = words_of(sentence)[:MOST_WORDS]
        total, known, count = self._total(words)
        named = self._names.get(tuple(words), ()) if words else ()
        least_known = min(count * _LEAST_KNOWN, 1.0)
        least = log(1 + self._count) * _LEAST_POINTS
        found = {one: total[one] for one in total if total[one] >= least and known[one] >= least_known > 0}
        best = max(found.values(), default=_NAMED)
        found |= dict.fromkeys(named, best * _NAMED)
        hits = (Hit(*one) for one in found.items() if one[1] >= best * _LEAST_PART)
        return sorted(hits, key=lambda hit: (-hit.points, hit.number))

    def _total(self, words: Sequence[str]) -> tuple[Points, Points, int]:
        """The points of each service for a sentence, how many of the words it has, and how many words count."""
        stemming = Stemming(self._languages)
        total: dict[int, float] = defaultdict(float)
        known: dict[int, float] = defaultdict(float)
        readings = self._read(words, stemming)
        meant, covered = self._meant_by(readings)
        evidence = [
            *((1.0, dict.fromkeys(self._joined(pair, stemming), _PAIR)) for pair in pairwise(words)),
            *self._single(readings, covered),
        ]
        for weight, forms in evidence:
            is_guess = max(forms.values(), default=0) < _STRONG
            self._count_in(total, known, self._direct(forms), weight, 0.5 if is_guess else 1.0)
        for number, quality in meant.items():
            self._count_in(total, known, self._meanings[number], quality * _SYNONYM, 1.0)
        return total, known, len({word for word, _ in readings if word not in self._ignored})

    def _single(
        self, readings: Sequence[tuple[str, Mapping[str, float]]], covered: Collection[int]
    ) -> Iterator[tuple[float, Mapping[str, float]]]:
        """How much each word counts by itself, with its readings."""
        seen: set[str] = set()
        for place, (word, forms) in enumerate(readings):
            if word not in self._ignored and word not in seen:
                seen.add(word)
                yield _COVERED if place in covered else 1.0, forms

    def _count_in(
        self, total: dict[int, float], known: dict[int, float], found: Points, weight: float, words: float
    ) -> None:
        """Add what one word or phrase is worth for the services that have it."""
        rarity = log(1 + self._count / len(found)) if found else 0
        for number, points in found.items():
            total[number] += weight * points * rarity
            known[number] += words

    def _joined(self, pair: tuple[str, str], stemming: Stemming) -> Iterator[str]:
        """The forms of two words that are written as one, if a service has it."""
        if not self._ignored.intersection(pair):
            yield from (one for one in stemming.forms("".join(pair)) if one in self._points)

    def _direct(self, readings: Mapping[str, float]) -> Points:
        """The points of the services that have one of the words, each with the quality of its reading."""
        best: dict[int, float] = {}
        for form, quality in readings.items():
            for number, points in self._points.get(form, {}).items():
                best[number] = max(best.get(number, 0), points * quality)
        return best

    def _read(self, words: Sequence[str], stemming: Stemming) -> list[tuple[str, Mapping[str, float]]]:
        """The words of a sentence that count, each with its readings."""
        read, unknown = [], 0
        for word in filter(self._counts_in_phrases, words):
            known = any(form in self._vocabulary for form in stemming.forms(word))
            unknown += not known
            read.append((word, self._readings(word, stemming, may_guess=unknown <= _MOST_GUESSED)))
        return read

    def _readings(self, word: str, stemming: Stemming, *, may_guess: bool) -> Mapping[str, float]:
        """The known words that a typed word can mean, each with how well it fits."""
        forms = stemming.forms(word)
        found = {form: 1.0 if form == word else _STEM for form in forms if form in self._vocabulary}
        if found or word in self._ignored or not may_guess:
            return found
        for known, quality in self._guesses.for_word(word):
            for form in stemming.forms(known):
                found[form] = max(found.get(form, 0), quality)
        return found

    def _meant_by(self, readings: Sequence[tuple[str, Mapping[str, float]]]) -> tuple[Points, frozenset[int]]:
        """The synonyms that a sentence has, each with its quality, and the places of words in longer phrases."""
        found: dict[int, float] = {}
        covered: set[int] = set()
        for place, (_, forms) in enumerate(readings):
            for phrase, number in {id(one): one for form in forms for one in self._phrases.get(form, ())}.values():
                rest = readings[place : place + len(phrase)]
                if len(rest) < len(phrase):
                    continue
                fits = [max((quality for form, quality in one.items() if form in part), default=0.0)
                        for part, (_, one) in zip(phrase, rest, strict=True)]  # fmt: skip
                if quality := min(fits):
                    found[number] = max(found.get(number, 0), quality)
                    if len(phrase) > 1:
                        covered.update(range(place, place + len(phrase)))
        return found, frozenset(covered)


def _folded_words(words: Iterable[str]) -> frozenset[str]:
    return frozenset(one for word in words for one in words_of(word))


def _points_of(services: Sequence[Mapping[str, Texts]], stemming: Stemming) -> Mapping[str, Points]:
    """Word or stem -> number of a service -> the points of the best text that has it."""
    found: dict[str, dict[int, float]] = defaultdict(dict)
    for number, service in enumerate(services):
        for texts in service.values():
            for text, worth in zip(texts, _WORTH, strict=True):
                words = words_of(text)
                for word in (*words, *map("".join, pairwise(words))):
                    for form in stemming.forms(word):
                        points = worth if form == word else worth * _STEM
                        found[form][number] = max(found[form].get(number, 0), points)
    return found


def words_of(text: str) -> list[str]:
    """The words of a text, folded."""
    return _WORD.findall(folded(text))


class _Guesses:
    """The known words that unknown words may mean. It is found with functions in C: a loop in Python is slow."""

    def __init__(self, words: Iterable[str]) -> None:
        self._words = sorted(words)
        self._known = frozenset(self._words)
        self._line = "\n" + "\n".join(self._words) + "\n"

    def for_word(self, word: str) -> Iterator[tuple[str, float]]:
        """Known words, each with how well it fits."""
        for ending in range(1, _MOST_ENDING + 1):
            if len(word) - ending >= _LEAST_INSIDE and word[:-ending] in self._known:
                yield word[:-ending], _BEGINNING
        yield from self._with(word)
        if not word.isascii():  # some scripts write no blanks
            yield from ((part, _INSIDE) for part in _parts(word[:_LONGEST_UNBROKEN]) if part in self._known)
        if most := _most_typos(word):
            near = process.extract(word, self._words, scorer=OSA.distance, score_cutoff=most, limit=None)
            yield from ((known, _MISSPELT) for known, _, _ in near if known[0] == word[0])

    def _with(self, word: str) -> Iterator[tuple[str, float]]:
        """The known words that have the word inside."""
        if word.isascii() and len(word) < _LEAST_INSIDE:
            return
        end = 0
        while (place := self._line.find(word, end)) >= 0:
            start, end = self._line.rfind("\n", 0, place) + 1, self._line.find("\n", place)
            if not word.isascii() or len(word) >= (end - start) * _LEAST_OF_WORD:
                yield self._line[start:end], _BEGINNING if start == place else _INSIDE


def _parts(word: str) -> Iterator[str]:
    """All parts of a word that have at least two letters."""
    for start in range(len(word)):
        yield from (word[start:end] for end in range(start + 2, len(word) + 1))


def _most_typos(word: str) -> int:
    """How many letters of a word may be wrong. Short words have too many neighbours."""
    return 0 if len(word) < 5 else 1 if len(word) < 8 else 2
