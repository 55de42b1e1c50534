"""The operation that stores the plugins' catalogues in the database."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from open311.clock import utc_now
from open311.domain.requests import Status
from open311.errors import Misconfigured
from open311.observe import logger
from open311.operations.overriding.seeing import see_overrides
from open311.operations.platform import Platform
from open311.operations.upkeep.republish import begin_edition
from open311.plugins import Jurisdiction
from open311.storage import catalogue, counts, requests
from open311.storage.catalogue import CatalogueChange, catalogue_digest
from open311.storage.engine import Connection
from open311.storage.hot import changes

log = logger(__name__)


def sync_catalogues(
    platform: Platform, now: datetime, cities: Iterable[Jurisdiction] | None = None
) -> list[CatalogueChange]:
    """Store the catalogue of every jurisdiction, or only of `cities`. Returns how each catalogue has changed.

    A changed catalogue gets a new changeset in discovery. If names have changed, the worker renders the requests
    again.
    """
    changed: list[CatalogueChange] = []
    with platform.database.transaction() as connection:
        catalogue.lock_catalogues(connection)
        see_overrides(platform, is_fresh=True)
        for city in platform.registry if cities is None else cities:
            change = write_city(platform, connection, platform.registry.get(city.id) or city, now)
            if change is not None:
                changed.append(change)
    return changed


def write_city(
    platform: Platform, connection: Connection, jurisdiction: Jurisdiction, now: datetime
) -> CatalogueChange | None:
    """Store the catalogue of a city. Returns None if it has not changed."""
    change = catalogue.write_catalogue(
        connection,
        jurisdiction.id,
        name=jurisdiction.name,
        digest=digest_of(jurisdiction),
        departments=jurisdiction.departments,
        services=jurisdiction.services,
        now=now,
    )
    changes.delete_future_marks(connection, jurisdiction.id)
    begin_edition(platform, connection, jurisdiction, now)
    return change


def ensure_synced(platform: Platform) -> None:
    """Store the catalogues, unless this process has done so already. Raises Unavailable.

    The changes are logged. So are open requests of departments that do not exist any more.
    """
    if platform.process.is_synced.is_set():
        return
    for change in sync_catalogues(platform, utc_now()):
        log.info("catalogue stored", jurisdiction=change.jurisdiction_id, change=str(change))
    for orphans in find_orphans(platform):
        log.error("open requests without department", jurisdiction=orphans.jurisdiction_id, what=str(orphans))
    platform.process.is_synced.set()


def store_catalogue(
    platform: Platform, city: Jurisdiction, now: datetime, *, is_dry_run: bool = False
) -> list[CatalogueChange]:
    """Store the catalogue of one city, because its requests refer to it. Returns how it has changed.

    A dry run writes nothing. It raises Misconfigured if this catalogue is not the stored one.
    """
    if not is_dry_run:
        return sync_catalogues(platform, now, cities=(city,))
    with platform.database.reading() as connection:
        if not catalogue.is_stored(connection, city.id, digest_of(city)):
            raise Misconfigured(
                f"the catalogue of {city.id} is not stored yet, and a dry run writes nothing;"
                " run `open311 jurisdictions sync` first."
            )
    return []


@dataclass(frozen=True, slots=True)
class Orphans:
    """Open requests of a department or an area that the city's catalogue does not have any more."""

    jurisdiction_id: str
    kind: str
    name: str
    requests: int

    def __str__(self) -> str:
        cure = {
            "department": "add it again, or run `open311 requests reroute`",
            "area": "add it again, or run `open311 requests reroute`, or `open311 areas recompute` for all",
        }[self.kind]
        gone = f"{self.jurisdiction_id}: {self.kind} {self.name!r} is gone"
        return f"{gone} and has {self.requests} open requests; {cure}"


def find_orphans(platform: Platform) -> list[Orphans]:
    """Open requests of departments that do not exist any more. It reads only the stored counts, so it is fast."""
    with platform.database.reading() as connection:
        found = counts.stored_counts(connection)
    known = {city.id: {department.code for department in city.departments} for city in platform.registry}
    return [
        Orphans(city, "department", department, number)
        for (city, department, status), number in sorted(found.items())
        if status == Status.OPEN and department and department not in known.get(city, {department})
    ]


def find_orphans_of_areas(platform: Platform) -> list[Orphans]:
    """Open requests in areas that do not exist any more. Reads all open requests."""
    with platform.database.reading() as connection:
        found = {city: requests.count_open_by_area(connection, city.id) for city in platform.registry}
    return [
        Orphans(city.id, "area", name, number)
        for city, areas in found.items()
        for name, number in sorted(areas.items())
        if name not in city.areas
    ]


def digest_of(jurisdiction: Jurisdiction) -> str:
    """A digest of the parts of a catalogue that clients see or that requests show."""
    return catalogue_digest(
        {
            "name": jurisdiction.name,
            "languages": jurisdiction.languages,
            "departments": jurisdiction.departments,
            "services": jurisdiction.services,
            "aliases": dict(jurisdiction.aliases),
            "translations": {
                language: {"groups": dict(texts.groups), "services": dict(texts.services)}
                for language, texts in jurisdiction.translations.items()
            },
        }
    )
