"""Making a question about numbers from the parameters of a call."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from open311.domain.search import RequestSearch
from open311.domain.statistics import Grouping, Question
from open311.errors import Problem
from open311.operations.reading.searches import read_search, unknown_area, unknown_department, unknown_services
from open311.plugins import Jurisdiction
from schemas.texts import Message, tell

MOST_DAYS = 366
"""The most days that a question with `group_by=day` may have."""
LIVE = ("q", "bbox", "radius", "agency_responsible", "has_photo", "updated_after", "updated_before")
"""Parameters that no stored sum knows."""
_EARLIEST, _LATEST = datetime(2, 1, 1, tzinfo=UTC), datetime(9998, 1, 1, tzinfo=UTC)
"""An earlier or later instant is read as one of these two, so that the days around it exist."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, and a search if stored sums cannot answer it. `warnings`: what was not read as it was sent."""

    question: Question
    live: RequestSearch | None
    warnings: tuple[Message, ...]


def read_question(
    values: Mapping[str, Any], city: Jurisdiction, *, now: datetime, problems: Iterable[Problem] = ()
) -> Asked:
    """The question that a call asks. Raises Invalid with all problems.

    values    the values of `StatisticsArguments`
    problems  the problems that the schema has found
    """
    found, warnings = list(problems), []
    first, last = _day(values["start_date"], city), _day(values["end_date"], city)
    grouping = Grouping(values["group_by"])
    if grouping is Grouping.DAY and not _is_short(first, last or now.astimezone(city.zone).date()):
        found.append(
            Problem(
                "group_by",
                tell("day is for at most {most} days; send start_date and end_date, or week.", most=MOST_DAYS),
            )
        )
    search = read_search(values, city, now=now, policy="allow", problems=found)
    for name, is_end in (("start_date", False), ("end_date", True)):
        if not _is_whole(values[name], city, is_end=is_end):
            day = _day(values[name], city)
            warnings.append(tell("{name} is read as the whole day {day}", name=name, day=str(day)))
    warnings += unknown_services(values["service_code"], city)
    unknown = (unknown_department(values["department"], city), unknown_area(values["area"], city))
    warnings += filter(None, unknown)
    question = Question(
        jurisdiction_id=city.id,
        service_codes=search.service_codes,
        department=search.department,
        area=search.area,
        statuses=search.statuses,
        first=first,
        last=last,
        group_by=grouping,
        within_days=int(values["within_days"]),
    )
    is_live = any(values[name] not in (None, "") for name in LIVE)
    return Asked(question, search if is_live else None, tuple(warnings))


def _day(instant: datetime | None, city: Jurisdiction) -> date | None:
    """The city's day at an instant; None for None."""
    return None if instant is None else _local(instant, city).date()


def _local(instant: datetime, city: Jurisdiction) -> datetime:
    """An instant in the city's time zone, within the years that can be counted."""
    return min(max(instant, _EARLIEST), _LATEST).astimezone(city.zone)


def _is_short(first: date | None, last: date) -> bool:
    return first is not None and last - first < timedelta(days=MOST_DAYS)


def _is_whole(instant: datetime | None, city: Jurisdiction, *, is_end: bool) -> bool:
    """Whether an instant is the first second of its day; or, for an end, the last."""
    if instant is None:
        return True
    edge = _local(instant, city) + timedelta(seconds=1 if is_end else 0)
    return edge.time() == time()
