"""Hot spots: an area above its own past is named; the busiest area is not, and chance names few."""

from __future__ import annotations

from math import comb
from random import Random

import pytest

from open311.domain.hot_spots import Recent, chance_of, hot_spots, recent
from tests.forecasting.series import seasonal

BLOCKS = 65


def area(seed: int, *, level: float, last: float = 1.0) -> dict[int, int]:
    """Five years of blocks of four weeks. The newest number is multiplied by `last`."""
    numbers = list(seasonal(seed, months=BLOCKS, level=level, year=13).values())
    numbers[-1] = round(numbers[-1] * last)
    return {place - BLOCKS + 1: number for place, number in enumerate(numbers)}


def found(areas: dict[str, dict[int, int]]) -> dict[str, Recent]:
    return {name: one for name, series in areas.items() if (one := recent(series)) is not None}


def test_an_area_that_has_doubled_is_named_and_the_busiest_one_is_not() -> None:
    areas = {f"area {seed}": area(seed, level=60) for seed in range(30)}
    areas["busiest"] = area(31, level=5_000)
    areas["doubled"] = area(32, level=40, last=2.5)
    assert hot_spots(found(areas)) == {"doubled"}


def test_random_numbers_make_few_areas_hot_spots() -> None:
    named = 0
    for city in range(20):
        named += len(hot_spots(found({str(seed): area(1_000 * city + seed, level=60) for seed in range(40)})))
    assert named <= 3  # of 800


def test_among_many_areas_a_hot_spot_needs_a_smaller_chance_than_among_few() -> None:
    clear = Recent(count=30, expected=15, most=25, chance=0.01)
    quiet = Recent(count=15, expected=15, most=25, chance=0.6)
    assert hot_spots({"one": clear}) == {"one"}
    assert hot_spots({"one": clear, **{str(number): quiet for number in range(99)}}) == set()


def test_a_count_below_the_limit_of_its_own_past_is_no_hot_spot() -> None:
    assert hot_spots({"one": Recent(count=25, expected=15, most=25, chance=0.0001)}) == set()


def test_a_count_below_ten_is_no_hot_spot() -> None:
    assert hot_spots({"one": Recent(count=9, expected=1, most=2, chance=0.0001)}) == set()


def test_a_short_past_or_a_missing_newest_block_gives_no_result() -> None:
    series = area(1, level=60, last=3)
    assert recent({block: number for block, number in series.items() if block > -25}) is None
    assert recent({}) is None
    assert recent({block: number for block, number in series.items() if block < 0}) is None


def test_chances_equal_plain_sums_of_probabilities() -> None:
    size, mean, dispersion = 5, 10.0, 3.0  # size = mean / (dispersion - 1)
    below = sum(
        comb(number + size - 1, number) * (1 / dispersion) ** size * (1 - 1 / dispersion) ** number
        for number in range(20)
    )
    assert chance_of(20, mean, dispersion) == pytest.approx(1 - below)
    assert chance_of(5, mean, dispersion) == 1
    assert chance_of(10**6, mean, dispersion) == pytest.approx(0)
    assert 0 < chance_of(20, 10.0, 1.0) < 0.01


def test_chances_lie_between_0_and_1() -> None:
    random = Random(2)
    for _ in range(300):
        found = chance_of(random.randint(0, 5_000), random.uniform(0.1, 3_000), random.uniform(1, 50))
        assert 0 <= found <= 1
