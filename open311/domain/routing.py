"""The department of a request: of the first rule that fits, else of the service, else the triage department."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from open311.domain.attributes import Answer
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

    def answered(self, code: str) -> tuple[str, ...]:
        """The values of the answer to one attribute; empty without an answer."""
        return next((answer.values for answer in self.answers if answer.code == code), ())


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """An exception to the services' own departments: `department` gets the request if all conditions fit.

    service  a service code, or "" for any
    answers  attribute code -> values; for each of these attributes, the answer must be one of the values
    area     the name of one of the jurisdiction's areas, or "" for anywhere
    """

    department: str
    service: str = ""
    answers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    area: str = ""

    def __str__(self) -> str:
        parts = [f"service {self.service}"] if self.service else ["any service"]
        parts += [f"{code} is {' or '.join(values)}" for code, values in self.answers.items()]
        parts += [f"in area {self.area}"] if self.area else []
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


def explain(
    draft: Draft, rules: Iterable[Rule], triage: str, in_area: Callable[[str, tuple[float, float]], bool]
) -> list[Step]:
    """Every rule that was tried, in order. The last one fits and decides.

    rules    tried first; then the service's own department, then `triage`
    in_area  whether a named area contains a (long, lat) point
    """
    steps: list[Step] = []
    for rule in rules:
        if rule.service and rule.service != draft.service.code:
            continue
        misfit = _misfit(rule, draft, in_area)
        steps.append(Step(rule=str(rule), department=rule.department, fits=not misfit, why=misfit or "fits"))
        if not misfit:
            return steps
    if draft.service.department:
        table = f"table: {draft.service.code}"
        steps.append(Step(rule=table, department=draft.service.department, fits=True, why="fits"))
    else:
        steps.append(Step(rule="triage", department=triage, fits=True, why="no rule fits this service"))
    return steps


def _misfit(rule: Rule, draft: Draft, in_area: Callable[[str, tuple[float, float]], bool]) -> str:
    """Why a rule does not fit; "" if it does."""
    for code, wanted in rule.answers.items():
        values = draft.answered(code)
        if not set(values) & set(wanted):
            return f"{code} is {', '.join(values) or 'not answered'}"
    if rule.area:
        point = draft.place.point
        if point is None:
            return "the request has no coordinates"
        if not in_area(rule.area, point):
            return f"the point is outside {rule.area}"
    return ""


def decide(steps: list[Step]) -> Route:
    """The route that an explanation's last step decides."""
    last = steps[-1]
    return Route(department=last.department, reason=last.rule, is_triage=last.rule == "triage")
