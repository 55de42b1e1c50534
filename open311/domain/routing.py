"""Choose the department of a request: by the first rule that fits, else by the service, else by triage."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

from open311.domain.attributes import Answer
from open311.domain.calendar import WEEKDAYS, DayKind, Hours, Moment
from open311.domain.places import Place
from open311.domain.services import Service


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A checked request that is not stored yet. Routing knows these fields and no others."""

    service: Service
    place: Place
    answers: tuple[Answer, ...] = ()
    description: str = ""
    requested_at: datetime | None = None

    @property
    def values(self) -> dict[str, tuple[str, ...]]:
        """The values of all answers, by the attribute's code."""
        return {answer.code: answer.values for answer in self.answers}

    def answered(self, code: str) -> tuple[str, ...]:
        """The values of the answer to one attribute; empty without an answer."""
        return next((answer.values for answer in self.answers if answer.code == code), ())


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """An exception to the services' own departments: `department` gets the request if all conditions fit.

    service   a service code, or "" for any
    answers   attribute code -> values; for each of these attributes, the answer must be one of the values
    area      the name of one of the jurisdiction's areas, or "" for anywhere
    hours     parts of the day, in the city's local time; empty for the whole day
    weekdays  days of the week, 0 is Monday; empty for each day
    day       a kind of day by the city's calendar; "" for each day
    """

    department: str
    service: str = ""
    answers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    area: str = ""
    hours: tuple[Hours, ...] = ()
    weekdays: tuple[int, ...] = ()
    day: DayKind | Literal[""] = ""

    @property
    def is_timed(self) -> bool:
        """Whether the time of the request matters."""
        return bool(self.hours or self.weekdays or self.day)

    def __str__(self) -> str:
        parts = [f"service {self.service}"] if self.service else ["any service"]
        parts += [f"{code} is {' or '.join(values)}" for code, values in self.answers.items()]
        parts += [f"in area {self.area}"] if self.area else []
        parts += [" and ".join(map(str, self.hours))] if self.hours else []
        parts += ["on " + ", ".join(WEEKDAYS[number] for number in self.weekdays)] if self.weekdays else []
        parts += [f"on a {_named(self.day)}"] if self.day else []
        return ", ".join(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """The department of a request and the reason. `is_triage` if no rule fits and a person has to decide."""

    department: str
    reason: str
    is_triage: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One line of an explanation: a rule that was tried, whether it fits, and why."""

    rule: str
    department: str
    fits: bool
    why: str


class City(Protocol):
    """What routing asks a city."""

    def in_area(self, area: str, point: tuple[float, float]) -> bool:
        """Whether a (long, lat) point belongs to a named area."""

    def moment(self, at: datetime) -> Moment:
        """The local time of an instant, and the kind of its day."""


class RuleBook:
    """The rules of a city, sorted by service and put into words when the city is loaded."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        written = [(rule, str(rule)) for rule in rules]
        services = {rule.service for rule, _ in written}
        self._of = {
            code: tuple((rule, text) for rule, text in written if rule.service in ("", code))
            for code in services | {""}
        }

    def for_service(self, code: str) -> tuple[tuple[Rule, str], ...]:
        """The rules that can fit a service, in order, each with its words."""
        return self._of.get(code, self._of[""])


def explain(draft: Draft, rules: RuleBook, triage: str, city: City) -> list[Step]:
    """Every rule that was tried, in order. The last one fits and decides.

    rules  tried first; then the service's own department, then `triage`
    """
    steps: list[Step] = []
    for rule, text in rules.for_service(draft.service.code):
        misfit = _misfit(rule, draft, city)
        steps.append(Step(rule=text, department=rule.department, fits=not misfit, why=misfit or "fits"))
        if not misfit:
            return steps
    if draft.service.department:
        table = f"table: {draft.service.code}"
        steps.append(Step(rule=table, department=draft.service.department, fits=True, why="fits"))
    else:
        steps.append(Step(rule="triage", department=triage, fits=True, why="no rule fits this service"))
    return steps


def _misfit(rule: Rule, draft: Draft, city: City) -> str:
    """Why a rule does not fit; "" if it does."""
    for code, wanted in rule.answers.items():
        values = draft.answered(code)
        if not set(values) & set(wanted):
            return f"{code} is {', '.join(values) or 'not answered'}"
    if rule.area:
        point = draft.place.point
        if point is None:
            return "the request has no coordinates"
        if not city.in_area(rule.area, point):
            return f"the point is outside {rule.area}"
    return _bad_time(rule, draft, city) if rule.is_timed else ""


def _bad_time(rule: Rule, draft: Draft, city: City) -> str:
    """Why a rule does not fit the time of a request; "" if it does."""
    if draft.requested_at is None:
        return "the request has no time"
    moment = city.moment(draft.requested_at)
    if rule.hours and not any(moment.minute in hours for hours in rule.hours):
        return f"it is {moment.local:%H:%M}"
    if rule.weekdays and moment.local.weekday() not in rule.weekdays:
        return f"it is {WEEKDAYS[moment.local.weekday()]}"
    if rule.day and not moment.is_on(DayKind(rule.day)):
        return f"{moment} is no {_named(rule.day)}"
    return ""


def _named(kind: str) -> str:
    return kind.replace("_", " ")


def decide(steps: list[Step]) -> Route:
    """The route that an explanation's last step decides."""
    last = steps[-1]
    return Route(department=last.department, reason=last.rule, is_triage=last.rule == "triage")
