"""Service levels: the time within which a city promises to do a request. Pure functions.

A service level is written in the city's own words, for example `4 days`, `8 hours`, `10 working days`, `12 working
hours` or `SLA Not Managed by 311`. Days are calendar days, and all hours of a day count, unless the words say
`working` or `business`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import combinations
from types import MappingProxyType
from zoneinfo import ZoneInfo

from open311.domain.calendar import WorkingTime, add_days

MOST = {"hours": 24 * 366, "days": 3_660}
FORMS = '"4 days", "8 hours", "10 working days", "12 working hours" or "… not managed …"'
_WRITTEN = re.compile(r"(\d{1,6})\s+(calendar |working |business )?\s*(hour|day)s?", re.IGNORECASE)
_UNMANAGED = re.compile(r"\bnot managed\b", re.IGNORECASE)

Answers = Mapping[str, Sequence[str]]
"""The values of each answer, by the code of its attribute."""
NO_ANSWERS: Answers = MappingProxyType({})
Pause = tuple[datetime, datetime | None]
"""(start, end) of a hold; end is None if it has not ended."""


class Unit(StrEnum):
    """What a service level counts.

    WORKING_HOURS  office hours
    WORKING_DAYS   days that have office hours; the request is due when the office closes on the last of them
    """

    HOURS = "hours"
    DAYS = "days"
    WORKING_HOURS = "working hours"
    WORKING_DAYS = "working days"

    @property
    def needs_calendar(self) -> bool:
        """Whether the unit has no meaning without the city's calendar."""
        return self in (Unit.WORKING_HOURS, Unit.WORKING_DAYS)


@dataclass(frozen=True, slots=True)
class ServiceLevel:
    """A published service level.

    words  the text of the city
    unit   None if the city does not manage the time; then there is no due date
    """

    words: str
    amount: int = 0
    unit: Unit | None = None

    def agrees_with(self, other: ServiceLevel) -> bool:
        """Whether both service levels give the same date, even if their words differ."""
        return (self.amount, self.unit) == (other.amount, other.unit)

    def __str__(self) -> str:
        return self.words


def read_service_level(words: str) -> ServiceLevel:
    """Parse the words of a city. Raises ValueError, whose text continues a sentence that begins with the words."""
    text = " ".join(words.split())
    match = _WRITTEN.fullmatch(text)
    if match is None:
        if _UNMANAGED.search(text) and not re.match(r"\d+\s", text):
            return ServiceLevel(text)
        raise ValueError(f"must be written like {FORMS}")
    kind, noun = (match[2] or "").strip().lower(), match[3].lower() + "s"
    amount = int(match[1])
    if not 1 <= amount <= MOST[noun]:
        raise ValueError(f"must be 1 to {MOST[noun]} {noun}")
    if kind == "calendar" and noun == "hours":
        raise ValueError(f"must be written like {FORMS}")
    return ServiceLevel(text, amount, Unit(f"working {noun}" if kind in ("working", "business") else noun))


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelRule:
    """A service level, and conditions for the requests that get it. An empty condition fits every request.

    service     the code of a service; "" for any
    department  the code of a department; "" for any
    answers     attribute code -> values; the answer to each of these attributes must be one of the values
    """

    level: ServiceLevel
    service: str = ""
    department: str = ""
    answers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def rank(self) -> tuple[int, bool, bool]:
        """The rule with the highest rank decides: answers count most, then the service, then the department."""
        return len(self.answers), bool(self.service), bool(self.department)

    def fits(self, service: str, department: str, answers: Answers) -> bool:
        """Whether a request with these values meets the conditions."""
        if self.service not in ("", service) or self.department not in ("", department):
            return False
        return all(not set(answers.get(code, ())).isdisjoint(wanted) for code, wanted in self.answers.items())

    def __str__(self) -> str:
        parts = [f"service {self.service}"] if self.service else []
        parts += [f"{code} is {' or '.join(values)}" for code, values in self.answers.items()]
        parts += [f"department {self.department}"] if self.department else []
        return f"{', '.join(parts) or 'any request'}: {self.level}"


class ServiceLevels:
    """The rules for the service levels of a city.

    zone     the city's time zone
    working  the city's calendar; None if the city has none: then service levels in working time give no date
    """

    def __init__(self, rules: Iterable[LevelRule], zone: ZoneInfo, working: WorkingTime | None) -> None:
        self.rules = tuple(rules)
        self._zone, self._working = zone, working
        ranked = sorted(self.rules, key=lambda rule: rule.rank, reverse=True)
        services = {rule.service for rule in self.rules}
        self._of = {code: tuple(rule for rule in ranked if rule.service in ("", code)) for code in services | {""}}

    def deciding(self, service: str, department: str, answers: Answers = NO_ANSWERS) -> tuple[LevelRule, ...]:
        """The rules of the highest rank that fit. If they disagree, the request has no service level."""
        found: list[LevelRule] = []
        for rule in self._of.get(service, self._of[""]):
            if found and rule.rank != found[0].rank:
                break
            if rule.fits(service, department, answers):
                found.append(rule)
        return tuple(found)

    def level(self, service: str, department: str, answers: Answers = NO_ANSWERS) -> ServiceLevel | None:
        """The service level of a request; None if no rule fits, or if the rules that decide disagree."""
        rules = self.deciding(service, department, answers)
        if not rules or not all(rule.level.agrees_with(rules[0].level) for rule in rules):
            return None
        return rules[0].level

    def rule(self, service: str, department: str, answers: Answers = NO_ANSWERS) -> str:
        """The rule that gives a request its service level, in words; "" if the request has no service level."""
        if self.level(service, department, answers) is None:
            return ""
        return str(self.deciding(service, department, answers)[0])

    def due(
        self,
        service: str,
        department: str,
        received: datetime,
        paused: Iterable[Pause] = (),
        *,
        answers: Answers = NO_ANSWERS,
    ) -> datetime | None:
        """By when a request should be done, in UTC; None if no service level gives a date.

        service     the code of the service
        department  the code of the department
        paused      the holds of the request; the clock of the service level stands still meanwhile. Pauses may
                    overlap. While a pause has no end, there is no date
        A pause that begins when the request is due, or later, does not move the date.
        """
        if not self.rules:
            return None
        level = self.level(service, department, answers)
        if level is None or level.unit is None:
            return None
        due = self._due(level.amount, level.unit, received)
        for start, end in _merged(paused, received):
            if due is None or start >= due:
                break
            due = None if end is None else self._later(due, level.unit, start, end)
        return due

    def _due(self, amount: int, unit: Unit, received: datetime) -> datetime | None:
        if unit is Unit.HOURS:
            return received.astimezone(UTC) + timedelta(hours=amount)
        if unit is Unit.DAYS:
            return add_days(received, amount, self._zone)
        if self._working is None:
            return None
        if unit is Unit.WORKING_DAYS:
            return self._working.add_working_days(received, amount)
        return self._working.add_working_time(received, timedelta(hours=amount))

    def _later(self, due: datetime, unit: Unit, start: datetime, end: datetime) -> datetime | None:
        """The due date, moved by a pause. In working time, only the office hours of the pause count.

        None if the city has no calendar that the unit needs.
        """
        if not unit.needs_calendar:
            return due + (end - start)
        if self._working is None:
            return None
        return self._working.add_working_time(due, self._working.working_time(start, end))


def find_disagreements(
    rules: Sequence[LevelRule], takes_many: Mapping[tuple[str, str], bool]
) -> Iterator[tuple[LevelRule, LevelRule]]:
    """Pairs of rules of the same rank that may fit the same request and give different dates.

    takes_many  (service, attribute) -> whether an answer may have several values
    """
    alike: dict[tuple[object, ...], list[LevelRule]] = {}
    for rule in rules:
        alike.setdefault((rule.rank, rule.service, rule.department), []).append(rule)
    for group in alike.values():
        for one, other in combinations(group, 2):
            shared = one.answers.keys() & other.answers.keys()
            if not one.level.agrees_with(other.level) and all(
                takes_many.get((one.service, code)) or set(one.answers[code]) & set(other.answers[code])
                for code in shared
            ):
                yield one, other


def _merged(pauses: Iterable[Pause], received: datetime) -> Iterator[Pause]:
    """The pauses in order, without overlaps, and without the time before the request was received."""
    last = received.astimezone(UTC)
    for start, end in sorted(pauses, key=lambda pause: pause[0]):
        begin = max(start.astimezone(UTC), last)
        if end is None:
            yield begin, None
            return
        if end > begin:
            last = end.astimezone(UTC)
            yield begin, last
