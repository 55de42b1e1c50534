"""Observations that things send: who may send them, and which rules look at them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from open311.domain.access import Principal
from open311.domain.sensors import MOST_AHEAD, STALE_AFTER, Condition, Observation, Sensor
from open311.errors import Forbidden, Invalid
from open311.operations.platform import Platform
from open311.operations.sensors.watching import Watch
from open311.operations.upkeep.sync_catalogues import ensure_synced
from open311.plugins import Jurisdiction
from open311.storage import sensors
from open311.storage.sensors import Reading
from schemas.texts import tell


def require_sensor(city: Jurisdiction, datastream: str, *, principal: Principal) -> Sensor:
    """The sensor of a datastream. Raises Invalid if the city has none, and Forbidden if the key is not for it."""
    sensor = city.sensor(datastream)
    if sensor is None:
        fault = tell("{id!r} is no datastream of {city}.", id=datastream[:60], city=city.id)
        raise Invalid(fault, "Datastream")
    if sensor.thing not in principal.things:
        fault = tell("{id!r} is of a thing for which this key is not made.", id=datastream[:60])
        raise Forbidden(fault, "Datastream")
    return sensor


def check_time(seen: Observation, now: datetime) -> None:
    """Raise Invalid for an observation of the future."""
    if seen.at > now + MOST_AHEAD:
        fault = tell("{at} is in the future; set the clock of the thing.", at=seen.at.isoformat(timespec="seconds"))
        raise Invalid(fault, "phenomenonTime")


def take_observations(
    platform: Platform,
    city: Jurisdiction,
    seen: Sequence[Observation],
    *,
    principal: Principal,
    now: datetime,
) -> None:
    """Take observations of one datastream, and do what the rules say. An observation that comes again does nothing.

    Rules do not see observations that are older than STALE_AFTER. Raises Invalid and Forbidden as `require_sensor`
    does, Invalid for an observation of the future, and Unavailable. After any error, the caller can send all
    observations again.
    """
    sensor = require_sensor(city, seen[0].datastream, principal=principal)
    for one in seen:
        check_time(one, now)
    with platform.database.transaction() as connection:
        newest = max(seen, key=lambda one: one.at)
        sensors.take_reading(connection, city.id, sensor.thing, newest, key=principal.number, now=now)
    fresh = [one for one in seen if one.at > now - STALE_AFTER]
    for rule in city.sensor_rules_of(sensor):
        watch = Watch(platform=platform, city=city, sensor=sensor, rule=rule, now=now, key=principal.number)
        if rule.silent_minutes:
            watch.listen()
        elif fresh:
            watch.observe(fresh)


def last_readings(platform: Platform, city: Jurisdiction, things: Collection[str]) -> list[tuple[Sensor, Reading]]:
    """The newest observation of each datastream of these things, in the order of the city's file."""
    wanted = [sensor for sensor in city.sensors if sensor.thing in things]
    with platform.database.reading() as connection:
        found = sensors.load_readings(connection, city.id, [sensor.datastream for sensor in wanted])
    return [(sensor, found[sensor.datastream]) for sensor in wanted if sensor.datastream in found]


@dataclass(frozen=True, slots=True)
class SensorState:
    """A sensor, its newest observation (None before the first), and the state of each of its rules by code."""

    jurisdiction_id: str
    sensor: Sensor
    reading: Reading | None
    conditions: Mapping[str, Condition]


def states_of(platform: Platform, city: Jurisdiction) -> list[SensorState]:
    """All sensors of a city, in the order of its file."""
    with platform.database.reading() as connection:
        readings = sensors.load_readings(connection, city.id, [sensor.datastream for sensor in city.sensors])
        conditions = sensors.load_conditions(connection, city.id)
    return [
        SensorState(
            city.id,
            sensor,
            readings.get(sensor.datastream),
            {code: conditions.get((sensor.thing, code), Condition()) for code in sensor.rules},
        )
        for sensor in city.sensors
    ]


def watch_silence(platform: Platform, now: datetime) -> None:
    """Look at all sensors that a rule about silence looks at."""
    watches = [
        Watch(platform=platform, city=city, sensor=sensor, rule=rule, now=now)
        for city in platform.registry
        for sensor in city.sensors
        for rule in city.sensor_rules_of(sensor)
        if rule.silent_minutes
    ]
    if watches:
        ensure_synced(platform)
    for watch in watches:
        watch.listen()
