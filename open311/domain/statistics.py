"""The rules of the statistics: what is counted, the ages of open requests, and exact percentiles. Pure functions.

Hours to close are whole hours, rounded down. They are counted in buckets, because a sum over buckets is quick. The
counts of the buckets show in which bucket a percentile lies. The counts of each hour in this bucket show the exact
hour.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from itertools import accumulate
from math import ceil

from open311.domain.requests import Status
from open311.domain.service_levels import Answers, ServiceLevels
from schemas.limits import WITHIN_DAYS

DAY_HOURS = 24
QUICK = timedelta(minutes=6)
"""A request that is closed within this time was closed at intake."""
QUICK_SHARE = 0.9
LEAST_CLOSED = 10
"""A service with fewer closed requests than this is not called closed at intake, because a few requests prove
nothing."""
AGE_BANDS = (7, 30, 90, 365)
"""The greatest age of open requests in each band, in days. The last band has all older requests."""
MEDIAN, P90 = 0.5, 0.9
LEAST_ANSWERS = 5
"""With fewer answers of reporters than this, a group has no numbers about them: they would tell what single people
said."""


def _bounds() -> tuple[int, ...]:
    """The least number of hours of each bucket.

    Up to 11 hours, each hour is a bucket. Then the width of a bucket is about a tenth of its least hours. The last
    bucket begins after 3 years. The days of WITHIN_DAYS are bounds too.
    """
    bounds = list(range(12))
    while bounds[-1] < 3 * 365 * DAY_HOURS:
        bounds.append(bounds[-1] + max(1, round(bounds[-1] / 10)))
    return tuple(sorted({*bounds, *(DAY_HOURS * days for days in WITHIN_DAYS)}))


BUCKETS = _bounds()
"""The least number of hours of each bucket; the last has no upper bound. The columns of a table depend on these
numbers."""


def bucket_of(hours: int) -> int:
    """The number of the bucket with these hours, from 0."""
    return bisect_right(BUCKETS, hours) - 1


def hours_between(requested_at: datetime, closed_at: datetime) -> int:
    """Whole hours from the report to the closing, rounded down; 0 if the closing is earlier."""
    return max(0, (closed_at - requested_at) // timedelta(hours=1))


class Grouping(StrEnum):
    """What each row of the answer is about. ALL: there is one row."""

    ALL = ""
    SERVICE = "service"
    GROUP = "group"
    DEPARTMENT = "department"
    AREA = "area"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"

    @property
    def is_span(self) -> bool:
        """Whether a row is about a span of time, by the day of the report."""
        return self in (Grouping.DAY, Grouping.WEEK, Grouping.MONTH)


class Target(StrEnum):
    """How a request relates to the published service levels.

    MATCHED      one service level applies, or the request has a promised date
    AMBIGUOUS    several apply and disagree
    NOT_MANAGED  the city says that it does not manage the time
    NONE         none applies
    """

    MATCHED = "matched"
    AMBIGUOUS = "ambiguous"
    NOT_MANAGED = "not_managed"
    NONE = "none"


def target_of(
    levels: ServiceLevels, service: str, department: str, answers: Answers, expected_at: datetime | None
) -> Target:
    """The target of a request with the codes of its service and its department."""
    if expected_at is not None:
        return Target.MATCHED
    rules = levels.deciding(service, department, answers)
    if not rules:
        return Target.NONE
    level = levels.level(service, department, answers)
    if level is None:
        return Target.AMBIGUOUS
    return Target.MATCHED if level.unit else Target.NOT_MANAGED


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Which requests are counted, and how they are grouped.

    service_codes  any of these; None for all, empty for none
    department     the code of a department; "" for all
    area           the name of an area; "" for all
    statuses       any of these; empty for both
    first          the first day of the report, in the city's time zone; None for no bound
    last           the last day of the report, which is included; None for no bound
    within_days    N of "closed within N days"; one of WITHIN_DAYS
    """

    jurisdiction_id: str
    service_codes: tuple[str, ...] | None = None
    department: str = ""
    area: str = ""
    statuses: tuple[Status, ...] = ()
    first: date | None = None
    last: date | None = None
    group_by: Grouping = Grouping.ALL
    within_days: int = 7

    def has(self, status: Status) -> bool:
        """Whether requests with this status are counted."""
        return not self.statuses or status in self.statuses

    @property
    def has_areas(self) -> bool:
        """Whether areas matter. A request with several areas then counts in each."""
        return bool(self.area) or self.group_by is Grouping.AREA

    @property
    def has_services(self) -> bool:
        """Whether services matter."""
        return self.service_codes is not None or self.group_by in (Grouping.SERVICE, Grouping.GROUP)

    def includes(self, day: date) -> bool:
        """Whether a day is within the bounds."""
        return (self.first is None or self.first <= day) and (self.last is None or day <= self.last)


class Grain(StrEnum):
    """The length of the span that one stored count is about."""

    DAY = "day"
    MONTH = "month"
    EVER = "ever"


@dataclass(frozen=True, slots=True)
class Span:
    """Stored counts of one grain: those from `first` to `last`, both included; None for no bound.

    A month is stored under its first day, and all days together under `date.min`.
    """

    grain: Grain
    first: date | None = None
    last: date | None = None


def spans_of(question: Question) -> list[Span]:
    """The fewest stored counts that make up the days of a question: whole months, and days at the ends."""
    first, last = question.first, question.last
    if question.group_by in (Grouping.DAY, Grouping.WEEK):
        return [Span(Grain.DAY, first, last)]
    if first is None and last is None:
        return [Span(Grain.MONTH if question.group_by is Grouping.MONTH else Grain.EVER)]
    found, begin, end = [], None, None
    if first is not None:
        begin = first if first.day == 1 else next_month(first)
        if begin != first:
            found.append(Span(Grain.DAY, first, begin - timedelta(days=1)))
    if last is not None:
        after = last + timedelta(days=1)
        end = after.replace(day=1)
        if end != after:
            found.append(Span(Grain.DAY, end, last))
    if begin is not None and end is not None and begin >= end:
        return [Span(Grain.DAY, first, last)]
    return [*found, Span(Grain.MONTH, begin, None if end is None else end - timedelta(days=1))]


def days_of(question: Question, key: str) -> tuple[date, ...]:
    """The days of one row of a question by day, week or month, without those outside the bounds of the question.

    key  the first day of the row's day, week or month
    """
    first = date.fromisoformat(key)
    if question.group_by is Grouping.MONTH:
        count = (next_month(first) - first).days
    else:
        count = 7 if question.group_by is Grouping.WEEK else 1
    return tuple(filter(question.includes, (first + timedelta(days=number) for number in range(count))))


def next_month(day: date) -> date:
    """The first day of the next month."""
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)


@dataclass(slots=True, kw_only=True)
class Tally:
    """The counts of a group of requests.

    closed         requests that are closed now
    open           requests that are open now
    ended          requests that were closed in the days of the question, whenever they were reported
    quick          requests that were closed within `QUICK`
    on_time        requests that were closed by their target date
    late           requests that were closed after their target date
    overdue        open requests after their target date
    waiting        open requests that are more than `within_days` old
    ages           the numbers of open requests by age: one for each of AGE_BANDS, and one for older requests
    targets        open and closed requests by `Target`
    supporters     people who say "me too" about these requests, counted for each request
    answers        four numbers of closed requests: the reporter was asked whether the problem is solved; said that
                   it is solved; said that it is solved in part; said that it is not solved
    buckets        closed requests by the bucket of their hours
    """

    closed: int = 0
    open: int = 0
    ended: int = 0
    quick: int = 0
    supporters: int = 0
    on_time: int = 0
    late: int = 0
    overdue: int = 0
    waiting: int = 0
    ages: list[int] = field(default_factory=lambda: [0] * (len(AGE_BANDS) + 1))
    targets: dict[Target, int] = field(default_factory=lambda: dict.fromkeys(Target, 0))
    answers: list[int] = field(default_factory=lambda: [0] * 4)
    buckets: list[int] = field(default_factory=lambda: [0] * len(BUCKETS))

    def add(self, other: Tally) -> None:
        """Add the counts of other requests."""
        for name in ("closed", "open", "ended", "quick", "supporters"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.ages = [one + more for one, more in zip(self.ages, other.ages, strict=True)]
        for target, number in other.targets.items():
            self.targets[target] += number
        self.answers = [one + more for one, more in zip(self.answers, other.answers, strict=True)]
        self._add_times(other, 1)

    def leave_out_times(self, other: Tally) -> None:
        """Take some requests out of the times. They stay in the other counts."""
        self._add_times(other, -1)

    def _add_times(self, other: Tally, sign: int) -> None:
        for name in ("on_time", "late", "overdue", "waiting"):
            setattr(self, name, getattr(self, name) + sign * getattr(other, name))
        self.buckets = [one + sign * more for one, more in zip(self.buckets, other.buckets, strict=True)]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a percentile lies: in the bucket from `least` to below `end` hours, at this position in it (from 1).

    end  None for the last bucket
    """

    least: int
    end: int | None
    position: int

    @property
    def is_exact(self) -> bool:
        """Whether the bucket has only one number of hours."""
        return self.end == self.least + 1


def places_of(buckets: Sequence[int], shares: Iterable[float]) -> list[Place | None]:
    """The place of the least number of hours within which each share of the requests was closed.

    The place is None if no request was closed.
    """
    upto = list(accumulate(buckets))
    return [_place_of(buckets, upto, ceil(share * upto[-1])) for share in shares]


def _place_of(buckets: Sequence[int], upto: Sequence[int], rank: int) -> Place | None:
    if rank <= 0:
        return None
    number = bisect_left(upto, rank)
    end = BUCKETS[number + 1] if number + 1 < len(BUCKETS) else None
    return Place(BUCKETS[number], end, rank - upto[number] + buckets[number])


def hours_at(place: Place, counts: Mapping[int, int]) -> int:
    """The exact hours at a place. `counts`: hours -> requests, at least for the hours of the place's bucket."""
    position = place.position
    for hours in sorted(hours for hours in counts if place.least <= hours and not _is_beyond(place, hours)):
        position -= counts[hours]
        if position <= 0:
            return hours
    return place.least


def _is_beyond(place: Place, hours: int) -> bool:
    return place.end is not None and hours >= place.end


def closed_at_intake(services: Iterable[tuple[str, int, int]]) -> tuple[str, ...]:
    """The services whose requests are mostly closed at once, from (code, closed, closed within QUICK)."""
    return tuple(
        sorted(code for code, closed, quick in services if closed >= LEAST_CLOSED and quick >= QUICK_SHARE * closed)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The numbers of one group.

    key               the code, name or first day; "" for requests that have none, and if there is one row for all
    name              the name for people
    closed_in_period  closed in the days of the question, whenever they were reported
    open_…            open requests by age in days; the bands are AGE_BANDS and a last one for older requests
    timed             how many closed requests the median and the 90th percentile are about
    median_hours      the median in whole hours, rounded down; None without closed requests
    p90_hours         the 90th percentile in whole hours, rounded down; None without closed requests
    within            requests that were closed within the question's number of days
    within_of         closed requests, and requests that have been open for longer than this number of days
    on_time           requests that were closed by their target date
    on_time_of        closed requests with a target date, and open requests after their target date
    target_…          open and closed requests by `Target`
    supporters        people who say "me too" about open and closed requests, counted for each request
    feedback_…        reporters who were asked after the closing whether the problem is solved; who answered; who
                      said that it is solved, in part, or not. None for fewer than LEAST_ANSWERS answers
    target            the city's words, if the group is a service with one target; "" otherwise
    is_left_out       whether the group is a service that has no times because it is closed at intake
    """

    key: str
    name: str
    opened: int
    closed: int
    open: int
    closed_in_period: int
    open_up_to_7_days: int
    open_up_to_30_days: int
    open_up_to_90_days: int
    open_up_to_365_days: int
    open_longer: int
    timed: int
    median_hours: int | None
    p90_hours: int | None
    within: int
    within_of: int
    on_time: int
    on_time_of: int
    target_matched: int
    target_ambiguous: int
    target_not_managed: int
    target_none: int
    supporters: int
    feedback_asked: int | None
    feedback_answered: int | None
    feedback_yes: int | None
    feedback_partly: int | None
    feedback_no: int | None
    target: str = ""
    is_left_out: bool = False

    @property
    def within_share(self) -> float | None:
        """The share of `within_of`; None if that is 0."""
        return round(self.within / self.within_of, 4) if self.within_of else None

    @property
    def on_time_share(self) -> float | None:
        """The share of `on_time_of`; None if that is 0."""
        return round(self.on_time / self.on_time_of, 4) if self.on_time_of else None

    @property
    def feedback_share(self) -> float | None:
        """The share of `feedback_answered` who said that the problem is solved; None if `feedback_yes` is None."""
        return None if self.feedback_yes is None else round(self.feedback_yes / (self.feedback_answered or 1), 4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """The answer to a question.

    as_of        all changes before this time are counted; ages and targets are judged at this time
    left_out     codes of the services whose times are left out, because they are closed at intake
    target_days  the days in which the targets of the counted services are given: "calendar", "working" or "both";
                 "" if there are no targets
    """

    question: Question
    as_of: datetime
    left_out: tuple[str, ...]
    target_days: str
    rows: tuple[Row, ...]
