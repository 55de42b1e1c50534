"""The last observation of each datastream, and the state of each rule at each thing."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, bindparam, literal_column, select, update
from sqlalchemy.dialects.postgresql import insert

from open311.domain.sensors import Condition, Observation, Phase
from open311.storage.hot.statements import Statement
from open311.storage.hot.transactions import Run
from open311.storage.tables import sensor_condition, sensor_reading

_STATE = tuple(one.name for one in fields(Condition))


@dataclass(frozen=True, slots=True)
class Place:
    """The rule and the thing of a condition."""

    jurisdiction_id: str
    thing: str
    rule: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The newest observation of a datastream.

    received_at  when it came, by our clock
    api_key_id   the number of the key with which it came
    taken        how many observations of the datastream were the newest when they came
    """

    datastream: str
    thing: str
    observed_at: datetime
    result_at: datetime | None
    result: float
    received_at: datetime
    api_key_id: int
    taken: int


_READING = tuple(one.name for one in fields(Reading))


def take_reading(
    connection: Connection, jurisdiction_id: str, thing: str, seen: Observation, *, key: int, now: datetime
) -> bool:
    """Store an observation if it is the newest of its datastream. Returns whether it is."""
    values = {
        "thing": thing,
        "observed_at": seen.at,
        "result_at": seen.result_at,
        "result": seen.result,
        "received_at": now,
        "api_key_id": key,
    }
    row = insert(sensor_reading).values(jurisdiction_id=jurisdiction_id, datastream=seen.datastream, **values)
    stored = row.on_conflict_do_update(
        constraint=sensor_reading.primary_key,
        set_=values | {"taken": sensor_reading.c.taken + 1},
        where=sensor_reading.c.observed_at < row.excluded.observed_at,
    ).returning(sensor_reading.c.taken)
    return connection.execute(stored).scalar_one_or_none() is not None


def load_readings(connection: Connection, jurisdiction_id: str, datastreams: Collection[str]) -> dict[str, Reading]:
    """The newest observations of these datastreams, by datastream. Those that sent nothing are left out."""
    columns = sensor_reading.c
    rows = connection.execute(
        select(*(columns[name] for name in _READING))
        .where(columns.jurisdiction_id == jurisdiction_id, columns.datastream.in_(datastreams))
        .order_by(columns.datastream)
    )
    return {row.datastream: Reading(**row._mapping) for row in rows}


def lock_condition(connection: Connection, place: Place) -> Condition:
    """The state of a rule at a thing, locked until the transaction ends. It is made if there is none."""
    found = _locked(connection, place)
    if found is None:
        connection.execute(insert(sensor_condition).values(_key(place)).on_conflict_do_nothing())
        found = _locked(connection, place)
    return _condition(found or {})


def _locked(connection: Connection, place: Place) -> Mapping[str, Any] | None:
    columns = sensor_condition.c
    query = select(*(columns[name] for name in _STATE)).where(*_mine(place)).with_for_update()
    row = connection.execute(query).one_or_none()
    return None if row is None else dict(row._mapping)


def save_condition(connection: Connection, place: Place, condition: Condition) -> None:
    """Store the state. The caller has locked it."""
    values = _values(condition) | {"version": condition.version + 1}
    connection.execute(update(sensor_condition).where(*_mine(place)).values(values))


def claim_condition(run: Run, place: Place, condition: Condition) -> bool:
    """Store the state, unless somebody has changed it since its version. Returns whether it is stored."""
    return bool(run(_claim(), _key(place) | _values(condition)))


@cache
def _claim() -> Statement:
    columns = sensor_condition.c
    query = (
        update(sensor_condition)
        .where(
            columns.jurisdiction_id == bindparam("jurisdiction_id"),
            columns.thing == bindparam("thing"),
            columns.rule == bindparam("rule"),
            columns.version == bindparam("version"),
        )
        .values({name: bindparam(name) for name in _STATE if name != "version"})
        .values(version=columns.version + literal_column("1"))
        .returning(columns.version)
    )
    return Statement.of(query)


def _mine(place: Place) -> list[Any]:
    return [sensor_condition.c[name] == value for name, value in _key(place).items()]


def _key(place: Place) -> dict[str, Any]:
    return {"jurisdiction_id": place.jurisdiction_id, "thing": place.thing, "rule": place.rule}


def _values(condition: Condition) -> dict[str, Any]:
    values = {name: getattr(condition, name) for name in _STATE}
    return values | {"phase": condition.phase.value, "number": condition.number or None}


def _condition(row: Mapping[str, Any]) -> Condition:
    values = dict(row)
    if values:
        values |= {"phase": Phase(values["phase"]), "number": values["number"] or 0}
    return Condition(**values)


def load_conditions(connection: Connection, jurisdiction_id: str) -> dict[tuple[str, str], Condition]:
    """The stored states of the rules of a city, by thing and rule."""
    columns = sensor_condition.c
    query = select(columns.thing, columns.rule, *(columns[name] for name in _STATE))
    rows = connection.execute(query.where(columns.jurisdiction_id == jurisdiction_id))
    found = {}
    for row in rows:
        values = dict(row._mapping)
        found[values.pop("thing"), values.pop("rule")] = _condition(values)
    return found
