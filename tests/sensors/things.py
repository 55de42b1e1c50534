"""A city with a sensor, and a thing that sends observations to it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from open311.domain.access import Principal, Role, Scope
from open311.domain.events import Event
from open311.domain.requests import RequestRecord
from open311.domain.sensors import Condition, Observation, Sensor, SensorRule
from open311.operations.platform import Platform
from open311.operations.sensors.observing import take_observations
from open311.plugins import Jurisdiction
from open311.storage import requests, sensors
from open311.storage.history import load_events
from open311.storage.sensors import Place
from tests import build

WATER = "underpass-water"
THING = "underpass"
FLOODED = SensorRule(
    code="flooded",
    service="potholes",
    description="The water is {result} {unit} deep at {thing}.",
    above=30.0,
    hysteresis=10.0,
    minimum_minutes=5,
    cool_down_minutes=120,
    recovered="The water is gone.",
)
GAUGE = Sensor(
    datastream=WATER, thing=THING, name="the underpass", lat=60.17, long=24.94, unit="cm", rules=("flooded",)
)
KEY = Principal(kind="sensor", role=Role.SENSOR, number=7, scope=Scope("test.example"), things=frozenset({THING}))


def city(rule: SensorRule = FLOODED, **changes: Any) -> Jurisdiction:
    """A city with one sensor and one rule for it. The keyword arguments replace fields of the rule."""
    changed = replace(rule, **changes)
    gauge = replace(GAUGE, rules=(changed.code,))
    return build.city(sensors=(gauge,), sensor_rules=(changed,))


def at(minute: float) -> datetime:
    """The time `minute` minutes after noon."""
    return build.NOON + timedelta(minutes=minute)


def seen(minute: float, result: float) -> Observation:
    """An observation at `minute` minutes after noon."""
    return Observation(datastream=WATER, at=at(minute), result=result)


@dataclass(frozen=True, slots=True)
class Town:
    """A platform with the city, and what the tests look at."""

    platform: Platform

    @property
    def city(self) -> Jurisdiction:
        """The only city."""
        return next(iter(self.platform.registry))

    def send(self, minute: float, result: float, *, now: float | None = None) -> None:
        """Send one observation, at its own time or at `now`."""
        self.send_all([seen(minute, result)], now=minute if now is None else now)

    def send_all(self, observations: Sequence[Observation], *, now: float) -> None:
        """Send several observations in one call."""
        take_observations(self.platform, self.city, observations, principal=KEY, now=at(now))

    def run(self, results: Iterable[float], *, begin: float = 0, every: float = 1) -> float:
        """Send one result after the other. Returns the minute of the next one."""
        minute = begin
        for result in results:
            self.send(minute, result)
            minute += every
        return minute

    def records(self) -> list[RequestRecord]:
        """All requests, the oldest first."""
        with self.platform.database.transaction() as connection:
            rows = connection.exec_driver_sql("SELECT id FROM service_request").scalars().all()
            found = requests.load_numbers(connection, self.city.id, rows).values()
        return sorted(found, key=lambda record: record.requested_at)  # each process takes numbers in advance

    def record(self) -> RequestRecord:
        """The only request."""
        [found] = self.records()
        return found

    def events(self, kind: str = "") -> list[Event]:
        """The history of all requests, or only the events of one kind."""
        with self.platform.database.reading() as connection:
            found = [
                event for record in self.records() for event in load_events(connection, self.city.id, record.number)
            ]
        return [event for event in found if kind in ("", event.kind)]

    def condition(self, rule: str = "flooded") -> Condition:
        """The state of a rule."""
        with self.platform.database.transaction() as connection:
            return sensors.lock_condition(connection, Place(self.city.id, THING, rule))
