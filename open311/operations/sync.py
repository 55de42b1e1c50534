"""Writing the plugins' catalogues down, and rendering requests anew where names have changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime

from open311.clock import utc_now
from open311.operations.platform import Platform
from open311.operations.publishing import republish_batch
from open311.plugins import Jurisdiction
from open311.storage import catalogue, requests
from open311.storage.catalogue import catalogue_digest


def sync_catalogues(platform: Platform, now: datetime) -> list[str]:
    """Write every jurisdiction's catalogue down; the ids of those that had changed.

    A changed catalogue moves the discovery changeset and has its requests rendered anew by the worker.
    """
    changed: list[str] = []
    with platform.database.transaction() as connection:
        for jurisdiction in platform.registry:
            written = catalogue.write_catalogue(
                connection,
                jurisdiction.id,
                name=jurisdiction.name,
                digest=digest_of(jurisdiction),
                departments=jurisdiction.departments,
                services=jurisdiction.services,
                now=now,
            )
            if written:
                changed.append(jurisdiction.id)
                if requests.has_requests(connection, jurisdiction.id):
                    platform.queue.defer_once(
                        connection, "republish", f"republish:{jurisdiction.id}", jurisdiction_id=jurisdiction.id
                    )
    return changed


def ensure_synced(platform: Platform) -> None:
    """Write the catalogues down, unless this process has seen to it. Raises Unavailable."""
    if not platform.is_synced.is_set():
        sync_catalogues(platform, utc_now())
        platform.is_synced.set()


def read_changesets(platform: Platform) -> Mapping[str, datetime]:
    """When each jurisdiction's catalogue last changed."""
    with platform.database.reading() as connection:
        return catalogue.read_changesets(connection)


def digest_of(jurisdiction: Jurisdiction) -> str:
    """A digest of all that clients and requests see of a catalogue."""
    return catalogue_digest(
        {
            "name": jurisdiction.name,
            "languages": jurisdiction.languages,
            "departments": [asdict(department) for department in jurisdiction.departments],
            "services": [asdict(service) for service in jurisdiction.services],
            "aliases": dict(jurisdiction.aliases),
            "translations": {
                language: {
                    "groups": dict(texts.groups),
                    "services": {code: asdict(service) for code, service in texts.services.items()},
                }
                for language, texts in jurisdiction.translations.items()
            },
        }
    )


def republish(platform: Platform, jurisdiction_id: str) -> int:
    """Render all of a jurisdiction's requests anew, a batch a transaction; how many batches it took.

    Reads stay right all the while; killed half-way, it may simply run again.
    """
    jurisdiction = platform.registry.get(jurisdiction_id)
    batches, after = 0, 0
    while jurisdiction is not None:
        with platform.database.transaction() as connection:
            last = republish_batch(connection, jurisdiction, after=after)
        if last is None:
            break
        batches, after = batches + 1, last
    return batches
