"""Writing the plugins' catalogues down, and rendering requests anew where names have changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from open311.clock import utc_now
from open311.operations.platform import Platform
from open311.operations.publishing import edition_of, republish_batch
from open311.plugins import Jurisdiction
from open311.storage import catalogue, editions, requests
from open311.storage.catalogue import catalogue_digest
from open311.storage.editions import Edition
from open311.storage.engine import Connection
from open311.storage.hot import changes
from open311.storage.queue import Task


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
            changes.forget_strange_marks(connection, jurisdiction.id)
            _begin_edition(platform, connection, jurisdiction, now)
    return changed


def _begin_edition(platform: Platform, connection: Connection, jurisdiction: Jurisdiction, now: datetime) -> None:
    """Have the worker render a jurisdiction's requests anew, where their names or the renderer have changed."""
    has_requests = requests.has_requests(connection, jurisdiction.id)
    has_begun = editions.begin_edition(
        connection, jurisdiction.id, edition_of(jurisdiction), now, is_finished=not has_requests
    )
    if not has_begun and changes.has_strangers(connection, jurisdiction.id):
        # A backup from another server: its transaction ids are not ours, and the change feed would wait for them.
        editions.restart_edition(connection, jurisdiction.id, now)
        has_begun = True
    if has_begun and has_requests:
        defer_republish(platform, connection, jurisdiction.id)


def defer_republish(platform: Platform, connection: Connection, jurisdiction_id: str) -> None:
    """One job, however often it is asked for."""
    platform.queue.defer_once(
        connection, Task.REPUBLISH, f"{Task.REPUBLISH}:{jurisdiction_id}", jurisdiction_id=jurisdiction_id
    )


def ensure_synced(platform: Platform) -> None:
    """Write the catalogues down, unless this process has seen to it. Raises Unavailable."""
    if not platform.process.is_synced.is_set():
        sync_catalogues(platform, utc_now())
        platform.process.is_synced.set()


def read_changesets(platform: Platform) -> Mapping[str, datetime]:
    """When each jurisdiction's catalogue last changed."""
    return catalogue.read_changesets(platform.database.hot)


def digest_of(jurisdiction: Jurisdiction) -> str:
    """A digest of all that clients and requests see of a catalogue."""
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


def republish(
    platform: Platform, jurisdiction_id: str, now: datetime, on_batch: Callable[[int], object] = int
) -> int:
    """Render all of a jurisdiction's requests for the edition in work, a batch a transaction; how many it rendered.

    Reads stay right all the while; killed half-way, it goes on where it was.
    """
    jurisdiction = platform.registry.get(jurisdiction_id)
    rendered = 0
    while jurisdiction is not None:
        with platform.database.transaction() as connection:
            rows = republish_batch(connection, jurisdiction, now)
        if rows == 0:
            break
        rendered += rows
        on_batch(rows)
    return rendered


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a jurisdiction's edition has come."""

    edition: Edition
    rendered: int
    total: int


def read_progress(platform: Platform) -> list[Progress]:
    """Every jurisdiction's edition and how far it has come."""
    with platform.database.reading() as connection:
        return [
            Progress(edition, *editions.count_rendered(connection, edition))
            for edition in editions.list_editions(connection)
        ]


def restart_edition(platform: Platform, jurisdiction_id: str, now: datetime) -> None:
    """Have all of a jurisdiction's requests rendered once more, by whoever runs `republish` first."""
    with platform.database.transaction() as connection:
        editions.restart_edition(connection, jurisdiction_id, now)
