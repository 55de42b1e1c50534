"""The outlook of a city, a service, an area, or a service in an area: what is stored, and what is published."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import date, datetime, timedelta
from typing import Any

from open311.domain.closing_times import ClosingDays
from open311.domain.forecasts import WEEKS, Forecast, Rhythm
from open311.domain.gaps import first_of
from open311.domain.hot_spots import Recent

_DIGITS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodForecast:
    """A forecast of the requests of a month, or of seven days. `open311/domain/forecasts.py` explains the fields.

    reason     why it is not published; "" if it is
    expected   the number that is forecast; None if it is not published
    low        the lower end of the interval; None if it is not published
    high       the upper end of the interval; None if it is not published
    intervals  how many intervals of the past were tried
    held       how many of the tried intervals contained the number
    """

    period: str
    ahead: int
    first_day: str
    last_day: str
    reason: str
    method: str = ""
    expected: int | None = None
    low: int | None = None
    high: int | None = None
    tests: int = 0
    error: float | None = None
    last_year_error: float | None = None
    newest_error: float | None = None
    intervals: int = 0
    held: int = 0

    @property
    def is_published(self) -> bool:
        """Whether the forecast has a number."""
        return not self.reason

    @property
    def coverage(self) -> float | None:
        """The share of intervals that contained the number; None if none was tried."""
        return round(self.held / self.intervals, _DIGITS) if self.intervals else None

    @classmethod
    def of(cls, forecast: Forecast, rhythm: Rhythm, first: date, last: date) -> PeriodForecast:
        """A forecast of the days from `first` to `last`."""
        tested = forecast.tested
        return cls(
            period=rhythm.name,
            ahead=forecast.ahead,
            first_day=str(first),
            last_day=str(last),
            reason=forecast.reason.value,
            method=forecast.method.value if forecast.method else "",
            expected=forecast.expected,
            low=forecast.low,
            high=forecast.high,
            tests=tested.tests,
            error=_rounded(tested.error),
            last_year_error=_rounded(tested.last_year_error),
            newest_error=_rounded(tested.newest_error),
            intervals=tested.tried,
            held=tested.held,
        )


def _rounded(share: float | None) -> float | None:
    return None if share is None else round(share, _DIGITS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What is to be expected of some requests.

    service_code             the code of the service; "" for all services
    area                     the name of the area; "" for all areas
    closed … days_reason     how many days they take: see ClosingDays
    recent_first_day … most  the newest four weeks of an area: see Recent; None for others, and without enough past
    is_hot_spot              whether the newest four weeks make the area a hot spot: see `hot_spots`
    """

    service_code: str
    area: str
    closed: int
    open: int
    days_reason: str
    median_days: int | None = None
    p80_days: int | None = None
    recent_first_day: str = ""
    recent_last_day: str = ""
    recent_count: int | None = None
    recent_expected: int | None = None
    recent_most: int | None = None
    is_hot_spot: bool = False
    forecasts: tuple[PeriodForecast, ...] = ()

    @classmethod
    def of(
        cls,
        service_code: str,
        area: str,
        forecasts: tuple[PeriodForecast, ...],
        days: ClosingDays,
        recent: Recent | None,
        last: date,
        *,
        is_hot_spot: bool,
    ) -> Outlook:
        """An outlook. `last`: the last day of the newest four weeks."""
        return cls(
            service_code=service_code,
            area=area,
            closed=days.closed,
            open=days.open,
            days_reason=days.reason.value,
            median_days=days.median_days,
            p80_days=days.p80_days,
            recent_first_day=str(last - timedelta(days=27)) if recent else "",
            recent_last_day=str(last) if recent else "",
            recent_count=recent.count if recent else None,
            recent_expected=recent.expected if recent else None,
            recent_most=recent.most if recent else None,
            is_hot_spot=is_hot_spot,
            forecasts=forecasts,
        )

    @property
    def has_news(self) -> bool:
        """Whether it has any number that is published, or a place in the search for hot spots."""
        is_published = any(one.is_published for one in self.forecasts)
        return is_published or not self.days_reason or self.recent_count is not None

    def to_json(self) -> dict[str, Any]:
        """As it is stored."""
        return asdict(self)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Outlook:
        """What `to_json` has stored. Fields of a later release are ignored."""
        periods = tuple(PeriodForecast(**_known(PeriodForecast, one)) for one in stored["forecasts"])
        return cls(**_known(cls, stored) | {"forecasts": periods})


def _known(kind: type[Any], stored: Mapping[str, Any]) -> dict[str, Any]:
    names = {field.name for field in fields(kind)}
    return {name: value for name, value in stored.items() if name in names}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlooks:
    """All outlooks of a city that were made at once, or some of them.

    as_of        every change before this time is counted
    without_row  how many pairs of a service and an area have no outlook, because they have too few requests
    """

    as_of: datetime
    without_row: int
    rows: tuple[Outlook, ...]


def days_of_period(rhythm: Rhythm, newest: int, ahead: int, last: date) -> tuple[date, date]:
    """The days of a period ahead. `newest`: the number of the last month; `last`: the last day that is over."""
    if rhythm is WEEKS:
        first = last + timedelta(days=1 + 7 * (ahead - 1))
        return first, first + timedelta(days=6)
    return first_of(newest + ahead), first_of(newest + ahead + 1) - timedelta(days=1)
