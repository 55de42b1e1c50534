"""Discovery: where the API is and when its catalogues last changed (C001)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from open311.errors import Unavailable
from open311.formats import JSON, XML, document, shape_of
from open311.operations.reading.read_changesets import read_changesets
from open311.operations.upkeep.sync_catalogues import ensure_synced
from open311.plugins import Jurisdiction
from open311.plugins.registry import NO_CITY
from open311.web.access import ANYBODY
from open311.web.calls import Answer, Call
from open311.web.endpoints import City, endpoint
from open311.web.surfaces import DISCOVERY, GEOREPORT, INQUIRY
from schemas.arguments import JurisdictionArguments
from schemas.georeport import DiscoverySchema
from schemas.values import format_instant

SPECIFICATION = "http://wiki.open311.org/GeoReport_v2"
INQUIRY_SPECIFICATION = "http://wiki.open311.org/Inquiry_v1"
FORMATS = tuple(output.media_type.partition(";")[0] for output in (XML, JSON))
_SHAPE = shape_of(DiscoverySchema)


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoveredEndpoint:
    """One base address, with its specification and formats."""

    url: str
    changeset: str
    type: str
    specification: str = SPECIFICATION
    formats: tuple[str, ...] = FORMATS


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovery:
    """The discovery document."""

    changeset: str
    contact: str
    key_service: str
    endpoints: tuple[DiscoveredEndpoint, ...]


@endpoint(
    DISCOVERY,
    "/discovery",
    reads=JurisdictionArguments,
    access=ANYBODY,
    answers=DiscoverySchema,
    city=City.OPTIONAL,
    is_quick=True,
)
def get_discovery(call: Call) -> Answer:
    """Show where the API is and how to get a key.

    The changeset becomes greater whenever a service list or a definition changes. With jurisdiction_id, only the
    services of that city count.
    """
    return _answer(call)


@endpoint(
    GEOREPORT,
    "/discovery",
    reads=JurisdictionArguments,
    access=ANYBODY,
    answers=DiscoverySchema,
    city=City.OPTIONAL,
    is_quick=True,
)
def get_discovery_below_base(call: Call) -> Answer:
    """Show where the API is and how to get a key, at the address where some clients look for it.

    The changeset becomes greater whenever a service list or a definition changes. With jurisdiction_id, only the
    services of that city count.
    """
    return _answer(call)


def _answer(call: Call) -> Answer:
    settings, changeset = call.platform.settings, format_instant(_changeset(call))
    found = Discovery(
        changeset=changeset,
        contact=settings.contact,
        key_service=settings.key_service,
        endpoints=tuple(_endpoints(call, changeset)),
    )
    return Answer(body=document(_SHAPE, _SHAPE.plain(found), call.output))


def _endpoints(call: Call, changeset: str) -> Iterator[DiscoveredEndpoint]:
    """This endpoint, the other endpoint that the settings name, and Inquiry v1. All get the same changeset.

    Inquiry comes last, because some clients read only the first endpoint.
    """
    settings = call.platform.settings
    yield DiscoveredEndpoint(url=call.base_url(), changeset=changeset, type=settings.endpoint_type)
    if settings.other_endpoint:
        other_type = "test" if settings.endpoint_type == "production" else "production"
        yield DiscoveredEndpoint(url=settings.other_endpoint, changeset=changeset, type=other_type)
    cities = [call.named_city] if call.named_city else call.platform.registry
    if any(city.answers_questions for city in cities):
        yield DiscoveredEndpoint(
            url=call.own_address() + INQUIRY.prefix,
            changeset=changeset,
            type=settings.endpoint_type,
            specification=INQUIRY_SPECIFICATION,
        )


def _changeset(call: Call) -> datetime:
    """When the catalogue of the named city last changed. If the call names no city, all catalogues count."""
    ensure_synced(call.platform)
    changesets = read_changesets(call.platform)
    cities = [call.named_city] if call.named_city else list(call.platform.registry)
    if not cities:
        raise Unavailable(NO_CITY)
    return max(_changed_at(city, changesets[city.id], call.now) for city in cities)


def _changed_at(city: Jurisdiction, stored: datetime, now: datetime) -> datetime:
    """When the service list of a city last changed: when a new catalogue was stored, or when a season changed."""
    season = city.seasons_changed_at(now)
    return stored if season is None else max(stored, season)
