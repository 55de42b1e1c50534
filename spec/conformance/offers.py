"""Recognition of the extensions that a server offers, and calls that many checks share."""

from __future__ import annotations

from collections.abc import Callable
from math import asin, cos, radians, sin, sqrt

from spec.conformance.answers import Answer, Record, UnmetNeedError, ids_of, text_of
from spec.conformance.preparation import EXTENSIONS, Point
from spec.conformance.probe import Probe, only, require
from spec.conformance.survey import point_of

NOWHERE = ("-48.87", "-123.39")
"""The point of the ocean that is farthest from land. No city is near it."""
NO_WORD = "zzqxj-no-such-word"

_EARTH_M = 6_371_000


def offered(probe: Probe, name: str, evidence: Callable[[], object]) -> None:
    """Raise UnmetNeedError unless the run declares the extension, or `evidence` returns a true value."""
    if name in probe.prepared.offered:
        return
    if not evidence():
        raise UnmetNeedError(f"not offered: {EXTENSIONS[name]}")


def count(probe: Probe, *asked: tuple[str, str]) -> int:
    """The number of requests in a list; -1 if the answer is an error."""
    answer = probe.get(f"requests.{probe.formats[-1]}", asked)
    return len(answer.records("requests")) if answer.succeeded else -1


def rows(probe: Probe, *asked: tuple[str, str], path: str = "requests") -> tuple[Answer, list[Record]]:
    """A list of requests in JSON, because only JSON shows the types of extensions. Other checks judge its shape."""
    probe.json_offered()
    answer = probe.get(f"{path}.json", asked).must_be(200)
    return answer, answer.records("requests")


def records_in(answer: Answer) -> list[Record]:
    """The objects of a JSON array. Raises DeviationError if the body is not an array of objects."""
    data = answer.must_be_json()
    sound = isinstance(data, list) and all(isinstance(item, dict) for item in data)
    answer.must(sound, "an array of objects")
    return list(data)


# --- Checks for an extension


def pages_offered(probe: Probe) -> None:
    if count(probe) < 2:
        raise UnmetNeedError("fewer than two requests are listed")
    offered(probe, "page", lambda: count(probe, ("page_size", "1")) == 1)


def updates_offered(probe: Probe) -> None:
    future = probe.ago(-300)
    offered(probe, "updated", lambda: count(probe, ("updated_after", future)) == 0 < count(probe))


def circles_offered(probe: Probe) -> None:
    offered(probe, "radius", lambda: count(probe, *circle_around(*NOWHERE, 100)) == 0 < count(probe))


def boxes_offered(probe: Probe) -> None:
    offered(probe, "bbox", lambda: count(probe, ("bbox", "-123.4,-48.9,-123.3,-48.8")) == 0 < count(probe))


def words_offered(probe: Probe) -> None:
    offered(probe, "q", lambda: count(probe, ("q", NO_WORD)) == 0 < count(probe))


def more_offered(probe: Probe) -> None:
    """Raise UnmetNeedError unless `extensions=true` adds fields to the list."""
    probe.json_offered()
    answer = probe.get("requests.json", [("extensions", "true")])
    offered(probe, "extensions", lambda: answer.succeeded and b'"extended_attributes"' in answer.body)


# --- Places


def place(probe: Probe) -> tuple[float, float]:
    """Latitude and longitude of the open request."""
    point = point_of(only(probe.request(require(probe.prepared.open_request), probe.formats[-1])))
    if point is None:
        raise UnmetNeedError("the open request has no point")
    return point.lat, point.long


def circle_around(lat: object, long: object, radius_m: object) -> tuple[tuple[str, str], ...]:
    return *at(lat, long), ("radius", str(radius_m))


def at(lat: object, long: object) -> tuple[tuple[str, str], ...]:
    return ("lat", str(lat)), ("long", str(long))


def distance_m(record: Record, lat: float, long: float) -> float:
    """The distance of a request from a point, on a sphere; infinite if the request has no point."""
    point = point_of(record)
    if point is None:
        return float("inf")
    half_lat, half_long = radians(point.lat - lat) / 2, radians(point.long - long) / 2
    chord = sin(half_lat) ** 2 + cos(radians(lat)) * cos(radians(point.lat)) * sin(half_long) ** 2
    return 2 * _EARTH_M * asin(sqrt(chord))


def beside(probe: Probe) -> tuple[float, float]:
    """Latitude and longitude of a point 44 m north of the open request."""
    lat, long = place(probe)
    return round(lat + 0.0004, 6), long


def spot(probe: Probe, north_m: float) -> Point:
    """A point `north_m` metres north of the prepared point, where few people have reported a problem."""
    point = require(probe.prepared.point)
    return Point(round(point.lat + north_m / 111_200, 6), point.long)


# --- Texts


def word_to_find(probe: Probe) -> str:
    """A word of a listed description. Raises UnmetNeedError if no description has a suitable word."""
    _, records = probe.listing()
    words = [word for record in records for word in text_of(record, "description").split() if len(word) > 5]
    word = next((word for word in words if word.isalpha() and word.isascii()), "")
    if not word:
        raise UnmetNeedError("no listed request has a word to search for")
    return word


def found_ids(probe: Probe, *asked: tuple[str, str]) -> list[str]:
    """The ids of a list, in order."""
    _, records = rows(probe, *asked)
    return ids_of(records)
