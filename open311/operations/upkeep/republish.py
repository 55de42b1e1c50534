"""Republishing. All requests of a jurisdiction are rendered again after a change of names or of the renderer.

The names and the renderer's version identify an edition. A new edition begins when the changed catalogue is stored.
The worker or `open311 publish` then renders the requests for it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from open311.domain.personal_data import FINDERS_VERSION, Treatments
from open311.formats import RENDERER_VERSION
from open311.operations.platform import Platform
from open311.operations.publishing import ROWS_PER_TRANSACTION, names_for, publish_requests
from open311.operations.workflow.public_updates import mask_again
from open311.plugins import Jurisdiction
from open311.storage import editions, requests
from open311.storage.catalogue import catalogue_digest
from open311.storage.editions import Edition
from open311.storage.engine import Connection, undeadlocked
from open311.storage.hot import changes
from open311.storage.queue import Task


@dataclass(frozen=True, slots=True)
class Progress:
    """The number of a jurisdiction's requests that are rendered for its newest edition, and the total number."""

    edition: Edition
    rendered: int
    total: int


def begin_edition(platform: Platform, connection: Connection, jurisdiction: Jurisdiction, now: datetime) -> None:
    """Defer a job that renders a jurisdiction's requests again, if its names or the renderer have changed."""
    has_requests = requests.has_requests(connection, jurisdiction.id)
    has_begun = editions.begin_edition(
        connection, jurisdiction.id, _edition_of(jurisdiction), now, is_finished=not has_requests
    )
    if not has_begun and changes.has_future_transactions(connection, jurisdiction.id):
        # The data come from another server's backup. The change feed would wait for that server's transaction ids.
        editions.restart_edition(connection, jurisdiction.id, now)
        has_begun = True
    if has_begun and has_requests:
        platform.queue.defer_once(
            connection, Task.REPUBLISH, f"{Task.REPUBLISH}:{jurisdiction.id}", jurisdiction_id=jurisdiction.id
        )


def restart_edition(platform: Platform, jurisdiction_id: str, now: datetime) -> None:
    """Restart a jurisdiction's edition, so that `republish` renders all its requests again."""
    with platform.database.transaction() as connection:
        editions.restart_edition(connection, jurisdiction_id, now)


def republish(
    platform: Platform, jurisdiction_id: str, now: datetime, on_batch: Callable[[int], object] = int
) -> int:
    """Render all of a jurisdiction's requests for its newest edition. Returns the number of rendered requests.

    on_batch  called after each transaction with its number of requests
    Readers always get correct answers. If the process is killed, the next call of this function continues.
    """
    jurisdiction = platform.registry.get(jurisdiction_id)
    rendered = 0
    while jurisdiction is not None:
        rows = undeadlocked(partial(_republish_next, platform, jurisdiction, now))
        if rows == 0:
            break
        rendered += rows
        on_batch(rows)
    return rendered


def read_progress(platform: Platform) -> list[Progress]:
    """The progress of every jurisdiction's newest edition."""
    with platform.database.reading() as connection:
        return [
            Progress(edition, *editions.count_rendered(connection, edition))
            for edition in editions.list_editions(connection)
        ]


def _edition_of(jurisdiction: Jurisdiction) -> str:
    """The id of an edition.

    It changes with the renderer's version, with every name that requests show, and with what is masked in them.
    """
    names: dict[str, Any] = {
        "services": {service.code: (service.name, service.group) for service in jurisdiction.services},
        "departments": {department.code: department.name for department in jurisdiction.departments},
    }
    names["privacy"] = [FINDERS_VERSION, jurisdiction.privacy_of(""), *_privacy_of_services(jurisdiction)]
    if jurisdiction.states:
        names["states"] = {f"{one.state}/{one.code}": one.name for one in jurisdiction.states}
    return f"{RENDERER_VERSION}-{catalogue_digest(names)[:16]}"


def _privacy_of_services(jurisdiction: Jurisdiction) -> list[tuple[str, Treatments]]:
    return [(service.code, service.privacy) for service in jurisdiction.services if service.privacy is not None]


def _republish_next(platform: Platform, jurisdiction: Jurisdiction, now: datetime) -> int:
    """Call `_republish_batch` in one transaction."""
    with platform.database.transaction() as connection:
        return _republish_batch(connection, jurisdiction, now)


def _republish_batch(connection: Connection, jurisdiction: Jurisdiction, now: datetime) -> int:
    """Render the next requests for the unfinished edition. Returns their number, which is 0 if none are left."""
    edition = editions.lock_edition(connection, jurisdiction.id)
    if edition is None:
        return 0
    records = requests.load_batch(
        connection, jurisdiction.id, after=edition.rendered_until, rows=ROWS_PER_TRANSACTION
    )
    if not records:
        editions.finish_edition(connection, jurisdiction.id, now)
        return 0
    publish_requests(connection, records, names_for(connection, jurisdiction))
    mask_again(connection, records, jurisdiction)
    editions.advance_edition(connection, jurisdiction.id, records[-1].number)
    return len(records)
