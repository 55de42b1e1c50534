"""Observations: one call for each, many in one call, and the newest ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import reduce
from typing import Any
from urllib.parse import quote

import orjson
from werkzeug.exceptions import TooManyRequests

from open311.clock import exact_now
from open311.domain.sensors import Observation, Sensor
from open311.errors import Forbidden, Invalid, NotFound, Problem, TooMuch
from open311.formats import JSON
from open311.operations.sensors.observing import check_time, last_readings, require_sensor, take_observations
from open311.operations.upkeep.sync_catalogues import ensure_synced
from open311.storage.sensors import Reading
from open311.web.access import SENSOR_KEY
from open311.web.calls import Answer, Call
from open311.web.endpoints import City, Media, endpoint
from open311.web.gate import limit_thing
from open311.web.languages import for_caller
from open311.web.surfaces import SENSORS
from schemas.sensors import (
    COMPONENTS,
    MOST_OBSERVATIONS,
    DataArrayBody,
    ObservationBody,
    ObservationListSchema,
    ObservationSchema,
    SensorArguments,
)
from schemas.texts import Message, tell

_JSON = "application/json"
_SHARED: dict[str, Any] = {
    "reads": SensorArguments,
    "access": SENSOR_KEY,
    "output": JSON,
    "city": City.OF_CALLER,
}
_LINKS = {
    "type": "array",
    "items": {"type": "string"},
    "description": "For each observation its address, or a text that begins with `error` and says what is wrong.",
}


@endpoint(
    SENSORS,
    "/observations",
    method="POST",
    body=ObservationBody,
    answers=Media(_JSON, ObservationSchema()),
    success=201,
    headers=("Location",),
    **_SHARED,
)
def create_observation(call: Call) -> Answer:
    """Send an observation. The same observation again changes nothing, and gets the same answer."""
    seen = _observation(call.body)
    sensor = require_sensor(call.city, seen.datastream, principal=call.caller)
    check_time(seen, call.now)
    limit_thing(call.request.environ, call.city.id, sensor.thing)
    ensure_synced(call.platform)
    take_observations(call.platform, call.city, [seen], principal=call.caller, now=call.now)
    plain = _plain(call, seen)
    location = ("Location", plain["@iot.selfLink"])
    return Answer(
        body=orjson.dumps(plain), status=201, headers=(location,), warnings=tuple(_about_unused([call.body]))
    )


@endpoint(
    SENSORS,
    "/CreateObservations",
    method="POST",
    body=DataArrayBody,
    answers=Media(_JSON, _LINKS),
    success=201,
    **_SHARED,
)
def create_observations(call: Call) -> Answer:
    """Send up to 1000 observations, in data arrays of one datastream each.

    The answer has one item for each observation.

    An observation that is refused does not stop the others. After an error of the whole call, send all again.
    """
    arrays = list(_arrays(call))
    if sum(len(array["data_array"]) for array in arrays) > MOST_OBSERVATIONS:
        raise TooMuch(tell("The call has too many observations; send at most {most}.", most=MOST_OBSERVATIONS))
    rows = [_Rows(call, array) for array in arrays]
    ensure_synced(call.platform)
    for one in rows:
        one.take()
    answer = [for_caller(text, call.request) for one in rows for text in one.texts()]
    unused = tuple(_about_unused(body for one in rows for body in one.bodies))
    return Answer(body=orjson.dumps(answer), status=201, warnings=unused)


@endpoint(SENSORS, "/observations", answers=Media(_JSON, ObservationListSchema()), **_SHARED)
def list_observations(call: Call) -> Answer:
    """Get the newest observation of each datastream of the key's things."""
    found = last_readings(call.platform, call.city, call.caller.things)
    return _unkept({"value": [_of_reading(call, sensor, reading) for sensor, reading in found]})


@endpoint(
    SENSORS,
    "/observations('<code:observation>')",
    answers=Media(_JSON, ObservationSchema()),
    errors=(404,),
    **_SHARED,
)
def get_observation(call: Call, observation: str) -> Answer:
    """Get an observation, while it is the newest of its datastream. Older ones are not kept."""
    for sensor, reading in last_readings(call.platform, call.city, call.caller.things):
        plain = _of_reading(call, sensor, reading)
        if plain["@iot.id"] == observation:
            return _unkept(plain)
    raise NotFound(tell("This observation is not kept; only the newest one of each datastream is."), "observation")


class _Rows:
    """The observations of one data array, and what became of each."""

    def __init__(self, call: Call, array: Mapping[str, Any]) -> None:
        self._call = call
        self._found: list[Observation | str] = []
        self.bodies: list[Mapping[str, Any]] = []
        for values in array["data_array"]:
            self._found.append(self._read(array, values))

    def _read(self, array: Mapping[str, Any], values: list[Any]) -> Observation | str:
        """One observation, or what is wrong with it."""
        names = array["components"]
        if len(values) != len(names):
            return tell("{count} values for {names} components.", count=len(values), names=len(names))
        sent = {name: value for name, value in zip(names, values, strict=True) if "/" not in name}
        schema = ObservationBody(zone=self._call.city.zone)
        body, faults = schema.read(sent | {"Datastream": {"@iot.id": array["datastream"]}})
        if faults:
            return _told(Problem(name, text) for name, text in faults)
        self.bodies.append(body)
        return self._allowed(_observation(body))

    def _allowed(self, seen: Observation) -> Observation | str:
        call = self._call
        try:
            sensor = require_sensor(call.city, seen.datastream, principal=call.caller)
            check_time(seen, call.now)
            limit_thing(call.request.environ, call.city.id, sensor.thing)
        except (Invalid, Forbidden) as error:
            return _told(error.problems)
        except TooManyRequests as error:
            return tell(
                "too many observations of this thing; send this one again in {wait} s.", wait=error.retry_after
            )
        return seen

    def take(self) -> None:
        """Take the observations that have no fault."""
        call, sound = self._call, [one for one in self._found if isinstance(one, Observation)]
        if sound:
            take_observations(call.platform, call.city, sound, principal=call.caller, now=call.now)

    def texts(self) -> Iterator[str]:
        """For each observation its address, or what is wrong."""
        for one in self._found:
            if isinstance(one, Observation):
                yield _address(self._call, _id_of(one.datastream, one.at))
            else:
                yield tell("error: {fault}", fault=one)


def _arrays(call: Call) -> Iterator[Mapping[str, Any]]:
    """The data arrays of the body. Raises Invalid that names each fault of their form."""
    schema = DataArrayBody(zone=call.city.zone)
    problems: list[Problem] = []
    for index, sent in enumerate(call.body["items"]):
        array, faults = schema.read(sent)
        problems += [Problem(f"[{index}].{name[:60]}", _first(text)) for name, text in faults]
        unknown = [name for name in array.get("components", ()) if name not in COMPONENTS]
        if unknown:
            named = {"name": unknown[0][:60], "known": ", ".join(COMPONENTS)}
            fault = tell("{name!r} is unknown; send some of {known}.", **named)
            problems.append(Problem(f"[{index}].components", fault))
        if not problems:
            yield array
    if problems:
        raise Invalid.of(problems)


def _first(text: Any) -> str:
    """A sentence about a fault. For faults inside a list, marshmallow returns a dictionary by index.

    One general sentence replaces this dictionary.
    """
    return (
        text if isinstance(text, str) else tell("has an item of the wrong kind; see the example on the API page.")
    )


def _told(problems: Iterable[Problem]) -> str:
    """All faults of an observation in one text."""
    texts = [
        tell("{field}: {fault}", field=one.field, fault=one.message) if one.field else one.message
        for one in problems
    ]
    return reduce(lambda first, second: tell("{first}; {second}", first=first, second=second), texts)


def _observation(body: Mapping[str, Any]) -> Observation:
    return Observation(
        datastream=body["datastream"],
        at=body["phenomenon_time"] or exact_now(),
        result=body["result"],
        result_at=body["result_time"],
    )


def _about_unused(bodies: Iterable[Mapping[str, Any]]) -> Iterator[Message]:
    """A warning that names the parts of observations that this server does not use."""
    sent = {name for body in bodies for name in body}
    names = [shown for name, shown in ObservationBody.unused.items() if name in sent]
    if names:
        yield tell("{names}: not used by this server.", names=", ".join(names))


def _plain(call: Call, seen: Observation) -> dict[str, Any]:
    name = _id_of(seen.datastream, seen.at)
    return {
        "@iot.id": name,
        "@iot.selfLink": _address(call, name),
        "phenomenonTime": _written(seen.at),
        "resultTime": _written(seen.result_at) if seen.result_at else None,
        "result": seen.result,
        "Datastream": {"@iot.id": seen.datastream},
    }


def _of_reading(call: Call, sensor: Sensor, reading: Reading) -> dict[str, Any]:
    seen = Observation(
        datastream=reading.datastream,
        at=reading.observed_at,
        result=reading.result,
        result_at=reading.result_at,
    )
    known = {"thing": sensor.thing, "receivedTime": _written(reading.received_at)}
    return _plain(call, seen) | {"parameters": known}


def _unkept(plain: Mapping[str, Any]) -> Answer:
    return Answer(body=orjson.dumps(plain), cache_control="private, no-store", has_tag=False)


def _id_of(datastream: str, at: datetime) -> str:
    return f"{datastream}@{_written(at)}"


def _address(call: Call, name: str) -> str:
    return f"{call.own_address()}{SENSORS.prefix}/observations('{quote(name, safe='')}')"


def _written(at: datetime) -> str:
    """An instant in UTC, with the fraction of its second if it has one."""
    utc = at.astimezone(UTC).replace(tzinfo=None)
    return f"{utc.isoformat()}Z"
