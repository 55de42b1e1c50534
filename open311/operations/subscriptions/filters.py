"""Read which requests a new subscription is about."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from open311.domain.requests import Status
from open311.domain.search import Box, Circle
from open311.domain.subscriptions import RequestFilter
from open311.errors import Problem
from open311.operations.platform import Platform
from open311.operations.reading.searches import department_code
from open311.plugins import Jurisdiction
from open311.storage import subscribers
from schemas.texts import tell


def read_filter(
    platform: Platform, city: Jurisdiction, values: Mapping[str, Any], problems: list[Problem]
) -> RequestFilter:
    """The filter of a new subscription. Adds what is wrong to `problems`.

    values  the same parameters as those of a list of requests. `service_request_id` may be missing
    """
    problems += _unknown(city, values)
    id, number = values.get("service_request_id", ""), None
    if id:
        with platform.database.reading() as connection:
            number = subscribers.public_number(connection, city.id, id)
        if number is None:
            problems.append(Problem("service_request_id", tell("{id!r} is not a request here.", id=id[:60])))
    return RequestFilter(
        number=number,
        service_request_id=id,
        service_codes=tuple(dict.fromkeys(_codes(city, values["service_code"]))),
        group=values["group"],
        statuses=tuple(map(Status, values["status"])),
        department=department_code(values["department"], city),
        area=values["area"],
        box=Box(*values["bbox"]) if values["bbox"] else None,
        near=_circle(values),
    )


def _codes(city: Jurisdiction, sent: Iterable[str]) -> Iterator[str]:
    """The codes of services as requests have them. A caller may send a retired code."""
    return (service.code for code in sent if (service := city.service(code)))


def _unknown(city: Jurisdiction, values: Mapping[str, Any]) -> Iterator[Problem]:
    """A problem for each part of a filter that the city does not know. No request would ever match such a part."""
    for code in values["service_code"]:
        if city.service(code) is None:
            yield Problem(
                "service_code", tell("{value!r} is no service here; see the service list.", value=code[:60])
            )
    known = {
        "group": {service.group for service in city.services},
        "department": {one.code for one in city.departments},
        "area": set(city.areas),
    }
    sent = {name: values[name] for name in known} | {"department": department_code(values["department"], city)}
    for name, value in sent.items():
        if value and value not in known[name]:
            yield Problem(name, tell("{value!r} is not known here; check how it is written.", value=value[:60]))


def _circle(values: Mapping[str, Any]) -> Circle | None:
    long, lat, radius_m = values["long"], values["lat"], values["radius"]
    return None if None in (long, lat, radius_m) else Circle(long, lat, radius_m)
