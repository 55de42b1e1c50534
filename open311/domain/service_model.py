"""What a city's own reports say about the words of its services: a small linear model, in plain numbers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from open311.domain.text_search import Stemming, words_of

_MARKER = re.compile(r"\[[^\]]*\]")


def terms_of(text: str, stemming: Stemming) -> list[str]:
    """The stems of a text without numbers and markers such as `[phone number]`, and all pairs of adjacent stems."""
    words = [word for word in words_of(_MARKER.sub(" ", text)) if len(word) > 1 and word.isalpha()]
    stems = [stemming.forms(word)[-1] for word in words]
    return stems + [" ".join(pair) for pair in pairwise(stems)]


@dataclass(frozen=True, eq=False, kw_only=True)
class ServiceModel:
    """A logistic regression over the terms of a text.

    edition    the digest of the catalogue whose codes it has
    language   the language whose stemmer made the terms
    codes      the services that it knows
    terms      the words and pairs of words that it knows
    rarities   the weight of each term in a text, > 0: rare terms weigh more
    weights    the weight of each term for each service
    offsets    the offset of each service
    requests   how many requests it has been trained with
    """

    edition: str
    language: str
    codes: tuple[str, ...]
    terms: tuple[str, ...]
    rarities: Any
    weights: Any
    offsets: Any
    requests: int

    @cached_property
    def _places(self) -> Mapping[str, int]:
        return {term: place for place, term in enumerate(self.terms)}

    def likely(self, text: str) -> Mapping[str, float]:
        """How likely it is that a text means each service, 0 to 1. Empty if the model knows no word of it."""
        counts = Counter(terms_of(text, Stemming([self.language])))
        known = {self._places[term]: count for term, count in counts.items() if term in self._places}
        if not known:
            return {}
        places = np.fromiter(known, dtype=np.int64)
        values = (1 + np.log(np.fromiter(known.values(), dtype=np.float64))) * self.rarities[places]
        values /= np.linalg.norm(values)
        points = values @ self.weights[places] + self.offsets
        shares = np.exp(points - points.max())
        shares /= shares.sum()
        return dict(zip(self.codes, shares.tolist(), strict=True))


def with_model(
    points: Sequence[tuple[str, float]], likely: Mapping[str, float], *, weight: float, least: float
) -> list[str]:
    """The codes of services in the order of their points and of how likely they are.

    points  the points of the services that the search has found, the best first
    weight  how many points the probability 1 adds to a service. The best service of the search has 1 point
    least   the least probability of a service that only the model has found
    """
    best = points[0][1] if points else 1.0
    total = {code: found / best for code, found in points}
    for code, share in likely.items():
        if code in total or share >= least:
            total[code] = total.get(code, 0.0) + weight * share
    return sorted(total, key=lambda code: (-total[code], code))
