"""The operation that stores the plugins' catalogues in the database."""

from __future__ import annotations

from datetime import datetime

from open311.clock import utc_now
from open311.operations.platform import Platform
from open311.operations.upkeep.republish import begin_edition
from open311.plugins import Jurisdiction
from open311.storage import catalogue
from open311.storage.catalogue import catalogue_digest
from open311.storage.hot import changes


def sync_catalogues(platform: Platform, now: datetime) -> list[str]:
    """Store every jurisdiction's catalogue. Returns the ids of jurisdictions whose catalogue has changed.

    A changed catalogue gets a new changeset in discovery. If names have changed, the worker renders the requests
    again.
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
            changes.delete_future_marks(connection, jurisdiction.id)
            begin_edition(platform, connection, jurisdiction, now)
    return changed


def ensure_synced(platform: Platform) -> None:
    """Store the catalogues, unless this process has done so already. Raises Unavailable."""
    if not platform.process.is_synced.is_set():
        sync_catalogues(platform, utc_now())
        platform.process.is_synced.set()


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
