"""Things that report by themselves: their sensors, the rules for what they measure, and how a condition develops.

All functions are pure. `operations.sensors` stores what they return.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from open311.domain.workflow import Outcome

MOST_AHEAD = timedelta(minutes=5)
"""How far the clock of a thing may be ahead of ours."""
STALE_AFTER = timedelta(days=1)
"""Older observations are stored, but no rule looks at them: they say nothing about the present."""
NOTE_EVERY = timedelta(hours=1)
"""Repeats are counted. At most one note in this time tells staff their number."""
MOST_REOPENINGS = 3
"""How often one request is opened again. After that it stays open until a person closes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SensorTexts:
    """The texts of a rule in another language."""

    description: str = ""
    recovered: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SensorRule:
    """When a condition is reported, and how. One of `above`, `below` and `silent_minutes` is given.

    service           the code of the service that gets the request
    description       the description of the request; may contain the names of `FIELDS` in braces
    above             the condition holds while results are greater than this number
    below             the condition holds while results are less than this number
    hysteresis        how far below `above`, or above `below`, a result must be to end the condition
    minimum_minutes   how long the condition must hold to be reported, and be over for the request to be closed
    silent_minutes    the condition holds if the sensor has sent nothing for this time
    cool_down_minutes  how long no new request is made after the last one was closed
    attributes        the answers to the questions of the service
    outcome           with which outcome the request is closed when the condition is over
    recovered         what the public then reads; "" for the city's text for the outcome
    """

    code: str
    service: str
    description: str
    above: float | None = None
    below: float | None = None
    hysteresis: float = 0.0
    minimum_minutes: int = 0
    silent_minutes: int = 0
    cool_down_minutes: int = 60
    attributes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    outcome: Outcome = Outcome.NOT_FOUND
    recovered: str = ""

    @property
    def cool_down(self) -> timedelta:
        """How long no new request is made after the last one was closed."""
        return timedelta(minutes=self.cool_down_minutes)

    def holds(self, result: float) -> bool:
        """Whether the condition holds with this result."""
        return (self.above is not None and result > self.above) or (self.below is not None and result < self.below)

    def is_over(self, result: float) -> bool:
        """Whether a condition that did hold is over with this result. Within the hysteresis, it is not."""
        if self.above is not None:
            return result <= self.above - self.hysteresis
        return self.below is not None and result >= self.below + self.hysteresis

    def worse(self, one: float, other: float) -> float:
        """The result that is further beyond the threshold."""
        return min(one, other) if self.below is not None else max(one, other)


FIELDS = ("result", "unit", "thing", "address", "minutes")
"""The names in braces that a rule's texts may have. `minutes` is for how long a sensor has been silent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensor:
    """One thing's source of observations, which SensorThings calls a Datastream.

    datastream  its id, the `@iot.id` of SensorThings; unique in the city
    thing       the id of the thing, which keys name; a thing can have several datastreams
    name        what people call the thing; "" for its id
    lat         the latitude of the thing, in degrees, WGS 84
    long        the longitude of the thing, in degrees, WGS 84
    unit        the unit of the results, such as cm
    rules       the codes of the rules for what it measures
    """

    datastream: str
    thing: str
    lat: float
    long: float
    rules: tuple[str, ...] = ()
    name: str = ""
    address: str = ""
    unit: str = ""

    @property
    def title(self) -> str:
        """What people call the thing."""
        return self.name or self.thing


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One observation. `at`: when the result was true; `result_at`: when the thing had it; None if not sent."""

    datastream: str
    at: datetime
    result: float
    result_at: datetime | None = None


class Phase(StrEnum):
    """How a condition stands.

    CALM     it does not hold
    RISING   it holds, but not yet for the minimum time
    RAISED   it holds, and a request is to be open for it
    FALLING  it is over, but not yet for the minimum time; the request stays open
    """

    CALM = "calm"
    RISING = "rising"
    RAISED = "raised"
    FALLING = "falling"

    @property
    def is_raised(self) -> bool:
        """Whether a request is to be open."""
        return self in (Phase.RAISED, Phase.FALLING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """The state of one rule at one thing.

    since        when the present phase began; None before the first observation
    observed_at  the time of the newest observation. An observation that is not newer changes nothing
    result       that observation's result
    worst        the worst result since the condition began
    number       the number of its request; 0 for none
    opened_at    when the request was made or last opened again
    ended_at     when the sensor closed the request; None while it is open, or if a person has closed it
    reopenings   how often the request was opened again
    repeats      how many observations have confirmed the condition since the last note
    noted_at     when staff last got a note about repeats
    is_left      whether the condition is over and the request is left to people, who have got a note
    left_at      when they last got such a note
    version      grows with each change, so that two processes cannot act on the same state
    """

    phase: Phase = Phase.CALM
    since: datetime | None = None
    observed_at: datetime | None = None
    result: float | None = None
    worst: float | None = None
    number: int = 0
    opened_at: datetime | None = None
    ended_at: datetime | None = None
    reopenings: int = 0
    repeats: int = 0
    noted_at: datetime | None = None
    is_left: bool = False
    left_at: datetime | None = None
    version: int = 0


def observed(condition: Condition, rule: SensorRule, seen: Observation) -> Condition:
    """The condition after an observation. The same object if the observation is late or known."""
    if condition.observed_at is not None and seen.at <= condition.observed_at:
        return condition
    phase = _next(condition, rule, seen)
    since = condition.since if phase is condition.phase and condition.since else seen.at
    is_new = condition.phase is Phase.CALM or condition.worst is None
    worst = seen.result if is_new else rule.worse(condition.worst or 0.0, seen.result)
    return replace(condition, phase=phase, since=since, observed_at=seen.at, result=seen.result, worst=worst)


def _next(condition: Condition, rule: SensorRule, seen: Observation) -> Phase:
    """The phase after a newer observation. A result within the hysteresis changes nothing."""
    minimum = timedelta(minutes=rule.minimum_minutes)
    phase = condition.phase
    waiting = Phase.FALLING if phase.is_raised else Phase.RISING
    began = condition.since if phase is waiting and condition.since else seen.at
    is_long = seen.at - began >= minimum
    if rule.holds(seen.result):
        return Phase.RAISED if phase.is_raised or is_long else Phase.RISING
    if rule.is_over(seen.result):
        return Phase.CALM if not phase.is_raised or is_long else Phase.FALLING
    return phase


def fallen_silent(condition: Condition, rule: SensorRule, *, heard_at: datetime, now: datetime) -> Condition:
    """The condition of a rule about silence now, if the sensor was last heard at `heard_at`."""
    is_silent = now - heard_at >= timedelta(minutes=rule.silent_minutes)
    phase = Phase.RAISED if is_silent else Phase.CALM
    if phase is condition.phase and condition.since is not None:
        return condition
    return replace(condition, phase=phase, since=heard_at if is_silent else now, observed_at=heard_at)


class Step(StrEnum):
    """What is to be done about the request of a condition.

    NOTHING  nothing
    OPEN     make a new request
    REOPEN   open the last request again
    COUNT    count a repeat; staff learn of it by a note from time to time
    CLOSE    close the request
    LEAVE    write a note that the condition is over, and leave the request to people
    """

    NOTHING = "nothing"
    OPEN = "open"
    REOPEN = "reopen"
    COUNT = "count"
    CLOSE = "close"
    LEAVE = "leave"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is known of the request of a condition.

    is_open      whether it is open
    closed_at    when it was closed
    is_taken_up  whether a person has taken it up; not known while the condition holds
    """

    is_open: bool
    closed_at: datetime | None = None
    is_taken_up: bool = False


def step_for(condition: Condition, rule: SensorRule, standing: Standing | None, now: datetime) -> Step:
    """What is to be done about the condition's request. `standing`: None if there is no request, or if it is gone.

    The cool-down is counted by our own clock, so that a thing cannot make requests faster by sending other times.
    """
    if not condition.phase.is_raised:
        if standing is None or not standing.is_open or condition.is_left:
            return Step.NOTHING
        if not standing.is_taken_up and condition.reopenings < MOST_REOPENINGS:
            return Step.CLOSE
        is_told = condition.left_at is not None and now - condition.left_at < NOTE_EVERY
        return Step.NOTHING if is_told else Step.LEAVE
    if standing is None:
        is_cool = condition.opened_at is None or now - condition.opened_at >= rule.cool_down
        return Step.OPEN if is_cool else Step.NOTHING
    if standing.is_open:
        return Step.COUNT
    closed_at = standing.closed_at or now
    if now - closed_at >= rule.cool_down:
        return Step.OPEN
    is_own = condition.ended_at is not None and closed_at <= condition.ended_at
    return Step.REOPEN if is_own else Step.NOTHING
