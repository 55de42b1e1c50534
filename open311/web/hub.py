"""A hub: a server of several cities that finds the city of a call by its point (decision 0032)."""

from __future__ import annotations

from math import isfinite

from open311.errors import Invalid
from open311.plugins import Jurisdiction
from open311.plugins.registry import Registry
from open311.web.parsing import Parameters, first
from schemas.texts import tell


def city_at(registry: Registry, sent: Parameters) -> Jurisdiction | None:
    """The only city that has the point of a call; None if the call has no point.

    Also None if the server has only one city. Raises Invalid if no city or several cities have the point. The error
    names the cities to choose from. The point is never in a city without a boundary.
    """
    point = _point(sent)
    if point is None or registry.is_single:
        return None
    bounded = sorted((city for city in registry if city.boundary is not None), key=lambda city: city.id)
    found = [city for city in bounded if city.covers(*point)]
    if len(found) == 1:
        return found[0]
    if not found:
        fault = tell("is missing, and no city here has this point; send one of {known}.", known=_ids(registry))
        raise Invalid(fault, _NAME)
    candidates = ", ".join(city.id for city in found)
    fault = tell("is missing, and several cities have this point; send one of {known}.", known=candidates)
    raise Invalid(fault, _NAME)


_NAME = "jurisdiction_id"
_MOST_IDS = 12


def _point(sent: Parameters) -> tuple[float, float] | None:
    """The (long, lat) point of a call, in degrees; None if the call has no point, or a faulty point."""
    try:
        lat, long = float(first(sent, "lat")), float(first(sent, "long") or first(sent, "lng"))
    except ValueError:
        return None
    is_point = isfinite(lat) and isfinite(long) and abs(lat) <= 90 and abs(long) <= 180
    return (long, lat) if is_point else None


def _ids(registry: Registry) -> str:
    ids = sorted(registry.jurisdictions)
    return ", ".join(ids[:_MOST_IDS]) + (", ..." if len(ids) > _MOST_IDS else "")
