"""A rule at a thing: the state of its condition, and what follows for the request (decision 0054).

The state is stored in the transaction that changes the request. So a killed process has done both or neither, and
an observation that comes again changes nothing twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from open311.domain import commands
from open311.domain.access import Principal, Role, Scope
from open311.domain.commands import Command
from open311.domain.requests import RequestRecord, Status, Submission
from open311.domain.sensors import (
    NOTE_EVERY,
    Condition,
    Observation,
    Phase,
    Sensor,
    SensorRule,
    Standing,
    Step,
    fallen_silent,
    observed,
    step_for,
)
from open311.errors import Forbidden, Invalid, NotFound, Unavailable
from open311.observe import logger
from open311.operations.intake.submit_request import submit_request
from open311.operations.platform import Platform
from open311.operations.sensors.texts import sentence, texts_of
from open311.operations.workflow.act import act_within
from open311.operations.workflow.effects import Desk
from open311.plugins import Jurisdiction
from open311.storage import history, requests, sensors
from open311.storage.engine import Connection, undeadlocked
from open311.storage.hot.transactions import Run
from open311.storage.sensors import Place
from schemas.texts import tell

log = logger(__name__)

TRIES = 10
_PEOPLE = ("staff", "shell")
"""The kinds of principals that are people of the city."""


Move = Callable[[Connection, Condition], Condition]
"""What happens to a condition, such as an observation. The result is the same object if nothing happens."""


class _Superseded(Exception):
    """Raised to roll back a new request, because another process has changed the condition meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """One rule at one thing, at one time.

    key  the number of the key with which the observations came; 0 if the server itself has noticed something
    """

    platform: Platform
    city: Jurisdiction
    sensor: Sensor
    rule: SensorRule
    now: datetime
    key: int = 0

    @property
    def place(self) -> Place:
        """Where the state is stored."""
        return Place(self.city.id, self.sensor.thing, self.rule.code)

    @property
    def principal(self) -> Principal:
        """The actor of all that follows."""
        return Principal(kind="sensor", role=Role.AGENT, scope=Scope(self.city.id), number=self.key)

    def observe(self, seen: Iterable[Observation]) -> None:
        """Take observations of the sensor. Those that are late or known change nothing.

        Raises Unavailable if other processes change the same condition all the time.
        """
        self._make([partial(self._seen, one) for one in sorted(seen, key=lambda one: one.at)])

    def listen(self) -> None:
        """Look whether the sensor is silent. Raises Unavailable as `observe` does."""
        self._make([self._heard])

    def _seen(self, seen: Observation, connection: Connection, condition: Condition) -> Condition:  # noqa: ARG002
        return observed(condition, self.rule, seen)

    def _heard(self, connection: Connection, condition: Condition) -> Condition:
        found = sensors.load_readings(connection, self.city.id, [self.sensor.datastream])
        reading = found.get(self.sensor.datastream)
        heard_at = reading.received_at if reading else condition.since or self.now
        return fallen_silent(condition, self.rule, heard_at=heard_at, now=self.now)

    def _make(self, moves: Sequence[Move]) -> None:
        """Make moves of the condition, one after the other, each with what follows for the request."""
        for _ in range(TRIES):
            moves, opening = undeadlocked(partial(self._advance, moves))
            if opening is None:
                return
            try:
                self._open(opening)
            except _Superseded:
                continue
            moves = moves[1:]
        raise Unavailable(tell("Too much comes for this thing at the same time; try again in a moment."))

    def _advance(self, moves: Sequence[Move]) -> tuple[Sequence[Move], Condition | None]:
        """Make moves in one transaction until one needs a new request.

        Returns the moves that are left, and the condition after the first of them; None if all are made.
        """
        with self.platform.database.transaction() as connection:
            desk = _SensorDesk(self, connection)
            first = condition = sensors.lock_condition(connection, self.place)
            for index, move in enumerate(moves):
                moved = move(connection, condition)
                is_known = moved is condition and not self.rule.silent_minutes
                step = Step.NOTHING if is_known else desk.step(moved)
                if step is Step.OPEN:
                    version = condition.version
                    if condition is not first:
                        sensors.save_condition(connection, self.place, condition)
                        version += 1
                    return moves[index:], replace(moved, version=version)
                condition = desk.do(step, moved)
            if condition is not first:
                sensors.save_condition(connection, self.place, condition)
        return (), None

    def _open(self, condition: Condition) -> None:
        """Make a request, and store the condition in the same transaction.

        If the request is refused, the rule has a fault. Then the next observation tries again.
        """
        submission = self._submission(condition)
        try:
            submit_request(
                self.platform,
                submission,
                jurisdiction=self.city,
                principal=self.principal,
                now=self.now,
                also=partial(self._claim, condition),
            )
        except (Invalid, NotFound, Forbidden) as error:
            named = {"jurisdiction": self.city.id, "thing": self.sensor.thing, "rule": self.rule.code}
            log.error("a rule for a sensor makes no request", cause=str(error), **named)
            with self.platform.database.transaction() as connection:
                found = sensors.lock_condition(connection, self.place)
                if found.version != condition.version:
                    raise _Superseded from None
                sensors.save_condition(connection, self.place, condition)

    def _claim(self, condition: Condition, run: Run, record: RequestRecord) -> None:
        opened = replace(
            condition,
            number=record.number,
            opened_at=self.now,
            ended_at=None,
            reopenings=0,
            repeats=0,
            noted_at=None,
            is_left=False,
            left_at=None,
        )
        if not sensors.claim_condition(run, self.place, opened):
            raise _Superseded

    def _submission(self, condition: Condition) -> Submission:
        sensor, rule = self.sensor, self.rule
        return Submission(
            service_code=rule.service,
            lat=repr(sensor.lat),
            long=repr(sensor.long),
            address_string=sensor.address,
            description=texts_of(self.city, sensor, rule, "description", condition, self.now),
            attributes=tuple(rule.attributes.items()),
        )


class _SensorDesk:
    """The request of a condition, within one transaction. The request is loaded at most once, with a lock."""

    def __init__(self, watch: Watch, connection: Connection) -> None:
        self._watch, self._connection = watch, connection
        self._record: RequestRecord | None = None

    def step(self, condition: Condition) -> Step:
        """What is to be done about the request."""
        is_over = not condition.phase.is_raised
        if is_over and (not condition.number or condition.ended_at is not None or condition.is_left):
            return Step.NOTHING
        standing = self._standing(condition)
        return step_for(condition, self._watch.rule, standing, self._watch.now)

    def do(self, step: Step, condition: Condition) -> Condition:
        """Do a step, and return the condition after it."""
        watch, now = self._watch, self._watch.now
        if step is Step.CLOSE:
            text = texts_of(watch.city, watch.sensor, watch.rule, "recovered", condition, now)
            self._act(condition, commands.Close(outcome=watch.rule.outcome, note=text))
            return replace(condition, ended_at=now, repeats=0)
        if step is Step.REOPEN:
            self._act(condition, commands.Reopen(reason=sentence(watch.sensor, condition, "The sensor reports")))
            return replace(
                condition, ended_at=None, opened_at=now, reopenings=condition.reopenings + 1, noted_at=None
            )
        if step is Step.LEAVE:
            self._note(condition, sentence(watch.sensor, condition, "The condition is over: the sensor reports"))
            return replace(condition, is_left=True, left_at=now, repeats=0)
        return self._count(condition) if step is Step.COUNT else condition

    def _count(self, condition: Condition) -> Condition:
        """Count a repeat, and tell staff the number if the last note is old enough."""
        watch, now = self._watch, self._watch.now
        if condition.phase is not Phase.RAISED or watch.rule.silent_minutes:
            return condition
        condition = replace(condition, repeats=condition.repeats + 1, ended_at=None)
        last = condition.noted_at or condition.opened_at
        if not condition.is_left and last is not None and now - last < NOTE_EVERY:
            return condition
        begin = f"{condition.repeats} more observations confirm the report; the last one is"
        if condition.is_left:
            begin = "The condition is back: the sensor reports"
        elif condition.repeats == 1:
            begin = "One more observation confirms the report:"
        self._note(condition, sentence(watch.sensor, condition, begin, has_worst=True))
        return replace(condition, repeats=0, noted_at=now, is_left=False)

    def _note(self, condition: Condition, text: str) -> None:
        self._act(condition, commands.Note(text=text))

    def _act(self, condition: Condition, command: Command) -> None:
        watch = self._watch
        desk = Desk(self._connection, watch.city, watch.principal, watch.now)
        self._record = act_within(desk, condition.number, [command])

    def _standing(self, condition: Condition) -> Standing | None:
        """What is known about the request; None if there is none, or if it is deleted."""
        city = self._watch.city.id
        if not condition.number:
            return None
        if self._record is None:
            self._record = requests.load_record(self._connection, city, number=condition.number)
        record = self._record
        if record is None:
            return None
        if record.status is Status.CLOSED:
            return Standing(is_open=False, closed_at=record.updated_at)
        return Standing(is_open=True, is_taken_up=not condition.phase.is_raised and self._is_taken_up(record))

    def _is_taken_up(self, record: RequestRecord) -> bool:
        """Whether somebody works on the request, or a person of the city has done anything with it.

        A merged request counts as taken up, because it is closed and opened together with the other request.
        """
        if record.progress or record.assignee or record.merged_into:
            return True
        events = history.load_events(self._connection, record.jurisdiction_id, record.number)
        return any(event.actor.partition(":")[0] in _PEOPLE for event in events)
