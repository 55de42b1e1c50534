"""Discovery: where the API is and when its catalogues last changed (1.1)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from flask import Response

from open311.domain.dates import format_instant
from open311.errors import Unavailable
from open311.formats import JSON, XML, Format, document, shape_of
from open311.operations.reading.read_changesets import read_changesets
from open311.operations.upkeep.sync_catalogues import ensure_synced
from open311.web.answers import answer
from open311.web.context import own_address, platform
from open311.web.georeport.blueprint import BASE, georeport, root
from open311.web.parsing import read_query
from schemas import DiscoverySchema, JurisdictionArguments

SPECIFICATION = "http://wiki.open311.org/GeoReport_v2"
FORMATS = tuple(output.media_type.partition(";")[0] for output in (XML, JSON))
_SHAPE = shape_of(DiscoverySchema)
_ARGUMENTS = JurisdictionArguments()


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One base address and what it speaks."""

    url: str
    changeset: str
    type: str
    specification: str = SPECIFICATION
    formats: tuple[str, ...] = FORMATS


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovery:
    """The whole document."""

    changeset: str
    contact: str
    key_service: str
    endpoints: tuple[Endpoint, ...]


@root.call("/discovery", takes=JurisdictionArguments, answers=DiscoverySchema, is_hot=True)
@georeport.call("/discovery", takes=JurisdictionArguments, answers=DiscoverySchema, is_hot=True)
def get_discovery(output: Format) -> Response:
    """Say where the API is and how to get a key.

    The changeset grows whenever a service list or definition changes; with jurisdiction_id, that city's.
    """
    arguments = read_query(_ARGUMENTS)
    settings = platform().settings
    changeset = format_instant(_changeset(arguments["jurisdiction_id"]))
    found = Discovery(
        changeset=changeset,
        contact=settings.contact,
        key_service=settings.key_service,
        endpoints=(Endpoint(url=base_url(), changeset=changeset, type=settings.endpoint_type),),
    )
    return answer(document(_SHAPE, _SHAPE.plain(found), output), output)


def base_url() -> str:
    """The base address of all calls, as clients see it, without a slash at the end (A47)."""
    return own_address() + BASE


def _changeset(jurisdiction_id: str) -> datetime:
    ensure_synced(platform())
    changesets = read_changesets(platform())
    if jurisdiction_id:
        return changesets[platform().registry.find(jurisdiction_id).id]
    served = [changesets[jurisdiction.id] for jurisdiction in platform().registry]
    if not served:
        raise Unavailable("No city is served just now; the operator has to mend that.")
    return max(served)
