"""Areas with more requests than their own past explains. Pure functions.

An area is compared with itself only, never with other areas: people in some neighbourhoods report less than others,
so a list of areas by number would say who reports, and not where the problems are.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from math import exp, lgamma, log
from typing import TypeVar

from open311.domain.forecasts import FOUR_WEEKS, Method, Past, Series

LEAST_ERRORS = 13
"""At least this many past blocks of four weeks must have been forecast: those of a year."""
LEAST_COUNT = 10
FALSE_SHARE = 0.05
"""The share of the named areas that may be named by chance, on average (the false discovery rate)."""
_METHOD = Method.MEAN_AND_LAST_YEAR
Name = TypeVar("Name", bound=Hashable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recent:
    """The newest four weeks of an area.

    expected  the count to expect from the area's past
    most      the most that its past explains: expected, plus the greatest error of a past forecast
    chance    how probable this count or a higher one is
    """

    count: int
    expected: int
    most: int
    chance: float

    @property
    def is_above(self) -> bool:
        """Whether the count is above all that the past explains. By itself, this is not yet a hot spot."""
        return self.count >= LEAST_COUNT and self.count > self.most


def recent(series: Series, newest: int = 0) -> Recent | None:
    """The block `newest` of four weeks, compared with the past of its area.

    None if the block is missing, if the past is too short or has gaps, or if the expected count is 0.
    """
    past, count = Past(series, FOUR_WEEKS), series.get(newest)
    expected = past.guess(_METHOD, newest - 1, 1)
    if count is None or not expected:
        return None
    shares, spread = [], []
    for block in range(min(series), newest):
        guess, number = past.guess(_METHOD, block - 1, 1), series.get(block)
        if guess and number is not None:
            shares.append((number - guess) / guess)
            spread.append((number - guess) ** 2 / guess)
    if len(shares) < LEAST_ERRORS:
        return None
    dispersion = max(1.0, sum(spread) / len(spread))
    most = max(expected, expected * (1 + max(shares)))
    return Recent(
        count=count, expected=round(expected), most=round(most), chance=chance_of(count, expected, dispersion)
    )


def chance_of(count: int, mean: float, dispersion: float) -> float:
    """How probable `count` or more is, if the variance is `dispersion` times the mean (negative binomial).

    1 for a count that is not above the mean: the exact number does not matter there.
    """
    if count <= mean:
        return 1.0
    total, number, term = 0.0, count, _probability(count, mean, dispersion)
    while term > total * 1e-12:
        total += term
        number += 1
        term = _probability(number, mean, dispersion)
    return min(1.0, total)


def _probability(count: int, mean: float, dispersion: float) -> float:
    if dispersion <= 1 + 1e-9:
        return exp(count * log(mean) - mean - lgamma(count + 1))
    size = mean / (dispersion - 1)
    return exp(
        lgamma(count + size)
        - lgamma(size)
        - lgamma(count + 1)
        - size * log(dispersion)
        + count * log(1 - 1 / dispersion)
    )


def hot_spots(found: Mapping[Name, Recent]) -> set[Name]:
    """The areas with counts above what their past explains, by so much that chance does not explain it either.

    By Benjamini and Hochberg: with more areas, each must be clearer, because more of them are high by chance.
    """
    ranked = sorted(found.items(), key=lambda item: item[1].chance)
    limit = 0.0
    for place, (_, one) in enumerate(ranked, start=1):
        if one.chance <= FALSE_SHARE * place / len(ranked):
            limit = one.chance
    return {name for name, one in ranked if one.chance <= limit and one.is_above}
