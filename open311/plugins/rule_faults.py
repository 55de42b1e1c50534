"""Find faults in a city's routes, areas, service levels, sensors, aliases and departments of services.

Examples are unknown names, rules that can never fit, and wrong conditions on answers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

from shapely import box
from shapely.geometry.base import BaseGeometry
from shapely.ops import unary_union

from open311.domain.calendar import MINUTES_A_DAY, WEEKDAYS, DayKind
from open311.domain.routing import Rule
from open311.domain.sensors import SensorRule
from open311.domain.service_levels import LevelRule, find_disagreements
from open311.domain.services import Attribute, Datatype, Service
from open311.plugins.declared.lines import Lines, Path
from open311.plugins.interface import Jurisdiction

_WHOLE_DAY = (1 << MINUTES_A_DAY) - 1
_EARTH = box(-180, -90, 180, 90)

Times = Mapping[tuple[DayKind | None, int], int]
"""(kind of day, day of the week) -> minutes of such a day, as bits. Days that do not fit the rule are left out."""


class Fault(NamedTuple):
    """A fault, and the path of keys to the faulty value in jurisdiction.toml."""

    path: Path
    sentence: str


def find_rule_faults(city: Jurisdiction) -> Iterator[str]:
    """Sentences about all faults, with the file and line if the city has a jurisdiction.toml."""
    lines = Lines(city.source)
    found = (
        *_name_faults(city),
        *_place_faults(city),
        *_Routes(city, lines).faults(),
        *_level_faults(city),
        *_sensor_faults(city),
    )
    for fault in found:
        yield _located(lines, fault)


def find_remarks(city: Jurisdiction) -> Iterator[str]:
    """Sentences about what an author should check, although the city can be served.

    These are service levels that disagree, and texts that fit only requests with an address.
    """
    lines = Lines(city.source)
    yield from _texts_without_fallback(city, lines)
    rules = list(_level_rules(city))
    takes_many = {
        (service.code, attribute.code): attribute.datatype is not Datatype.SINGLEVALUELIST
        for service in city.services
        for attribute in service.attributes
    }
    for one, other in find_disagreements([rule for rule, _ in rules], takes_many):
        paths = {id(rule): path for rule, path in rules}
        there = lines.place(paths[id(one)])
        sentence = (
            f"the service levels {str(one)!r}{f' ({there})' if there else ''} and {str(other)!r} disagree;"
            " requests that fit both get no expected_datetime"
        )
        yield _located(lines, Fault(paths[id(other)], sentence))


def _texts_without_fallback(city: Jurisdiction, lines: Lines) -> Iterator[str]:
    """Texts with {address} for which the city has no alternative in the same language."""
    for language, texts in [("", city.texts), *((code, one.texts) for code, one in city.translations.items())]:
        for index, one in enumerate(texts):
            others = (other for other in texts if other.outcome == one.outcome and not other.has_address)
            if not one.has_address or any(other.service in ("", one.service) for other in others):
                continue
            of = f" of {one.service}" if one.service else ""
            sentence = (
                f"the text for {one.outcome}{of} holds {{address}}; citizens"
                " read the server's own text for a request without an address, unless you add a text without it"
            )
            fault = Fault(("texts", index, "text"), sentence)
            yield f"languages/{language}.toml: {sentence}" if language else _located(lines, fault)


def _located(lines: Lines, fault: Fault) -> str:
    place = lines.place(fault.path)
    return f"{place}: {fault.sentence}" if place else fault.sentence


# --- Departments and aliases


def _name_faults(city: Jurisdiction) -> Iterator[Fault]:
    """Unknown departments of the triage and of services, and aliases.

    An alias is faulty if it leads to no service, or is the code of a service.
    """
    known = {department.code for department in city.departments}
    codes = {service.code for service in city.services}
    if city.triage not in known:
        yield Fault(("triage",), f"triage names department {city.triage!r}, which is not declared")
    for index, service in enumerate(city.services):
        if service.department and service.department not in known:
            sentence = f"service {service.code} names department {service.department!r}, which is not declared"
            yield Fault(("services", index, "department"), sentence)
    for retired, code in city.aliases.items():
        if retired in codes:
            yield Fault(("aliases", retired), f"alias {retired!r} is also the code of a service")
        if code not in codes:
            yield Fault(("aliases", retired), f"alias {retired!r} leads to {code!r}, which is not a service")


# --- Where services are offered


def _place_faults(city: Jurisdiction) -> Iterator[Fault]:
    for area in city.exclude_areas:
        if area not in city.areas:
            yield Fault(("exclude_areas",), f"exclude_areas names area {area!r}, which areas.geojson lacks")
    for index, service in enumerate(city.services):
        for key in ("include_areas", "exclude_areas"):
            for area in getattr(service, key):
                if area not in city.areas:
                    sentence = f"{key} of service {service.code!r} names area {area!r}, which areas.geojson lacks"
                    yield Fault(("services", index, key), sentence)
        names = {*service.include_areas, *service.exclude_areas, *city.exclude_areas}
        if names and names <= city.areas.keys() and not region_of(city, service).area:
            sentence = f"service {service.code!r} is offered nowhere; change include_areas or exclude_areas"
            yield Fault(("services", index), sentence)


def region_of(city: Jurisdiction, service: Service | None = None) -> BaseGeometry:
    """Where a service is offered or, without a service, where a city accepts requests. Unknown areas are empty."""
    region = _EARTH if city.boundary is None else city.boundary
    excluded = (*city.exclude_areas, *(service.exclude_areas if service else ()))
    if service and service.include_areas:
        region = region.intersection(_union(city, service.include_areas))
    return region.difference(_union(city, excluded)) if excluded else region


def _union(city: Jurisdiction, names: Sequence[str]) -> BaseGeometry:
    return unary_union([city.areas[name] for name in names if name in city.areas])


# --- Routes


class _Routes:
    """The routes of a city, to find their faults."""

    def __init__(self, city: Jurisdiction, lines: Lines) -> None:
        self._city, self._lines = city, lines
        self._services = {service.code: service for service in city.services}
        self._departments = {department.code for department in city.departments}

    def faults(self) -> Iterator[Fault]:
        """The faults of all routes. A route that names something unknown is not compared with others."""
        sound: dict[int, Rule] = {}
        for index, rule in enumerate(self._city.rules):
            faults = list(self._names(index, rule))
            yield from faults
            if faults:
                continue
            reason = self._never(rule) or self._hidden(rule, sound)
            if reason:
                yield Fault(("routes", index), f"route no. {index + 1} ({rule}) {reason}")
            else:
                sound[index] = rule

    def _names(self, index: int, rule: Rule) -> Iterator[Fault]:
        """Faults of a route: names that the city does not declare, and conditions that no answer can meet."""
        path, words = ("routes", index), f"route {rule}"
        if rule.department not in self._departments:
            sentence = f"{words} names department {rule.department!r}, which is not declared"
            yield Fault((*path, "department"), sentence)
        if rule.area and rule.area not in self._city.areas:
            yield Fault((*path, "area"), f"{words} names an area that areas.geojson lacks: {rule.area!r}")
        if rule.service and rule.service not in self._services:
            yield Fault((*path, "service"), f"{words} names an unknown service")
            return
        if rule.day and self._city.calendar is None:
            yield Fault((*path, "day"), f"{words} needs a [calendar], which the city does not have")
        for code, values in rule.answers.items():
            for sentence in answer_faults(
                self._city, f"a route of {_of(rule.service)}", rule.service, code, values
            ):
                yield Fault((*path, "answers"), sentence)

    def _never(self, rule: Rule) -> str:
        """Why a route can never fit, whatever the other routes are; "" if it can fit."""
        if not self._times(rule):
            return "can never fit: there is no time with these hours, weekdays and day"
        if rule.area and self._city.outside == "refuse":
            region = region_of(self._city, self._services.get(rule.service))
            if not self._city.areas[rule.area].intersection(region).area:
                return f"can never fit: requests in {rule.area} are refused"
        return ""

    def _hidden(self, rule: Rule, earlier: Mapping[int, Rule]) -> str:
        """A sentence if one or several earlier routes always fit before this route; "" if they do not."""
        times = self._times(rule)
        wider = {index: other for index, other in earlier.items() if self._is_wider(other, rule)}
        for index, other in wider.items():
            if _are_within(times, self._times(other)):
                return self._sentence(rule, index, other)
        together: dict[tuple[DayKind | None, int], int] = {}
        for other in wider.values():
            for day, minutes in self._times(other).items():
                together[day] = together.get(day, 0) | minutes
        if wider and _are_within(times, together):
            numbers = " and ".join(self._named(index) for index in wider)
            return f"can never fit, because {numbers} together always fit first; delete this route or move it up"
        return ""

    def _sentence(self, rule: Rule, index: int, other: Rule) -> str:
        is_same = self._is_wider(rule, other) and _are_within(self._times(other), self._times(rule))
        if is_same and rule.department != other.department:
            return (
                f"contradicts {self._named(index)}: both have the same conditions, one leads to"
                f" {other.department!r}, the other to {rule.department!r}; delete one of them"
            )
        if is_same:
            return f"repeats {self._named(index)}; delete one of them"
        return f"can never fit, because {self._named(index)} always fits first; delete this route or move it up"

    def _named(self, index: int) -> str:
        place = self._lines.place(("routes", index))
        return f"route no. {index + 1}" + (f" ({place})" if place else "")

    def _is_wider(self, wide: Rule, narrow: Rule) -> bool:
        """Whether `wide` fits every request that `narrow` fits. The times of the rules are ignored."""
        if wide.service not in ("", narrow.service):
            return False
        for code, values in wide.answers.items():
            if code not in narrow.answers or not set(narrow.answers[code]) <= set(values):
                return False
        if wide.area in ("", narrow.area):
            return True
        return bool(narrow.area and self._city.areas[wide.area].covers(self._city.areas[narrow.area]))

    @cached_property
    def _days(self) -> list[tuple[DayKind | None, int]]:
        """All pairs (kind of day, day of the week) that can occur in the city's calendar."""
        numbers, calendar = range(len(WEEKDAYS)), self._city.calendar
        if calendar is None:
            return [(None, number) for number in numbers]
        days: list[tuple[DayKind | None, int]] = [
            (DayKind.WORKING_DAY if calendar.office_hours[number] else DayKind.DAY_OFF, number)
            for number in numbers
        ]
        if calendar.holidays or calendar.closed:
            days += [(DayKind.HOLIDAY, number) for number in numbers]
        return days

    def _times(self, rule: Rule) -> Times:
        minutes = _minutes(rule)
        return {
            (kind, number): minutes
            for kind, number in self._days
            if (not rule.weekdays or number in rule.weekdays) and (not rule.day or _is_kind(kind, rule.day))
        }


def _minutes(rule: Rule) -> int:
    """The minutes of a day at which a rule can fit, as bits."""
    if not rule.hours:
        return _WHOLE_DAY
    found = 0
    for hours in rule.hours:
        if hours.start < hours.end:
            found |= (1 << hours.end) - (1 << hours.start)
        else:
            found |= _WHOLE_DAY & ~((1 << hours.start) - (1 << hours.end))
    return found


def _is_kind(kind: DayKind | None, wanted: str) -> bool:
    return kind == wanted or (wanted == DayKind.DAY_OFF and kind is DayKind.HOLIDAY)


def _are_within(times: Times, others: Times) -> bool:
    return all(not minutes & ~others.get(day, 0) for day, minutes in times.items())


# --- Service levels


def _level_rules(city: Jurisdiction) -> Iterator[tuple[LevelRule, Path]]:
    """All service levels in the order of `city.levels`, with the paths of keys to their values."""
    rules = iter(city.levels.rules)
    for index, department in enumerate(city.departments):
        if department.service_level is not None:
            yield next(rules), ("departments", index, "service_level")
    for index, service in enumerate(city.services):
        if service.service_level is not None:
            yield next(rules), ("services", index, "service_level")
    for index, rule in enumerate(rules):
        yield rule, ("service_levels", index)


def _level_faults(city: Jurisdiction) -> Iterator[Fault]:
    services = {service.code for service in city.services}
    departments = {department.code for department in city.departments}
    for rule, path in _level_rules(city):
        words = f"service level {str(rule)!r}"
        if rule.level.unit and rule.level.unit.needs_calendar and city.calendar is None:
            yield Fault(path, f"{words} needs a [calendar], which the city does not have")
        if rule.department and rule.department not in departments:
            yield Fault(path, f"{words} names department {rule.department!r}, which is not declared")
        if rule.service and rule.service not in services:
            yield Fault(path, f"{words} names an unknown service")
            continue
        where = f"a service level of {_of(rule.service)}"
        for code, values in rule.answers.items():
            for sentence in answer_faults(city, where, rule.service, code, values):
                yield Fault(path, sentence)


# --- Sensors


def _sensor_faults(city: Jurisdiction) -> Iterator[Fault]:
    yield from _sensor_rule_faults(city)
    codes = [rule.code for rule in city.sensor_rules]
    datastreams: set[str] = set()
    watched: set[tuple[str, str]] = set()
    for index, sensor in enumerate(city.sensors):
        path, words = ("sensors", index), f"sensor {sensor.datastream!r}"
        if not _DATASTREAM.fullmatch(sensor.datastream):
            sentence = (
                f"{words} has an id that is empty, too long, or has other characters than letters, digits, -._~:/"
            )
            yield Fault((*path, "datastream"), sentence)
        if sensor.datastream in datastreams:
            yield Fault((*path, "datastream"), f"{words} is declared twice")
        datastreams.add(sensor.datastream)
        if not sensor.thing.strip() or not sensor.thing.isprintable() or "," in sensor.thing:
            yield Fault((*path, "thing"), f"{words} needs a thing; write the thing's id on one line without commas")
        if not city.covers(sensor.long, sensor.lat) and city.outside == "refuse":
            sentence = f"{words} is outside the city, where requests are refused; correct lat and long"
            yield Fault((*path, "lat"), sentence)
        for code in sensor.rules:
            if code not in codes:
                yield Fault((*path, "rules"), f"{words} names sensor rule {code!r}, which is not declared")
            elif (sensor.thing, code) in watched:
                sentence = f"{words} has rule {code!r}, which another sensor of thing {sensor.thing!r} has too"
                yield Fault((*path, "rules"), f"{sentence}; declare a rule for each")
            watched.add((sensor.thing, code))


_DATASTREAM = re.compile(r"[\w.~:/-]{1,150}", re.ASCII)


def _sensor_rule_faults(city: Jurisdiction) -> Iterator[Fault]:
    services = {service.code: service for service in city.services}
    seen: set[str] = set()
    for index, rule in enumerate(city.sensor_rules):
        path, words = ("sensor_rules", index), f"sensor rule {rule.code!r}"
        if rule.code in seen:
            yield Fault((*path, "code"), f"{words} is declared twice")
        seen.add(rule.code)
        kinds = [name for name in ("above", "below") if getattr(rule, name) is not None]
        kinds += ["silent_minutes"] if rule.silent_minutes else []
        if len(kinds) != 1:
            have = f"has {' and '.join(kinds)}" if kinds else "has none of above, below and silent_minutes"
            yield Fault(path, f"{words} {have}; give exactly one of them")
        elif rule.silent_minutes and (rule.hysteresis or rule.minimum_minutes):
            unused = "hysteresis" if rule.hysteresis else "minimum_minutes"
            yield Fault((*path, unused), f"{words} has {unused}, which a rule about silence does not use")
        service = services.get(rule.service)
        if service is None:
            yield Fault((*path, "service"), f"{words} names an unknown service {rule.service!r}")
        elif not service.active or service.replaced_by:
            yield Fault(
                (*path, "service"), f"{words} names service {rule.service!r}, which is not offered any more"
            )
        else:
            yield from _sensor_answer_faults(city, rule, service, path)


def _sensor_answer_faults(city: Jurisdiction, rule: SensorRule, service: Service, path: Path) -> Iterator[Fault]:
    """Answers that do not fit the service's questions, and required questions without an answer."""
    words = f"sensor rule {rule.code!r}"
    for code, values in rule.attributes.items():
        for sentence in answer_faults(city, words, service.code, code, values):
            yield Fault((*path, "attributes"), sentence.replace(" asks for ", " answers ", 1))
    for attribute in service.attributes:
        is_asked = attribute.required and attribute.variable and not attribute.set_to and not attribute.default
        if is_asked and not attribute.only_if and attribute.code not in rule.attributes:
            sentence = f"{words} has no answer to {attribute.code!r}, which service {service.code!r} requires"
            yield Fault(path, sentence)


# --- Answers


def answer_faults(city: Jurisdiction, where: str, service: str, code: str, values: Sequence[str]) -> Iterator[str]:
    """Sentences about the faults of a condition on answers.

    service  a service's code. "" for any service: at least one service must have the attribute, and each answer
             must be a key of the attribute in at least one service
    """
    asked = [
        attribute
        for item in city.services
        if service in ("", item.code)
        for attribute in item.attributes
        if attribute.code == code
    ]
    if not asked:
        lacks = "the service does not have" if service else "no service has"
        yield f"{where} asks for attribute {code!r}, which {lacks}"
    elif not values:
        yield f"{where} asks for attribute {code!r} and names no answer"
    elif not any(attribute.variable for attribute in asked):
        yield f"{where} asks for attribute {code!r}, which is a note that nobody answers"
    elif all(attribute.datatype.is_list for attribute in asked):
        missing = set(values) - _keys(asked)
        if missing:
            yield f"{where} asks for {code} = {sorted(missing)[0]!r}, which is not a key"


def _keys(attributes: Sequence[Attribute]) -> set[str]:
    return {value.key for attribute in attributes for value in attribute.values}


def _of(service: str) -> str:
    return f"service {service!r}" if service else "any service"
