"""Series of our own: with season, trend and chance, or a random walk. The same seed makes the same series."""

from __future__ import annotations

from math import exp, pi, sin
from random import Random

START = 24_000
"""The number of the first month: January 2000."""


def seasonal(
    seed: int,
    *,
    months: int = 120,
    level: float = 400,
    swing: float = 0.4,
    trend: float = 0.05,
    noise: float = 0.08,
    year: int = 12,
) -> dict[int, int]:
    """Numbers that follow the time of the year and grow by `trend` a year, with chance."""
    random = Random(seed)
    found = {}
    for number in range(months):
        mean = level * (1 + trend * number / year) * (1 + swing * sin(2 * pi * number / year))
        found[START + number] = max(0, round(random.gauss(1, noise) * mean + random.gauss(0, mean**0.5)))
    return found


def walk(seed: int, *, months: int = 120, level: float = 400, step: float = 0.1) -> dict[int, int]:
    """A random walk: each number is the one before, changed by chance. Nothing about it can be forecast."""
    random, value = Random(seed), 0.0
    found = {}
    for number in range(months):
        value += random.gauss(0, step)
        found[START + number] = round(level * exp(value))
    return found
