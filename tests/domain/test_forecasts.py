"""Forecasts: intervals hold as often as they say, and what cannot be forecast is refused."""

from __future__ import annotations

from statistics import median
from typing import Any

import pytest

from open311.domain.forecasts import (
    HELD_LEAST,
    HELD_MOST,
    MONTHS,
    WEEKS,
    Errors,
    Forecast,
    Method,
    Past,
    Reason,
    Series,
    forecasts,
    try_on_past,
)
from tests.forecasting.series import START, seasonal, walk

SEEDS = range(20)
END = START + 119


def made(series: Series, newest: int = END) -> dict[int, Forecast]:
    return {one.ahead: one for one in forecasts(series, MONTHS, newest)}


def known(series: Series, newest: int) -> dict[int, int]:
    return {at: number for at, number in series.items() if at <= newest}


def test_a_season_with_a_trend_is_forecast_better_than_by_both_simple_guesses() -> None:
    published = [one for seed in SEEDS for one in made(seasonal(seed)).values() if one.reason is Reason.NONE]
    assert len(published) > 80  # of 120
    for one in published:
        tested = one.tested
        assert tested.error is not None
        assert tested.newest_error is not None
        assert tested.last_year_error is not None
        assert tested.error < min(tested.newest_error, tested.last_year_error)


def test_a_random_walk_is_refused() -> None:
    for seed in SEEDS:
        assert {one.reason for one in made(walk(seed)).values()} == {Reason.RANDOM_WALK}, seed


def test_a_refused_forecast_has_no_numbers_but_says_how_it_was_tested() -> None:
    for one in made(walk(1)).values():
        assert (one.expected, one.low, one.high) == (None, None, None)
        assert one.tested.tests > 60
        assert one.method is not None


@pytest.mark.parametrize("newest", [END - 6, END - 18])
def test_intervals_hold_about_eight_of_ten_later_numbers(newest: int) -> None:
    hits = []
    for seed in range(60):
        series = seasonal(seed)
        for ahead, one in made(known(series, newest), newest).items():
            if one.low is not None and one.high is not None:
                hits.append(one.low <= series[newest + ahead] <= one.high)
    assert len(hits) > 200
    assert HELD_LEAST <= sum(hits) / len(hits) <= HELD_MOST


def test_intervals_tested_on_the_past_held_the_stated_share_of_numbers() -> None:
    for seed in SEEDS:
        for one in made(seasonal(seed)).values():
            if one.reason is Reason.NONE:
                assert one.tested.coverage is not None
                assert HELD_LEAST <= one.tested.coverage <= HELD_MOST
                assert one.low is not None
                assert one.high is not None
                assert one.expected is not None
                assert one.low <= one.expected <= one.high


def by_hand(series: Series, ahead: int, newest: int) -> tuple[float, float, float, int]:
    """The weighted errors of the blend, last year's number and the newest number, by plain loops without lags."""
    errors, numbers = [0.0, 0.0, 0.0], 0
    count = 0
    for target in range(newest - 119, newest + 1):
        origin = target - ahead
        then = {at: number for at, number in series.items() if at <= origin}

        def mean(end: int, then: Series = then) -> float | None:
            parts = [then.get(at, then.get(at - 12)) for at in range(end - 11, end + 1)]
            is_sound = None not in parts and sum(at not in then for at in range(end - 11, end + 1)) <= 2
            return sum(number or 0 for number in parts) / 12 if is_sound else None

        def usual(at: int, then: Series = then, origin: int = origin) -> float | None:
            found = []
            for year in range(3):
                month = at - 12 * year
                around = mean(min(month + 5, origin))
                if month in then and around:
                    found.append(then[month] / around)
            return median(found) if found else None

        levels = [then[at] / share for at in range(origin - 2, origin + 1) if at in then and (share := usual(at))]
        same, year_mean, share = then.get(target - 12), mean(origin), usual(target - 12)
        needed = (same, year_mean, share, then.get(origin), series.get(target))
        if None in needed or len(levels) < 2:
            continue
        half = (then[target - 12] + (year_mean or 0)) / 2
        blend = (half + sum(levels) / len(levels) * (share or 0)) / 2
        actual = series[target]
        for place, guess in enumerate((blend, then[target - 12], then[origin])):
            errors[place] += abs(guess - actual)
        numbers += actual
        count += 1
    return errors[0] / numbers, errors[1] / numbers, errors[2] / numbers, count


@pytest.mark.parametrize("ahead", [1, 3, 6])
@pytest.mark.parametrize("gap", [(), (70, 71), (30, 31, 90)])
def test_weighted_errors_equal_those_of_plain_loops(ahead: int, gap: tuple[int, ...]) -> None:
    series = {at: number for at, number in seasonal(5).items() if at - START not in gap}
    past = Past(series, MONTHS)
    found, _ = try_on_past(past, lambda origin: past.guess(Method.BLEND, origin, ahead), ahead, END)
    expected = by_hand(series, ahead, END)
    received = (found.error, found.last_year_error, found.newest_error, found.tests)
    assert received == pytest.approx(expected)


# --- Gaps


def guesses(series: Series, method: Method) -> dict[tuple[int, int], float | None]:
    past = Past(series, MONTHS)
    return {
        (origin, ahead): past.guess(method, origin, ahead)
        for origin in range(START + 12, END + 1)
        for ahead in (1, 3, 6)
    }


@pytest.mark.parametrize("method", list(Method))
def test_two_missing_months_change_only_the_forecasts_that_need_them(method: Method) -> None:
    series = seasonal(3)
    gap = {START + 70, START + 71}
    before = guesses(series, method)
    after = guesses({at: number for at, number in series.items() if at not in gap}, method)
    # A mean of a year reads 12 months and, for a missing one, the month a year before. The level reads three years
    # of each month, each divided by the mean of the year around it.
    reach = 24 if method is Method.MEAN_AND_LAST_YEAR else 24 + 36
    changed = {key for key in before if before[key] != after[key]}
    assert changed
    assert all(START + 70 <= origin <= START + 71 + reach for origin, _ in changed)
    if method is Method.MEAN_AND_LAST_YEAR:
        for origin, ahead in set(before) - changed:
            needed = {*range(origin - 11, origin + 1), origin + ahead - 12}
            assert not needed & gap


def test_lags_are_months_of_the_calendar_and_not_rows() -> None:
    series = seasonal(3, noise=0, trend=0)
    without = {at: number for at, number in series.items() if at - START not in (100, 101)}
    past = Past(without, MONTHS)
    assert past.last_year(END, 1) == series[END - 11]
    assert past.guess(Method.MEAN_AND_LAST_YEAR, END, 1) == pytest.approx(
        (series[END - 11] + sum(without.get(at, series[at - 12]) for at in range(END - 11, END + 1)) / 12) / 2
    )


def test_a_forecast_that_needs_a_missing_month_is_refused() -> None:
    series = seasonal(2)
    found = made({at: number for at, number in series.items() if at <= END - 3})
    assert {one.reason for one in found.values()} == {Reason.GAP}
    assert {one.expected for one in found.values()} == {None}


def test_without_the_same_month_of_last_year_only_the_methods_that_need_it_are_left_out() -> None:
    series = {at: number for at, number in seasonal(2).items() if at != END - 10}
    past = Past(series, MONTHS)
    assert past.guess(Method.MEAN_AND_LAST_YEAR, END, 2) is None
    assert past.guess(Method.BLEND, END, 2) is None
    found = made(series)
    assert (found[2].reason, found[2].method) == (Reason.NONE, Method.SEASONAL_LEVEL)
    assert found[3].reason is Reason.NONE


def test_a_missing_month_is_not_zero() -> None:
    series = seasonal(2)
    without = {at: number for at, number in series.items() if at != START + 60}
    zero = series | {START + 60: 0}
    assert Past(without, MONTHS).guess(Method.BLEND, START + 60, 1) is not None
    as_missing, as_zero = made(without)[1], made(zero)[1]
    assert as_missing.tested.tests < as_zero.tested.tests
    assert (as_missing.tested.error or 0) < (as_zero.tested.error or 0)


# --- What cannot be forecast


@pytest.mark.parametrize("months", [0, 1, 11, 13, 24, 30])
def test_a_short_history_is_refused(months: int) -> None:
    series = seasonal(1, months=months)
    newest = max(series, default=START)
    expected = Reason.SHORT_HISTORY if months else Reason.FEW
    assert {one.reason for one in forecasts(series, MONTHS, newest)} == {expected}


def test_few_requests_are_refused() -> None:
    series = seasonal(1, level=4)
    assert {one.reason for one in made(series).values()} == {Reason.FEW}


@pytest.mark.parametrize("number", [0, 300])
def test_a_constant_series_gets_no_forecast_and_raises_no_error(number: int) -> None:
    series = dict.fromkeys(range(START, END + 1), number)
    assert Reason.NONE not in {one.reason for one in made(series).values()}


def test_weeks_are_forecast_by_the_same_rules() -> None:
    reasons = []
    for seed in SEEDS:
        series = seasonal(seed, months=260, level=150, year=52)
        (one,) = forecasts(series, WEEKS, max(series))
        reasons.append(one.reason)
    assert reasons.count(Reason.NONE) > 15
    for seed in SEEDS:
        (one,) = forecasts(walk(seed, months=260), WEEKS, START + 259)
        assert one.reason in (Reason.RANDOM_WALK, Reason.LAST_YEAR), seed


def test_a_change_of_the_future_changes_no_forecast_of_the_past() -> None:
    series = seasonal(7)
    newest = START + 80
    other: dict[int, Any] = {at: number if at <= newest else 9 * number for at, number in series.items()}
    for method in Method:
        for ahead in (1, 3, 6):
            one, two = (Past(found, MONTHS).guess(method, newest, ahead) for found in (series, other))
            assert one == two


def test_an_interval_is_wider_after_misses_and_narrower_after_hits() -> None:
    def width(*, has_held: bool) -> int:
        errors = Errors()
        for number in range(40):
            errors.add((number - 20) / 100)
        for _ in range(3):
            errors.follow(has_held=has_held)
        low, high = errors.interval(1_000)
        return high - low

    assert width(has_held=False) > width(has_held=True)
