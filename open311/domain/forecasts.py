"""Forecasts of the number of requests, with a test on the past that decides which are published. Pure functions.

A series has one number for each period: a month, or a block of seven days or of four weeks. A period is missing if
the city lacks data for too many of its days (`gaps`), and is never read as 0. A distance, such as a year, is
counted in periods of the calendar and not in known numbers, so that a gap shifts nothing.

Each forecast is made again for the past, with only what was known then (a rolling origin). It is published only if
it was nearer to the truth than both simple guesses: the newest number, and that of the same period a year ago. The
interval comes from the errors of these tests. It becomes wider after a number outside it, and narrower after a
number inside it (decision 0053).
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from math import ceil, floor
from statistics import median

LEAST_MEAN = 10
"""The least mean number of requests in a period of the last year. Below it, most of a number is chance."""
WARM_UP = 10
"""How many errors must be known before the first interval is tried."""
LEAST_TRIED = 20
"""A forecast is published only if at least this many intervals of the past were tried."""
MOST_ERRORS = 60
"""An interval is made of this many errors at most: the newest ones."""
NOMINAL = 0.8
HELD_LEAST, HELD_MOST = 0.7, 0.9
"""A forecast is published only if the share of tried intervals that contained the number is between these two."""
_PACE = 0.05
"""How much the width of the intervals changes after each number (the step of adaptive conformal inference)."""
_NARROWEST, _WIDEST = 0.6, 0.02
_INDEX_YEARS = 3
_LEAST_YEARS = 1


class Method(StrEnum):
    """How a number is forecast.

    MEAN_AND_LAST_YEAR  half of the mean of a year, and half of the number of the same period a year ago
    SEASONAL_LEVEL      the mean of the newest numbers without the season, times the seasonal factor of the period
    BLEND               half of each of these two
    """

    MEAN_AND_LAST_YEAR = "mean_and_last_year"
    SEASONAL_LEVEL = "seasonal_level"
    BLEND = "blend"


class Reason(StrEnum):
    """Why a forecast is not published; NONE if it is.

    FEW            fewer than LEAST_MEAN requests in a period of the last year, on average
    SHORT_HISTORY  too few periods of the past, so it cannot be tested
    GAP            a period that the forecast needs is missing
    RANDOM_WALK    the newest number was as good a guess
    LAST_YEAR      the number of the same period a year ago was as good a guess
    INTERVAL       fewer than 70 % or more than 90 % of the intervals contained the number
    """

    NONE = ""
    FEW = "few_requests"
    SHORT_HISTORY = "short_history"
    GAP = "gap"
    RANDOM_WALK = "random_walk"
    LAST_YEAR = "last_year_as_good"
    INTERVAL = "interval_not_held"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rhythm:
    """A kind of period, and how its numbers are read.

    name      the name of the kind of period in the document of forecasts
    year      how many periods a year has
    level     from how many of the newest periods SEASONAL_LEVEL is made
    spread    how many periods before and after a period of an earlier year are read together with this period
    aheads    for which periods after the newest one there are forecasts: 1 for the next one, and so on
    most_tests  how many periods of the past are tested at most: the newest ones
    """

    name: str
    year: int
    level: int
    spread: int
    aheads: tuple[int, ...]
    most_tests: int

    @property
    def most_stand_ins(self) -> int:
        """How many periods of a year may be missing. The same period of the year before replaces each of them."""
        return self.year // 6


MONTHS = Rhythm(name="month", year=12, level=3, spread=0, aheads=(1, 2, 3, 4, 5, 6), most_tests=120)
WEEKS = Rhythm(name="week", year=52, level=4, spread=2, aheads=(1,), most_tests=120)
FOUR_WEEKS = Rhythm(name="four_weeks", year=13, level=3, spread=0, aheads=(1,), most_tests=52)

Series = Mapping[int, int]
"""The number of a period -> how many requests. Missing periods are absent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tested:
    """How a method did in the past.

    tests       how many periods it was tried on
    error       the sum of the absolute differences between forecast and number / the sum of the numbers
    last_year_error  the error of the guess that takes the number of the same period a year ago
    newest_error     the error of the guess that takes the newest number
    held        how many of the tried intervals contained the number
    tried       how many intervals were tried
    """

    tests: int = 0
    error: float | None = None
    last_year_error: float | None = None
    newest_error: float | None = None
    held: int = 0
    tried: int = 0

    @property
    def coverage(self) -> float | None:
        """The share of intervals that contained the number; None if none was tried."""
        return self.held / self.tried if self.tried else None

    @property
    def reason(self) -> Reason:
        """Why the tests do not allow such a forecast to be published; NONE if they do."""
        if self.tried < LEAST_TRIED or self.error is None:
            return Reason.SHORT_HISTORY
        assert self.newest_error is not None
        assert self.last_year_error is not None
        if self.error >= self.newest_error:
            return Reason.RANDOM_WALK
        if self.error >= self.last_year_error:
            return Reason.LAST_YEAR
        return Reason.NONE if HELD_LEAST <= self.held / self.tried <= HELD_MOST else Reason.INTERVAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """A forecast for one period, or why there is none.

    ahead     1 for the period after the newest one, and so on
    expected  the number that is forecast; None if it is not published
    low       the lower end of the interval; None if it is not published
    high      the upper end of the interval; None if it is not published
    """

    ahead: int
    reason: Reason
    method: Method | None = None
    expected: int | None = None
    low: int | None = None
    high: int | None = None
    tested: Tested = field(default_factory=Tested)


def forecasts(series: Series, rhythm: Rhythm, newest: int) -> Iterator[Forecast]:
    """The forecasts of a series for each period ahead of `newest`, the last period that is over.

    The forecast for the next period shows best whether the series is a random walk. If it is one, no forecast is
    published.
    """
    past, is_walk = Past(series, rhythm), False
    year = [number for at in range(newest - rhythm.year + 1, newest + 1) if (number := series.get(at)) is not None]
    if sum(year) < LEAST_MEAN * max(1, len(year)):
        yield from (Forecast(ahead=ahead, reason=Reason.FEW) for ahead in rhythm.aheads)
        return
    for ahead in rhythm.aheads:
        found = _forecast(past, ahead, newest)
        if ahead > 1 and is_walk and found.reason in (Reason.NONE, Reason.LAST_YEAR, Reason.INTERVAL):
            found = replace(found, reason=Reason.RANDOM_WALK, expected=None, low=None, high=None)
        is_walk = is_walk or (ahead == 1 and found.reason is Reason.RANDOM_WALK)
        yield found


def _forecast(past: Past, ahead: int, newest: int) -> Forecast:
    """The forecast of the method that was best in the past, of those that can be used now."""
    tried = [_Trial.run(past, method, ahead, newest) for method in Method]
    best = min(tried, key=lambda trial: trial.rank)
    tested = best.tested
    reason = tested.reason
    if best.now is None and reason is not Reason.SHORT_HISTORY:
        reason = Reason.GAP
    if best.now is None or reason is not Reason.NONE:
        return Forecast(ahead=ahead, reason=reason, method=best.method if tested.tests else None, tested=tested)
    low, high = best.errors.interval(best.now)
    return Forecast(
        ahead=ahead,
        reason=Reason.NONE,
        method=best.method,
        expected=round(best.now),
        low=low,
        high=high,
        tested=tested,
    )


class Past:
    """What is known of a series, seen from any period in it."""

    def __init__(self, series: Series, rhythm: Rhythm) -> None:
        self.series, self.rhythm = series, rhythm
        self._means: dict[int, float | None] = {}
        self._ratios: dict[tuple[int, int], float | None] = {}
        self._levels: dict[int, float | None] = {}

    def newest(self, origin: int, ahead: int) -> float | None:  # noqa: ARG002  # all guesses have this shape
        """The simple guess: the newest number; None if it is missing."""
        return self.series.get(origin)

    def last_year(self, origin: int, ahead: int) -> float | None:
        """The simple guess: the number of the same period a year ago; None if it is missing."""
        return self.series.get(origin + ahead - self.rhythm.year)

    def guess(self, method: Method, origin: int, ahead: int) -> float | None:
        """What a method forecasts at the end of the period `origin`; None if a period that it needs is missing."""
        match method:
            case Method.MEAN_AND_LAST_YEAR:
                return self._mean_and_last_year(origin, ahead)
            case Method.SEASONAL_LEVEL:
                return self._seasonal_level(origin, ahead)
            case Method.BLEND:
                one, other = self._mean_and_last_year(origin, ahead), self._seasonal_level(origin, ahead)
                return None if one is None or other is None else (one + other) / 2

    def _mean_and_last_year(self, origin: int, ahead: int) -> float | None:
        same, mean = self._around(origin + ahead - self.rhythm.year, origin), self.year_mean(origin)
        return None if same is None or mean is None else (same + mean) / 2

    def _seasonal_level(self, origin: int, ahead: int) -> float | None:
        level, usual = self._level(origin), self._usual(origin + ahead - self.rhythm.year, origin)
        return None if level is None or usual is None else level * usual

    def year_mean(self, origin: int) -> float | None:
        """The mean of the year that ends with `origin`; None if too many of its periods are missing."""
        if origin not in self._means:
            self._means[origin] = self._year_mean(origin)
        return self._means[origin]

    def _year_mean(self, origin: int) -> float | None:
        total = missing = 0
        for at in range(origin - self.rhythm.year + 1, origin + 1):
            number = self.series.get(at)
            if number is None:
                missing += 1
                number = self.series.get(at - self.rhythm.year)
            if number is None or missing > self.rhythm.most_stand_ins:
                return None
            total += number
        return total / self.rhythm.year

    def _around(self, at: int, origin: int) -> float | None:
        """The mean of a period and its neighbours known at the end of `origin`; None if the period is missing."""
        spread = self.rhythm.spread
        if not spread:
            return self.series.get(at)
        near = range(at - spread, min(at + spread, origin) + 1)
        found = [number for one in near if (number := self.series.get(one)) is not None]
        return sum(found) / len(found) if at in self.series else None

    def _level(self, origin: int) -> float | None:
        """The mean of the newest numbers, each divided by its seasonal factor; None if too few are known."""
        if origin not in self._levels:
            self._levels[origin] = self._level_at(origin)
        return self._levels[origin]

    def _level_at(self, origin: int) -> float | None:
        found = []
        for at in range(origin - self.rhythm.level + 1, origin + 1):
            number, usual = self.series.get(at), self._usual(at, origin)
            if number is not None and usual:
                found.append(number / usual)
        return sum(found) / len(found) if 2 * len(found) > self.rhythm.level else None

    def _usual(self, at: int, origin: int) -> float | None:
        """The seasonal factor of the period `at`: its number / the mean of a year, the median over some years.

        None if no year has such a factor.
        """
        years = (at - number * self.rhythm.year for number in range(_INDEX_YEARS))
        found = [ratio for year in years if (ratio := self._ratio(year, origin)) is not None]
        return median(found) if len(found) >= _LEAST_YEARS else None

    def _ratio(self, at: int, origin: int) -> float | None:
        """A number, divided by the mean of the year around it.

        If this year is not over at `origin`, it ends there. None if either of the two is missing.
        """
        end = min(at + self.rhythm.year // 2 - 1, origin)
        key = (at, end) if at + self.rhythm.spread <= origin else (at, origin)
        if key not in self._ratios:
            number, mean = self._around(at, origin), self.year_mean(end)
            self._ratios[key] = number / mean if number is not None and mean else None
        return self._ratios[key]


class Errors:
    """The errors of a method for one `ahead`, as shares of its guesses, and the interval that follows from them."""

    def __init__(self) -> None:
        self._newest: list[float] = []
        self._sorted: list[float] = []
        self.alpha = 1 - NOMINAL

    def __len__(self) -> int:
        return len(self._newest)

    def add(self, error: float) -> None:
        """Add an error; forget the oldest if there are too many."""
        self._newest.append(error)
        insort(self._sorted, error)
        if len(self._newest) > MOST_ERRORS:
            self._sorted.remove(self._newest.pop(0))

    def follow(self, *, has_held: bool) -> None:
        """Make the next interval narrower after one that contained the number, and wider after one that did not."""
        alpha = self.alpha + _PACE * (1 - NOMINAL - (not has_held))
        self.alpha = min(_NARROWEST, max(_WIDEST, alpha))

    def interval(self, guess: float) -> tuple[int, int]:
        """Whole numbers between which the number is expected. Needs at least one error."""
        count = len(self._sorted)
        low = self._sorted[max(0, floor((count + 1) * self.alpha / 2) - 1)]
        high = self._sorted[min(count - 1, ceil((count + 1) * (1 - self.alpha / 2)) - 1)]
        return max(0, floor(guess + low * max(guess, 1))), max(0, ceil(guess + high * max(guess, 1)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trial:
    """The test of a method on the past. `now`: its guess now; None if a period that it needs is missing."""

    method: Method
    tested: Tested
    errors: Errors
    now: float | None

    @classmethod
    def run(cls, past: Past, method: Method, ahead: int, newest: int) -> _Trial:
        guess = guesses(past, method, ahead)
        tested, errors = try_on_past(past, guess, ahead, newest)
        return cls(method=method, tested=tested, errors=errors, now=guess(newest))

    @property
    def rank(self) -> tuple[bool, bool, bool, float]:
        """The least is the best. These decide, one after the other:

        whether the method has a guess now, whether its history is long enough, whether its forecast may be
        published, and its error divided by that of the better simple guess.
        """
        tested, reason = self.tested, self.tested.reason
        if tested.error is None or tested.newest_error is None or tested.last_year_error is None:
            return True, True, True, 0.0
        least = min(tested.newest_error, tested.last_year_error)
        ratio = tested.error / least if least else 1.0
        return self.now is None, reason is Reason.SHORT_HISTORY, reason is not Reason.NONE, ratio


def guesses(past: Past, method: Method, ahead: int) -> Callable[[int], float | None]:
    """The guesses of a method: the newest known period -> the guess for the period `ahead` periods later."""
    return lambda origin: past.guess(method, origin, ahead)


def try_on_past(
    past: Past, guess: Callable[[int], float | None], ahead: int, newest: int, *, first: int | None = None
) -> tuple[Tested, Errors]:
    """Try guesses on the past: each is made from what was known `ahead` periods earlier.

    guess  see `guesses`
    first  the first period whose error counts; None for the newest `most_tests` periods of the rhythm
    """
    begin = newest - past.rhythm.most_tests + 1 if first is None else first
    errors = Errors()
    error = by_year = by_newest = total = 0.0
    tests = held = tried = 0
    known: dict[int, tuple[float, bool | None]] = {}
    for target in range(min(past.series, default=newest), newest + 1):
        if target - ahead in known:  # known since the end of that period
            share, has_held = known.pop(target - ahead)
            errors.add(share)
            if has_held is not None:
                errors.follow(has_held=has_held)
        origin, number = target - ahead, past.series.get(target)
        value, year, last = guess(origin), past.last_year(origin, ahead), past.newest(origin, ahead)
        if number is None or value is None or year is None or last is None:
            continue
        has_held = None
        if len(errors) >= WARM_UP:
            low, high = errors.interval(value)
            has_held = low <= number <= high
        known[target] = (number - value) / max(value, 1), has_held
        if target >= begin:
            tests, total = tests + 1, total + number
            error, by_year, by_newest = (
                error + abs(value - number),
                by_year + abs(year - number),
                by_newest + abs(last - number),
            )
            tried, held = tried + (has_held is not None), held + (has_held is True)
    for share, has_held in known.values():
        errors.add(share)
        if has_held is not None:
            errors.follow(has_held=has_held)
    if not total:
        return Tested(tests=tests), errors
    found = Tested(
        tests=tests,
        error=error / total,
        last_year_error=by_year / total,
        newest_error=by_newest / total,
        held=held,
        tried=tried,
    )
    return found, errors
