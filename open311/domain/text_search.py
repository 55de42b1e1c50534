"""A search for the items that a sentence means: services, or articles.

It also finds items by misspelt words and by synonyms. The words of the sentence are compared with
the words of the items in several languages. Synonyms lead from what people say to what catalogues say. An item gets
points for each word that it has: more for a word in its name than in its description, and more for a word that few
items have.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import log
from typing import NamedTuple

from rapidfuzz import process
from rapidfuzz.distance import OSA

from open311.domain.lexicons import Lexicon, Synonym
from open311.domain.text import folded, most_typos

MOST_WORDS = 60
"""The words of a sentence after this many are ignored."""
_WORD = re.compile(r"\w+")
_SHORTENED = re.compile(r"(?<=\w)['\u2019](?=(?:t|s|d|m|re|ve|ll)\b)")
_ALGORITHMS = {"ar": "arabic", "de": "german", "en": "english", "es": "spanish", "fi": "finnish", "fr": "french",
               "it": "italian", "nl": "dutch", "pt": "portuguese", "ru": "russian", "sv": "swedish"}  # fmt: skip
"""The stemmers of snowball, by the language's tag. A language without one is searched by whole words."""
_OTHERS = ("arabic", "russian")
"""The stemmers that change no word in Latin letters. They are slow."""
_WORTH = (4.0, 3.5, 1.0, 2.0, 0.8)
"""The points of a word in each of the texts of an item, in the order of `Texts`."""
_MOST_WITH_PAIRS = 40
"""In a text of at most this many words, two neighbouring words are also known as one joined word.

Longer texts would add too many words.
"""
_STEM, _BEGINNING, _INSIDE, _MISSPELT, _SYNONYM, _PAIR = 0.95, 0.55, 0.45, 0.6, 0.9, 1.0
_STRONG = 0.9
"""A reading of a word with a lower quality is a guess."""
_COVERED = 0.7
"""The share of a word's points that counts if the word belongs to a phrase with a synonym."""
_PLACE = 0.5
"""The share of a word's points that counts if the word mostly says where something is."""
_LEAST_IN_PHRASE = 2
"""Ignored words of a phrase need not be in the sentence. But if a phrase has fewer than this many other words, the
sentence must have the ignored words too: "block" alone does not match the phrase "on blocks"."""
_MORE_WORDS = 0.15
"""How much more a meaning of several words counts, for each word after the first."""
_LEAST_KNOWN = 0.2
"""An item must have at least this part of a sentence's words, and one word is always enough.

A guessed word counts as half a word.
"""
_LEAST_POINTS = 0.5
"""The least points of an item, as a multiple of the rarity of a word that only one item has."""
_LEAST_PART = 0.25
"""Items with less than this part of the best item's points are not found."""
_MOST_IN_DESCRIPTION = 2.0
"""A word with more points than this is in a name or in keywords, and not only in a description."""
_LEAST_INSIDE, _LEAST_OF_WORD = 4, 0.4
"""A word is found in a longer one if it has this many Latin letters, and this share of the letters of the longer
one, such as `light` in `streetlight`.
"""
_NAMED = 1.1
"""If somebody types the whole name of an item, it gets the points of the best item (which may be itself), times
this factor."""
_LONGEST_UNBROKEN = 30
"""In a word of a script without blanks, only this many letters from the beginning are searched for known words."""
_MOST_GUESSED = 12
"""Only this many unknown words of a sentence, the first ones, are compared with known words."""
_MOST_ENDING = 3
"""A typed word may have at most this many letters more than a known one, such as potholes and pothole."""


class Texts(NamedTuple):
    """The texts of an item in one language. An article has its topics in `group`.

    questions  the questions of a service's form, and their values
    """

    name: str
    keywords: str = ""
    group: str = ""
    description: str = ""
    questions: str = ""


class Hit(NamedTuple):
    """An item that fits a sentence: its number, counted from 0, and its points, > 0."""

    number: int
    points: float


class _Reading(NamedTuple):
    """A word of a sentence, and the known words that it can mean, each with how well it fits.

    tells  whether the word says something by itself, and not only in phrases
    """

    word: str
    forms: Mapping[str, float]
    tells: bool


@dataclass(frozen=True, slots=True)
class _Tally:
    """What a sentence has for each item.

    count  how many words of the sentence say something
    known  for each item, how many of these words it has
    named  the items that have one of these words in their name or keywords
    """

    count: int
    points: dict[int, float] = field(default_factory=lambda: defaultdict(float))
    known: dict[int, float] = field(default_factory=lambda: defaultdict(float))
    named: set[int] = field(default_factory=set)


class Stemming:
    """The stems of words. The stemmers keep state while they work, so each thread needs its own."""

    def __init__(self, languages: Iterable[str]) -> None:
        import snowballstemmer  # imported here: it imports all its languages, 4 MB, and most processes need none

        tags = dict.fromkeys(_ALGORITHMS.get(tag.partition("-")[0].lower(), "") for tag in languages)
        stemmers = {tag: snowballstemmer.stemmer(tag) for tag in tags if tag}
        self._stemmers = list(stemmers.values())
        self._latin = [one for tag, one in stemmers.items() if tag not in _OTHERS]
        self._known: dict[str, tuple[str, ...]] = {}

    def forms(self, word: str) -> tuple[str, ...]:
        """The folded word, and its stem in each language."""
        found = self._known.get(word)
        if found is None:
            stems = (folded(one.stemWord(word)) for one in (self._latin if word.isascii() else self._stemmers))
            found = self._known[word] = tuple(dict.fromkeys((word, *stems)))
        return found


Points = Mapping[int, float]
"""The number of an item -> points."""


_Phrases = dict[str, list[tuple[tuple[frozenset[str], ...], int]]]
"""Each form of a phrase's first word -> the phrases that begin with it: the forms of each word, and the index of
the meaning in `_meanings`."""


class TextSearch:
    """The words of services or articles, ready to be searched. Searches change nothing, so threads can share it."""

    def __init__(
        self,
        items: Sequence[Mapping[str, Texts]],
        lexicons: Iterable[Lexicon] = (),
        *,
        least_in_description: float = 0.0,
        must_tell: bool = True,
    ) -> None:
        """Read the texts of the items.

        items                 the texts of each item by their language
        least_in_description  the part of the sentence's words that an item must have if its name and keywords have
                              none of them. This is for items with long descriptions: they contain a few
                              common words of almost every sentence, and would be found by chance
        must_tell             if true, a sentence that has only ignored words finds no item; if false, the ignored
                              words of such a sentence are searched
        """
        self._least_in_description, self._must_tell = least_in_description, must_tell
        lexicons = tuple(lexicons)
        self._languages = tuple(dict.fromkeys(tag for one in items for tag in one))
        self._count = len(items)
        self._ignored = _folded_words(word for one in lexicons for word in one.ignored)
        self._negated = _folded_words(word for one in lexicons for word in one.negated)
        self._places = _folded_words(word for one in lexicons for word in one.places)
        self._names: dict[tuple[str, ...], list[int]] = defaultdict(list)
        for number, item in enumerate(items):
            for name in {tuple(words_of(texts.name)) for texts in item.values()}:
                self._names[name].append(number)
        stemming = Stemming(self._languages)
        self._points = _points_of(items)
        self._phrases: _Phrases = defaultdict(list)
        self._whole_phrases: _Phrases = defaultdict(list)
        self._meanings: list[Points] = []
        for synonym in (synonym for one in lexicons for synonym in one.synonyms):
            self._add(synonym, stemming)
        said = (
            form
            for known in (self._phrases, self._whole_phrases)
            for phrases in known.values()
            for phrase, _ in phrases
            for part in phrase
            for form in part
        )
        self._vocabulary = dict.fromkeys((*self._points, *said))
        self._guesses = _Guesses(self._vocabulary)

    def _add(self, synonym: Synonym, stemming: Stemming) -> None:
        """Remember a synonym, if an item has what it means."""
        meaning: dict[int, float] = {}
        for phrase in synonym.means:
            for number, points in self._meant(words_of(phrase), stemming):
                meaning[number] = max(meaning.get(number, 0), points)
        if not meaning:
            return
        for phrase in synonym.said:
            words = words_of(phrase)
            counting = [word for word in words if self._counts_in_phrases(word)]
            known = self._phrases
            if len(words) > len(counting) < _LEAST_IN_PHRASE:
                known, counting = self._whole_phrases, words
            if any(word not in self._ignored for word in words):
                forms = tuple(frozenset(stemming.forms(word)) for word in counting)
                for form in forms[0]:
                    known[form].append((forms, len(self._meanings)))
        self._meanings.append(meaning)

    def _meant(self, words: Sequence[str], stemming: Stemming) -> Iterator[tuple[int, float]]:
        """The items that have all of the words, each with the mean of the points; more words count more."""
        found = [self._direct(dict.fromkeys(stemming.forms(word), 1.0)) for word in words] or [{}]
        for number in set(found[0]).intersection(*found[1:]):
            yield number, sum(one[number] for one in found) / len(found) * (1 + _MORE_WORDS * (len(found) - 1))

    def _counts_in_phrases(self, word: str) -> bool:
        return word not in self._ignored or word in self._negated

    def find(self, sentence: str) -> list[int]:
        """The numbers of the items that fit a sentence, counted from 0, the best first."""
        return [one.number for one in self.rank(sentence)]

    def rank(self, sentence: str) -> list[Hit]:
        """The items that fit a sentence, the best first."""
        words = words_of(sentence)[:MOST_WORDS]
        tally = self._tally(words)
        named = self._names.get(tuple(words), ()) if words else ()
        least = log(1 + self._count) * _LEAST_POINTS
        found = {one: points for one, points in tally.points.items() if points >= least and self._has(tally, one)}
        best = max(found.values(), default=_NAMED)
        found |= dict.fromkeys(named, best * _NAMED)
        hits = (Hit(*one) for one in found.items() if one[1] >= best * _LEAST_PART)
        return sorted(hits, key=lambda hit: (-hit.points, hit.number))

    def _has(self, tally: _Tally, number: int) -> bool:
        """Whether an item has enough of a sentence's words."""
        known = tally.known[number]
        if number not in tally.named and known < self._least_in_description * tally.count:
            return False
        return known >= min(tally.count * _LEAST_KNOWN, 1.0) > 0

    def _tally(self, words: Sequence[str]) -> _Tally:
        stemming = Stemming(self._languages)
        says_nothing = not self._must_tell and self._ignored.issuperset(words)
        read = self._read(words, stemming, frozenset() if says_nothing else self._ignored)
        readings = [one for one in read if one.tells or one.word in self._negated]
        tally = _Tally(len({one.word for one in readings if one.tells}))
        meant: dict[int, float] = {}
        covered = self._find_phrases(meant, self._phrases, readings)
        covered |= self._find_phrases(meant, self._whole_phrases, read)
        evidence = [
            *((1.0, dict.fromkeys(self._joined(pair, stemming), _PAIR)) for pair in pairwise(words)),
            *self._single(readings, covered),
        ]
        for weight, forms in evidence:
            is_guess = max(forms.values(), default=0) < _STRONG
            self._count_in(tally, self._direct(forms), weight, 0.5 if is_guess else 1.0)
        for number, quality in meant.items():
            self._count_in(tally, self._meanings[number], quality * _SYNONYM, 1.0)
        return tally

    def _single(
        self, readings: Sequence[_Reading], covered: Collection[str]
    ) -> Iterator[tuple[float, Mapping[str, float]]]:
        """How much each word counts by itself, with its readings."""
        seen: set[str] = set()
        for word, forms, tells in readings:
            if tells and word not in seen:
                seen.add(word)
                weight = _PLACE if word in self._places else 1.0
                yield weight * (_COVERED if word in covered else 1.0), forms

    def _count_in(self, tally: _Tally, found: Points, weight: float, words: float) -> None:
        """Add the points of one word or phrase to the items that have it."""
        rarity = log(1 + self._count / len(found)) if found else 0
        for number, points in found.items():
            tally.points[number] += weight * points * rarity
            tally.known[number] += words
            if points > _MOST_IN_DESCRIPTION:
                tally.named.add(number)

    def _joined(self, pair: tuple[str, str], stemming: Stemming) -> Iterator[str]:
        """The forms of the word that two words make together; only forms that an item has."""
        if not self._ignored.intersection(pair):
            yield from (one for one in stemming.forms("".join(pair)) if one in self._points)

    def _direct(self, readings: Mapping[str, float]) -> Points:
        """The points of the items that have one of the words, times the quality of its reading."""
        best: dict[int, float] = {}
        for form, quality in readings.items():
            for number, points in self._points.get(form, {}).items():
                best[number] = max(best.get(number, 0), points * quality)
        return best

    def _read(self, words: Sequence[str], stemming: Stemming, ignored: Collection[str]) -> list[_Reading]:
        """The words of a sentence, each with its readings."""
        read: dict[str, _Reading] = {}
        unknown = 0
        for word in dict.fromkeys(words):
            tells = word not in ignored
            if not tells and word not in self._negated:
                read[word] = _Reading(word, {word: 1.0}, tells)
                continue
            unknown += tells and not any(form in self._vocabulary for form in stemming.forms(word))
            forms = self._readings(word, stemming, may_guess=tells and unknown <= _MOST_GUESSED)
            read[word] = _Reading(word, forms, tells)
        return [read[word] for word in words]

    def _readings(self, word: str, stemming: Stemming, *, may_guess: bool) -> Mapping[str, float]:
        """The known words that a typed word can mean, each with how well it fits."""
        forms = stemming.forms(word)
        found = {form: 1.0 if form == word else _STEM for form in forms if form in self._vocabulary}
        if found or not may_guess:
            return found
        for known, quality in self._guesses.for_word(word):
            for form in stemming.forms(known):
                found[form] = max(found.get(form, 0), quality)
        return found

    def _find_phrases(self, meant: dict[int, float], known: _Phrases, readings: Sequence[_Reading]) -> set[str]:
        """Add the synonyms that a sentence has, each with its quality. Returns the words that belong to phrases."""
        covered: set[str] = set()
        for place, reading in enumerate(readings):
            begun = {id(one): one for form in reading.forms for one in known.get(form, ())}
            for phrase, number in begun.values():
                rest = readings[place : place + len(phrase)]
                if len(rest) < len(phrase):
                    continue
                fits = [max((quality for form, quality in one.forms.items() if form in part), default=0.0)
                        for part, one in zip(phrase, rest, strict=True)]  # fmt: skip
                if quality := min(fits):
                    meant[number] = max(meant.get(number, 0), quality)
                    if len(phrase) > 1:
                        covered.update(one.word for one in rest)
        return covered


def _folded_words(words: Iterable[str]) -> frozenset[str]:
    return frozenset(one for word in words for one in words_of(word))


def _points_of(items: Sequence[Mapping[str, Texts]]) -> Mapping[str, Points]:
    """Word or stem in the text's own language -> number of an item -> the points of the best text that has it."""
    found: dict[str, dict[int, float]] = defaultdict(dict)
    stemmings = {tag: Stemming([tag]) for item in items for tag in item}
    for number, item in enumerate(items):
        for tag, texts in item.items():
            stemming = stemmings[tag]
            for text, worth in zip(texts, _WORTH, strict=True):
                for word in _words_with_pairs(text):
                    for form in stemming.forms(word):
                        points = worth if form == word else worth * _STEM
                        found[form][number] = max(found[form].get(number, 0), points)
    return found


def _words_with_pairs(text: str) -> Iterator[str]:
    words = words_of(text)
    yield from words
    if len(words) <= _MOST_WITH_PAIRS:
        yield from map("".join, pairwise(words))


def words_of(text: str) -> list[str]:
    """The words of a text, folded. What English shortens stays one word, such as `can't`."""
    return _WORD.findall(_SHORTENED.sub("", folded(text)))


class _Guesses:
    """Finds the known words that an unknown word may mean, with functions in C: a loop in Python is slow."""

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
        if most := most_typos(word):
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
