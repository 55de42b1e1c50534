"""Making forecasts of a city once a day, and reading them. No web process computes a forecast."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from open311.domain.closing_times import ClosingDays, NoDays, closing_days
from open311.domain.forecasts import MONTHS, WEEKS, Rhythm, Series, forecasts
from open311.domain.gaps import month_of, whole_months, whole_weeks
from open311.domain.hot_spots import Recent, hot_spots, recent
from open311.domain.outlooks import Outlook, Outlooks, PeriodForecast, days_of_period
from open311.domain.statistics import closed_at_intake
from open311.operations.platform import Platform
from open311.operations.statistics.answering import require_counted
from open311.plugins import Jurisdiction
from open311.storage import forecasts as stored
from open311.storage import statistics
from open311.storage.engine import Connection
from open311.storage.forecasts import Cell

WEEKS_OF_HISTORY = 6 * 52
YEAR = timedelta(days=365)
WEEKS_OF_BLOCK = 4


def make_due_forecasts(platform: Platform, now: datetime) -> int:
    """Make the forecasts of each city that has no forecasts of today. Returns the number of these cities.

    A city whose requests are being counted for the first time waits for the next call.
    """
    made = 0
    for city in platform.registry:
        with platform.database.reading() as connection:
            last = stored.made_at(connection, city.id)
        is_ready = not statistics.load_state(platform.database.hot.read, city.id).is_uncounted
        is_made = last is not None and last.astimezone(city.zone).date() >= now.astimezone(city.zone).date()
        if is_ready and not is_made:
            make_forecasts(platform, city, now)
            made += 1
    return made


def make_forecasts(platform: Platform, city: Jurisdiction, now: datetime) -> Outlooks:
    """Make the forecasts of a city and store them, unless newer ones are stored.

    Raises Unavailable until the statistics of the city are counted.
    """
    with platform.database.hot.snapshot() as read:
        state = statistics.load_state(read, city.id)
        at_intake = frozenset(closed_at_intake(statistics.instant_services(read, city.id)))
    require_counted(state)
    as_of = min(now, state.waits_since.replace(microsecond=0)) if state.waits_since else now
    with platform.database.snapshot() as connection:
        counts = _Counts.load(connection, city, at_intake, as_of.astimezone(city.zone).date())
    found = counts.outlooks(as_of)
    with platform.database.transaction() as connection:
        stored.save(connection, city.id, found)
    return found


def find_forecasts(
    platform: Platform, city: Jurisdiction, *, service_codes: tuple[str, ...] = (), area: str = ""
) -> Outlooks | None:
    """The stored forecasts: see storage.forecasts.load. None if none have been made yet."""
    with platform.database.reading() as connection:
        return stored.load(connection, city.id, service_codes=service_codes, area=area)


def find_usual_days(
    platform: Platform, city: Jurisdiction, service_code: str, areas: Sequence[str] = ()
) -> Outlook | None:
    """How long requests to a service usually take.

    If the request has exactly one area, and the days in this area are published, the result is about the area.
    Otherwise the result is about the whole city. None if these days are not published either, and before the first
    forecasts.
    """
    with platform.database.reading() as connection:
        found = stored.load_near(connection, city.id, service_code, areas)
    places = (areas[0], "") if len(areas) == 1 else ("",)
    return next((one for place in places if (one := found.get(place)) and not one.days_reason), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Counts:
    """The counts that the forecasts of a city are made from.

    Here, a cell is a service and an area; "" stands for all services or for all areas.

    services   the codes of the services that the city has now
    at_intake  the codes of services that are closed at intake
    last       the last day that is over
    months     the numbers of the months that are whole (`gaps`)
    weeks      the numbers of the weeks that are whole (`gaps`)
    by_month   the number of requests of each cell in each month
    by_week    the number of requests of each cell in each week
    closed     the closed requests of the last year in each cell, by the day of the closing
    open       the open requests of the last year in each cell, by their age
    """

    services: frozenset[str]
    at_intake: frozenset[str]
    last: date
    months: frozenset[int]
    weeks: frozenset[int]
    by_month: Mapping[Cell, Mapping[int, int]]
    by_week: Mapping[Cell, Mapping[int, int]]
    closed: Mapping[Cell, Mapping[int, int]]
    open: Mapping[Cell, Mapping[int, int]]

    @classmethod
    def load(cls, connection: Connection, city: Jurisdiction, at_intake: frozenset[str], today: date) -> _Counts:
        last = today - timedelta(days=1)
        by_day = stored.reported_by_day(connection, city.id, last)
        first_week = last - timedelta(days=7 * WEEKS_OF_HISTORY - 1)
        closed, still_open = stored.closing_days(connection, city.id, since=today - YEAR, today=today)
        return cls(
            services=frozenset(service.code for service in city.services),
            at_intake=at_intake,
            last=last,
            months=frozenset(whole_months(by_day, last)),
            weeks=frozenset(whole_weeks(by_day, last)),
            by_month=stored.reported(connection, city.id, by="month", since=date.min, last=last),
            by_week=stored.reported(connection, city.id, by="week", since=first_week, last=last),
            closed=closed,
            open=still_open,
        )

    @property
    def newest_month(self) -> int:
        """The number of the last month that is over."""
        return month_of(self.last + timedelta(days=1)) - 1

    def outlooks(self, as_of: datetime) -> Outlooks:
        """The outlooks of all cells that have requests in the last year."""
        cells = sorted(cell for cell in {*self.by_month, ("", "")} if self._is_told(cell))
        recents = {cell: one for cell in cells if cell[1] and (one := self._recent(cell)) is not None}
        hot = hot_spots(recents)
        found = [self._outlook(cell, recents.get(cell), is_hot_spot=cell in hot) for cell in cells]
        rows = tuple(one for one in found if one.has_news or not (one.service_code and one.area))
        return Outlooks(as_of=as_of, without_row=len(found) - len(rows), rows=rows)

    def _is_told(self, cell: Cell) -> bool:
        """Whether a cell is about the present: the service is offered, and had requests in the last year."""
        if cell == ("", ""):
            return True
        year = range(self.newest_month - 11, self.newest_month + 2)
        return (not cell[0] or cell[0] in self.services) and any(self.by_month[cell].get(one) for one in year)

    def _outlook(self, cell: Cell, newest: Recent | None, *, is_hot_spot: bool) -> Outlook:
        periods = (*self._forecasts(cell, MONTHS), *self._forecasts(cell, WEEKS))
        return Outlook.of(*cell, periods, self._days(cell), newest, self.last, is_hot_spot=is_hot_spot)

    def _forecasts(self, cell: Cell, rhythm: Rhythm) -> Iterator[PeriodForecast]:
        is_week = rhythm is WEEKS
        newest = 0 if is_week else self.newest_month
        series = self._weeks(cell) if is_week else self._months(cell)
        for one in forecasts(series, rhythm, newest):
            yield PeriodForecast.of(one, rhythm, *days_of_period(rhythm, newest, one.ahead, self.last))

    def _months(self, cell: Cell) -> Series:
        return _series(self.by_month.get(cell, {}), self.months, self.newest_month)

    def _weeks(self, cell: Cell) -> Series:
        return _series(self.by_week.get(cell, {}), self.weeks, 0)

    def _recent(self, cell: Cell) -> Recent | None:
        """The newest four weeks of a cell; None if they cannot be compared with its past."""
        return recent(_blocks(self._weeks(cell)))

    def _days(self, cell: Cell) -> ClosingDays:
        found = closing_days(self.closed.get(cell, {}), self.open.get(cell, {}))
        if cell[0] in self.at_intake:
            return ClosingDays(closed=found.closed, open=found.open, reason=NoDays.CLOSED_AT_INTAKE)
        return found


def _series(counts: Mapping[int, int], whole: frozenset[int], newest: int) -> Series:
    """The series of a cell. It begins after the first period with requests, because that may be incomplete.

    A period that is whole for the city, but has no requests of the cell, counts as 0.
    """
    if not counts:
        return {}
    first = min(counts)
    return {at: counts.get(at, 0) for at in range(first + 1, newest + 1) if at in whole}


def _blocks(weeks: Series) -> Series:
    """The sums of blocks of four weeks. The newest block has number 0. A block with a missing week is left out."""
    found = {}
    for block in range(min(weeks, default=0) // WEEKS_OF_BLOCK, 1):
        parts = [weeks.get(WEEKS_OF_BLOCK * block - number) for number in range(WEEKS_OF_BLOCK)]
        if None not in parts:
            found[block] = sum(number or 0 for number in parts)
    return found
