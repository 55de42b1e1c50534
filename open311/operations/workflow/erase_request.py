"""Erasure of texts and personal data in a request. The history stays and records what was erased."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from open311.domain.events import SYSTEM, Erasable, Erased
from open311.domain.requests import RequestRecord
from open311.operations.platform import Platform
from open311.operations.publishing import names_for
from open311.operations.workflow.apply import change_requests, load_request
from open311.plugins import Jurisdiction
from open311.storage import history, requests, updates


def erase_from_request(
    platform: Platform,
    jurisdiction: Jurisdiction,
    name: str,
    parts: Collection[Erasable],
    *,
    now: datetime,
    actor: str = SYSTEM,
) -> RequestRecord:
    """Erase parts of a request from the record, its history and its publication, in one transaction.

    An event is written even if there was nothing to erase, because it proves that somebody asked for the erasure.
    Backups, downloaded files and existing dumps still contain the erased parts.

    name  the request's service_request_id, its token or its number
    Raises NotFound for an unknown name.
    """
    event = Erased(at=now, actor=actor, what=tuple(part for part in Erasable if part in parts))
    with platform.database.transaction() as connection:
        before = load_request(connection, jurisdiction, name)
        if Erasable.NOTES in parts:
            history.blank_notes(connection, jurisdiction.id, before.number)
            updates.blank_public(connection, jurisdiction.id, before.number)
        if Erasable.MEDIA in parts:
            updates.blank_media(connection, jurisdiction.id, before.number)
        if Erasable.REPORTER in parts:
            requests.delete_reporter(connection, jurisdiction.id, before.number)
            updates.blank_senders(connection, jurisdiction.id, before.number)
        [after] = change_requests(connection, [(before, [event])], names_for(connection, jurisdiction))
    return after
