"""For which services requests can be sent now, who can send them, and the errors for all other calls."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from open311.domain.services import Audience, Service, WhenReplaced
from open311.errors import Forbidden, NotFound, Open311Error
from schemas.texts import tell

OTHER = tell("Send one from the service list.")

Find = Callable[[str], Service | None]
"""A function that finds a service by its code."""


def is_public(service: Service) -> bool:
    """Whether the service list contains the service, at least in the service's season."""
    return service.is_current and service.audience is Audience.PUBLIC


def is_ordinary(service: Service) -> bool:
    """Whether a service is offered to everybody at all times, and its answers are stored as the app sends them."""
    is_always_offered = service.is_current and service.audience is not Audience.STAFF and service.season is None
    return is_always_offered and all(attribute.is_plain for attribute in service.attributes)


def current(service: Service, find: Find) -> Service:
    """The service that replaces this one, if the old code is still accepted. Otherwise, this service.

    A chain of replaced services is followed to its end.
    """
    seen = {service.code}
    while service.replaced_by and service.when_replaced is WhenReplaced.ACCEPT:
        successor = find(service.replaced_by)
        if successor is None or successor.code in seen:
            return service
        seen.add(successor.code)
        service = successor
    return service


def refusal(service: Service, day: date, find: Find, *, is_staff: bool) -> Open311Error | None:
    """The error for a caller who cannot send a request for this service now; None if the caller can.

    day   today in the city; it matters only if the service has a season
    find  finds the successor, which the error names if the service has no advice of its own
    The texts say what to do instead. A service that is not offered now is refused like an unknown one (A69).
    """
    code = service.code[:60]
    if service.replaced_by:
        successor = find(service.replaced_by)
        new = tell("Send {code!r}.", code=service.replaced_by[:60])
        if successor:
            new = tell("Send {code!r} ({name}).", code=service.replaced_by[:60], name=successor.name)
        return NotFound(
            tell("{code!r} is replaced. {cure}", code=code, cure=service.instead or new), "service_code"
        )
    if not service.active:
        cure = service.instead or OTHER
        return NotFound(tell("{code!r} is not offered any more. {cure}", code=code, cure=cure), "service_code")
    if service.audience is Audience.STAFF and not is_staff:
        cure = service.instead or OTHER
        return Forbidden(
            tell("{code!r} is only for staff of the city. {cure}", code=code, cure=cure), "service_code"
        )
    if service.season is not None and not service.season.has(day):
        fault = tell("{code!r} can be reported from {season} only.", code=code, season=str(service.season))
        if service.instead:
            fault = tell("{fault} {cure}", fault=fault, cure=service.instead)
        return NotFound(fault, "service_code")
    return None
