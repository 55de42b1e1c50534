"""Observations in the form of OGC SensorThings 1.1, part 1 (spec/sensors.md)."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from math import isfinite
from typing import Any, ClassVar, cast

from marshmallow import ValidationError, fields

from schemas.arguments import Arguments
from schemas.base import Body, Text, describe
from schemas.parameters import TextParameter
from schemas.staff import JsonBody
from schemas.texts import tell
from schemas.values import NotAnInstant, parse_instant

MOST_OBSERVATIONS = 1_000
"""How many observations one call may have."""
MOST_ID_CHARACTERS = 200
_FRACTION = re.compile(r":\d{2}[.,](\d+)", re.ASCII)
_NOT_USED = "Part of the standard; this server does not use it."


class SensorArguments(Arguments):
    """The parameters of a call for observations."""

    tells_unknown = True

    api_key = TextParameter("The key; can also be sent in the header X-Api-Key or as Authorization: Bearer.")


def read_time(text: str, zone: Any) -> datetime:
    """An instant with its fraction of a second. Of a period, `start/end`, the end counts. Raises NotAnInstant."""
    start, _, end = text.partition("/")
    found = _exact(end or start, zone)
    if end and _exact(start, zone) > found:
        raise NotAnInstant(text)
    return found


def _exact(text: str, zone: Any) -> datetime:
    whole, fraction = parse_instant(text, zone), _FRACTION.search(text)
    if fraction is None:
        return whole
    return whole + timedelta(microseconds=int(fraction[1][:6].ljust(6, "0")))


class JsonTime(fields.String):
    """An instant or a period of ISO 8601, or null."""

    def __init__(self, about: str, **more: Any) -> None:
        super().__init__(metadata=describe(about, "2026-03-01T09:30:00.000Z"), allow_none=True, **more)

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Any:
        if not isinstance(value, str) or len(value) > MOST_ID_CHARACTERS:
            raise ValidationError(tell("is no text; send a date and time such as 2026-03-01T09:30:00Z."))
        try:
            return read_time(value, cast("Any", self.root).zone)
        except NotAnInstant as error:
            raise ValidationError(str(error)) from None


class JsonResult(fields.Raw):
    """A number, or true and false, which are read as 1 and 0."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> float:
        if not isinstance(value, bool | int | float) or not isfinite(value):
            raise ValidationError(tell("is no number; send a number, true or false."))
        return float(value)


class JsonLink(fields.Raw):
    """A link to something that the server has: {"@iot.id": …}. Read as its id."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> str:
        if not isinstance(value, dict) or set(value) != {"@iot.id"}:
            raise ValidationError(
                tell('is no link; send {{"@iot.id": "…"}} with an id that the city has given you.')
            )
        name = value["@iot.id"]
        is_id = isinstance(name, str) or (isinstance(name, int) and not isinstance(name, bool))
        if not is_id or not 0 < len(str(name)) <= MOST_ID_CHARACTERS or "\0" in str(name):
            raise ValidationError(tell("has an @iot.id that is no id; send a text or a whole number."))
        return str(name)


_LINK = {"type": "object", "required": ["@iot.id"], "properties": {"@iot.id": {}}}


class ObservationBody(JsonBody):
    """An Observation. What the thing has measured, and when."""

    result = JsonResult(
        required=True,
        metadata=describe("The result: a number, or true and false, which count as 1 and 0.", 47.5),
        error_messages={"required": tell("is missing; send what the thing has measured.")},
    )
    phenomenon_time = JsonTime(
        "When the result held; of a period, the end counts. Without it, the time of the call. An observation of the"
        " same datastream with the same time is known, and changes nothing.",
        data_key="phenomenonTime",
        load_default=None,
    )
    result_time = JsonTime("When the thing had the result.", data_key="resultTime", load_default=None)
    datastream = JsonLink(
        required=True,
        data_key="Datastream",
        metadata=describe("The datastream, by its id.", {"@iot.id": "elm-underpass-water"}) | _LINK,
        error_messages={"required": tell('is missing; send {{"@iot.id": "…"}} with the id of the datastream.')},
    )
    valid_time = fields.Raw(data_key="validTime", allow_none=True, metadata=describe(_NOT_USED))
    result_quality = fields.Raw(data_key="resultQuality", allow_none=True, metadata=describe(_NOT_USED))
    parameters = fields.Raw(allow_none=True, metadata=describe(_NOT_USED))
    feature_of_interest = fields.Raw(data_key="FeatureOfInterest", allow_none=True, metadata=describe(_NOT_USED))

    unused: ClassVar[dict[str, str]] = {
        "valid_time": "validTime",
        "result_quality": "resultQuality",
        "parameters": "parameters",
        "feature_of_interest": "FeatureOfInterest",
    }


class DataArrayBody(JsonBody):
    """Observations of one datastream in the data array extension (15.2)."""

    is_list = True

    datastream = JsonLink(
        required=True,
        data_key="Datastream",
        metadata=describe("The datastream, by its id.", {"@iot.id": "elm-underpass-water"}) | _LINK,
        error_messages={"required": tell('is missing; send {{"@iot.id": "…"}} with the id of the datastream.')},
    )
    components = fields.List(
        fields.String(),
        required=True,
        metadata=describe("What the values of each observation are.", ["phenomenonTime", "result"]),
        error_messages={"required": tell("is missing; send the names of the values, such as result.")},
    )
    count = fields.Raw(data_key="dataArray@iot.count", metadata={"type": "integer", **describe("Not checked.", 2)})
    data_array = fields.List(
        fields.List(fields.Raw()),
        required=True,
        data_key="dataArray",
        metadata=describe("The observations: a list of values each.", [["2026-03-01T09:30:00Z", 47.5]]),
        error_messages={"required": tell("is missing; send a list of values for each observation.")},
    )


COMPONENTS = (
    *("result", "phenomenonTime", "resultTime", "validTime", "resultQuality", "parameters"),
    "FeatureOfInterest/id",
)
"""The values that an observation in a data array may have."""


class DatastreamLinkSchema(Body):
    """A link to something by its id."""

    id = Text(data_key="@iot.id", metadata=describe("Its id.", "elm-underpass-water"))


class ObservedSchema(Body):
    """What the server adds to an Observation."""

    thing = Text(metadata=describe("The id of the thing.", "elm-underpass"))
    received = Text(data_key="receivedTime", metadata=describe("When it came.", "2026-03-01T09:30:01Z"))


class ObservationSchema(Body):
    """An Observation."""

    sometimes = ("parameters",)

    id = Text(
        data_key="@iot.id",
        metadata=describe("Datastream and time, which make it unique.", "elm-underpass-water@2026-03-01T09:30:00Z"),
    )
    self_link = Text(data_key="@iot.selfLink", metadata=describe("Its address, while it is the newest one."))
    phenomenon_time = Text(
        data_key="phenomenonTime", metadata=describe("When the result held.", "2026-03-01T09:30:00Z")
    )
    result_time = fields.String(
        data_key="resultTime", allow_none=True, metadata=describe("When the thing had the result.", None)
    )
    result = fields.Float(metadata=describe("The result.", 47.5))
    datastream = fields.Nested(DatastreamLinkSchema, data_key="Datastream", metadata=describe("The datastream."))
    parameters = fields.Nested(ObservedSchema, metadata=describe("What the server knows of it."))


class ObservationListSchema(Body):
    """The newest observations."""

    value = fields.List(fields.Nested(ObservationSchema), metadata=describe("One for each datastream."))
